//! What RumKV keeps: a block per core and a table per cell, made by init, read by the handlers.
//!
//! Changed after boot, and nothing else: a cell's mask and own lines (by PLEDGE), its end mark and
//! how many of its cores are on; the number of cells that live, the tickets of the SMMU's queue; a
//! core's state, entry and context, its counters, its passes, the frame. What more than one core
//! may touch is atomic; what one core alone writes is loaded and stored without a
//! read-modify-write.
use core::cell::UnsafeCell;
use core::sync::atomic::{AtomicU32, AtomicU64, Ordering::Relaxed};

use abi::PAGE;
use abi::hypercall::counter;
use cells::MAX_WINDOWS;

use crate::memory::Block;
use crate::mrs;

/// Registers of a cell while RumKV handles its trap: x0 to x30, then a zero that stands for `xzr`.
#[repr(C, align(16))]
#[derive(Debug)]
pub struct Frame {
    /// By register number.
    pub x: [u64; 32],
}

/// A device window of a cell, or a stream: what a pledge zeroes.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct Window {
    /// The first of its entries in a table of level 3, one after the other; of a stream, its entry
    /// in the stream table, which aborts when its first word is zero.
    pub entries: Block,
    /// Pages; 1: a stream; 0: no window.
    pub pages: u32,
    /// Hard pledge that it needs.
    pub class: u32,
}

/// Lines of a cell that stand in one word and need the same hard pledge.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct Lines {
    /// The word: lines from 32 times it on.
    pub word: u16,
    /// Hard pledge that they need (device classes fit in 16 bits).
    pub class: u16,
    /// One bit per line; none in an entry that is not in use.
    pub lines: u32,
}

/// Most entries of [`Cell::irqs`].
pub const MAX_LINES: usize = 32;

/// What all cells of the machine share.
#[repr(C)]
#[derive(Debug)]
pub struct Shared {
    /// Cells that live.
    pub alive: AtomicU32,
    /// Tickets of the SMMU's queue: the next one, and the one that is up.
    pub ticket: AtomicU32,
    /// See `ticket`.
    pub done: AtomicU32,
    /// The SMMU; 0: there is none.
    pub smmu: Block,
    /// Its command queue.
    pub queue: Block,
}

/// One cell.
#[repr(C)]
#[derive(Debug)]
pub struct Cell {
    /// Hard pledge mask.
    pub mask: AtomicU64,
    /// Bit n of word w: line 32 w + n is the cell's. Word 0 holds SGIs and PPIs, which each core
    /// has for itself.
    pub own: [AtomicU32; 32],
    /// Number of the core that ends or ended the cell, plus 1; 0: it lives.
    pub ended: AtomicU32,
    /// Cores that are on, or about to be.
    pub on: AtomicU32,
    /// Entries of the second stage's root that map something stand before this one.
    pub roots: u32,
    /// Number of the cell.
    pub number: u32,
    /// Root of its second-stage table: 1,024 entries of level 1.
    pub stage2: Block,
    /// Its post-mortem.
    pub post_mortem: Block,
    /// Distributor, at the same physical and intermediate address.
    pub gicd: Block,
    /// Its cores, at most [`cells::MAX_CORES`].
    pub cores: &'static [Page],
    /// What is one for all cells.
    pub shared: &'static Shared,
    /// Device windows.
    pub windows: [Window; MAX_WINDOWS],
    /// Interrupts.
    pub irqs: [Lines; MAX_LINES],
    /// ID registers as the cell sees them ([`rules::features`]).
    pub id: [u64; rules::features::COUNT],
}

const _: () = assert!(size_of::<Cell>() <= 1024, "the budget of a cell's table");

/// [`Core::state`], as AFFINITY_INFO answers it (Arm DEN 0022, 5.1.8): the core runs.
pub const ON: u32 = 0;
/// It waits to be started.
pub const OFF: u32 = 1;
/// It is about to start: entry and context are there.
pub const PENDING: u32 = 2;
/// Somebody is about to write entry and context. AFFINITY_INFO shows the low two bits.
pub const CLAIMED: u32 = 4 | PENDING;

/// One core: its block, and behind it its stack, which ends with its [`Frame`].
#[repr(C, align(4096))]
#[derive(Debug)]
pub struct Page {
    /// The block.
    pub core: Core,
    /// Only the core itself uses it, by its stack pointer.
    stack: UnsafeCell<[u8; PAGE - size_of::<Core>()]>,
}

const _: () = assert!(size_of::<Page>() == PAGE, "cores stand page by page");

/// One core.
#[repr(C)]
#[derive(Debug)]
pub struct Core {
    /// Traps by cause ([`counter`]); index 0 is counted by the vectors. Only the core itself
    /// writes; its siblings read.
    pub counters: [AtomicU64; counter::COUNT],
    /// The cell it belongs to.
    pub cell: &'static Cell,
    /// Its redistributor, at the same physical and intermediate address: RD frame, then SGI frame.
    pub gicr: Block,
    /// GICR_TYPER as the cell sees it.
    pub typer: u64,
    /// Its affinity.
    pub affinity: u64,
    /// The same as [`rules::lines::target`] names it.
    pub target: u64,
    /// Stack pointer while the cell runs: the address of the frame.
    pub frame: u64,
    /// Where it starts.
    pub entry: AtomicU64,
    /// What it finds in `x0` then.
    pub context: AtomicU64,
    /// [`ON`], [`OFF`], [`PENDING`] or [`CLAIMED`].
    pub state: AtomicU32,
    /// How often it let go of what its cell no longer owns; wraps.
    pub passes: AtomicU32,
    /// Number within the cell.
    pub number: u32,
}

/// The block of this core.
#[inline(always)]
pub fn core() -> &'static Core {
    let block = mrs!("tpidr_el2") as *const Core;
    // SAFETY: init pointed TPIDR_EL2 at this core's block, which lives as long as RumKV; only this
    // core refers to it.
    unsafe { &*block }
}

impl Core {
    /// Counts one trap.
    #[inline(always)]
    pub fn count(&self, cause: u64) {
        if let Some(slot) = self.counters.get(cause as usize) {
            slot.store(slot.load(Relaxed) + 1, Relaxed);
        }
    }
}

impl Cell {
    /// Lines of word `n` (0 to 31) that the cell owns.
    #[inline(always)]
    pub fn lines(&self, n: u32) -> u32 {
        self.own[(n & 31) as usize].load(Relaxed)
    }

    /// Whether the cell still holds a hard pledge.
    #[inline(always)]
    pub fn may(&self, pledge: u32) -> bool {
        self.mask.load(Relaxed) & u64::from(pledge) != 0
    }

    /// The cell's own core of this affinity.
    #[inline(never)]
    pub fn core(&self, affinity: u64) -> Option<&'static Core> {
        let named = |page: &&Page| page.core.affinity == affinity;
        self.cores.iter().find(named).map(|page| &page.core)
    }
}

/// Advances the cell past the instruction that was done for it: also leaves no single step and no
/// branch type behind.
#[inline(always)]
pub fn skip() {
    const SS: u64 = 1 << 21;
    const BTYPE: u64 = 3 << 10;
    crate::msr!("elr_el2", mrs!("elr_el2") + 4);
    crate::msr!("spsr_el2", mrs!("spsr_el2") & !(SS | BTYPE));
}
