//! The flat cell table: decoder and checker.
//!
//! The table says which memory, cores, devices and interrupts each cell owns. Nothing in it is
//! trusted: the host tool checks it to explain mistakes before a bundle is signed, and RumKV checks
//! the same bytes again before it builds a second-stage table from them, because a partition is
//! only as good as the table that describes it. Both call [`check`]; RumKV then calls
//! [`check_machine`] with what firmware says about the machine it really runs on.
//!
//! Everything is decided before anything is applied: a table that passed cannot fail later.
#![no_std]
#![forbid(unsafe_code)]

mod check;
mod fault;
mod machine;
mod overlap;
mod table;

pub use check::check;
pub use fault::{Fault, Reason};
pub use machine::{Machine, check_machine};
pub use table::{Span, Table};

/// Most cells of a table.
pub const MAX_CELLS: u16 = 8;
/// Most device windows of one cell, each counted once for every [`LEAF`] that it touches; bounds the
/// table that RumKV keeps per cell.
pub const MAX_WINDOWS: usize = 16;
/// Bytes that one translation table of the last level maps. A pledge takes a window out of a cell's
/// map entry by entry, and only the entries of one such table follow each other.
pub const LEAF: u64 = 1 << 21;
/// Most interrupts of one cell.
pub const MAX_IRQS: usize = 64;
/// Most cores of one cell.
pub const MAX_CORES: usize = 8;
/// First address that neither stage of translation reaches: 40 bits (`VTCR_EL2.PS`, T0SZ = 24).
pub const ADDRESS_END: u64 = 1 << 40;
/// First interrupt that is shared between cores (SPI); those below belong to a core.
pub const FIRST_SPI: u64 = 32;
/// First INTID that is no line (Arm IHI 0069, table 2-1: 1020 to 1023 are special).
pub const END_SPI: u64 = 1020;
/// Bits of MPIDR_EL1 that are affinity: Aff3 and Aff2 to Aff0.
pub const AFFINITY: u64 = 0xFF_00FF_FFFF;
