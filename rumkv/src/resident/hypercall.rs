//! The hypercall `hvc #0x4E58` and hard pledges.
use core::sync::atomic::{AtomicU64, Ordering::Relaxed};

use abi::call::Error;
use abi::hypercall::{CELL_OFF, COUNTERS, PLEDGE, RUMKV_VERSION, VERSION, cause, counter};
use abi::pledge::hard;

use super::dma::drain;
use super::end::end;
use super::park::{quiet, rendezvous};
use super::state::{Core, Frame, Page};
use crate::instruction;

/// Function in x0, argument in x1; status in x0, value in x1.
#[inline(always)]
pub fn call(frame: &mut Frame, core: &Core) {
    let argument = frame.x[1];
    let (status, value) = match frame.x[0] {
        VERSION => (0, RUMKV_VERSION),
        PLEDGE => (0, pledge(core, argument)),
        CELL_OFF if core.cell.may(hard::POWER) => end(cause::OFF),
        CELL_OFF => (Error::Denied as u64, 0),
        COUNTERS if argument < counter::COUNT as u64 => {
            let of = |page: &Page| page.core.counters.get(argument as usize).map_or(0, read);
            (0, core.cell.cores.iter().map(of).sum())
        }
        _ => (Error::Unsupported as u64, 0),
    };
    frame.x[0] = status;
    frame.x[1] = value;
}

fn read(slot: &AtomicU64) -> u64 {
    slot.load(Relaxed)
}

/// Narrows the mask, then performs the removal of everything that it does not hold, whoever dropped
/// it; idempotent. When it returns, no access and no interrupt of what left arrives any more.
fn pledge(core: &Core, mask: u64) -> u64 {
    let cell = core.cell;
    let mask = cell.mask.fetch_and(mask, Relaxed) & mask;
    for window in cell.windows.iter().filter(|w| u64::from(w.class) & mask == 0) {
        for page in 0..u64::from(window.pages) {
            window.entries.write64(8 * page, 0);
        }
    }
    instruction!("dsb ishst");
    instruction!("tlbi vmalls12e1is");
    instruction!("dsb ish");
    drain(cell);
    // After the first rendezvous no sibling is still about to enable what it no longer owns, after
    // the second one no list register holds what arrived until then; the third time clears what
    // that made pending. Lines of word 0 are disabled by each core itself (`park::pass`): those
    // registers of the distributor ignore writes.
    for _ in 0..3 {
        for irq in cell.irqs.iter().filter(|i| u64::from(i.class) & mask == 0) {
            cell.own[usize::from(irq.word & 31)].fetch_and(!irq.lines, Relaxed);
            quiet(cell.gicd.base() + 4 * u64::from(irq.word), irq.lines);
        }
        rendezvous(core);
    }
    // The way back is a synchronization of context.
    instruction!("dsb sy");
    mask
}
