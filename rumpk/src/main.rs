//! The kernel alone: applications are fibers of their own images.
#![no_std]
#![no_main]

use rumpk::Application;

/// Nothing is linked with the kernel.
#[unsafe(no_mangle)]
extern "Rust" fn rumpk_application() -> Option<Application> {
    None
}
