//! The distributor and both redistributor frames: own lines work, foreign ones, LPIs and messages
//! read zero and ignore writes, what init fixed stays. Stated end: OFF with code 0.
#![no_std]
#![no_main]

use core::sync::atomic::Ordering::Relaxed;

use abi::boot::virt::{GICD, GICR, UART_INTID};
use el1::gic::{
    ICACTIVER, ICENABLER, ICFGR, ICPENDR, IGROUPR, IPRIORITYR, IROUTER, ISACTIVER, ISENABLER,
    ISPENDR, SGI_FRAME,
};
use el1::memory::{read8, read32, read64, write8, write32, write64};
use el1::{expect, gic, instruction, line, report, trap};

el1::kernel!(run);

/// The console's line, the only shared one that the cell owns.
const OWN: u32 = 1 << (UART_INTID % 32);
/// Private lines that the cell owns: SGIs and the virtual timer.
const PRIVATE: u32 = 0xFFFF | 1 << 27;

fn run() -> ! {
    report::begin();
    gic::begin();
    shared();
    private();
    fixed();
    messages();
    software_pending();
    line!("lines are the cell's own");
    report::pass()
}

/// Every word of the distributor: nothing but the own line sticks.
fn shared() {
    for n in 0..32 {
        let own = if n == 1 { OWN } else { 0 };
        for register in [ISENABLER, ISPENDR, ISACTIVER] {
            write32(GICD + register + 4 * n, !OWN);
            let seen = read32(GICD + register + 4 * n);
            expect!(1, seen & !own == 0, "GICD {register:#x} word {n}: {seen:#x}");
        }
        write32(GICD + ISENABLER + 4 * n, u32::MAX);
        let seen = read32(GICD + ISENABLER + 4 * n);
        expect!(2, seen == own, "enabled in word {n}: {seen:#x}");
        write32(GICD + ICENABLER + 4 * n, u32::MAX);
        let seen = read32(GICD + ISENABLER + 4 * n);
        expect!(3, seen == 0, "left enabled in word {n}: {seen:#x}");
    }
    for line in 0..1020 {
        let own = line == u64::from(UART_INTID);
        write8(GICD + IPRIORITYR + line, 0x40);
        let seen = read8(GICD + IPRIORITYR + line);
        expect!(4, seen == if own { 0x40 } else { 0 }, "priority of {line}: {seen:#x}");
        let before = read64(GICD + IROUTER + 8 * line);
        write64(GICD + IROUTER + 8 * line, 1 << 31 | 1);
        let seen = read64(GICD + IROUTER + 8 * line);
        expect!(5, seen == before && seen == 0, "route of {line}: {seen:#x}");
    }
    write8(GICD + IPRIORITYR + u64::from(UART_INTID), 0);
    let seen = read8(GICD + IPRIORITYR + u64::from(UART_INTID));
    expect!(6, seen >= 0x10, "priority reaches that of maintenance: {seen:#x}");
}

/// The SGI frame: SGIs and the virtual timer, not maintenance and the other timers.
fn private() {
    write32(SGI_FRAME + ISENABLER, u32::MAX);
    let seen = read32(SGI_FRAME + ISENABLER);
    expect!(10, seen == PRIVATE, "private lines enabled: {seen:#x}");
    write32(SGI_FRAME + ICENABLER, u32::MAX);
    let seen = read32(SGI_FRAME + ISENABLER);
    expect!(11, seen == 0, "private lines left enabled: {seen:#x}");
    for line in 0..32 {
        write8(SGI_FRAME + IPRIORITYR + line, 0x60);
        let seen = read8(SGI_FRAME + IPRIORITYR + line);
        let own = PRIVATE >> line & 1 != 0;
        expect!(12, seen == if own { 0x60 } else { 0 }, "priority of {line}: {seen:#x}");
    }
    // The distributor does not hold private lines, the SGI frame no shared ones.
    expect!(13, read32(SGI_FRAME + ISENABLER + 4) == 0, "a shared line in the SGI frame");
    write32(SGI_FRAME + ISENABLER + 4, OWN);
    expect!(14, read32(GICD + ISENABLER + 4) == 0, "a shared line enabled by the SGI frame");
}

