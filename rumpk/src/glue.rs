//! Where the vectors meet the kernel: one static for each core, and the symbols that `arch` jumps to.
use crate::call::Return;
use crate::cores::Shared;
use crate::kernel::Kernel;
use abi::boot::{Beb, beb, virt};
use abi::call::{meta, number};
use arch::{CORES, CoreCell, Current, Machine, Trap};
use core::panic::PanicInfo;

pub(crate) type Frame = <Current as Machine>::Frame;

pub(crate) type CoreKernel = CoreCell<Kernel<Current>>;

pub(crate) static FIRST: CoreKernel = CoreCell::new(Kernel::new(Current::OFF));
/// Those of the other cores lie where one core's machine has free memory, so that it does not pay for them.
#[unsafe(link_section = ".bss.cores")]
static OTHERS: [CoreKernel; CORES - 1] =
    [const { CoreCell::new(Kernel::new(Current::OFF)) }; CORES - 1];

#[unsafe(link_section = ".bss.cores")]
pub(crate) static SHARED: Shared = Shared::new();

pub(crate) fn of_core(core: usize) -> &'static CoreKernel {
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
    if (number, a0) == (number::META, meta::VERSION) {
        // SAFETY: traps do not nest.
        let kernel = unsafe { kernel() };
        return kernel.version();
    }
    other(a0, a1, a2, a3, a4, a5, number)
}

/// Any call but `meta(VERSION)`, with the arguments where they already are.
#[inline(never)]
extern "C" fn other(
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
    kernel.call_other(number, &[a0, a1, a2, a3, a4, a5])
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
