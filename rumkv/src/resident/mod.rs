//! The resident part: all that is left of RumKV when the first cell runs.
//!
//! Rules, checked by the linker (`link.ld`): nothing here calls or reads anything outside this
//! module, so no panic, no formatting, no memcpy, no library function that is not inlined; no state
//! in the image; under 5,120 bytes. What each core and cell needs stands in [`state`], made by
//! init.

mod distributor;
pub(crate) mod dma;
mod end;
mod firmware;
mod hypercall;
mod interrupt;
mod list;
mod park;
pub mod state;
mod sysreg;
mod trap;
mod vectors;

pub use state::{Cell, Core, Frame, Page, Shared};
pub use trap::synchronous;
pub(crate) use vectors::{Join, Release};
