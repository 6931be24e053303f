//! Exception vectors of EL2 (Arm ARM DDI 0487, D1.4.1) and the way back.
//!
//! Eight of the sixteen entries can never be taken: RumKV never selects SP_EL0, and EL1 is always
//! AArch64 (an AArch32 program at EL0 enters by the AArch64 entries, because what counts is the
//! level below EL2). Their place, and what is left of the 128 bytes of each other entry, holds
//! resident code: every entry is a section of its own, and `link.ld` fills the gaps.
//!
//! While a cell runs, SP_EL2 is the address of its [`Frame`], so that an entry can store registers
//! at once; handlers grow the stack down from there. An interrupt that finds two free list
//! registers costs about thirty instructions and touches four registers; everything else saves all
//! of them and enters Rust.
use core::arch::global_asm;
use core::mem::offset_of;

use abi::hypercall::{cause, counter};

use super::end::resident_end;
use super::interrupt::resident_interrupt;
use super::list::ALL as LISTS;
use super::state::Core;

unsafe extern "C" {
    /// Zeroes `start` to `end` (multiples of 16), which is init itself, turns RumKV's translation
    /// on, and waits on the core's own stack, which ends at its frame, to be started. Runs with the
    /// MMU off, from init, once.
    pub(crate) fn resident_release(start: u64, end: u64, sctlr: u64, frame: u64) -> !;
    /// The same for a core that leaves init without zeroing it: says so at `here`, the last that it
    /// touches of init.
    pub(crate) fn resident_join(here: u64, one: u64, sctlr: u64, frame: u64) -> !;
}

/// Type of [`resident_release`], for init.
pub(crate) type Release = unsafe extern "C" fn(u64, u64, u64, u64) -> !;
const _: Release = resident_release;
/// Type of [`resident_join`], for init.
pub(crate) type Join = unsafe extern "C" fn(u64, u64, u64, u64) -> !;
const _: Join = resident_join;

/// First INTID that the short path takes: 26 up to 1019 are lines; below stand SGIs and GIC
/// maintenance (25).
const FIRST_LINE: u32 = 26;
const LINES: u32 = 1020 - FIRST_LINE;

