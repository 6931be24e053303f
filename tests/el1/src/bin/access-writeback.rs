//! Stores to the distributor and advances the address register. Stated end: access without
//! syndrome.
#![no_std]
#![no_main]

use abi::boot::virt::GICD;
use el1::{gic, line, mrs, report};

el1::kernel!(run);

fn run() -> ! {
    report::begin();
    report::scratch(0, mrs!("cntvct_el0"));
    // SAFETY: the instruction is refused; if it were not, it would disable a line.
    unsafe {
        core::arch::asm!(
            "str w1, [{}], #4",
            inout(reg) GICD + gic::ICENABLER + 4 => _, in("x1") 2, options(nostack)
        );
    }
    line!("succeeded");
    report::fail(1)
}
