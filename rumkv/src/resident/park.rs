//! Cores that wait, start, call each other and stop.
//!
//! A core that is off waits at EL2 with everything but maintenance masked by priority. One call
//! serves all purposes: [`kick`] makes maintenance pending at another core's redistributor, which
//! no priority and no mask of a cell holds back. A core that waits looks whether it was started; one
//! that runs lets go of what its cell no longer owns ([`pass`]), or stops if its cell ended. It is
//! RumKV's line (a PPI of which cells see nothing), so that a cell keeps all sixteen of its SGIs.
use core::sync::atomic::Ordering::{Acquire, Relaxed, Release};

use abi::hypercall::cause;
use rules::registers as value;

use super::end::end;
use super::interrupt::{LEAST_PRIORITY, MAINTENANCE, SGI_FRAME, withdraw};
use super::list;
use super::state::{self, Core, OFF, ON, PENDING};
use crate::memory::Block;
use crate::{instruction, mrs, msr};

const ISPENDR: u64 = 0x200;
const ICENABLER: u64 = 0x180;
const ICPENDR: u64 = 0x280;
const ICACTIVER: u64 = 0x380;
/// How often a core looks for another one that was called: far more than the longest way through
/// RumKV, and the end of the cell if it does not suffice.
const PATIENCE: u32 = 1 << 24;

unsafe extern "C" {
    fn resident_enter(frame: u64) -> !;
}

/// The way into the cell, from whatever depth of the core's stack: nothing of it is used after.
#[inline(always)]
pub fn enter(frame: u64) -> ! {
    // SAFETY: callers name this core's own frame, which is whole.
    unsafe { resident_enter(frame) }
}

/// Calls a core.
#[inline(never)]
pub fn kick(core: &Core) {
    instruction!("dsb ish");
    core.gicr.write32(SGI_FRAME + ISPENDR, 1 << MAINTENANCE);
}

/// Disables lines of a word of a frame, whose first registers stand at `word`: neither pending nor
/// active.
#[inline(never)]
pub fn quiet(word: u64, lines: u32) {
    // SAFETY: callers name a frame of the interrupt controller, plus four bytes for each word.
    let word = unsafe { Block::at(word) };
    // No loop over the three: it would be longer.
    word.write32(ICENABLER, lines);
    word.write32(ICPENDR, lines);
    word.write32(ICACTIVER, lines);
}

/// Lets go of what the cell no longer owns, here and in the list registers. Whoever called may rely
/// on it, and that nothing that this core began before is still on its way.
#[inline(never)]
pub fn pass(core: &Core) {
    let ended = core.cell.ended.load(Relaxed);
    if ended != 0 && ended != core.number + 1 {
        park();
    }
    withdraw(core, 0, 0, true);
    quiet(core.gicr.base() + SGI_FRAME, !(core.cell.lines(0) | 1 << MAINTENANCE));
    core.passes.store(core.passes.load(Relaxed).wrapping_add(1), Release);
}

/// Waits until each core of the cell that runs has passed once since this call, this one included,
/// or, if the cell ended, has stopped. Two cores may wait for each other: each passes while it
/// waits.
#[inline(never)]
pub fn rendezvous(core: &Core) {
    for page in core.cell.cores {
        let other = &page.core;
        let before = other.passes.load(Relaxed);
        kick(other);
        let mut left = PATIENCE;
        while other.state.load(Acquire) != OFF && other.passes.load(Acquire) == before {
            pass(core);
            instruction!("yield");
            left -= 1;
            if left == 0 {
                end(cause::INTERNAL);
            }
        }
    }
}

/// Switches this core off: its own lines are as after boot, its list registers empty.
#[inline(never)]
pub fn park() -> ! {
    let core = state::core();
    quiet(core.gicr.base() + SGI_FRAME, !(1 << MAINTENANCE));
    for i in 0..list::COUNT {
        list::write(i, 0);
    }
    core.state.store(OFF, Release);
    resident_wait()
}

/// Waits to be started, and starts. Init enters here too, with the MMU on.
#[unsafe(no_mangle)]
pub(super) extern "C" fn resident_wait() -> ! {
    let core = state::core();
    msr!("icc_pmr_el1", LEAST_PRIORITY);
    while core.state.load(Acquire) != PENDING {
        instruction!("wfi");
        let iar = mrs!("icc_iar1_el1");
        msr!("icc_eoir1_el1", iar);
        msr!("icc_dir_el1", iar);
    }
    core.state.store(ON, Relaxed);
    list::open();
    msr!("ich_vmcr_el2", value::ICH_VMCR_EL2);
    msr!("ich_ap0r0_el2", value::ICH_AP0R0_EL2);
    msr!("ich_ap1r0_el2", value::ICH_AP1R0_EL2);
    msr!("sctlr_el1", value::SCTLR_EL1);
    msr!("cpacr_el1", value::CPACR_EL1);
    msr!("cntkctl_el1", value::CNTKCTL_EL1);
    msr!("cntv_ctl_el0", value::CNTV_CTL_EL0);
    msr!("mdscr_el1", value::MDSCR_EL1);
    msr!("elr_el2", core.entry.load(Relaxed));
    msr!("spsr_el2", value::SPSR_EL2);
    // The other registers are what this core of the cell had when it stopped; zero at first.
    let at = core.frame;
    // SAFETY: the core's own frame.
    unsafe { Block::at(at) }.write64(0, core.context.load(Relaxed));
    enter(at)
}
