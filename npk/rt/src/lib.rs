//! Runtime of NPLs and NPKs: from the kernel's entry to `main`, and typed access to the
//! capabilities that a fiber is born with.
//!
//! A program is entered with its argument block and the address of the SysTable. Everything it asks
//! of the kernel goes through the table's entries: in an isolated system each is a gate page that
//! traps, in a unikernel the kernel's function itself, so one source serves both. Waiting is always
//! the call `wait`; nothing here polls.
//!
//! | module | what it gives |
//! |---|---|
//! | [`sys`] | the 13 entries, with slices for addresses |
//! | [`channel`] | messages through the kernel, and rings mapped into the own domain |
//! | [`wait`] | waiting for several capabilities at once |
//! | [`task`] | many tasks in one fiber: an executor over one `wait` |
//! | [`object`] | clock, events, interrupt, device window, fiber, factory, power |
//! | [`memory`] | memory that several domains map |
//! | [`fs`] | files, through the VFS channel |
//! | [`console`] | `print!`, `println!`, reading |
//! | [`log`] | `info!` and its kin: lines with a level |
//! | [`heap`] | `alloc`, over the heap that the manifest gives |
//! | [`handover`] | device access and note as one step, for drivers |
//! | [`pl011`] | the PL011's registers, for its driver and for a program that owns one |
//! | [`pledge`] | giving up rights |
//! | [`audit`] | appending to the audit chain, reading it |
//! | [`manifest`] | checked view of the compiled cell manifest |
#![cfg_attr(not(test), no_std)]

pub use abi;
pub use abi::call::Error;

pub mod audit;
pub mod channel;
pub mod console;
#[cfg(test)]
mod fake;
pub mod fs;
pub mod handover;
pub mod heap;
pub mod log;
pub mod manifest;
pub mod memory;
pub mod object;
pub mod pl011;
pub mod pledge;
pub mod shared;
pub mod start;
pub mod stats;
pub mod sys;
pub mod task;
pub mod wait;

pub use channel::Channel;
pub use memory::Memory;
pub use object::{Clock, Device, Events, Factory, Fiber, Irq};
pub use start::{Termination, args, enter, raw_args};

/// What a call of the kernel gives.
pub type Result<T = usize> = core::result::Result<T, Error>;

/// Fills `buf` with random bytes from the kernel.
pub fn random(buf: &mut [u8]) -> Result<()> {
    for part in buf.chunks_mut(abi::call::meta::RANDOM_MAX) {
        sys::meta(abi::call::meta::RANDOM, part)?;
    }
    Ok(())
}
