//! From nexus-boot's jump to the first instruction of cell 0.
use core::arch::global_asm;
use core::sync::atomic::AtomicU32;

use abi::PAGE;
use abi::boot::{HANDOFF_MAGIC, Handoff, cell};
use cells::{MAX_CELLS, Span, Table, check, check_machine};

use super::cell::{Board, make};
use super::machine::Firmware;
use super::refuse::{PLACES, refuse};
use super::secondary::{self, Work};
use super::smmu::Smmu;
use super::tables::{Attributes, Pool, Root};
use super::{gic, registers};
use crate::memory::Block;
use crate::resident::dma::EACH;
use crate::resident::{Cell, Core, Release, Shared, state};
use crate::{mrs, msr};

/// How an image differs from RumKV as it is used; see [`crate::image!`].
#[derive(Clone, Copy, Debug)]
pub struct Choice {
    /// TLB maintenance of the cell traps.
    pub count_tlb: bool,
    /// RumKV's own memory is mapped into the cell.
    pub expose: bool,
}

// Entered at EL2 with the MMU off, the handoff in x0. A flat image has no zeros for .bss, so it
// gets them here.
global_asm!(
    ".section .init.head, \"ax\"",
    ".global _start",
    "_start:",
    "msr spsel, #1",
    "msr daifset, #0xf",
    "adrp x1, init_vectors",
    "add x1, x1, :lo12:init_vectors",
    "msr vbar_el2, x1",
    "adrp x1, __init_stack_top",
    "add x1, x1, :lo12:__init_stack_top",
    "mov sp, x1",
    "adrp x2, __init_bss_start",
    "add x2, x2, :lo12:__init_bss_start",
    "1: stp xzr, xzr, [x2], #16",
    "cmp x2, x1",
    "b.lo 1b",
    "isb",
    "bl init_main",
);

unsafe extern "C" {
    static __image_start: u8;
    static __resident_start: u8;
    static __resident_end: u8;
    static __init_start: u8;
    static __init_end: u8;
    static resident_vectors: u8;
    fn resident_release(start: u64, end: u64, sctlr: u64, frame: u64) -> !;
}

/// Address of a symbol of the linker's.
macro_rules! address {
    ($symbol:ident) => {
        (&raw const $symbol) as u64
    };
}

/// Bytes that somebody wrote at a physical address before RumKV ran.
pub(super) fn bytes(base: u64, len: u64) -> &'static [u8] {
    // SAFETY: nexus-boot wrote them and stopped; init only reads them, and zeroes them when no
    // reader is left.
    unsafe { core::slice::from_raw_parts(base as *const u8, len as usize) }
}

/// Runs init.
pub fn start(handoff_at: u64, choice: Choice) -> ! {
    if mrs!("currentel") >> 2 != 2 {
        refuse(format_args!("not entered at EL2"));
    }
    let handoff = match Handoff::decode(bytes(handoff_at, Handoff::SIZE as u64)) {
        Some(handoff) if handoff.magic == HANDOFF_MAGIC => handoff,
        _ => refuse(format_args!("no handoff at {handoff_at:#x}")),
    };
    let table = checked(&handoff);
    let mut board = board(&table);
    let mut pool = pool(&board, handoff_at);
    // Another cell may end before cell 0 starts.
    zero(board.post_mortem, PAGE as u64);
    let persistent = pool.next();
    board.smmu = Smmu::find(&table, &mut pool);
    board.shared = shared(&table, board.smmu, &mut pool);
    let cells: [Option<&'static Cell>; MAX_CELLS as usize] = core::array::from_fn(|n| {
        let is = n < usize::from(table.header().cells);
        is.then(|| make(&table, n as u16, &board, &mut pool, choice))
    });
    let Some(core) = cells[0].and_then(|c| c.cores.first()).map(|page| &page.core) else {
        refuse(format_args!("cell 0 has no core"))
    };
    if core.affinity != mrs!("mpidr_el1") & cells::AFFINITY {
        refuse(format_args!("the first core of cell 0 is not the one that boots"));
    }
    gic::distributor(&table, core.cell.gicd);
    let state = [persistent, pool.next()];
    let root = own_map(&board, cells.iter().flatten(), state, &mut pool);
    // Written with the MMU off, read with it on: no line that a cache may hold from before must
    // win.
    for line in (persistent..pool.next()).step_by(16) {
        clean(line);
    }
    if let Some(smmu) = board.smmu {
        smmu.enable();
    }
    let work = Work { table, handoff, root: root.0.base(), choice };
    let others = cells.iter().flatten().flat_map(|c| c.cores).map(|page| &page.core).skip(1);
    secondary::start_all(&work, others);
    gic::redistributor(core.gicr);
    registers::write(core, work.root, choice);
    secondary::await_all();
    // From here on nothing can fail.
    leave(&work.handoff, handoff_at, core)
}

