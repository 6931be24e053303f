//! Reads RAM of the machine that no cell owns. Stated end: data access outside the map, at
//! 0x6000_0000.
#![no_std]
#![no_main]

use el1::{line, memory, mrs, report};

el1::kernel!(run);

fn run() -> ! {
    report::begin();
    report::scratch(0, mrs!("cntvct_el0"));
    memory::read32(0x6000_0000);
    line!("succeeded");
    report::fail(1)
}
