//! Adds to a word of the distributor in one instruction. Stated end: access without syndrome.
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
            ".arch_extension lse",
            "ldadd w1, w2, [{}]",
            in(reg) GICD + gic::ICENABLER + 4, in("x1") 2, out("x2") _, options(nostack)
        );
    }
    line!("succeeded");
    report::fail(1)
}
