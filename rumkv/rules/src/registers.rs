//! The full value of every control register that RumKV sets (Arm ARM DDI 0487, D24; GIC: IHI 0069,
//! 12).
//!
//! Each is written whole and never read, changed and written back: what firmware left there, or
//! what a later architecture adds as a reset value, cannot survive. A bit that is not named here is
//! 0.

/// Declares the registers once: a constant of the register's name, and the table that the
/// documentation is compared with.
macro_rules! registers {
    ($($(#[$doc:meta])* $name:ident = $value:expr;)*) => {
        $($(#[$doc])* pub const $name: u64 = $value;)*
        /// Name and value of every register in the order in which they are written.
        pub const TABLE: &[(&str, u64)] = &[$((stringify!($name), $name)),*];
    };
}

const fn bits(list: &[u32]) -> u64 {
    let mut value = 0;
    let mut i = 0;
    while i < list.len() {
        value |= 1 << list[i];
        i += 1;
    }
    value
}

/// TLB maintenance of EL1 traps (TTLB): only in the image that counts it.
pub const HCR_TTLB: u64 = 1 << 25;

registers! {
    /// VM 0, SWIO 1, PTW 2 (a stage-1 table in a device window faults), FMO 3, IMO 4, AMO 5, TID3
    /// 18 (ID registers), TSC 19 (smc), TIDCP 20 (implementation defined), TACR 21, TSW 22
    /// (set/way), RW 31 (EL1 is AArch64), TLOR 35, TERR 36 (RAS), APK 40 and API 41 (PAuth passes),
    /// TID5 58 (MTE). WFI and WFE do not trap; ATA 56 = 0 hides tags.
    HCR_EL2 = bits(&[0, 1, 2, 3, 4, 5, 18, 19, 20, 21, 22, 31, 35, 36, 40, 41, 58]);
    /// Everything that needs an enable here is hidden. Only with FEAT_HCX.
    HCRX_EL2 = 0;
    /// RES1 (7:0, 9, 13), TSM 12 (SME), TTA 20 (trace), TAM 30 (AMU); TZ 8 and TFP 10 = 0: FP and
    /// SVE pass.
    CPTR_EL2 = 0x22FF | bits(&[12, 20, 30]);
    /// Longest vectors for the cell. Only with SVE.
    ZCR_EL2 = 0xF;
    /// HPMN = 1, TPMCR 5, TPM 6 (PMU), TDRA 11, TPMS 14 (SPE; E2PB = 0), HPMD 17, TTRF 19, HCCD 23;
    /// E2TB = 0 (TRBE). TDA and TDOSA = 0: a cell has its own debug registers.
    MDCR_EL2 = 1 | bits(&[5, 6, 11, 14, 17, 19, 23]);
    /// EL1PCTEN 0: the physical counter may be read; EL1PCEN = 0: the physical timer is hidden.
    CNTHCTL_EL2 = 1;
    /// Virtual time is physical time.
    CNTVOFF_EL2 = 0;
    /// RumKV has no timer.
    CNTHP_CTL_EL2 = 0;
    /// No trap by coprocessor register (AArch32 only).
    HSTR_EL2 = 0;
    /// Implementation defined.
    HACR_EL2 = 0;
    /// Implementation defined; where its bits open registers to EL1 they stay closed.
    ACTLR_EL2 = 0;
    /// The positive traps are off, those of hidden features (`n...` bits) on. Only with FEAT_FGT.
    HFGRTR_EL2 = 0;
    /// As HFGRTR_EL2, for writes.
    HFGWTR_EL2 = 0;
    /// As HFGRTR_EL2, for instructions.
    HFGITR_EL2 = 0;
    /// As HFGRTR_EL2, for debug.
    HDFGRTR_EL2 = 0;
    /// As HFGWTR_EL2, for debug.
    HDFGWTR_EL2 = 0;
    /// TRAPMPAM0EL1 48, TRAPMPAM1EL1 49. Only with FEAT_MPAM.
    MPAM2_EL2 = bits(&[48, 49]);
    /// T0SZ = 24 (40 bits), SL0 = 1 (two concatenated tables of level 1), walks cached and inner
    /// shareable, 4 KB, PS = 2.
    VTCR_EL2 = 0x18 | 1 << 6 | 1 << 8 | 1 << 10 | 3 << 12 | 2 << 16 | 1 << 31;
    /// Attribute 0: Device-nGnRnE; 1: normal, write-back.
    MAIR_EL2 = 0xFF00;
    /// T0SZ = 25 (39 bits), walks cached and inner shareable, 4 KB, PS = 2, RES1 23 and 31.
    TCR_EL2 = 0x19 | 1 << 8 | 1 << 10 | 3 << 12 | 2 << 16 | 1 << 23 | 1 << 31;
    /// RES1, and M 0, A 1, C 2, SA 3, I 12, WXN 19.
    SCTLR_EL2 = 0x30C5_0830 | bits(&[0, 1, 2, 3, 12, 19]);
    /// SRE 0, DFB 1, DIB 2, Enable 3.
    ICC_SRE_EL2 = 0xF;
    /// EOImode 1: to end an interrupt drops its priority, the cell's own end deactivates it.
    ICC_CTLR_EL1 = 2;
    /// Every priority comes.
    ICC_PMR_EL1 = 0xFF;
    /// The finest grouping there is.
    ICC_BPR1_EL1 = 0;
    /// No group 0.
    ICC_IGRPEN0_EL1 = 0;
    /// Group 1.
    ICC_IGRPEN1_EL1 = 1;
    /// En 0; UIE 1 is set only while the list registers are full.
    ICH_HCR_EL2 = 1;
    /// The cell starts with its interface off.
    ICH_VMCR_EL2 = 0;
    /// No priority is active in the cell.
    ICH_AP0R0_EL2 = 0;
    /// No priority is active in the cell.
    ICH_AP1R0_EL2 = 0;
    /// EL1 with its own stack pointer, D, A, I and F masked: how a cell starts.
    SPSR_EL2 = 0x3C5;
    /// RES1 with the MMU and caches off: how a cell starts.
    SCTLR_EL1 = 0x30D0_0800;
    /// FP and SVE trap to EL1 until the cell says otherwise.
    CPACR_EL1 = 0;
    /// EL0 sees no timer until the cell says otherwise.
    CNTKCTL_EL1 = 0;
    /// The virtual timer is off.
    CNTV_CTL_EL0 = 0;
    /// The physical timer is off, and out of the cell's reach.
    CNTP_CTL_EL0 = 0;
    /// No debug exception is enabled.
    MDSCR_EL1 = 0;
}
