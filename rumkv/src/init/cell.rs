//! Makes what the resident part reads: a table per cell, a block per core, the second-stage table.
use core::iter::repeat;
use core::sync::atomic::{AtomicU32, AtomicU64};

use abi::PAGE;
use abi::boot::{CellRecord, cell};
use abi::hypercall::PostMortem;
use cells::{Span, Table};
use rules::features::{COUNT, RULES, index};
use rules::lines::target;

use super::Choice;
use super::gic::find_redistributor;
use super::refuse::refuse;
use super::smmu::Smmu;
use super::tables::{Attributes, Pool, Root};
use crate::memory::Block;
use crate::mrs;
use crate::resident::state::{Lines, MAX_LINES, OFF, PENDING, Window};
use crate::resident::{Cell, Core, Frame, Page, Shared};

/// Where the machine's shared things are.
pub(super) struct Board {
    /// Distributor.
    pub(super) gicd: u64,
    /// Redistributor of the first core.
    pub(super) gicr: u64,
    /// Page with the post-mortems.
    pub(super) post_mortem: u64,
    /// RumKV's own memory: base, length.
    pub(super) own: (u64, u64),
    /// What is one for all cells.
    pub(super) shared: &'static Shared,
    /// The SMMU, if there is one.
    pub(super) smmu: Option<Smmu>,
}

/// The virtual timer's line belongs to every cell without a record.
const VIRTUAL_TIMER: u32 = 27;

/// Makes cell `number` with its cores. Its first core is about to start, the others are off.
pub(super) fn make(
    table: &Table<'_>,
    number: u16,
    board: &Board,
    pool: &mut Pool,
    choice: Choice,
) -> &'static Cell {
    let Some((_, record)) = table.of_cell(cell::CELL, number).next() else {
        refuse(format_args!("cell {number} has no record"))
    };
    let (stage2, roots) = second_stage(table, number, board, pool, choice);
    let post_mortem = board.post_mortem + u64::from(number) * PostMortem::SIZE as u64;
    let place = pool.pages(1).base() as *mut Cell;
    // Page by page, one after the other: what `Cell::cores` is.
    let count = table.of_cell(cell::CORE, number).count();
    let mut first = 0;
    for n in 0..count {
        let page = pool.pages(1).base();
        first = if n == 0 { page } else { first };
    }
    // SAFETY: fresh pages of RumKV's own memory, given out in order and filled below; zeros are a
    // page's values but for the references, which nobody reads before.
    let cores = unsafe { core::slice::from_raw_parts(first as *const Page, count) };
    let mut made = Cell {
        mask: AtomicU64::new(u64::from(record.arg)),
        own: [const { AtomicU32::new(0) }; 32],
        ended: AtomicU32::new(0),
        on: AtomicU32::new(1),
        roots,
        number: u32::from(number),
        stage2: stage2.0,
        // SAFETY: a page of RumKV's own memory, checked.
        post_mortem: unsafe { Block::at(post_mortem) },
        // SAFETY: the machine's distributor, checked.
        gicd: unsafe { Block::at(board.gicd) },
        cores,
        shared: board.shared,
        windows: windows(table, number, board, pool, stage2),
        irqs: [Lines { word: 0, class: 0, lines: 0 }; MAX_LINES],
        id: identification(),
    };
    own(table, number, &mut made);
    // SAFETY: a fresh page of RumKV's own memory, large enough and aligned.
    unsafe { place.write(made) };
    // SAFETY: written above, never moved, from now on only shared.
    let made = unsafe { &*place };
    for ((_, r), n) in table.of_cell(cell::CORE, number).zip(0..) {
        make_core(made, &record, first + PAGE as u64 * u64::from(n), board, (n, r.a));
    }
    made
}

/// The second-stage table: RAM in large blocks, device windows in pages, nothing else.
fn second_stage(
    table: &Table<'_>,
    number: u16,
    board: &Board,
    pool: &mut Pool,
    choice: Choice,
) -> (Root, u32) {
    let root = Root(pool.pages(2));
    for (_, r) in table.of_cell(cell::RAM, number) {
        root.map(pool, [r.a, r.b, r.c], Attributes::CELL_RAM, true);
    }
    for (_, r) in table.of_cell(cell::DEVICE, number) {
        root.map(pool, [r.a, r.b, r.c], Attributes::CELL_DEVICE, false);
    }
    if choice.expose {
        root.map(pool, [board.own.0, board.own.0, board.own.1], Attributes::CELL_RAM, true);
    }
    let used = (0..1024).rev().find(|n| root.0.read64(8 * n) != 0);
    (root, used.map_or(0, |n| n as u32 + 1))
}

