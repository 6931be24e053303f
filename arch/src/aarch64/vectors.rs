//! Exception vectors (D1.3): the only way into the kernel once it runs.
//!
//! A call keeps the caller's x19 to x29 where they are, as the Rust handler keeps them, and only if another fiber runs
//! next are they saved. Everything else that stops a fiber saves all registers first.
//!
//! The table has 16 slots of 32 instructions (D1.3.1.5), of which half only branch. What else the vectors need stands in
//! their rest, so that the table is full instead of four fifths empty, and calls and interrupts begin without a branch.
//!
//! TPIDR_EL1 is the address of the core's [`super::Aarch64`], whose first field is the frame of the fiber that runs: so
//! a core finds its own kernel in one instruction, and its fiber's frame in two.
use super::frame::{FULL, Frame, PC, SP, TLS};
use super::{read, write};
use crate::contract::Trap;
use abi::call::want;
use abi::stats::{PANIC_TRAP, end};
use core::arch::global_asm;

global_asm!(
    // Starts the slot at `offset`. What stands before it must have fitted: `.org` does not go back.
    ".macro slot offset",
    ".org arch_vectors + \\offset",
    ".endm",
    // All but results, kept registers and the stack pointer come back zero.
    ".macro forget",
    "mov x2, xzr",
    "mov x3, xzr",
    "mov x4, xzr",
    "mov x5, xzr",
    "mov x6, xzr",
    "mov x7, xzr",
    "mov x8, xzr",
    "mov x9, xzr",
    "mov x10, xzr",
    "mov x11, xzr",
    "mov x12, xzr",
    "mov x13, xzr",
    "mov x14, xzr",
    "mov x15, xzr",
    "mov x16, xzr",
    "mov x17, xzr",
    "mov x18, xzr",
    ".endm",
    // Saves what a call keeps to the frame at x8; x9 and x10 go to ELR and SPSR. x0 and x1 of the frame are the kernel's;
    // the others are zero afterwards, and mostly were before.
    ".macro save_kept",
    "ldr x11, [x8, #{FULL}]",
    "cbz x11, 3f",
    "str xzr, [x8, #{FULL}]",
    "stp xzr, xzr, [x8, #16]",
    "stp xzr, xzr, [x8, #32]",
    "stp xzr, xzr, [x8, #48]",
    "stp xzr, xzr, [x8, #64]",
    "stp xzr, xzr, [x8, #80]",
    "stp xzr, xzr, [x8, #96]",
    "stp xzr, xzr, [x8, #112]",
    "stp xzr, xzr, [x8, #128]",
    "str xzr, [x8, #144]",
    "3: str x19, [x8, #152]",
    "stp x20, x21, [x8, #160]",
    "stp x22, x23, [x8, #176]",
    "stp x24, x25, [x8, #192]",
    "stp x26, x27, [x8, #208]",
    "stp x28, x29, [x8, #224]",
    "mrs x11, SP_EL0",
    "stp x30, x11, [x8, #240]",
    "stp x9, x10, [x8, #{PC}]",
    "mrs x11, TPIDR_EL0",
    "str x11, [x8, #{TLS}]",
    ".endm",
    // A call that often gives the core away: saved before, so that the kernel may go straight to another fiber.
    ".macro saved",
    "ldr x30, [sp], #16",
    "mrs x8, TPIDR_EL1",
    "ldr x8, [x8]",
    "mrs x9, ELR_EL1",
    "mrs x10, SPSR_EL1",
    "save_kept",
    ".endm",
    ".section .text.vectors, \"ax\"",
    ".balign 2048",
    ".global arch_vectors",
    "arch_vectors:",
    // Current level on SP_EL0, the application of a unikernel: synchronous.
    "b arch_sync",
    // x0: the frame that runs next. The stack is as empty as the trap found it.
    "arch_resume:",
    "ldp x9, x10, [x0, #{PC}]",
    "msr ELR_EL1, x9",
    "msr SPSR_EL1, x10",
    "ldr x9, [x0, #{TLS}]",
    "msr TPIDR_EL0, x9",
    "ldp x30, x8, [x0, #240]",
    "msr SP_EL0, x8",
    "ldp x2, x3, [x0, #16]",
    "ldp x4, x5, [x0, #32]",
    "ldp x6, x7, [x0, #48]",
    "ldp x8, x9, [x0, #64]",
    "ldp x10, x11, [x0, #80]",
    "ldp x12, x13, [x0, #96]",
    "ldp x14, x15, [x0, #112]",
    "ldp x16, x17, [x0, #128]",
    "ldp x18, x19, [x0, #144]",
    "ldp x20, x21, [x0, #160]",
    "ldp x22, x23, [x0, #176]",
    "ldp x24, x25, [x0, #192]",
    "ldp x26, x27, [x0, #208]",
    "ldp x28, x29, [x0, #224]",
    "ldp x0, x1, [x0]",
    "eret",
    // Boot comes in here, with a stack as deep as it got: x0 the frame that runs first, x1 the core.
    ".global arch_enter",
    "arch_enter:",
    "adrp x9, arch_stack_top",
    "add x9, x9, :lo12:arch_stack_top",
    "mov x10, #{STACK_STRIDE}",
    "madd x9, x1, x10, x9",
    "mov sp, x9",
    "b arch_resume",
    // The same: interrupt.
    "slot 0x080",
    "b arch_irq",
    // A call that is neither `wait` nor `send` gives the core away.
    "arch_switch:",
    "ldr x30, [sp], #16",
    "mrs x9, ELR_EL1",
    "mrs x10, SPSR_EL1",
    "arch_save_kept:",
    "mrs x8, TPIDR_EL1",
    "ldr x8, [x8]",
    "save_kept",
    "bl rumpk_schedule",
    "b arch_resume",
    // The same: what is never sent. Whatever stack broke, the panic has one of its own, a page for each core.
    "slot 0x100",
    "arch_broken:",
    "adrp x9, arch_panic_top",
    "add x9, x9, :lo12:arch_panic_top",
    "mrs x10, MPIDR_EL1",
    "and x10, x10, #3",
    "add x9, x9, x10, lsl #12",
    "mov sp, x9",
    "mrs x0, ELR_EL1",
    "mrs x1, FAR_EL1",
    "mrs x2, ESR_EL1",
    "b rumpk_broken",
    // The rest of `arch_save`.
    "arch_saved:",
    "mrs x8, SP_EL0",
    "stp x30, x8, [x0, #240]",
    "mrs x9, ELR_EL1",
    "mrs x10, SPSR_EL1",
    "stp x9, x10, [x0, #{PC}]",
    "mrs x9, TPIDR_EL0",
    "str x9, [x0, #{TLS}]",
    "ldp x10, x1, [sp], #16",
    "ldr x9, [sp], #16",
    "stp x9, x1, [x0]",
    "mov x0, x10",
    "bl arch_trap",
    "b arch_resume",
    "slot 0x180",
    "b arch_broken",
    "arch_send:",
    "saved",
    "bl rumpk_send",
    "b arch_resume",
    // Current level on SP_EL1, the kernel itself: a fault. In the loops that touch a fiber's memory it is an answer; else
    // the end.
    "slot 0x200",
    "msr TPIDRRO_EL0, x30",
    "mrs x30, ELR_EL1",
    "adr x4, arch_ask_start",
    "cmp x30, x4",
    "b.lo 6f",
    "adr x4, arch_ask_end",
    "cmp x30, x4",
    "b.hs 6f",
    "adr x4, arch_ask_fault",
    "b 7f",
    "6: adrp x4, arch_user_start",
    "add x4, x4, :lo12:arch_user_start",
    "cmp x30, x4",
    "b.lo arch_broken",
    "adrp x4, arch_user_end",
    "add x4, x4, :lo12:arch_user_end",
    "cmp x30, x4",
    "b.hs arch_broken",
    "adrp x4, arch_user_fault",
    "add x4, x4, :lo12:arch_user_fault",
    "7: msr ELR_EL1, x4",
    "mrs x30, TPIDRRO_EL0",
    "msr TPIDRRO_EL0, xzr",
    "eret",
    // The kernel runs with interrupts masked.
    "slot 0x280",
    "b arch_broken",
    // The application of a unikernel at EL1 on SP_EL0 calls; the kernel runs on SP_EL1 with interrupts masked.
    "arch_direct:",
    "msr DAIFSet, #15",
    "msr SPSel, #1",
    "str x30, [sp, #-16]!",
    "bl rumpk_syscall",
    "cmp x0, #0",
    "ldr x30, [sp], #16",
    "b.gt 2f",
    "forget",
    "msr SPSel, #0",
    "msr DAIFClr, #15",
    "ret",
    "2: mov x9, x30",
    "mov x10, #4",
    "b arch_save_kept",
    "slot 0x300",
    "b arch_broken",
    // Its entries.
    ".macro direct number",
    "mov x6, #\\number",
    "b arch_direct",
    ".endm",
    ".global arch_direct_entries",
    "arch_direct_entries:",
    "direct 0",
    "direct 1",
    "direct 2",
    "direct 3",
    "direct 4",
    "direct 5",
    "direct 6",
    "direct 7",
    "direct 8",
    "direct 9",
    "direct 10",
    "direct 11",
    "direct 12",
    "arch_fault:",
    "ldr x30, [sp], #16",
    "str x0, [sp, #-16]!",
    "mov x0, #1",
    "b arch_save",
    "slot 0x380",
    "b arch_broken",
    // Lower level, AArch64, fibers: a call, or a fault. EC 0x15 is SVC (D24.2.40).
    "slot 0x400",
    "arch_sync:",
    "str x30, [sp, #-16]!",
    "mrs x30, ESR_EL1",
    "lsr x30, x30, #26",
    "cmp x30, #0x15",
    "b.ne arch_fault",
    "cmp x8, #{WAIT}",
    "b.eq arch_wait",
    "cmp x8, #{SEND}",
    "b.eq arch_send",
    "mov x6, x8",
    "bl rumpk_syscall",
    "cmp x0, #0",
    "b.gt arch_switch",
    "ldr x30, [sp], #16",
    "forget",
    "eret",
    // The same: interrupt. All registers are saved.
    "slot 0x480",
    "arch_irq:",
    "str x0, [sp, #-16]!",
    "mov x0, #0",
    "arch_save:",
    "stp x0, x1, [sp, #-16]!",
    "mrs x0, TPIDR_EL1",
    "ldr x0, [x0]",
    "str x0, [x0, #{FULL}]",
    "stp x2, x3, [x0, #16]",
    "stp x4, x5, [x0, #32]",
    "stp x6, x7, [x0, #48]",
    "stp x8, x9, [x0, #64]",
    "stp x10, x11, [x0, #80]",
    "stp x12, x13, [x0, #96]",
    "stp x14, x15, [x0, #112]",
    "stp x16, x17, [x0, #128]",
    "stp x18, x19, [x0, #144]",
    "stp x20, x21, [x0, #160]",
    "stp x22, x23, [x0, #176]",
    "stp x24, x25, [x0, #192]",
    "stp x26, x27, [x0, #208]",
    "stp x28, x29, [x0, #224]",
    "b arch_saved",
    "slot 0x500",
    "b arch_broken",
    "slot 0x580",
    "str x0, [sp, #-16]!",
    "mov x0, #2",
    "b arch_save",
    // Lower level, AArch32: never started.
    "slot 0x600",
    "b arch_broken",
    "slot 0x680",
    "b arch_broken",
    "slot 0x700",
    "b arch_broken",
    "slot 0x780",
    "b arch_broken",
    "arch_wait:",
    "saved",
    // A list of one entry that rings and waits for the answer: it and the result are written as if the answer had come, and
    // the kernel has less to do when it comes. Where it does anything else, it writes over both.
    "cmp x1, #1",
    "ccmp x2, #0, #0, eq",
    "b.ne arch_wait_any",
    "arch_ask_start:",
    "ldtr w3, [x0]",
    "and w4, w3, #0xff00ff00",
    "cmp w4, #{ASKS}",
    "b.ne arch_wait_any",
    "and w1, w3, #0xffff",
    "orr w3, w1, #{GOT}",
    "sttr w3, [x0]",
    "arch_ask_end:",
    "mov x4, #1",
    "stp xzr, x4, [x8]",
    "bl rumpk_ask",
    "b arch_resume",
    // Its memory is not what it should be, or nothing of the above: x0 is still the list, the general path looks itself.
    "arch_ask_fault:",
    "mov x1, #1",
    "mov x2, #0",
    "arch_wait_any:",
    "bl rumpk_wait",
    "b arch_resume",
    ".ltorg",
    ".text",
    STACK_STRIDE = const super::start::STACK_STRIDE,
    PC = const PC,
    TLS = const TLS,
    FULL = const FULL,
    ASKS = const ((want::READABLE | want::RING) as u32) << 8,
    GOT = const (want::READABLE as u32) << 16,
    WAIT = const abi::call::number::WAIT,
    SEND = const abi::call::number::SEND,
);
const _: () = assert!(SP == 248 && PC == 256);

