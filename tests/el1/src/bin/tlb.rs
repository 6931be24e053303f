//! TLB maintenance as RumKV counts it: 100 invalidations, then the counter goes to scratch word 0.
//! Under `rumkv-count-tlb` it is 100, under `rumkv` 0. Stated end: OFF with code 0.
#![no_std]
#![no_main]

use abi::hypercall::{COUNTERS, counter};
use el1::hypercall::hvc;
use el1::{expect, instruction, line, report};

el1::kernel!(run);

const TIMES: u64 = 100;

fn run() -> ! {
    report::begin();
    for _ in 0..TIMES / 4 {
        instruction!("tlbi vmalle1");
        instruction!("tlbi vmalle1is");
        instruction!("tlbi vaae1is, xzr");
        instruction!("tlbi aside1, xzr");
    }
    let (status, count) = hvc(COUNTERS, counter::TLB);
    expect!(1, status == 0 && (count == 0 || count == TIMES), "counter {count}, status {status}");
    report::scratch(0, count);
    line!("tlb {count}");
    report::pass()
}
