//! The virtual timer's latency: ticks from the deadline to the first instruction of the vector,
//! least in scratch word 0, most in scratch word 1. Run with and without RumKV: the difference is
//! RumKV's share. Stated end: OFF with code 0.
#![no_std]
#![no_main]

use el1::{gic, line, mrs, report, trap};

el1::kernel!(run);

fn run() -> ! {
    report::begin();
    gic::begin();
    gic::enable(gic::VTIMER, 0x80);
    let (least, most) = trap::timer_latency(64);
    report::scratch(0, least);
    report::scratch(1, most);
    line!("counter {} Hz", mrs!("cntfrq_el0"));
    line!("timer-interrupt-latency least {least} most {most}");
    report::pass()
}
