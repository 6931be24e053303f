//! ION Ring: the index protocol of both sides, over any memory.
//!
//! One producer and one consumer share two parts: P, which only the producer writes (`write`,
//! `p_asleep`, the slots), and C, which only the consumer writes (`read`, `c_asleep`). Each side keeps
//! its own index privately and only publishes it, and each keeps the last it saw of the other's, so that the
//! other's cache line is touched only when the ring looks full or empty. No lock, no
//! compare-and-swap.
//!
//! Neither side trusts the other. Whatever the peer writes, an index used here is masked by the
//! geometry from `map`, never by anything in shared memory; a slot is copied once and the copy is
//! checked. What a correct peer cannot have written makes the ring broken: from then on `Gone`.
//!
//! The fence between publishing an index and looking at the peer's sleep word is what makes a lost
//! wake-up impossible; `tests/wakeup.rs` shows that either one is necessary.
#![no_std]
#![forbid(unsafe_code)]

mod consumer;
mod memory;
mod producer;

pub use consumer::{Consumer, Popped, PoppedHeader};
pub use memory::{Header, Memory, Word, descriptor};
pub use producer::{Producer, Pushed};
