//! Puts a stage-1 table into a device window and lets the processor walk it. Stated end: the walk
//! faults in the second stage (HCR_EL2.PTW), data access or fetch outside the map, at the window.
#![no_std]
#![no_main]

use abi::boot::virt::UART;
use el1::{instruction, line, mrs, msr, report};

el1::kernel!(run);

fn run() -> ! {
    report::begin();
    report::scratch(0, mrs!("cntvct_el0"));
    // 39 bits, 4 KB granule, walks not cached; table of level 1 in the window.
    msr!("tcr_el1", 0x19 | 1 << 23 | 1 << 31);
    msr!("ttbr0_el1", UART);
    msr!("mair_el1", 0xFF);
    instruction!("isb");
    msr!("sctlr_el1", mrs!("sctlr_el1") | 1);
    instruction!("isb");
    line!("succeeded");
    report::fail(1)
}
