//! What devices still reach of a cell, taken from them (Arm IHI 0070, 4).
//!
//! The stream table and the cell's second stage are memory; whoever changed them calls [`drain`],
//! which makes the SMMU forget what it remembers of the cell. Its queue holds the same four
//! commands sixty-four times over, written by init, and a ticket is the number of the first: who
//! holds the one that is up is alone, fills in the cell, and waits until they are done. All run
//! RumKV's code, so the wait is bounded by the cores.
use core::sync::atomic::{AtomicU32, Ordering::Relaxed};

use super::end::off;
use super::state::Cell;
use crate::instruction;
use crate::memory::Block;

/// Commands of one caller.
pub const EACH: u32 = 4;
/// Commands of the queue.
pub const SLOTS: u32 = 256;
/// Bits of an index: one more than the queue has, for how often it went around.
pub const INDEX: u32 = 2 * SLOTS - 1;
/// Registers: up to where commands are written, and up to where they are done.
pub const PROD: u64 = 0x98;
/// See [`PROD`].
pub const CONS: u64 = 0x9C;
/// Where the number of the cell stands, from the first of the four.
pub const VMID_OF: u64 = 36;
/// How often the queue is looked at: far more than it takes. An SMMU that stopped protects nobody.
const PATIENCE: u32 = 1 << 24;

/// Returns when no access of a device gets through by what the cell's map or streams were before.
#[inline(never)]
pub fn drain(cell: &Cell) {
    let shared = cell.shared;
    if shared.smmu.base() == 0 {
        return;
    }
    let first = shared.ticket.fetch_add(EACH, Relaxed) & INDEX;
    let done = core::ptr::from_ref::<AtomicU32>(&shared.done) as u64;
    let next = (first + EACH) & INDEX;
    settle(done, first);
    let slot = u64::from(first & (SLOTS - 1));
    shared.queue.write32(16 * slot + VMID_OF, cell.number + 1);
    instruction!("dsb sy");
    shared.smmu.write32(PROD, next);
    settle(shared.smmu.base() + CONS, next);
    shared.done.store(next, Relaxed);
}

/// Waits until an index reads `wanted`.
#[inline(never)]
fn settle(at: u64, wanted: u32) {
    // SAFETY: a word of the shared state or a register of the SMMU.
    let word = unsafe { Block::at(at) };
    let mut left = PATIENCE;
    while (word.read32(0) ^ wanted) & INDEX != 0 {
        left -= 1;
        if left == 0 {
            off();
        }
    }
    instruction!("dsb sy");
}
