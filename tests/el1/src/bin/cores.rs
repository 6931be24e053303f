//! A cell of two cores: CPU_ON with its refusals, SGIs both ways, CPU_OFF and CPU_ON again, a
//! sibling's redistributor, a pledge while the sibling runs. Stated end: BEB OFF with code 0, and
//! data access outside the map at 0x6000_0000 by the second core while the first one spins.
#![no_std]
#![no_main]

use core::arch::global_asm;
use core::sync::atomic::{AtomicU64, Ordering::Relaxed};

use abi::boot::virt::{GICD, GICR, GICR_STRIDE, UART_INTID};
use abi::hypercall::PLEDGE;
use abi::pledge::hard;
use el1::gic::{IROUTER, ISENABLER, ISPENDR};
use el1::hypercall::{hvc, smc};
use el1::memory::{read32, write32, write64};
use el1::{expect, gic, instruction, line, mrs, msr, report, trap};

el1::kernel!(run);

const CPU_ON: u64 = 0xC400_0003;
const CPU_OFF: u64 = 0x8400_0002;
const AFFINITY_INFO: u64 = 0xC400_0004;
const ALREADY_ON: i64 = -4;
const INVALID: i64 = -2;
const OFF: i64 = 1;

/// What the second core is to do, and how often it has done something.
static ORDER: AtomicU64 = AtomicU64::new(0);
static DONE: AtomicU64 = AtomicU64::new(0);
static CONTEXT: AtomicU64 = AtomicU64::new(0);

global_asm!(
    ".global el1_second",
    "el1_second:",
    "adrp x1, __stack_top",
    "add x1, x1, :lo12:__stack_top",
    "sub x1, x1, #32768",
    "mov sp, x1",
    "adrp x1, el1_vectors",
    "add x1, x1, :lo12:el1_vectors",
    "msr vbar_el1, x1",
    "isb",
    "b el1_second_core",
);

unsafe extern "C" {
    static el1_second: u8;
}

#[unsafe(no_mangle)]
extern "C" fn el1_second_core(context: u64) -> ! {
    CONTEXT.store(context, Relaxed);
    msr!("icc_sre_el1", 7);
    instruction!("isb");
    msr!("icc_pmr_el1", 0xFF);
    msr!("icc_igrpen1_el1", 1);
    write32(GICR + GICR_STRIDE + 0x1_0000 + ISENABLER, 0xFFFF);
    loop {
        match ORDER.swap(0, Relaxed) {
            0 => {
                gic::unmask();
                instruction!("yield");
                gic::mask();
                continue;
            }
            1 => msr!("icc_sgi1r_el1", 3 << 24 | 1),
            2 => {
                DONE.store(DONE.load(Relaxed) + 1, Relaxed);
                smc([CPU_OFF, 0, 0, 0]);
            }
            _ => _ = read32(0x6000_0000),
        }
        DONE.store(DONE.load(Relaxed) + 1, Relaxed);
    }
}

fn on(context: u64) -> i64 {
    smc([CPU_ON, 1, (&raw const el1_second) as u64, context])[0] as i64
}

/// Waits for a condition that the other core makes true.
fn until(step: u32, what: &str, mut holds: impl FnMut() -> bool) {
    let end = mrs!("cntvct_el0") + mrs!("cntfrq_el0");
    while !holds() {
        expect!(step, mrs!("cntvct_el0") < end, "not in a second: {what}");
        gic::unmask();
        instruction!("yield");
        gic::mask();
    }
}

fn order(step: u32, what: u64) {
    let before = DONE.load(Relaxed);
    ORDER.store(what, Relaxed);
    until(step, "an order", || DONE.load(Relaxed) != before);
}

fn state() -> i64 {
    smc([AFFINITY_INFO, 1, 0, 0])[0] as i64
}

fn run() -> ! {
    report::begin();
    gic::begin();
    gic::enable(3, 0x80);
    starts();
    talks();
    pledges();
    line!("the second core reads what is not the cell's while the first one spins");
    report::end_by(|| {
        ORDER.store(3, Relaxed);
        loop {
            instruction!("nop");
        }
    })
}

/// Starts, is refused, stops and starts again, twenty times.
fn starts() {
    expect!(1, state() == OFF, "the second core is not off: {}", state());
    let got = smc([CPU_ON, 2, 0x5008_0000, 0])[0] as i64;
    expect!(2, got == INVALID, "CPU_ON of a foreign core: {got}");
    for n in 0..20 {
        let got = on(0x1000 + n);
        expect!(3, got == 0, "CPU_ON: {got}");
        let again = on(0);
        expect!(4, again == ALREADY_ON || again == -5, "CPU_ON twice: {again}");
        until(5, "the start", || state() == 0 && CONTEXT.load(Relaxed) == 0x1000 + n);
        let own = smc([CPU_ON, 0, 0, 0])[0] as i64;
        expect!(6, own == ALREADY_ON, "CPU_ON of oneself: {own}");
        order(7, 2);
        until(8, "the stop", || state() == OFF);
    }
    expect!(9, on(7) == 0, "the last CPU_ON");
    until(10, "the last start", || CONTEXT.load(Relaxed) == 7);
}

/// SGIs arrive once; a sibling's redistributor can be read and not written.
fn talks() {
    for n in 1..=20 {
        order(20, 1);
        until(21, "an SGI", || trap::INTERRUPTS.load(Relaxed) == n);
        expect!(22, trap::ORDER[n as usize - 1].load(Relaxed) == 3, "another interrupt");
    }
    let sibling = GICR + GICR_STRIDE;
    let typer = read32(sibling + 0xC);
    expect!(23, typer == 1, "the sibling's affinity reads {typer:#x}");
    write32(sibling + 0x1_0000 + gic::ICENABLER, 0xFFFF);
    let enabled = read32(sibling + 0x1_0000 + ISENABLER);
    expect!(24, enabled == 0xFFFF, "the sibling's lines read {enabled:#x}");
}

/// A line that is routed to the sibling and storms is gone when PLEDGE returns.
fn pledges() {
    let (word, bit) = (u64::from(UART_INTID / 32) * 4, 1 << (UART_INTID % 32));
    write64(GICD + IROUTER + 8 * u64::from(UART_INTID), 1);
    gic::enable(UART_INTID, 0x80);
    for _ in 0..10 {
        write32(GICD + ISPENDR + word, bit);
    }
    until(30, "the line at the sibling", || trap::INTERRUPTS.load(Relaxed) > 20);
    write32(GICD + ISPENDR + word, bit);
    let rest = u64::from(hard::POWER | hard::CORES);
    let start = mrs!("cntvct_el0");
    let got = hvc(PLEDGE, rest);
    let cost = mrs!("cntvct_el0") - start;
    expect!(31, got == (0, rest), "PLEDGE: {got:?}");
    let before = trap::INTERRUPTS.load(Relaxed);
    write32(GICD + ISPENDR + word, bit);
    let end = mrs!("cntvct_el0") + mrs!("cntfrq_el0") / 100;
    until(32, "10 ms", || mrs!("cntvct_el0") > end);
    let late = trap::INTERRUPTS.load(Relaxed) - before;
    expect!(33, late == 0, "{late} interrupts after the pledge");
    line!("pledge beside a sibling took {cost} ticks");
}
