//! The cores after the first: started one after the other, each sets itself up, all at once.
//!
//! Firmware starts a core at EL2 with its MMU off (Arm DEN 0022, 5.1.4). It writes its own EL2
//! registers and its own redistributor; the first core of a cell also verifies and places that
//! cell's images, so that a big guest does not delay cell 0. Then it says that it is there, with
//! the last word that it touches of init, and waits in resident code to be started, which for the
//! first core of a cell has already happened.
use core::arch::global_asm;
use core::cell::UnsafeCell;
use core::sync::atomic::{AtomicU64, Ordering::Relaxed};

use abi::boot::Handoff;
use cells::{MAX_CELLS, MAX_CORES, Table};

use super::refuse::refuse;
use super::{Choice, gic, guest, registers};
use crate::resident::{Core, Join};
use crate::system::smc;
use crate::{instruction, mrs, msr};

/// What every core needs.
pub(super) struct Work {
    /// The cell table, known to be good.
    pub(super) table: Table<'static>,
    /// What nexus-boot told.
    pub(super) handoff: Handoff,
    /// RumKV's own translation.
    pub(super) root: u64,
    /// How the image differs from RumKV as it is used.
    pub(super) choice: Choice,
}

/// Most cores besides the first.
const MOST: usize = MAX_CELLS as usize * MAX_CORES - 1;
/// PSCI CPU_ON, 64-bit form (Arm DEN 0022, 5.6).
const CPU_ON: u64 = 0xC400_0003;
/// How long a core may take, images of some hundred MB included: seconds of the counter.
const PATIENCE: u64 = 120;

/// A stack of init. BLAKE3 takes some KB.
#[repr(C, align(16))]
struct Stack(UnsafeCell<[u8; 16 << 10]>);

// SAFETY: each is used by one core, through its stack pointer.
unsafe impl Sync for Stack {}

static STACKS: [Stack; MOST] = [const { Stack(UnsafeCell::new([0; 16 << 10])) }; MOST];

/// What a core is started with; `stack` is read by assembly.
#[repr(C)]
struct Start {
    stack: AtomicU64,
    core: AtomicU64,
    work: AtomicU64,
    arrived: AtomicU64,
}

static STARTS: [Start; MOST] = [const {
    Start {
        stack: AtomicU64::new(0),
        core: AtomicU64::new(0),
        work: AtomicU64::new(0),
        arrived: AtomicU64::new(0),
    }
}; MOST];

global_asm!(
    ".section .init.secondary, \"ax\"",
    ".global init_secondary",
    "init_secondary:",
    "msr spsel, #1",
    "msr daifset, #0xf",
    "adrp x1, init_vectors",
    "add x1, x1, :lo12:init_vectors",
    "msr vbar_el2, x1",
    "ldr x1, [x0]",
    "mov sp, x1",
    "isb",
    "bl init_core",
);

unsafe extern "C" {
    static init_secondary: u8;
    static resident_vectors: u8;
    fn resident_join(here: u64, one: u64, sctlr: u64, frame: u64) -> !;
}

/// Starts every core of `others`; `work` must live until they have arrived.
pub(super) fn start_all(work: &Work, others: impl Iterator<Item = &'static Core>) {
    for ((core, start), stack) in others.zip(&STARTS).zip(&STACKS) {
        let top = stack.0.get() as u64 + size_of::<Stack>() as u64;
        start.stack.store(top, Relaxed);
        start.core.store(core::ptr::from_ref(core) as u64, Relaxed);
        start.work.store(core::ptr::from_ref(work) as u64, Relaxed);
        instruction!("dsb sy");
        let affinity = core.affinity;
        let entry = (&raw const init_secondary) as u64;
        let answer = smc(CPU_ON, [affinity, entry, core::ptr::from_ref(start) as u64])[0];
        if answer != 0 {
            let error = answer as i32;
            refuse(format_args!(
                "firmware does not start the core of affinity {affinity:#x}: {error}"
            ));
        }
    }
}

/// Waits until every core that was started has left init.
pub(super) fn await_all() {
    let end = mrs!("cntpct_el0") + PATIENCE * mrs!("cntfrq_el0");
    for start in STARTS.iter().filter(|s| s.core.load(Relaxed) != 0) {
        while start.arrived.load(Relaxed) == 0 {
            if mrs!("cntpct_el0") > end {
                refuse(format_args!("a core was started and did not arrive"));
            }
            instruction!("yield");
        }
    }
}

/// A core that was started.
#[unsafe(no_mangle)]
extern "C" fn init_core(start: &'static Start) -> ! {
    if mrs!("currentel") >> 2 != 2 {
        refuse(format_args!("firmware started a core below EL2"));
    }
    // SAFETY: `start_all` wrote the address of a block that lives as long as RumKV.
    let core = unsafe { &*(start.core.load(Relaxed) as *const Core) };
    // SAFETY: `start_all` wrote it, and its caller waits for this core.
    let work = unsafe { &*(start.work.load(Relaxed) as *const Work) };
    gic::redistributor(core.gicr);
    registers::write(core, work.root, work.choice);
    if core.number == 0 {
        guest::prepare(work, core);
    }
    msr!("vbar_el2", (&raw const resident_vectors) as u64);
    let join: Join = resident_join;
    let here = core::ptr::from_ref(&start.arrived) as u64;
    // SAFETY: the core's block is whole, and no reference into init is used after this.
    unsafe { join(here, 1, rules::registers::SCTLR_EL2, core.frame) }
}
