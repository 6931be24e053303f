//! An idle minute: one wake is armed a minute ahead, the core waits. Only that wake's interrupt may
//! trap. Stated end: OFF with code 0.
#![no_std]
#![no_main]

use abi::hypercall::{COUNTERS, counter};
use el1::hypercall::hvc;
use el1::{expect, gic, instruction, line, mrs, msr, report};

el1::kernel!(run);

fn traps() -> [u64; counter::COUNT] {
    core::array::from_fn(|n| hvc(COUNTERS, n as u64).1)
}

fn run() -> ! {
    report::begin();
    gic::begin();
    gic::enable(gic::VTIMER, 0x80);
    let before = traps();
    let deadline = mrs!("cntvct_el0") + 60 * mrs!("cntfrq_el0");
    msr!("cntv_cval_el0", deadline);
    msr!("cntv_ctl_el0", 1);
    let mut waits = 0_u64;
    while mrs!("isr_el1") == 0 {
        instruction!("wfi");
        waits += 1;
    }
    let woke = mrs!("cntvct_el0");
    msr!("cntv_ctl_el0", 0);
    let after = traps();
    expect!(1, woke >= deadline, "woke {} ticks early", deadline - woke);
    for (n, name) in counter::NAMES.iter().enumerate() {
        let times = after[n] - before[n];
        // The counters are read by hypercalls: those after the n-th of the first reading, up to the
        // n-th of the second.
        let own = match n as u64 {
            counter::INTERRUPT => 1,
            counter::HYPERCALL => counter::COUNT as u64,
            _ => 0,
        };
        expect!(2, times == own, "{name}: {times} traps in a minute");
    }
    line!("an idle minute: {waits} waits, one interrupt, no other trap");
    report::pass()
}
