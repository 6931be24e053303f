//! Vectors of a test kernel.
//!
//! An UNDEFINED instruction is counted and skipped, so that a sweep can go on. An interrupt stores
//! the counter with the vector's first instructions, then is acknowledged and ended by
//! [`on_interrupt`]. Anything else ends the test.
use core::arch::global_asm;
use core::sync::atomic::{AtomicU32, AtomicU64, Ordering::Relaxed};

use crate::{expect, line, mrs, msr, report};

/// Undefined instructions so far.
pub static UNDEFINED: AtomicU64 = AtomicU64::new(0);
/// Interrupts so far.
pub static INTERRUPTS: AtomicU64 = AtomicU64::new(0);
/// The counter in the vector of the latest interrupt.
pub static ENTERED: AtomicU64 = AtomicU64::new(0);
/// INTIDs of the first interrupts in order of delivery.
pub static ORDER: [AtomicU32; 32] = [const { AtomicU32::new(0) }; 32];

global_asm!(
    ".macro EL1_SAVE",
    "sub sp, sp, #192",
    "stp x0, x1, [sp]",
    "mrs x0, cntvct_el0",
    "stp x2, x3, [sp, #16]",
    "stp x4, x5, [sp, #32]",
    "stp x6, x7, [sp, #48]",
    "stp x8, x9, [sp, #64]",
    "stp x10, x11, [sp, #80]",
    "stp x12, x13, [sp, #96]",
    "stp x14, x15, [sp, #112]",
    "stp x16, x17, [sp, #128]",
    "stp x18, x30, [sp, #144]",
    ".endm",
    ".macro EL1_RETURN",
    "ldp x18, x30, [sp, #144]",
    "ldp x16, x17, [sp, #128]",
    "ldp x14, x15, [sp, #112]",
    "ldp x12, x13, [sp, #96]",
    "ldp x10, x11, [sp, #80]",
    "ldp x8, x9, [sp, #64]",
    "ldp x6, x7, [sp, #48]",
    "ldp x4, x5, [sp, #32]",
    "ldp x2, x3, [sp, #16]",
    "ldp x0, x1, [sp]",
    "add sp, sp, #192",
    "eret",
    ".endm",
    ".section .vectors, \"ax\"",
    ".balign 2048",
    ".global el1_vectors",
    "el1_vectors:",
    ".rept 4",
    "mov x0, #1",
    "bl el1_unexpected",
    ".balign 128",
    ".endr",
    "EL1_SAVE",
    "bl el1_synchronous",
    "EL1_RETURN",
    ".balign 128",
    "EL1_SAVE",
    "bl el1_interrupt",
    "EL1_RETURN",
    ".balign 128",
    ".rept 10",
    "mov x0, #2",
    "bl el1_unexpected",
    ".balign 128",
    ".endr",
);

#[unsafe(no_mangle)]
extern "C" fn el1_synchronous() {
    let esr = mrs!("esr_el1");
    // Class 0: undefined. The others: there, and refused by EL1's own traps (FP, system registers,
    // SVE, SME).
    match esr >> 26 {
        0 | 0x07 | 0x18 | 0x19 | 0x1D => {
            UNDEFINED.fetch_add(1, Relaxed);
            msr!("elr_el1", mrs!("elr_el1") + 4);
        }
        _ => unexpected(),
    }
}

#[unsafe(no_mangle)]
extern "C" fn el1_interrupt(entered: u64) {
    ENTERED.store(entered, Relaxed);
    let iar = mrs!("icc_iar1_el1");
    let n = INTERRUPTS.fetch_add(1, Relaxed);
    if let Some(slot) = ORDER.get(n as usize) {
        slot.store(iar as u32, Relaxed);
    }
    if iar as u32 == crate::gic::VTIMER {
        msr!("cntv_ctl_el0", 0);
    }
    msr!("icc_eoir1_el1", iar);
}

#[unsafe(no_mangle)]
extern "C" fn el1_unexpected(_which: u64) -> ! {
    unexpected()
}

fn unexpected() -> ! {
    line!(
        "unexpected exception: syndrome {:#x}, pc {:#x}, address {:#x}",
        mrs!("esr_el1"),
        mrs!("elr_el1"),
        mrs!("far_el1")
    );
    report::fail(999)
}

/// Lets the virtual timer, which is enabled, interrupt `times` times; least and most ticks from its
/// deadline to the first instruction of the vector.
pub fn timer_latency(times: u64) -> (u64, u64) {
    let ahead = 2000.max(mrs!("cntfrq_el0") / 10_000);
    let (mut least, mut most) = (u64::MAX, 0);
    for n in 0..times {
        let before = INTERRUPTS.load(Relaxed);
        let deadline = mrs!("cntvct_el0") + ahead + n;
        msr!("cntv_cval_el0", deadline);
        msr!("cntv_ctl_el0", 1);
        crate::gic::unmask();
        let mut spins = 0_u64;
        while INTERRUPTS.load(Relaxed) == before {
            for _ in 0..64 {
                crate::instruction!("nop");
            }
            spins += 1;
            expect!(900, spins < 10_000_000, "the timer does not interrupt");
        }
        crate::gic::mask();
        let count = INTERRUPTS.load(Relaxed) - before;
        expect!(901, count == 1, "timer: {count} interrupts instead of one");
        let late = ENTERED.load(Relaxed).wrapping_sub(deadline);
        least = least.min(late);
        most = most.max(late);
    }
    (least, most)
}
