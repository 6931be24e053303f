//! Where each core enters: from the first Rust code to the first fiber. Nothing of this runs again.
use crate::boot::Application;
use crate::glue::{FIRST, Frame, SHARED, of_core};
use abi::boot::Handoff;
use arch::Current;

unsafe extern "Rust" {
    /// What the binary links with the kernel; `None` for the kernel alone.
    safe fn rumpk_application() -> Option<Application>;
}

/// First Rust code, on the kernel's stack with the coarse map on. `handoff` is the record's address.
#[unsafe(no_mangle)]
extern "C" fn rumpk_boot(handoff: *const u8) -> ! {
    // SAFETY: the only code that runs.
    let kernel = unsafe { FIRST.get() };
    Current::settle(&raw mut kernel.machine);
    // SAFETY: whoever started us left a whole handoff there, in RAM that the coarse map covers.
    let bytes = unsafe { core::slice::from_raw_parts(handoff, Handoff::SIZE) };
    let handoff = Handoff::decode(bytes).expect("256 bytes");
    let application = rumpk_application();
    let machine = Current::new(&handoff, application.is_none());
    let cores = kernel.take_over(machine, &handoff, application);
    for core in 1..cores {
        // SAFETY: the core that it belongs to is not started yet.
        let other = unsafe { of_core(core).get() };
        kernel.found(other, core as u8, &SHARED);
    }
    kernel.start_first();
    for core in 1..cores {
        assert!(Current::start_core(core as u8), "core {core} does not start");
    }
    let frame = core::ptr::from_mut(kernel.schedule());
    // SAFETY: a frame that `schedule` chose.
    unsafe { arch_enter(frame, 0) }
}

/// First Rust code of another core, on its own stack.
#[unsafe(no_mangle)]
extern "C" fn rumpk_secondary(core: usize) -> ! {
    // SAFETY: the only code that runs on this core, and the boot core left its kernel alone before it started it.
    let kernel = unsafe { of_core(core).get() };
    Current::settle(&raw mut kernel.machine);
    let handoff = kernel.handoff().expect("the boot core founded this kernel");
    kernel.machine = Current::secondary(&handoff, kernel.isolated, core as u8);
    kernel.start_first();
    let frame = core::ptr::from_mut(kernel.schedule());
    // SAFETY: a frame that `schedule` chose.
    unsafe { arch_enter(frame, core) }
}

unsafe extern "C" {
    fn arch_enter(frame: *mut Frame, core: usize) -> !;
}
