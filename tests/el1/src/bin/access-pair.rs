//! Loads a pair of registers from the distributor. Stated end: access without syndrome.
#![no_std]
#![no_main]

use abi::boot::virt::GICD;
use el1::{line, mrs, report};

el1::kernel!(run);

fn run() -> ! {
    report::begin();
    report::scratch(0, mrs!("cntvct_el0"));
    // SAFETY: the load is refused; if it were not, it would read two words of the distributor.
    unsafe {
        core::arch::asm!(
            "ldp {}, {}, [{}]",
            out(reg) _, out(reg) _, in(reg) GICD, options(nostack)
        );
    }
    line!("succeeded");
    report::fail(1)
}
