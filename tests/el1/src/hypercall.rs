//! Calls to RumKV and to firmware.
use core::arch::asm;

/// Calls firmware with x0 to x3; answers x0 to x3.
#[inline(always)]
pub fn smc(x: [u64; 4]) -> [u64; 4] {
    let [mut a, mut b, mut c, mut d] = x;
    // SAFETY: the call changes x0 to x3; what it does to the cell is what the test is about.
    unsafe {
        asm!("smc #0", inout("x0") a, inout("x1") b, inout("x2") c, inout("x3") d, options(nostack));
    }
    [a, b, c, d]
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
