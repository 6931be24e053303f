//! System registers that a program may read.
use core::arch::asm;
use rt::println;

macro_rules! read {
    ($($name:literal),* $(,)?) => {$({
        let value: u64;
        // SAFETY: reads one register that EL0 may read, and changes nothing.
        unsafe { asm!(concat!("mrs {}, ", $name), out(reg) value, options(nomem, nostack)) };
        println!("register.{} = {value:#x}", $name);
    })*};
}

/// Prints them.
pub fn all() {
    read!(
        "cntfrq_el0",
        "cntvct_el0",
        "dczid_el0",
        "tpidr_el0",
        "tpidrro_el0",
        "fpcr",
        "fpsr",
        "nzcv",
        // RNDR.
        "s3_3_c2_c4_0",
        // MDCCSR_EL0.
        "s2_3_c0_c1_0",
    );
}