global_asm!(
    // Current level with SP_EL0 is never taken: here stands the way back.
    ".section .resident.000, \"ax\"",
    ".global resident_vectors",
    "resident_vectors:",
    // resident_enter(frame): the way into the cell.
    ".global resident_enter",
    "resident_enter:",
    "mov sp, x0",
    "ldp x30, xzr, [sp, #240]",
    "ldp x28, x29, [sp, #224]",
    "ldp x26, x27, [sp, #208]",
    "ldp x24, x25, [sp, #192]",
    "ldp x22, x23, [sp, #176]",
    "ldp x20, x21, [sp, #160]",
    "ldp x18, x19, [sp, #144]",
    "ldp x16, x17, [sp, #128]",
    "ldp x14, x15, [sp, #112]",
    "ldp x12, x13, [sp, #96]",
    "ldp x10, x11, [sp, #80]",
    "ldp x8, x9, [sp, #64]",
    "ldp x6, x7, [sp, #48]",
    "ldp x4, x5, [sp, #32]",
    "resident_return_short:",
    "ldp x2, x3, [sp, #16]",
    "ldp x0, x1, [sp]",
    "eret",
    // What the short path of an interrupt leaves: x0 to x3 are in the frame already, IAR is in x0.
    "resident_long:",
    "mov w1, #1",
    "resident_save:", // x0 and x1 are the arguments; x0 to x3 are saved
    "stp x4, x5, [sp, #32]",
    "stp x6, x7, [sp, #48]",
    "stp x8, x9, [sp, #64]",
    "stp x10, x11, [sp, #80]",
    "stp x12, x13, [sp, #96]",
    "stp x14, x15, [sp, #112]",
    "stp x16, x17, [sp, #128]",
    "stp x18, x19, [sp, #144]",
    "stp x20, x21, [sp, #160]",
    "stp x22, x23, [sp, #176]",
    "stp x24, x25, [sp, #192]",
    "stp x26, x27, [sp, #208]",
    "stp x28, x29, [sp, #224]",
    "stp x30, xzr, [sp, #240]",
    "cbnz w1, {interrupt}", // both leave by resident_enter
    "b resident_sync",
    // Current level with SP_EL2: a fault inside RumKV. The stack pointer may be what is broken.
    ".section .resident.200, \"ax\"",
    "resident_inside:",
    "mrs x1, tpidr_el2",
    "ldr x1, [x1, #{frame}]",
    "mov sp, x1",
    "mov w0, #{internal}",
    "b {end}",
    ".section .resident.280, \"ax\"",
    "b resident_inside",
    ".section .resident.300, \"ax\"",
    "b resident_inside",
    ".section .resident.380, \"ax\"",
    "b resident_inside",
    // A synchronous exception of the cell.
    ".section .resident.400, \"ax\"",
    "stp x0, x1, [sp]",
    "stp x2, x3, [sp, #16]",
    "mov x0, sp",
    "mov w1, #0",
    "b resident_save",
    // The end of the short path: an entry of two instructions per list register.
    "resident_list_short:",
    "msr ich_lr0_el2, x0",
    "b resident_return_short",
    "msr ich_lr1_el2, x0",
    "b resident_return_short",
    "msr ich_lr2_el2, x0",
    "b resident_return_short",
    "msr ich_lr3_el2, x0",
    "b resident_return_short",
    // An interrupt while the cell runs.
    ".section .resident.480, \"ax\"",
    "stp x0, x1, [sp]",
    "stp x2, x3, [sp, #16]",
    "mrs x3, tpidr_el2",
    "ldr x1, [x3, #{interrupts}]",
    "add x1, x1, #1",
    "str x1, [x3, #{interrupts}]",
    "mrs x0, icc_iar1_el1",
    "mrs x1, ich_elrsr_el2",
    "and x1, x1, #{lists}",
    "sub x2, x1, #1",
    "ands x2, x2, x1",
    "b.eq resident_long", // fewer than two free: the long path keeps the order of priorities
    "sub w2, w0, #{first}",
    "cmp w2, #{lines}",
    "b.hs resident_long", // no line: SGI, maintenance, spurious
    "mrs x3, icc_rpr_el1", // its priority, while it runs
    "msr icc_eoir1_el1, x0",
    "rbit x1, x1",
    "clz x1, x1",
    "bfi x0, x0, #32, #10", // pINTID = vINTID: the cell's end deactivates the line
    "bfi x0, x3, #48, #8",
    "orr x0, x0, #0x7000000000000000", // pending, HW, group 1
    "adr x2, resident_list_short",
    "add x2, x2, x1, lsl #3",
    "br x2",
    // FIQ: no line is in group 0.
    ".section .resident.500, \"ax\"",
    "mov w0, #{unexpected}",
    "b {end}",
    // SError.
    ".section .resident.580, \"ax\"",
    "mov w0, #{external}",
    "b {end}",
    interrupt = sym resident_interrupt,
    end = sym resident_end,
    frame = const offset_of!(Core, frame),
    interrupts = const offset_of!(Core, counters) + 8 * counter::INTERRUPT as usize,
    first = const FIRST_LINE,
    lines = const LINES,
    lists = const LISTS,
    internal = const cause::INTERNAL,
    unexpected = const cause::UNEXPECTED,
    external = const cause::EXTERNAL,
);

// What Rust calls and cannot say.
global_asm!(
    // resident_list_write(value, index), resident_list_read(index).
    ".section .resident.list, \"ax\"",
    ".global resident_list_write",
    "resident_list_write:",
    "adr x2, 1f",
    "add x2, x2, x1, lsl #3",
    "br x2",
    "1: msr ich_lr0_el2, x0",
    "ret",
    "msr ich_lr1_el2, x0",
    "ret",
    "msr ich_lr2_el2, x0",
    "ret",
    "msr ich_lr3_el2, x0",
    "ret",
    ".global resident_list_read",
    "resident_list_read:",
    "adr x2, 1f",
    "add x2, x2, x0, lsl #3",
    "br x2",
    "1: mrs x0, ich_lr0_el2",
    "ret",
    "mrs x0, ich_lr1_el2",
    "ret",
    "mrs x0, ich_lr2_el2",
    "ret",
    "mrs x0, ich_lr3_el2",
    "ret",
    // resident_release(start, end, sctlr, frame).
    ".section .resident.release, \"ax\"",
    ".global resident_release",
    "resident_release:",
    "1: stp xzr, xzr, [x0], #16",
    "cmp x0, x1",
    "b.lo 1b",
    "b 2f",
    // resident_join(here, one, sctlr, frame).
    ".global resident_join",
    "resident_join:",
    "str x1, [x0]",
    "2: mov sp, x3",
    "dsb sy",
    "tlbi alle2",
    "tlbi alle1",
    "ic iallu",
    "dsb sy",
    "isb",
    "msr sctlr_el2, x2",
    "isb",
    "b resident_wait",
);