/// The table, known to be good for this machine.
fn checked(handoff: &Handoff) -> Table<'static> {
    let table = match Table::decode(bytes(handoff.cells, handoff.cells_len)) {
        Ok(table) => table,
        Err(fault) => refuse(format_args!("{fault}")),
    };
    if let Some((_, r)) = table.first(cell::CONSOLE) {
        PLACES.console(r.a);
    }
    if let Err(fault) = check(&table) {
        // Where to report is only known if the record of the buffer itself is sound.
        report_into(&table);
        refuse(format_args!("{fault}"));
    }
    report_into(&table);
    // SAFETY: the pointer is firmware's device tree, which nexus-boot read before.
    let tree = unsafe { fdt::Fdt::from_ptr(handoff.fdt as *const u8) };
    let Ok(tree) = tree else { refuse(format_args!("firmware's device tree is broken")) };
    if let Err(fault) = check_machine(&table, &Firmware(tree)) {
        refuse(format_args!("{fault}"));
    }
    if table.header().rumkv != 1 {
        refuse(format_args!("the cell table is one without RumKV"));
    }
    clear_of_cells(&table, handoff);
    table
}

/// Names the Boot Error Buffer for refusals, if its record lies in RAM of cell 0 and of the
/// machine.
fn report_into(table: &Table<'_>) {
    let Some((_, r)) = table.of_cell(cell::BEB, 0).next() else { return };
    let Ok(span) = Span::new(r.a, r.c) else { return };
    let inside = |kind| {
        table.of(kind).any(|(_, m)| {
            let base = if kind == cell::RAM { m.b } else { m.a };
            Span::new(base, m.c).is_ok_and(|outer| outer.holds(span))
        })
    };
    if r.a % 8 == 0 && r.c >= 4096 && inside(cell::RAM) && inside(cell::MACHINE_RAM) {
        PLACES.beb(span);
    }
}

/// What init zeroes at the end: the bundle, nexus-boot, firmware's device tree, the cell table.
fn leftovers(handoff: &Handoff) -> [(u64, u64); 4] {
    [
        (handoff.archive, handoff.archive_len),
        (handoff.boot_base, handoff.boot_len),
        (handoff.fdt, handoff.fdt_len),
        (handoff.cells, handoff.cells_len),
    ]
}

/// Refuses if something that is zeroed at the end lies in a cell's RAM, or over RumKV.
fn clear_of_cells(table: &Table<'_>, handoff: &Handoff) {
    let rams = || table.of(cell::RAM).filter_map(|(_, r)| Span::new(r.b, r.c).ok());
    let own = || table.of(cell::HYPERVISOR).filter_map(|(_, r)| Span::new(r.a, r.c).ok());
    let machine = || table.of(cell::MACHINE_RAM).filter_map(|(_, r)| Span::new(r.a, r.c).ok());
    for (base, len) in leftovers(handoff) {
        let Ok(span) = Span::new(base, len) else { continue };
        if rams().chain(own()).any(|r| r.overlaps(span)) || !machine().any(|r| r.holds(span)) {
            refuse(format_args!("a working copy of nexus-boot's at {base:#x} is in the way"));
        }
    }
}

// SAFETY: nobody looks there while there is no SMMU.
const NO_SMMU: Block = unsafe { Block::at(0) };

/// Stands for what is shared until there is memory for it.
static NOT_YET: Shared = share(0, NO_SMMU, NO_SMMU);

/// What is shared at first. The first four commands are init's own.
const fn share(alive: u32, smmu: Block, queue: Block) -> Shared {
    let (ticket, done) = (AtomicU32::new(EACH), AtomicU32::new(EACH));
    Shared { alive: AtomicU32::new(alive), ticket, done, smmu, queue }
}