unsafe extern "C" {
    static arch_vectors: u8;
    static arch_direct_entries: u8;
    fn rumpk_trap(trap: &Trap) -> *mut Frame;
}

/// Address of direct entry `number`.
pub fn direct_entry(number: usize) -> u64 {
    (&raw const arch_direct_entries) as u64 + number as u64 * 8
}

/// Points the core at the vectors.
pub fn install() {
    write!("VBAR_EL1", (&raw const arch_vectors) as u64);
    super::barrier!("isb");
}

/// Syndromes that matter (ESR_EL1.EC, D24.2.40).
fn decode(syndrome: u64) -> Trap {
    let address = read!("FAR_EL1");
    let fault = |cause, address| Trap::Fault { cause, address, syndrome };
    match syndrome >> 26 {
        // FP/SIMD access.
        0x07 => Trap::Floating,
        // Aborts from a lower level; 0x21 is the alignment status code.
        0x24 | 0x25 if syndrome & 0x3F == 0x21 => fault(end::ALIGNMENT, address),
        0x20 | 0x21 | 0x24 | 0x25 => fault(end::PAGE_FAULT, address),
        0x22 | 0x26 => fault(end::ALIGNMENT, address),
        // BRK with the number by which a program says that it panicked; the syndrome holds it.
        0x3C if syndrome & 0xFFFF == PANIC_TRAP as u64 => fault(end::PANIC, 0),
        // Unknown, trapped register or WFI, SVE, pointer authentication, HVC, SMC, BRK.
        0x00 | 0x01 | 0x09 | 0x16 | 0x17 | 0x18 | 0x19 | 0x1D | 0x3C => fault(end::ILLEGAL, 0),
        _ => fault(end::OTHER, address),
    }
}

/// `what`: 0 interrupt, 1 synchronous, 2 SError.
#[unsafe(no_mangle)]
extern "C" fn arch_trap(what: u64) -> *mut Frame {
    let trap = match what {
        0 => Trap::Interrupt,
        1 => decode(read!("ESR_EL1")),
        _ => Trap::Fault { cause: end::OTHER, address: 0, syndrome: read!("ESR_EL1") },
    };
    // SAFETY: the kernel's handler, called once per trap with the fiber's registers saved.
    unsafe { rumpk_trap(&trap) }
}
