// Start and end of nexus-boot: what it finds before Rust, and what the next program finds.
    .arch   armv9.2-a           // for the names of registers that are only written where they exist

// Image header of the Linux arm64 boot protocol (Documentation/arch/arm64/booting.rst).
    .section .head, "ax"
    b       start
    .long   0
    .quad   0x80000             // text_offset: from the start of RAM
    .quad   __size              // stack included, so that nothing is put there
    .quad   2                   // little-endian, pages of 4 KB, near the start of RAM
    .quad   0, 0, 0
    .ascii  "ARM\x64"
    .long   0
    .globl  ROOT
ROOT:                           // at byte 64; the host tool writes key and floor
    .ascii  "NXROOT\0\0"
    .zero   32 + 4 + 4
start:
    adrp    x1, __end
    mov     sp, x1
    bl      {main}

// Vectors at EL2: of nexus-boot and, without RumKV, of all that runs later.
    .balign 2048
    .globl  VECTORS
VECTORS:
    .rept   16
    b       {trap}
    .balign 128
    .endr

// Writes a register; with `id`, only if that field of an identification register says it is there.
    .macro  set, register, value, id, field
    .ifnb   \id
    mrs     x3, \id
    ubfx    x3, x3, #\field, #4
    cbz     x3, 1f
    .endif
    ldr     x3, =\value
    msr     \register, x3
1:
    .endm

// leave(handoff, entry, el1). What was written is in memory, since data caches were off; but the
// instruction cache need not be, and may hold what stood at the entry before.
    .globl  leave
leave:
    dsb     sy
    ic      iallu
    dsb     sy
    isb
    cbnz    x2, 1f
    br      x1

// Registers without RumKV (Arm ARM DDI 0487, D24). EL1 has what it would have without an EL2, but
// for the features that it must find in HCRX_EL2, the fine-grained traps and CPTR_EL2.TSM (SME).
1:  set     HCR_EL2, (1 << 31 | 3 << 40 | 1 << 29)  // AArch64; PAuth; hvc is UNDEFINED; no stage 2
    isb                                             // E2H = 0 gives the next ones their form
    set     CPTR_EL2, 0x33ff                        // FP and tracing pass
    set     CPTR_EL2, 0x32ff, ID_AA64PFR0_EL1, 32   // SVE passes
    isb
    set     ZCR_EL2, 0xf, ID_AA64PFR0_EL1, 32       // vectors of any length
    set     CNTHCTL_EL2, 3                          // physical counter and timer pass
    set     CNTVOFF_EL2, 0                          // the virtual counter is the physical one
    set     HSTR_EL2, 0                             // no trap by AArch32 coprocessor
    set     MDCR_EL2, 0                             // no debug trap
    set     VTTBR_EL2, 0                            // VMID 0
    set     MPAM2_EL2, 0, ID_AA64PFR0_EL1, 40       // no trap
    set     HCRX_EL2, 0, ID_AA64MMFR1_EL1, 40       // nothing that needs an enable
    set     HFGRTR_EL2, 0, ID_AA64MMFR0_EL1, 56     // fine-grained traps: as HCRX_EL2
    set     HFGWTR_EL2, 0, ID_AA64MMFR0_EL1, 56
    set     HFGITR_EL2, 0, ID_AA64MMFR0_EL1, 56
    set     HDFGRTR_EL2, 0, ID_AA64MMFR0_EL1, 56
    set     HDFGWTR_EL2, 0, ID_AA64MMFR0_EL1, 56
    set     ICC_SRE_EL2, 0xf, ID_AA64PFR0_EL1, 24   // the GIC's interface as system registers
    isb
    set     ICH_HCR_EL2, 0, ID_AA64PFR0_EL1, 24     // no virtual interrupts
    set     SCTLR_EL1, 0x30d00800                   // RES1: MMU and caches off
    set     CPACR_EL1, 0                            // FP and SVE trap to EL1 until it asks
    set     CNTKCTL_EL1, 0                          // EL0 sees no timer
    set     CNTV_CTL_EL0, 0                         // timers off
    set     CNTP_CTL_EL0, 0
    set     MDSCR_EL1, 0                            // no debug exception
    set     SPSR_EL2, 0x3c5                         // EL1h, DAIF masked
    msr     ELR_EL2, x1
    mrs     x3, MIDR_EL1
    msr     VPIDR_EL2, x3
    mrs     x3, MPIDR_EL1
    msr     VMPIDR_EL2, x3
    .irp n, 1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23,24,25,26,27,28,29,30
    mov     x\n, xzr
    .endr
    eret
    .ltorg
