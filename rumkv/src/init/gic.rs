//! The interrupt controller before the first cell: everything off, group 1, routed, and fixed what
//! cells may not change (Arm IHI 0069, 12.8 and 12.10).
use abi::boot::cell;
use cells::Table;

use super::refuse::refuse;
use crate::memory::Block;

/// Of both frames.
const CTLR: u64 = 0x0;
const IGROUPR: u64 = 0x80;
const ISENABLER: u64 = 0x100;
const ICENABLER: u64 = 0x180;
const ICPENDR: u64 = 0x280;
const ICACTIVER: u64 = 0x380;
const IPRIORITYR: u64 = 0x400;
const ICFGR: u64 = 0xC00;
const IGRPMODR: u64 = 0xD00;
const IROUTER: u64 = 0x6000;
const TYPER: u64 = 0x4;
const PIDR2: u64 = 0xFFE8;
const GICR_TYPER: u64 = 0x8;
const WAKER: u64 = 0x14;
const SGI_FRAME: u64 = 0x1_0000;
const GICR_STRIDE: u64 = 0x2_0000;
/// Register write pending.
const RWP: u32 = 1 << 31;
const ENABLE_GROUP_1: u32 = 1 << 1;
const ARE: u32 = 1 << 4;
const ENABLE_LPIS: u32 = 1;
/// Priority of every line until its cell says otherwise.
const PRIORITY: u32 = 0xA0A0_A0A0;
/// GIC maintenance, above every cell's priority.
const MAINTENANCE: u64 = 25;

fn settle(gicd: Block) {
    if !(0..1_000_000).any(|_| gicd.read32(CTLR) & RWP == 0) {
        refuse(format_args!("the distributor does not settle"));
    }
}

/// Sets the distributor up for all cells.
pub(super) fn distributor(table: &Table<'_>, gicd: Block) {
    let version = gicd.read32(PIDR2) >> 4 & 0xF;
    if version != 3 && version != 4 {
        refuse(format_args!("the interrupt controller is no GICv3: version {version}"));
    }
    gicd.write32(CTLR, 0);
    settle(gicd);
    gicd.write32(CTLR, ARE);
    settle(gicd);
    let words = u64::from(gicd.read32(TYPER) & 0x1F) + 1;
    for n in 1..words.min(32) {
        quiet(gicd, n);
    }
    for (n, r) in table.of(cell::IRQ) {
        if r.a >= words * 32 {
            refuse(format_args!("record {n} (irq) has a line that the distributor lacks"));
        }
        configure(table, gicd, r.cell, r.a, r.b == 1);
    }
    gicd.write32(CTLR, ARE | ENABLE_GROUP_1);
    settle(gicd);
}

/// Word `n` of a frame: group 1, disabled, nothing pending or active, one priority, level
/// triggered.
fn quiet(frame: Block, n: u64) {
    for register in [ICENABLER, ICPENDR, ICACTIVER, IGROUPR] {
        frame.write32(register + 4 * n, u32::MAX);
    }
    frame.write32(IGRPMODR + 4 * n, 0);
    for i in 0..8 {
        frame.write32(IPRIORITYR + 32 * n + 4 * i, PRIORITY);
    }
    for i in 0..2 {
        frame.write32(ICFGR + 8 * n + 4 * i, 0);
    }
}

/// Trigger and route of an owned line: the first core of its cell.
fn configure(table: &Table<'_>, gicd: Block, owner: u16, intid: u64, edge: bool) {
    if intid < cells::FIRST_SPI {
        return;
    }
    let at = ICFGR + 4 * (intid / 16);
    let bit = 2 << (2 * (intid % 16));
    let other = gicd.read32(at) & !bit;
    gicd.write32(at, if edge { other | bit } else { other });
    if let Some((_, core)) = table.of_cell(cell::CORE, owner).next() {
        gicd.write64(IROUTER + 8 * intid, core.a);
    }
}

/// Finds the redistributor of a core among those that follow the first one.
pub(super) fn find_redistributor(first: u64, affinity: u64) -> Block {
    const LAST: u64 = 1 << 4;
    let packed = (affinity >> 32 & 0xFF) << 24 | affinity & 0xFF_FFFF;
    for n in 0..512 {
        // SAFETY: the machine's redistributors follow each other up to the one that says it is the
        // last.
        let frame = unsafe { Block::at(first + n * GICR_STRIDE) };
        let typer = frame.read64(GICR_TYPER);
        if typer >> 32 == packed {
            return frame;
        }
        if typer & LAST != 0 {
            break;
        }
    }
    refuse(format_args!("no redistributor for the core of affinity {affinity:#x}"))
}

/// Sets the redistributor of this core up: awake, no LPIs, private lines off, maintenance on.
pub(super) fn redistributor(gicr: Block) {
    const CHILDREN_ASLEEP: u32 = 1 << 2;
    if gicr.read32(CTLR) & ENABLE_LPIS != 0 {
        refuse(format_args!("firmware left LPIs enabled, and they cannot be disabled"));
    }
    gicr.write32(WAKER, 0);
    if !(0..1_000_000).any(|_| gicr.read32(WAKER) & CHILDREN_ASLEEP == 0) {
        refuse(format_args!("the redistributor does not wake up"));
    }
    // SAFETY: the SGI frame of the same redistributor.
    let frame = unsafe { Block::at(gicr.base() + SGI_FRAME) };
    quiet(frame, 0);
    frame.write8(IPRIORITYR + MAINTENANCE, 0);
    frame.write32(ISENABLER, 1 << MAINTENANCE);
}
