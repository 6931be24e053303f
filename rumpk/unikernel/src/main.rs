//! The kernel and the demonstration in one image: the SysTable's entries are the kernel's functions.
//!
//! The application runs at EL1 on a stack of its own, under the same scheduler, energy and capabilities; only the hardware
//! does not hold it back, and bit 0 of the SysTable's flags says so.
#![no_std]
#![no_main]

use abi::systable::SysTable;
use rumpk::Application;

/// Where the kernel starts the application.
extern "C" fn application(args: *const u8, len: usize, table: *const SysTable) -> ! {
    // SAFETY: the kernel calls this once, with a readable argument block and the SysTable.
    unsafe { rt::enter(args, len, table, demo::main) }
}

/// What is linked with the kernel.
#[unsafe(no_mangle)]
#[allow(clippy::unnecessary_wraps, reason = "the kernel alone answers None")]
extern "Rust" fn rumpk_application() -> Option<Application> {
    Some(Application {
        entry: application as extern "C" fn(*const u8, usize, *const SysTable) -> ! as usize as u64,
        entries: arch::direct_entry,
    })
}