/// Makes what is shared.
fn shared(table: &Table<'_>, smmu: Option<Smmu>, pool: &mut Pool) -> &'static Shared {
    let place = pool.pages(1).base() as *mut Shared;
    let [registers, queue] = smmu.map_or([NO_SMMU; 2], |s| [s.registers, s.queue]);
    let made = share(u32::from(table.header().cells), registers, queue);
    // SAFETY: a fresh page of RumKV's own memory, large enough and aligned.
    unsafe { place.write(made) };
    // SAFETY: written above, from now on only shared.
    unsafe { &*place }
}

fn board(table: &Table<'_>) -> Board {
    let record = |kind| match table.first(kind) {
        Some((_, r)) => r,
        None => refuse(format_args!("the table lacks a {} record", cell::NAMES[kind as usize])),
    };
    let own = record(cell::HYPERVISOR);
    let gic = record(cell::INTERRUPT_CONTROLLER);
    Board {
        gicd: gic.a,
        gicr: gic.b,
        post_mortem: record(cell::POST_MORTEM).a,
        own: (own.a, own.c),
        shared: &NOT_YET,
        smmu: None,
    }
}

/// RumKV's free memory: from the end of the image to the handoff or the post-mortem page, whichever
/// comes first.
fn pool(board: &Board, handoff_at: u64) -> Pool {
    let (base, len) = board.own;
    let image = (address!(__image_start), address!(__init_end));
    if image.0 < base || image.1 > base + len {
        refuse(format_args!("RumKV does not lie in its own memory"));
    }
    let page = PAGE as u64;
    let end = [handoff_at & !(page - 1), board.post_mortem, base + len];
    Pool::new(image.1, end.into_iter().filter(|&e| e >= image.1).min().unwrap_or(image.1))
}

/// RumKV's own translation, of all cores: what it needs once init is gone. Its tables are not in
/// it.
fn own_map<'a>(
    board: &Board,
    cells: impl Iterator<Item = &'a &'static Cell>,
    [from, to]: [u64; 2],
    pool: &mut Pool,
) -> Root {
    const GICD_LEN: u64 = 0x1_0000;
    const GICR_LEN: u64 = 0x2_0000;
    let root = Root(pool.pages(1));
    let text = address!(__resident_start);
    let text_len = (address!(__resident_end) - text).next_multiple_of(PAGE as u64);
    for (base, len, attributes) in [
        (text, text_len, Attributes::TEXT),
        (from, to - from, Attributes::DATA),
        (board.post_mortem, PAGE as u64, Attributes::DATA),
        (board.gicd, GICD_LEN, Attributes::DEVICE),
    ] {
        root.map(pool, [base, base, len], attributes, false);
    }
    if let Some(smmu) = board.smmu {
        let at = smmu.registers.base();
        root.map(pool, [at, at, PAGE as u64], Attributes::DEVICE, false);
    }
    for page in cells.flat_map(|cell| cell.cores) {
        let gicr = page.core.gicr.base();
        root.map(pool, [gicr, gicr, GICR_LEN], Attributes::DEVICE, false);
    }
    root
}

/// Zeroes everything but what is resident, and enters the cell.
fn leave(handoff: &Handoff, handoff_at: u64, core: &Core) -> ! {
    for (base, len) in leftovers(handoff) {
        zero(base, len);
    }
    zero(handoff_at, Handoff::SIZE as u64);
    msr!("vbar_el2", address!(resident_vectors));
    let (start, end) = (address!(__init_start), address!(__init_end));
    let release: Release = resident_release;
    // SAFETY: everything is in place, and no reference into init is used after this.
    unsafe { release(start, end, rules::registers::SCTLR_EL2, core.frame) }
}

/// Zeroes memory that is nobody's any more, in words, outwards to multiples of 8.
fn zero(base: u64, len: u64) {
    let start = base & !7;
    // SAFETY: `clear_of_cells` and the checks of the table: RAM that no cell owns and that no
    // reader is left for.
    let block = unsafe { Block::at(start) };
    for offset in (0..(base + len).next_multiple_of(8) - start).step_by(8) {
        block.write64(offset, 0);
    }
}

fn clean(line: u64) {
    // SAFETY: cache maintenance by address changes no value.
    unsafe { core::arch::asm!("dc ivac, {}", in(reg) line, options(nostack, preserves_flags)) }
}

/// The types that only the assembly and the resident part name.
const _: fn() -> &'static Core = state::core;
const _: usize = size_of::<Cell>();
