//! Where the vectors meet the kernel: one static for each core, and the symbols that `arch` jumps to.
use crate::boot::Application;
use crate::call::Return;
use crate::cores::Shared;
use crate::kernel::Kernel;
use abi::boot::{Beb, Handoff, beb, virt};
use arch::{CORES, CoreCell, Current, Machine, Trap};
use core::panic::PanicInfo;

type Frame = <Current as Machine>::Frame;

type CoreKernel = CoreCell<Kernel<Current>>;

static FIRST: CoreKernel = CoreCell::new(Kernel::new(Current::OFF));
/// Those of the other cores lie where one core's machine has free memory, so that it does not pay for them.
#[unsafe(link_section = ".bss.cores")]
static OTHERS: [CoreKernel; CORES - 1] =
    [const { CoreCell::new(Kernel::new(Current::OFF)) }; CORES - 1];

#[unsafe(link_section = ".bss.cores")]
static SHARED: Shared = Shared::new();

fn of_core(core: usize) -> &'static CoreKernel {
    if core == 0 { &FIRST } else { &OTHERS[core - 1] }
}

/// The kernel of this core, for the duration of one trap.
///
/// # Safety
/// The core settled, the caller is the only handler that runs on it, and drops the reference before it returns to the vector.
#[inline(always)]
unsafe fn kernel() -> &'static mut Kernel<Current> {
    let machine = Current::here().cast::<u8>();
    let kernel = machine.wrapping_sub(Kernel::<Current>::MACHINE).cast();
    // SAFETY: a core settles with the machine inside its own kernel, which is a static; exclusive by the caller's promise.
    unsafe { &mut *kernel }
}

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
    let kernel = unsafe { kernel() };
    kernel.call(number, &[a0, a1, a2, a3, a4, a5])
}

/// The call `wait`, with the registers that it keeps saved. The frame that goes on holds its own result.
#[unsafe(no_mangle)]
extern "C" fn rumpk_wait(list: usize, count: usize, deadline: usize) -> *mut Frame {
    // SAFETY: traps do not nest.
    let kernel = unsafe { kernel() };
    kernel.wait_saved(list, count, deadline)
}

/// The call `wait` of one entry that asks (`crate::pair`), which stands at `list`.
#[unsafe(no_mangle)]
extern "C" fn rumpk_ask(list: usize, entry: u32) -> *mut Frame {
    // SAFETY: traps do not nest.
    let kernel = unsafe { kernel() };
    kernel.asked(list, entry)
}

/// The call `send`, in the same way.
#[unsafe(no_mangle)]
extern "C" fn rumpk_send(slot: usize, buf: usize, len: usize) -> *mut Frame {
    // SAFETY: traps do not nest.
    let kernel = unsafe { kernel() };
    kernel.send_saved(slot, buf, len)
}

/// A trap that is none, with all registers saved.
#[unsafe(no_mangle)]
extern "C" fn rumpk_trap(trap: &Trap) -> *mut Frame {
    // SAFETY: traps do not nest.
    let kernel = unsafe { kernel() };
    kernel.trap(trap)
}

/// The current fiber gave the core away; its registers are saved.
#[unsafe(no_mangle)]
extern "C" fn rumpk_schedule() -> *mut Frame {
    // SAFETY: traps do not nest.
    let kernel = unsafe { kernel() };
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
    // SAFETY: nothing runs on this core after this; whoever held the kernel never goes on.
    let kernel = unsafe { kernel() };
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
