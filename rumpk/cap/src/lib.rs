//! Capability algebra: what a capability allows, how it narrows, how it ages.
//!
//! A capability is a value in the kernel's memory; a fiber names it by the number of its slot. Nothing
//! here widens: every operation yields the meet of what was there and what was asked for, so that no
//! sequence of calls gains a verb, a permission, a byte of range, a life or a smaller depth. The laws
//! stand in `tests/laws.rs`, an exhaustive walk over call sequences of one object with its ranges in `tests/sequences.rs`,
//! and every state that three fibers and three objects reach in `tests/model.rs`.
#![no_std]
#![forbid(unsafe_code)]

mod capability;
mod space;

pub use capability::{Cap, Mask, next_epoch};
pub use space::CSpace;
