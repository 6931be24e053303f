//! First instructions: EL1 with the MMU off, `x0` the handoff's physical address.
//!
//! Two coarse tables map the gigabyte around the kernel, once where it lies and once where it is linked; with them
//! on, Rust runs at its linked address and [`super::mmu::kernel_tables`] makes the final map.
use super::{LINEAR, barrier, read, write};
use core::arch::global_asm;

/// TCR_EL1 (D24.2.155): 39-bit halves (T0SZ = T1SZ = 25), 4 KB granules, inner-shareable write-back walks, 16-bit
/// ASIDs taken from TTBR0, 40-bit physical addresses.
pub const TCR: u64 = 0x19
    | 0x19 << 16
    | 0b01 << 8
    | 0b01 << 10
    | 0b11 << 12
    | 0b01 << 24
    | 0b01 << 26
    | 0b11 << 28
    | 0b10 << 30
    | 0b010 << 32
    | 1 << 36;
/// MAIR_EL1: 0 Device-nGnRnE, 1 Normal write-back, 2 Normal non-cacheable.
pub const MAIR: u64 = 0xFF << 8 | 0x44 << 16;
/// SCTLR_EL1 (D24.2.128): MMU and caches on, stack alignment checked at both levels, a fiber may zero cache lines
/// (DZE) but neither sleep (nTWI, nTWE = 0) nor maintain caches; RES1 bits of v8.0 set (SPAN among them).
pub const SCTLR: u64 = 1 << 0
    | 1 << 2
    | 1 << 3
    | 1 << 4
    | 1 << 11
    | 1 << 12
    | 1 << 14
    | 1 << 20
    | 1 << 22
    | 1 << 23
    | 1 << 28
    | 1 << 29;
/// A 1 GB block: valid, Normal memory, inner shareable, accessed.
const BLOCK: u64 = 1 | 1 << 2 | 0b11 << 8 | 1 << 10;
/// Bytes of a core's kernel stack.
const STACK: usize = 32 * 1024;
/// From the top of one core's stack to the next one's: the stack and the guard page below it.
pub const STACK_STRIDE: usize = STACK + abi::PAGE;

global_asm!(
    ".section .text.start, \"ax\"",
    ".global _start",
    "_start:",
    "mov x19, x0",
    // bss holds the tables and the stack.
    "adrp x1, __bss_start",
    "add x1, x1, :lo12:__bss_start",
    "adrp x2, __bss_end",
    "add x2, x2, :lo12:__bss_end",
    "1: cmp x1, x2",
    "b.hs 2f",
    "stp xzr, xzr, [x1], #16",
    "b 1b",
    "2:",
    // The gigabyte that holds this code, at its own number in both tables (39 bits: one table level of 512 entries).
    "adr x3, _start",
    "lsr x4, x3, #30",
    "lsl x5, x4, #30",
    "ldr x6, ={block}",
    "orr x5, x5, x6",
    "adrp x7, arch_boot_low",
    "str x5, [x7, x4, lsl #3]",
    "adrp x8, arch_boot_high",
    "str x5, [x8, x4, lsl #3]",
    "ldr x9, ={mair}",
    "msr MAIR_EL1, x9",
    "ldr x9, ={tcr}",
    "msr TCR_EL1, x9",
    "msr TTBR0_EL1, x7",
    "msr TTBR1_EL1, x8",
    "tlbi vmalle1",
    "dsb nsh",
    "isb",
    "ldr x9, ={sctlr}",
    "msr SCTLR_EL1, x9",
    "isb",
    "msr SPSel, #1",
    "ldr x9, =arch_stack_top",
    "mov sp, x9",
    "mov x29, #0",
    "mov x30, #0",
    "ldr x9, ={linear}",
    "add x0, x19, x9",
    "ldr x9, =rumpk_boot",
    "br x9",
    ".ltorg",
    // Each stack ends below at a page that the final tables leave out.
    ".section .bss.start, \"aw\", @nobits",
    ".balign 4096",
    "arch_boot_low: .skip 4096",
    "arch_boot_high: .skip 4096",
    ".global arch_stack_guard",
    "arch_stack_guard: .skip 4096",
    ".skip {stack}",
    ".global arch_stack_top",
    "arch_stack_top:",
    ".skip {others}",
    ".skip 4096",
    ".global arch_panic_top",
    "arch_panic_top:",
    ".skip 4096 * ({cores} - 1)",
    ".text",
    block = const BLOCK,
    mair = const MAIR,
    tcr = const TCR,
    sctlr = const SCTLR,
    linear = const LINEAR,
    stack = const STACK,
    others = const STACK_STRIDE * (crate::CORES - 1),
    cores = const crate::CORES,
);

/// Registers that fibers could otherwise use to see or keep something: counters, debug, trace.
/// `isolated` false leaves privileged access to user pages on, as the application of a unikernel needs it.
pub fn lock_registers(isolated: bool) {
    // EL0 may read the virtual counter, nothing else of the timers (CNTKCTL_EL1, D24.10.15).
    write!("CNTKCTL_EL1", 0b10);
    write!("TPIDRRO_EL0", 0);
    write!("CPACR_EL1", 1 << 20);
    write!("MDSCR_EL1", 0);
    // EL0 reads no performance counter; the register exists where the PMU does (ID_AA64DFR0_EL1 bits 11:8).
    if !matches!(read!("ID_AA64DFR0_EL1") >> 8 & 0xF, 0 | 0xF) {
        write!("PMUSERENR_EL0", 0);
    }
    // FEAT_PAN (ID_AA64MMFR1_EL1 bits 23:20): entry to EL1 forbids plain access to fibers' pages (SPAN = 0).
    if isolated && read!("ID_AA64MMFR1_EL1") >> 20 & 0xF != 0 {
        write!("SCTLR_EL1", SCTLR & !(1 << 23));
        // MSR PAN, #1, spelt by its encoding as the base architecture has no name for it (C5.2.20).
        barrier!(".inst 0xD500419F");
    }
    barrier!("isb");
}
