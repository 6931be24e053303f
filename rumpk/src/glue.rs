//! Where the vectors meet the kernel: the one static, and the symbols that `arch` jumps to.
use crate::boot::Application;
use crate::call::Return;
use crate::kernel::Kernel;
use abi::boot::{Beb, Handoff, beb, virt};
use arch::{CoreCell, Current, Machine, Trap};
use core::panic::PanicInfo;

type Frame = <Current as Machine>::Frame;

static KERNEL: CoreCell<Kernel<Current>> = CoreCell::new(Kernel::new(Current::OFF));

unsafe extern "Rust" {
    /// What the binary links with the kernel; `None` for the kernel alone.
    safe fn rumpk_application() -> Option<Application>;
}

/// First Rust code, on the kernel's stack with the coarse map on. `handoff` is the record's address.
#[unsafe(no_mangle)]
extern "C" fn rumpk_boot(handoff: *const u8) -> ! {
    // SAFETY: whoever started us left a whole handoff there, in RAM that the coarse map covers.
    let bytes = unsafe { core::slice::from_raw_parts(handoff, Handoff::SIZE) };
    let handoff = Handoff::decode(bytes).expect("256 bytes");
    let application = rumpk_application();
    let machine = Current::new(&handoff, application.is_none());
    // SAFETY: the only code that runs.
    let kernel = unsafe { KERNEL.get() };
    kernel.boot(machine, &handoff, application);
    let frame = core::ptr::from_mut(kernel.schedule());
    // SAFETY: a frame that `schedule` chose.
    unsafe { arch_enter(frame) }
}

unsafe extern "C" {
    fn arch_enter(frame: *mut Frame) -> !;
}

/// A call: arguments in the order of the contract, then its number.
#[unsafe(no_mangle)]
extern "C" fn rumpk_syscall(
    a0: usize,
    a1: usize,
    a2: usize,
    a3: usize,
    a4: usize,
    a5: usize,
    number: usize,
) -> Return {
    // SAFETY: traps do not nest.
    let kernel = unsafe { KERNEL.get() };
    kernel.call(number, &[a0, a1, a2, a3, a4, a5])
}

/// The call `wait`, with the registers that it keeps saved. The frame that goes on holds its own result.
#[unsafe(no_mangle)]
extern "C" fn rumpk_wait(list: usize, count: usize, deadline: usize) -> *mut Frame {
    // SAFETY: traps do not nest.
    let kernel = unsafe { KERNEL.get() };
    kernel.wait_saved(list, count, deadline)
}

/// The call `send`, in the same way.
#[unsafe(no_mangle)]
extern "C" fn rumpk_send(slot: usize, buf: usize, len: usize) -> *mut Frame {
    // SAFETY: traps do not nest.
    let kernel = unsafe { KERNEL.get() };
    kernel.send_saved(slot, buf, len)
}

/// A trap that is none, with all registers saved.
#[unsafe(no_mangle)]
extern "C" fn rumpk_trap(trap: &Trap) -> *mut Frame {
    // SAFETY: traps do not nest.
    let kernel = unsafe { KERNEL.get() };
    kernel.trap(trap)
}

/// The current fiber gave the core away; its registers are saved.
#[unsafe(no_mangle)]
extern "C" fn rumpk_schedule() -> *mut Frame {
    // SAFETY: traps do not nest.
    let kernel = unsafe { KERNEL.get() };
    kernel.schedule()
}

/// A fault inside the kernel, on the panic stack.
#[unsafe(no_mangle)]
extern "C" fn rumpk_broken(pc: u64, address: u64, syndrome: u64) -> ! {
    let mut head = Beb::zeroed();
    (head.pc, head.address, head.syndrome) = (pc, address, syndrome);
    stop(
        head,
        format_args!(
            "fault in the kernel: pc {pc:#x}, address {address:#x}, syndrome {syndrome:#x}"
        ),
    )
}

/// Leaves the record and switches off.
fn stop(mut head: Beb, text: core::fmt::Arguments) -> ! {
    // SAFETY: nothing runs after this; whoever held the kernel never goes on.
    let kernel = unsafe { KERNEL.get() };
    (head.state, head.code) = (beb::PANIC, 1);
    head.time = kernel.machine.now();
    if kernel.machine.ram().1 == 0 {
        // Not taken over yet: there is no map to write through.
        kernel.machine.power_off();
    }
    crate::record(&mut kernel.machine, (virt::BEB, virt::BEB_LEN), head, text);
    kernel.machine.power_off()
}

#[panic_handler]
fn panic(info: &PanicInfo) -> ! {
    stop(Beb::zeroed(), format_args!("{info}"))
}
