//! Pledges the console away, sees that its line is gone and that nothing brings it back, then
//! touches its window. Stated end: BEB OFF with code 0, and data access outside the map at the
//! window.
#![no_std]
#![no_main]

use core::sync::atomic::Ordering::Relaxed;

use abi::boot::virt::{GICD, UART, UART_INTID};
use abi::hypercall::PLEDGE;
use abi::pledge::hard;
use el1::gic::{IPRIORITYR, ISENABLER, ISPENDR};
use el1::hypercall::hvc;
use el1::memory::{read8, read32, write32};
use el1::{expect, gic, instruction, line, mrs, report, trap};

el1::kernel!(run);

const OWN: u32 = 1 << (UART_INTID % 32);
/// Flag register: transmit FIFO empty.
const UARTFR: u64 = 0x18;

fn run() -> ! {
    report::begin();
    gic::begin();
    gic::enable(UART_INTID, 0x80);
    let flags = read32(UART + UARTFR);
    expect!(1, flags & 0x80 != 0, "the console is there before: flags {flags:#x}");
    // One interrupt waits in a list register, none may arrive after the call.
    write32(GICD + 4 + ISPENDR, OWN);
    instruction!("isb");
    let start = mrs!("cntvct_el0");
    let got = hvc(PLEDGE, u64::from(hard::ALL & !hard::CONSOLE));
    let cost = mrs!("cntvct_el0") - start;
    expect!(2, got == (0, u64::from(hard::ALL & !hard::CONSOLE)), "PLEDGE: {got:?}");
    line!("pledge {cost}");
    gic::unmask();
    for _ in 0..1000 {
        instruction!("nop");
    }
    gic::mask();
    let times = trap::INTERRUPTS.load(Relaxed);
    expect!(3, times == 0, "{times} interrupts of a device that was pledged away");
    for register in [ISENABLER, ISPENDR] {
        write32(GICD + 4 + register, OWN);
        let seen = read32(GICD + 4 + register);
        expect!(4, seen == 0, "{register:#x} of the line reads {seen:#x}");
    }
    expect!(5, read8(GICD + IPRIORITYR + u64::from(UART_INTID)) == 0, "the line has a priority");
    let got = hvc(PLEDGE, u64::MAX);
    expect!(6, got.1 & u64::from(hard::CONSOLE) == 0, "widened: {got:?}");
    report::end_by(|| _ = read32(UART + UARTFR))
}
