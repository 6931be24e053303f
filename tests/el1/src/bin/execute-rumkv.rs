//! Executes RumKV's memory. Stated end: fetch outside the map, at RumKV's first byte.
#![no_std]
#![no_main]

use abi::boot::virt::RUMKV;
use el1::{line, memory, mrs, report};

el1::kernel!(run);

fn run() -> ! {
    report::begin();
    report::scratch(0, mrs!("cntvct_el0"));
    memory::call(RUMKV);
    line!("succeeded");
    report::fail(1)
}
