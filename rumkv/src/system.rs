//! System registers and the few instructions without a name in Rust.
//!
//! Two macros and nothing hidden: the register's name stands where it is used. Reading or writing
//! one is `unsafe` to the compiler; that it is sound here rests on one fact, that RumKV runs with
//! every register it depends on written whole by init, and that no register named at a use changes
//! RumKV's own translation except in `init`.
use core::arch::asm;

/// Reads a system register.
#[macro_export]
macro_rules! mrs {
    ($name:literal) => {{
        let value: u64;
        // SAFETY: reading a system register at EL2 touches no memory of Rust's.
        unsafe {
            core::arch::asm!(
                concat!("mrs {}, ", $name),
                out(reg) value, options(nostack, preserves_flags)
            );
        }
        value
    }};
}

/// Writes a system register.
#[macro_export]
macro_rules! msr {
    ($name:literal, $value:expr) => {{
        let value: u64 = $value;
        // SAFETY: the value is one of `rules::registers` or a cell's own state; see the module's
        // first lines.
        unsafe {
            core::arch::asm!(
                concat!("msr ", $name, ", {}"),
                in(reg) value, options(nostack, preserves_flags)
            );
        }
    }};
}

/// An instruction that orders or invalidates: `isb`, `dsb sy`, `tlbi ...`, `wfi`.
#[macro_export]
macro_rules! instruction {
    ($text:literal) => {
        // SAFETY: barriers, invalidation and waiting change no memory of Rust's.
        unsafe { core::arch::asm!($text, options(nostack, preserves_flags)) }
    };
}

/// Calls firmware: up to three arguments, four results (Arm DEN 0028, SMCCC 1.1).
#[inline(always)]
pub fn smc(function: u64, arguments: [u64; 3]) -> [u64; 4] {
    let mut x0 = function;
    let [mut x1, mut x2, mut x3] = arguments;
    // SAFETY: firmware keeps to SMCCC: it changes x0 to x17 and nothing that Rust knows of.
    unsafe {
        asm!("smc #0", inout("x0") x0, inout("x1") x1, inout("x2") x2, inout("x3") x3,
            out("x4") _, out("x5") _, out("x6") _, out("x7") _, out("x8") _, out("x9") _,
            out("x10") _, out("x11") _, out("x12") _, out("x13") _, out("x14") _, out("x15") _,
            out("x16") _, out("x17") _, options(nostack));
    }
    [x0, x1, x2, x3]
}

/// Powers the machine off (PSCI SYSTEM_OFF, Arm DEN 0022). Firmware that answers nonetheless finds
/// a core that waits.
#[inline(always)]
pub fn power_off() -> ! {
    smc(0x8400_0008, [0; 3]);
    loop {
        instruction!("wfi");
    }
}
