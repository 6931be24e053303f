//! Test kernels at EL1: what a hostile or a measuring kernel does to RumKV.
//!
//! Each is entered exactly like Rumpk: EL1h, MMU off, interrupts masked, `x0` the handoff. Each
//! ends in one of two ways: RumKV ends its cell, which the post-mortem shows; or it writes the Boot
//! Error Buffer (state OFF, code 0 or the number of what failed, text with figures) and calls PSCI
//! SYSTEM_OFF. A verdict therefore never rests on what was printed.
#![no_std]
#![cfg(target_os = "none")]
#![allow(clippy::inline_always, reason = "what is measured is the one instruction in it")]

pub mod gic;
pub mod hypercall;
pub mod memory;
pub mod random;
pub mod report;
pub mod start;
pub mod trap;

/// Declares the kernel: what runs between entry and [`report::pass`].
#[macro_export]
macro_rules! kernel {
    ($body:path) => {
        // SAFETY: the name is the entry's and is defined once per kernel, here.
        #[unsafe(no_mangle)]
        extern "C" fn kernel(_handoff: u64) -> ! {
            $body()
        }
    };
}

/// Reads a system register.
#[macro_export]
macro_rules! mrs {
    ($name:literal) => {{
        let value: u64;
        // SAFETY: reading a system register touches no memory of Rust's.
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
        // SAFETY: a test kernel without translation; what it writes concerns itself and RumKV.
        unsafe {
            core::arch::asm!(
                concat!("msr ", $name, ", {}"),
                in(reg) value, options(nostack, preserves_flags)
            );
        }
    }};
}

/// An instruction without operands.
#[macro_export]
macro_rules! instruction {
    ($text:literal) => {
        // SAFETY: barriers, waiting and masks change no memory of Rust's.
        unsafe { core::arch::asm!($text, options(nostack, preserves_flags)) }
    };
}
