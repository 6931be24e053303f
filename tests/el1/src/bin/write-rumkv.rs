//! Writes RumKV's memory. Stated end: data access outside the map, at RumKV's first byte.
#![no_std]
#![no_main]

use abi::boot::virt::RUMKV;
use el1::{line, memory, mrs, report};

el1::kernel!(run);

fn run() -> ! {
    report::begin();
    report::scratch(0, mrs!("cntvct_el0"));
    memory::write64(RUMKV, 0);
    line!("succeeded");
    report::fail(1)
}
