//! The hypercall `hvc #0x4E58` and hard pledges.
use core::sync::atomic::Ordering::Relaxed;

use abi::call::Error;
use abi::hypercall::{CELL_OFF, COUNTERS, PLEDGE, RUMKV_VERSION, VERSION, cause};
use abi::pledge::hard;

use super::end::end;
use super::interrupt::{frame_of, withdraw};
use super::state::{Cell, Core, Frame};
use crate::instruction;
use crate::memory::Block;

const ICENABLER: u64 = 0x180;
const ICPENDR: u64 = 0x280;
const ICACTIVER: u64 = 0x380;
/// Address bits of a table descriptor (Arm ARM DDI 0487, D8.3.1).
const NEXT_TABLE: u64 = 0xFFFF_FFFF_F000;

/// Function in x0, argument in x1; status in x0, value in x1.
#[inline(always)]
pub fn call(frame: &mut Frame, core: &Core) {
    let argument = frame.x[1];
    let (status, value) = match frame.x[0] {
        VERSION => (0, RUMKV_VERSION),
        PLEDGE => (0, pledge(core, argument)),
        CELL_OFF if core.cell.may(hard::POWER) => end(cause::OFF),
        CELL_OFF => (Error::Denied as u64, 0),
        COUNTERS => match core.counters.get(argument as usize) {
            Some(slot) => (0, slot.get()),
            None => (Error::Unsupported as u64, 0),
        },
        _ => (Error::Unsupported as u64, 0),
    };
    frame.x[0] = status;
    frame.x[1] = value;
}

/// Narrows the mask, then performs the removal of everything that it does not hold, whoever dropped
/// it; idempotent. When it returns, no access and no interrupt of what left arrives any more.
fn pledge(core: &Core, mask: u64) -> u64 {
    let cell = core.cell;
    let mask = cell.mask.fetch_and(mask, Relaxed) & mask;
    for window in cell.windows.iter().filter(|w| u64::from(w.class) & mask == 0) {
        for page in 0..u64::from(window.pages) {
            unmap(cell, window.base + (page << 12));
        }
    }
    instruction!("dsb ishst");
    instruction!("tlbi vmalls12e1is");
    instruction!("dsb ish");
    for irq in cell.irqs.iter().filter(|i| u64::from(i.class) & mask == 0) {
        if irq.intid != 0 {
            drop_line(core, u32::from(irq.intid));
        }
    }
    instruction!("dsb sy");
    instruction!("isb");
    mask
}

/// Empties the level-3 entry of a device page. Device windows are mapped by pages, so the walk
/// always gets there.
#[inline(never)]
fn unmap(cell: &Cell, address: u64) {
    let next = |table: Block, index: u64| {
        // SAFETY: an entry on the way to a device page is a table of RumKV's.
        unsafe { Block::at(table.read64(index * 8) & NEXT_TABLE) }
    };
    let level2 = next(cell.stage2, address >> 30 & 1023);
    let level3 = next(level2, address >> 21 & 511);
    level3.write64((address >> 12 & 511) * 8, 0);
}

/// Disables a line for good: no longer the cell's, not pending, not active, in no list register.
fn drop_line(core: &Core, intid: u32) {
    let cell = core.cell;
    let (n, line) = (intid >> 5, 1 << (intid & 31));
    cell.own[(n & 31) as usize].fetch_and(!line, Relaxed);
    let frame = frame_of(core, intid);
    withdraw(core, n, line, true);
    let word = 4 * u64::from(n);
    frame.write32(ICENABLER + word, line);
    frame.write32(ICPENDR + word, line);
    frame.write32(ICACTIVER + word, line);
}
