//! Rumpk, the kernel: fibers, domains, channels, capabilities, energy.
//!
//! The kernel never runs by itself. A trap comes in through [`glue`], a handler in [`call`] or [`trap`] changes the tables of
//! [`Kernel`], and [`schedule`] says which fiber goes on. Inside, nothing is preempted and nothing is allocated:
//! every table has a fixed size, and memory for fibers comes out of [`memory`] at spawn.
//!
//! What decides without touching hardware lives in pure crates: `cap` (capabilities), `sched` (order and energy), `ring`
//! (the protocol of channels), `bundle` (the archive). What touches hardware is behind [`arch::Machine`].
#![no_std]
#![allow(
    clippy::inline_always,
    reason = "chosen by counting instructions on the paths that have a budget"
)]
#![deny(unsafe_code)]

mod archive;
mod audit;
mod birth;
mod blink;
pub mod boot;
mod build;
mod call;
mod channel;
mod checkpoint;
mod cores;
mod domain;
mod end;
#[cfg(target_os = "none")]
#[allow(unsafe_code, reason = "a core enters here, and founds the kernels of the others")]
mod enter;
mod fiber;
#[cfg(target_os = "none")]
#[allow(unsafe_code, reason = "the vectors call in here, and the one kernel is a static")]
pub mod glue;
mod image;
mod interrupt;
mod job;
mod kernel;
mod left_off;
mod manifest;
mod mapping;
mod memory;
mod object;
mod pair;
mod panic_record;
mod parked;
mod places;
mod postmortem;
mod quiesce;
mod quota;
mod restarted;
mod schedule;
mod seal;
mod spawn;
mod stand_in;
mod trap;

pub use boot::Application;
pub use cores::Shared;
pub use kernel::Kernel;
pub use panic_record::record;

#[cfg(test)]
mod audit_tests;
#[cfg(test)]
mod blink_tests;
#[cfg(test)]
mod fuzz_calls;
#[cfg(test)]
mod fuzz_tests;
#[cfg(test)]
mod grant_tests;
#[cfg(test)]
mod hand_over_tests;
#[cfg(test)]
mod host_tests;
#[cfg(test)]
mod interrupt_tests;
#[cfg(test)]
mod left_off_tests;
#[cfg(test)]
mod mapping_tests;
#[cfg(test)]
mod pledge_tests;
#[cfg(test)]
mod quiesce_tests;
