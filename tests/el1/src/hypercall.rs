//! Calls to RumKV and to firmware.
use core::arch::asm;

/// Calls firmware with x0 to x3; answers x0 to x3.
#[inline(always)]
pub fn smc(arguments: [u64; 4]) -> [u64; 4] {
    let [mut x0, mut x1, mut x2, mut x3] = arguments;
    // SAFETY: the call changes x0 to x3; what it does to the cell is what the test is about.
    unsafe {
        asm!(
            "smc #0",
            inout("x0") x0, inout("x1") x1, inout("x2") x2, inout("x3") x3,
            options(nostack)
        );
    }
    [x0, x1, x2, x3]
}

/// RumKV's hypercall: function and argument; status and value.
#[inline(always)]
pub fn hvc(function: u64, argument: u64) -> (i64, u64) {
    let (mut a, mut b) = (function, argument);
    // SAFETY: the call changes x0 and x1.
    unsafe {
        asm!("hvc #0x4E58", inout("x0") a, inout("x1") b, options(nostack));
    }
    (a as i64, b)
}

const _: () = assert!(abi::hypercall::HVC_IMMEDIATE == 0x4E58);
