//! The neighbour of an attacker: every SGI and its own lines are enabled, and for 20 ms nothing may
//! arrive; then its own line, set pending, arrives once with the priority it was given. Stated end:
//! OFF with code 0.
#![no_std]
#![no_main]

use core::sync::atomic::Ordering::Relaxed;

use abi::boot::virt::{GICD, UART_INTID};
use el1::gic::{IPRIORITYR, ISENABLER, ISPENDR};
use el1::memory::{read8, read32, write32};
use el1::{expect, gic, instruction, line, mrs, report, trap};

el1::kernel!(run);

fn run() -> ! {
    report::begin();
    gic::begin();
    for intid in 0..16 {
        gic::enable(intid, 0x80);
    }
    gic::enable(UART_INTID, 0x60);
    gic::unmask();
    let end = mrs!("cntvct_el0") + mrs!("cntfrq_el0") / 50;
    while mrs!("cntvct_el0") < end {
        instruction!("yield");
    }
    let times = trap::INTERRUPTS.load(Relaxed);
    expect!(
        1,
        times == 0,
        "{times} interrupts of nobody, the first {}",
        trap::ORDER[0].load(Relaxed)
    );
    let word = u64::from(UART_INTID / 32) * 4;
    let enabled = read32(GICD + ISENABLER + word) >> (UART_INTID % 32) & 1;
    expect!(2, enabled == 1, "the line was disabled");
    let priority = read8(GICD + IPRIORITYR + u64::from(UART_INTID));
    expect!(3, priority == 0x60, "the line's priority became {priority:#x}");
    write32(GICD + ISPENDR + word, 1 << (UART_INTID % 32));
    for _ in 0..1000 {
        instruction!("nop");
    }
    let times = trap::INTERRUPTS.load(Relaxed);
    expect!(4, times == 1, "its own line: {times} interrupts");
    line!("nothing came from outside");
    report::pass()
}
