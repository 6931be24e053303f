//! The other cores: started by PSCI, at EL2 where the machine has it, brought to where the boot core's [`super::start`] is.
//!
//! The firmware enters at the highest level below its own (DEN0022, 5.1.4): EL2 without RumKV, where nexus-boot set up
//! the boot core only, EL1 below RumKV. So the code below does for its core what nexus-boot's `leave` does for the boot
//! core, in the same order and with the same values, and then turns on the coarse tables that boot left: they hold
//! this code at its own address and at its linked one.
use super::start::{MAIR, SCTLR, TCR};
use super::{LINEAR, mmu, write};
use core::arch::{asm, global_asm};

global_asm!(
    ".arch armv9.2-a",
    ".section .text.start, \"ax\"",
    // Writes a register; with `id`, only where that field of an identification register says that it is there.
    ".macro put, register, value, id, field",
    ".ifnb \\id",
    "mrs x3, \\id",
    "ubfx x3, x3, #\\field, #4",
    "cbz x3, 1f",
    ".endif",
    "ldr x3, =\\value",
    "msr \\register, x3",
    "1:",
    ".endm",
    ".global arch_secondary",
    "arch_secondary:",
    "mov x19, x0",
    "mrs x1, CurrentEL",
    "cmp x1, #(2 << 2)",
    "b.ne 2f",
    // The registers of `leave` in boot/src/entry.s, whose comments say what each lets pass.
    "put HCR_EL2, (1 << 31 | 3 << 40 | 1 << 29)",
    "isb",
    "put CPTR_EL2, 0x33ff",
    "put CPTR_EL2, 0x32ff, ID_AA64PFR0_EL1, 32",
    "isb",
    "put ZCR_EL2, 0xf, ID_AA64PFR0_EL1, 32",
    "put CNTHCTL_EL2, 3",
    "put CNTVOFF_EL2, 0",
    "put HSTR_EL2, 0",
    "put MDCR_EL2, 0",
    "put VTTBR_EL2, 0",
    "put MPAM2_EL2, 0, ID_AA64PFR0_EL1, 40",
    "put HCRX_EL2, 0, ID_AA64MMFR1_EL1, 40",
    "put HFGRTR_EL2, 0, ID_AA64MMFR0_EL1, 56",
    "put HFGWTR_EL2, 0, ID_AA64MMFR0_EL1, 56",
    "put HFGITR_EL2, 0, ID_AA64MMFR0_EL1, 56",
    "put HDFGRTR_EL2, 0, ID_AA64MMFR0_EL1, 56",
    "put HDFGWTR_EL2, 0, ID_AA64MMFR0_EL1, 56",
    "put ICC_SRE_EL2, 0xf, ID_AA64PFR0_EL1, 24",
    "isb",
    "put ICH_HCR_EL2, 0, ID_AA64PFR0_EL1, 24",
    "put SCTLR_EL1, 0x30d00800",
    "put CPACR_EL1, 0",
    "put CNTKCTL_EL1, 0",
    "put CNTV_CTL_EL0, 0",
    "put CNTP_CTL_EL0, 0",
    "put MDSCR_EL1, 0",
    "put SPSR_EL2, 0x3c5",
    "mrs x3, MIDR_EL1",
    "msr VPIDR_EL2, x3",
    "mrs x3, MPIDR_EL1",
    "msr VMPIDR_EL2, x3",
    "adr x3, 2f",
    "msr ELR_EL2, x3",
    "eret",
    // EL1, MMU off.
    "2:",
    "adrp x7, arch_boot_low",
    "adrp x8, arch_boot_high",
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
    "mov x10, #{stride}",
    "madd x9, x19, x10, x9",
    "mov sp, x9",
    "mov x29, #0",
    "mov x30, #0",
    "mov x0, x19",
    "ldr x9, =rumpk_secondary",
    "br x9",
    ".ltorg",
    ".text",
    ".arch armv8-a",
    mair = const MAIR,
    tcr = const TCR,
    sctlr = const SCTLR,
    stride = const super::start::STACK_STRIDE,
);

unsafe extern "C" {
    static arch_secondary: u8;
}

/// PSCI CPU_ON, 64-bit form (DEN0022, 5.6).
const CPU_ON: u64 = 0xC400_0003;
/// PSCI: success (DEN0022, 5.2.2).
const SUCCESS: i64 = 0;

/// Starts core `core`, whose MPIDR affinity is its number: it enters `rumpk_secondary` with it. `false`: the firmware
/// has no such core, or will not start it.
pub fn start(core: u8) -> bool {
    let entry = (&raw const arch_secondary) as u64 - LINEAR;
    let answer: i64;
    // What this core wrote for the other one must be there before it runs.
    super::barrier!("dsb ish");
    // SAFETY: CPU_ON takes an affinity, an entry and a context and touches no memory of this core; the code at the
    // entry expects nothing but the core's number in x0. SMCCC lets x1 to x17 change (DEN0028, 2.6).
    unsafe {
        asm!("smc #0", inout("x0") CPU_ON => answer, inout("x1") u64::from(core) => _,
            inout("x2") entry => _, inout("x3") u64::from(core) => _, out("x4") _, out("x5") _,
            out("x6") _, out("x7") _, out("x8") _, out("x9") _, out("x10") _, out("x11") _,
            out("x12") _, out("x13") _, out("x14") _, out("x15") _, out("x16") _, out("x17") _,
            options(nostack));
    }
    answer == SUCCESS
}

/// Takes over a core that came in by [`start`]: the kernel's final map, vectors, no second-best register left open.
pub fn take_over(isolated: bool) {
    mmu::use_kernel_tables();
    super::vectors::install();
    super::start::lock_registers(isolated);
    write!("CNTV_CTL_EL0", 0);
}
