//! What RumKV decides, without touching a register.
//!
//! RumKV's resident part is a thin shell around four decisions, each of them here and tested on the
//! host:
//!
//! | module | decides |
//! |---|---|
//! | [`registers`] | the value of every EL2 register, compared with `docs/rumkv-registers.md` |
//! | [`features`] | which fields of the ID registers a cell sees; all others read as zero |
//! | [`lines`] | which interrupt lines an access to a mediated frame concerns |
//! | [`abort`] | what the syndrome of a data abort says about the access |
//!
//! Functions that the resident part calls are `inline(always)`: they become part of it and of its
//! size, and the linker refuses an image whose resident part refers to anything outside itself.
#![no_std]
#![forbid(unsafe_code)]
#![allow(
    clippy::inline_always,
    reason = "resident code must not call out of its part of the image"
)]

pub mod abort;
pub mod features;
pub mod lines;
pub mod registers;
