//! What RumKV keeps: a block per core and a table per cell, made by init, read by the handlers.
//!
//! Changed after boot, and nothing else: a cell's mask and own lines (by PLEDGE), its end mark, a
//! core's counters, the frame. Several cores of one cell may pledge at once, so those fields are
//! atomic; a core's block is its own.
use core::cell::Cell as Slot;
use core::sync::atomic::{AtomicU32, AtomicU64, Ordering::Relaxed};

use abi::hypercall::counter;
use cells::{MAX_CORES, MAX_IRQS, MAX_WINDOWS};

use crate::memory::Block;
use crate::mrs;

/// Registers of a cell while RumKV handles its trap: x0 to x30, then a zero that stands for `xzr`.
#[repr(C, align(16))]
#[derive(Debug)]
pub struct Frame {
    /// By register number.
    pub x: [u64; 32],
}

/// A device window of a cell.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct Window {
    /// First intermediate address.
    pub base: u64,
    /// Pages; 0: no window.
    pub pages: u32,
    /// Hard pledge that it needs.
    pub class: u32,
}

/// An interrupt of a cell.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct Irq {
    /// INTID; 0: no interrupt.
    pub intid: u16,
    /// Hard pledge that it needs (device classes fit in 16 bits).
    pub class: u16,
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
    /// 1: the cell ended.
    pub ended: AtomicU32,
    /// Number of the cell.
    pub number: u32,
    /// Root of its second-stage table: 1,024 entries of level 1.
    pub stage2: Block,
    /// Its post-mortem.
    pub post_mortem: Block,
    /// Distributor, at the same physical and intermediate address.
    pub gicd: Block,
    /// Its cores, each as [`rules::lines::target`] names it; 0: none.
    pub cores: [u64; MAX_CORES],
    /// Device windows.
    pub windows: [Window; MAX_WINDOWS],
    /// Interrupts.
    pub irqs: [Irq; MAX_IRQS],
    /// ID registers as the cell sees them ([`rules::features`]).
    pub id: [u64; rules::features::COUNT],
}

const _: () = assert!(size_of::<Cell>() <= 1024, "the budget of a cell's table");

/// One core, at the start of a page whose end is its stack and its [`Frame`].
#[repr(C)]
#[derive(Debug)]
pub struct Core {
    /// Traps by cause ([`counter`]); index 0 is counted by the vectors.
    pub counters: [Slot<u64>; counter::COUNT],
    /// The cell it belongs to.
    pub cell: &'static Cell,
    /// Its redistributor, at the same physical and intermediate address: RD frame, then SGI frame.
    pub gicr: Block,
    /// GICR_TYPER as the cell sees it.
    pub typer: u64,
    /// Its name among [`Cell::cores`].
    pub target: u64,
    /// Stack pointer while the cell runs: the address of the frame.
    pub frame: u64,
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
            slot.set(slot.get() + 1);
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

    /// Whether a core of this affinity is the cell's own.
    #[inline(never)]
    #[expect(clippy::manual_contains, reason = "`contains` is unrolled: 48 bytes more")]
    pub fn has_core(&self, affinity: u64) -> bool {
        let name = rules::lines::target(affinity);
        affinity & !cells::AFFINITY == 0 && self.cores.iter().any(|&own| own == name)
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
