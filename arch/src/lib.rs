//! Processor and board behind one trait.
//!
//! [`contract`] is the trait and the porting guide. One folder per architecture has the same file names; the `cfg` below
//! is the only place that chooses. `host` behaves like a machine in ordinary memory.
#![no_std]
#![allow(
    clippy::inline_always,
    reason = "the kernel is built for size, and some of this is on every call's path"
)]

pub mod contract;
pub use contract::{
    BadAddress, CALL, CORES, Frame, Machine, Memory, NoTable, TIMER, TablePool, Trap, UserAddr,
};

#[cfg(all(target_arch = "aarch64", target_os = "none"))]
pub mod aarch64;
#[cfg(all(target_arch = "aarch64", target_os = "none"))]
pub use aarch64::{Aarch64 as Current, CoreCell, direct_entry};

#[cfg(not(target_os = "none"))]
extern crate std;
#[cfg(not(target_os = "none"))]
pub mod host;
