//! Harmonic scheduler and Kinetic Economy of one core: who runs, until when, and at whose expense.
//!
//! A domain is what is scheduled. Order is strict by spectrum and earliest deadline first inside one; a higher
//! spectrum that becomes ready preempts, nothing else does. Energy is processor time (1 J = 1 µs, kept
//! here in ns) plus the prices of the verbs, given out per window by the constant-bandwidth rule of
//! Abeni and Buttazzo, "Integrating multimedia applications in hard real-time systems" (RTSS 1998).
//!
//! All times are absolute ns and come from the caller, who must never let them go back. Nothing here waits,
//! or allocates. A domain's number is below [`DOMAINS`]: [`Harmonic::add`] refuses others.
#![no_std]
#![allow(
    clippy::inline_always,
    reason = "chosen by counting instructions on the paths that have a budget"
)]
#![forbid(unsafe_code)]

mod admission;
mod domain;
mod harmonic;
mod reserve;
mod terms;

pub use admission::{KERNEL_STRETCH_NS, Params, RESTART_NS, RESTART_PERIOD_NS};
pub use harmonic::{Charged, Choice, DOMAINS, Harmonic};
pub use reserve::share;
pub use terms::Terms;
