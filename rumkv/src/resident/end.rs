//! The end of a cell.
//!
//! *Dead* means that no core of the cell retires another instruction: the one that trapped never
//! returns from here, the root of the second stage is emptied and its translations are gone, and
//! each sibling was called and has stopped. Then its lines go off and the post-mortem says why. The
//! other cells go on; the last cell's end powers the machine off.
use core::sync::atomic::Ordering::{AcqRel, Relaxed};

use abi::hypercall::{POST_MORTEM_MAGIC, PostMortem, cause};
use core::mem::offset_of;

use super::dma::drain;
use super::park::{park, quiet, rendezvous};
use super::state::core;
use crate::system::power_off;
use crate::{instruction, mrs};

/// ESR_EL2: the fault is on a walk of the cell's own table.
const S1PTW: u64 = 1 << 7;

/// The intermediate address of a stage-2 fault: the page from HPFAR_EL2, the offset from FAR_EL2.
#[inline(always)]
pub fn fault_address() -> u64 {
    (mrs!("hpfar_el2") & 0xFFF_FFFF_FFF0) << 8 | mrs!("far_el2") & 0xFFF
}

/// Ends the cell of this core for a [`cause`]. Entered from the vectors too, with any stack that
/// can hold a few words.
#[unsafe(no_mangle)]
pub(super) extern "C" fn resident_end(why: u64) -> ! {
    let core = core();
    let cell = core.cell;
    // Several cores may end their cell at once: the first one does it. A fault in here comes back,
    // too, and then this core touches nothing more.
    if cell.ended.compare_exchange(0, core.number + 1, Relaxed, Relaxed).is_err() {
        park();
    }
    let (pc, syndrome) = (mrs!("elr_el2"), mrs!("esr_el2"));
    let of_map = why == u64::from(cause::DATA)
        || why == u64::from(cause::FETCH)
        || why == u64::from(cause::NO_SYNDROME);
    let mut address = if of_map { fault_address() } else { 0 };
    if syndrome & S1PTW != 0 {
        // FAR_EL2 is what was translated, not where in its page the walk went.
        address &= !0xFFF;
    }
    for entry in 0..cell.roots {
        cell.stage2.write64(8 * u64::from(entry), 0);
    }
    instruction!("dsb ishst");
    instruction!("tlbi vmalls12e1is");
    instruction!("dsb ish");
    // The SMMU walks the same tables.
    drain(cell);
    rendezvous(core);
    for n in 1..32 {
        let lines = cell.lines(n);
        if lines != 0 {
            quiet(cell.gicd.base() + 4 * u64::from(n), lines);
        }
    }
    instruction!("dsb sy");
    let page = cell.post_mortem;
    let head = u64::from(POST_MORTEM_MAGIC) | u64::from(cell.number) << 32 | why << 48;
    let end = u64::from(core.number);
    page.write64(offset_of!(PostMortem, address) as u64, address);
    page.write64(offset_of!(PostMortem, pc) as u64, pc);
    page.write64(offset_of!(PostMortem, mask) as u64, cell.mask.load(Relaxed));
    page.write64(offset_of!(PostMortem, syndrome) as u64, syndrome);
    page.write64(offset_of!(PostMortem, core) as u64, end);
    page.write64(offset_of!(PostMortem, time) as u64, mrs!("cntpct_el0"));
    // The magic last: a reader that finds it finds the rest.
    page.write64(0, head);
    instruction!("dsb sy");
    if cell.shared.alive.fetch_sub(1, AcqRel) == 1 {
        off();
    }
    park()
}

/// Powers the machine off.
#[inline(never)]
pub fn off() -> ! {
    power_off()
}

const _: () = assert!(
    offset_of!(PostMortem, cell) == 4 && offset_of!(PostMortem, cause) == 6,
    "the head is written as one word"
);

/// Ends the cell for one of [`cause`].
#[inline(always)]
pub fn end(why: u16) -> ! {
    resident_end(u64::from(why))
}