/// Lines and windows with the hard pledge that each needs.
fn own(table: &Table<'_>, number: u16, made: &mut Cell) {
    *made.own[0].get_mut() = 0xFFFF | 1 << VIRTUAL_TIMER;
    let irqs = table.of_cell(cell::IRQ, number).filter(|(_, r)| r.a != u64::from(VIRTUAL_TIMER));
    for (_, r) in irqs {
        let (word, line) = ((r.a / 32) as u16, 1 << (r.a % 32));
        *made.own[usize::from(word)].get_mut() |= line;
        let fits = |i: &&mut Lines| i.lines == 0 || (i.word, u32::from(i.class)) == (word, r.arg);
        match made.irqs.iter_mut().find(fits) {
            Some(to) => *to = Lines { word, class: r.arg as u16, lines: to.lines | line },
            None => refuse(format_args!("cell {number} has lines in too many words")),
        }
    }
}

/// What a pledge may have to take away: streams first, because a device is to stop before its
/// windows go. That all fit was checked.
fn windows(
    table: &Table<'_>,
    number: u16,
    board: &Board,
    pool: &mut Pool,
    stage2: Root,
) -> [Window; cells::MAX_WINDOWS] {
    let vmid = u64::from(number) + 1;
    let streams = table.of_cell(cell::STREAM, number).filter_map(|(_, r)| {
        let entries = board.smmu?.give(pool, r.a, vmid, stage2.0);
        Some(Window { entries, pages: 1, class: r.arg })
    });
    let pieces = table.of_cell(cell::DEVICE, number).flat_map(|(_, r)| {
        Span::new(r.a, r.c).into_iter().flat_map(Span::leaves).zip(repeat(r.arg))
    });
    let devices = pieces.map(|(piece, class)| Window {
        entries: stage2.leaf(piece.base),
        pages: (piece.len / PAGE as u64) as u32,
        class,
    });
    let mut made = [NO_WINDOW; cells::MAX_WINDOWS];
    made.iter_mut().zip(streams.chain(devices)).for_each(|(to, window)| *to = window);
    made
}

// SAFETY: nobody looks at the entries of a window without pages.
const NO_WINDOW: Window = Window { entries: unsafe { Block::at(0) }, pages: 0, class: 0 };

/// The ID registers as a cell sees them.
fn identification() -> [u64; COUNT] {
    let real = [
        mrs!("id_aa64pfr0_el1"),
        mrs!("id_aa64pfr1_el1"),
        // The number of a register that older assemblers do not name: ID_AA64ZFR0_EL1.
        mrs!("s3_0_c0_c4_4"),
        mrs!("id_aa64dfr0_el1"),
        mrs!("id_aa64isar0_el1"),
        mrs!("id_aa64isar1_el1"),
        // ID_AA64ISAR2_EL1.
        mrs!("s3_0_c0_c6_2"),
        mrs!("id_aa64mmfr0_el1"),
        mrs!("id_aa64mmfr1_el1"),
        mrs!("id_aa64mmfr2_el1"),
    ];
    let mut seen = [0; COUNT];
    for (rule, real) in RULES.iter().zip(real) {
        if let Some(to) = index(rule.crm, rule.op2).and_then(|i| seen.get_mut(i)) {
            *to = rule.seen(real);
        }
    }
    seen
}

/// Makes the block of core `n` of a cell in the page at `page`.
fn make_core(
    cell: &'static Cell,
    record: &CellRecord,
    page: u64,
    board: &Board,
    (n, affinity): (u32, u64),
) {
    /// Bits of GICR_TYPER that pass: affinity 63:32, processor number 23:8.
    const TYPER_KEPT: u64 = 0xFFFF_FFFF << 32 | 0xFFFF << 8;
    // Of each: the device tree of a cell has a region for each redistributor.
    const LAST: u64 = 1 << 4;
    let gicr = find_redistributor(board.gicr, affinity);
    let made = Core {
        counters: [const { AtomicU64::new(0) }; abi::hypercall::counter::COUNT],
        cell,
        gicr,
        typer: gicr.read64(8) & TYPER_KEPT | LAST,
        affinity,
        target: target(affinity),
        frame: page + PAGE as u64 - size_of::<Frame>() as u64,
        entry: AtomicU64::new(record.a),
        context: AtomicU64::new(record.b),
        state: AtomicU32::new(if n == 0 { PENDING } else { OFF }),
        passes: AtomicU32::new(0),
        number: n,
    };
    let place = page as *mut Core;
    // SAFETY: a fresh page of RumKV's own memory, large enough and aligned; nobody uses it yet.
    unsafe { place.write(made) };
}
