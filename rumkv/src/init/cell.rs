//! Makes what the resident part reads: a table per cell, a block per core, the second-stage table.
use core::cell::Cell as Slot;
use core::sync::atomic::{AtomicU32, AtomicU64};

use abi::PAGE;
use abi::boot::{CellRecord, cell};
use abi::hypercall::PostMortem;
use cells::{MAX_CORES, Table};
use rules::features::{COUNT, RULES, index};
use rules::lines::target;

use super::Choice;
use super::refuse::refuse;
use super::tables::{Attributes, Pool, Root};
use crate::memory::Block;
use crate::mrs;
use crate::resident::state::{Irq, Window};
use crate::resident::{Cell, Core, Frame};

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
}

/// The virtual timer's line belongs to every cell without a record.
const VIRTUAL_TIMER: u32 = 27;

/// Makes cell `number`.
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
    let stage2 = second_stage(table, number, board, pool, choice);
    let mut cores = [0; MAX_CORES];
    for (to, (_, core)) in cores.iter_mut().zip(table.of_cell(cell::CORE, number)) {
        *to = target(core.a);
    }
    let post_mortem = board.post_mortem + u64::from(number) * PostMortem::SIZE as u64;
    let mut made = Cell {
        mask: AtomicU64::new(u64::from(record.arg)),
        own: [const { AtomicU32::new(0) }; 32],
        ended: AtomicU32::new(0),
        number: u32::from(number),
        stage2: stage2.0,
        // SAFETY: a page of RumKV's own memory, checked.
        post_mortem: unsafe { Block::at(post_mortem) },
        // SAFETY: the machine's distributor, checked.
        gicd: unsafe { Block::at(board.gicd) },
        cores,
        windows: [Window { base: 0, pages: 0, class: 0 }; cells::MAX_WINDOWS],
        irqs: [Irq { intid: 0, class: 0 }; cells::MAX_IRQS],
        id: identification(),
    };
    own(table, number, &mut made);
    let place = pool.pages(1).base() as *mut Cell;
    // SAFETY: a fresh page of RumKV's own memory, large enough and aligned.
    unsafe { place.write(made) };
    // SAFETY: written above, never moved, from now on only shared.
    unsafe { &*place }
}

/// The second-stage table: RAM in large blocks, device windows in pages, nothing else.
fn second_stage(
    table: &Table<'_>,
    number: u16,
    board: &Board,
    pool: &mut Pool,
    choice: Choice,
) -> Root {
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
    root
}

/// Lines and windows with the hard pledge that each needs.
fn own(table: &Table<'_>, number: u16, made: &mut Cell) {
    *made.own[0].get_mut() = 0xFFFF | 1 << VIRTUAL_TIMER;
    let irqs = table.of_cell(cell::IRQ, number).filter(|(_, r)| r.a != u64::from(VIRTUAL_TIMER));
    for (to, (_, r)) in made.irqs.iter_mut().zip(irqs) {
        *to = Irq { intid: r.a as u16, class: r.arg as u16 };
        *made.own[(r.a / 32) as usize].get_mut() |= 1 << (r.a % 32);
    }
    for (to, (_, r)) in made.windows.iter_mut().zip(table.of_cell(cell::DEVICE, number)) {
        *to = window(&r);
    }
}

const fn window(r: &CellRecord) -> Window {
    Window { base: r.a, pages: (r.c / PAGE as u64) as u32, class: r.arg }
}

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

/// Makes the block of the boot core, `frame.x[0]` holding what the cell finds in `x0`.
pub(super) fn make_core(
    cell: &'static Cell,
    gicr: Block,
    handoff: u64,
    pool: &mut Pool,
) -> &'static Core {
    /// Bits of GICR_TYPER that pass: affinity 63:32, processor number 23:8.
    const TYPER_KEPT: u64 = 0xFFFF_FFFF << 32 | 0xFFFF << 8;
    const LAST: u64 = 1 << 4;
    let page = pool.pages(1);
    let frame = page.base() + PAGE as u64 - size_of::<Frame>() as u64;
    let made = Core {
        counters: [const { Slot::new(0) }; abi::hypercall::counter::COUNT],
        cell,
        gicr,
        typer: gicr.read64(8) & TYPER_KEPT | LAST,
        target: target(mrs!("mpidr_el1") & cells::AFFINITY),
        frame,
        number: 0,
    };
    let place = page.base() as *mut Core;
    // SAFETY: a fresh page of RumKV's own memory, large enough and aligned.
    unsafe { place.write(made) };
    page.write64(frame - page.base(), handoff);
    // SAFETY: written above, never moved, from now on only shared.
    unsafe { &*place }
}