/// Groups and triggers are init's.
fn fixed() {
    let group = read32(GICD + IGROUPR + 4);
    write32(GICD + IGROUPR + 4, 0);
    expect!(20, read32(GICD + IGROUPR + 4) == group && group == OWN, "group {group:#x}");
    let trigger = read32(GICD + ICFGR + 8);
    write32(GICD + ICFGR + 8, u32::MAX);
    expect!(21, read32(GICD + ICFGR + 8) == trigger, "a trigger changed");
    let control = read32(GICD);
    write32(GICD, 0);
    expect!(22, read32(GICD) == control && control & 0x12 == 0x12, "control {control:#x}");
    let width = read32(GICD + 0xFFE8) >> 4 & 0xF;
    expect!(23, width == 3, "architecture version {width}");
}

/// LPIs, messages, extended lines: there are none.
fn messages() {
    let typer = read32(GICD + 4);
    expect!(30, typer & (1 << 16 | 1 << 17 | 1 << 8) == 0, "GICD_TYPER {typer:#x}");
    for offset in [0x40, 0x48, 0x50, 0x58, 0xD00, 0xE00, 0xF00] {
        write32(GICD + offset, u32::MAX);
        let seen = read32(GICD + offset);
        expect!(31, seen == 0, "GICD {offset:#x}: {seen:#x}");
    }
    let typer = read64(GICR + 8);
    expect!(32, typer & 0x1F == 1 << 4, "GICR_TYPER {typer:#x}");
    let halves = (read32(GICR + 8), read32(GICR + 12));
    let joined = u64::from(halves.1) << 32 | u64::from(halves.0);
    expect!(33, joined == typer, "GICR_TYPER by halves {joined:#x}");
    write32(GICR, 1);
    write32(GICR + 0x14, 2);
    for offset in [0x0, 0x14] {
        let seen = read32(GICR + offset);
        expect!(34, seen == 0, "GICR {offset:#x}: {seen:#x}");
    }
    // SETLPIR, CLRLPIR, PROPBASER, PENDBASER, INVLPIR, INVALLR, SYNCR.
    for offset in [0x40, 0x48, 0x70, 0x78, 0xA0, 0xB0, 0xC0] {
        write64(GICR + offset, 0x5000_0000 | 0xFFF);
        let seen = read64(GICR + offset);
        expect!(35, seen == 0, "GICR {offset:#x}: {seen:#x}");
    }
}

/// A line set pending by software arrives once; one that is disabled or cleared while it waits does
/// not.
fn software_pending() {
    let at = GICD + 4;
    gic::enable(UART_INTID, 0x80);
    let pulse = || {
        write32(at + ISPENDR, OWN);
        // The exit that takes it into a list register.
        instruction!("isb");
    };
    let arrived = || {
        let before = trap::INTERRUPTS.load(Relaxed);
        gic::unmask();
        for _ in 0..100 {
            instruction!("nop");
        }
        gic::mask();
        trap::INTERRUPTS.load(Relaxed) - before
    };
    pulse();
    let n = arrived();
    expect!(40, n == 1, "pending by software: {n} interrupts");
    pulse();
    write32(at + ICPENDR, OWN);
    let n = arrived();
    expect!(41, n == 0, "cleared: {n} interrupts");
    pulse();
    write32(at + ICENABLER, OWN);
    let n = arrived();
    expect!(42, n == 0, "disabled: {n} interrupts");
    write32(at + ICPENDR, OWN);
    write32(at + ICACTIVER, OWN);
    write32(at + ISENABLER, OWN);
    let n = arrived();
    expect!(43, n == 0, "enabled again: {n} interrupts");
    pulse();
    let n = arrived();
    expect!(44, n == 1, "pending once more: {n} interrupts");
}
