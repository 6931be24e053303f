//! Which features a cell sees (Arm ARM DDI 0487, D24.2, the ID registers).
//!
//! A feature is passed or hidden. Hidden means that its ID field reads as zero here and that its
//! registers are UNDEFINED in the cell, by the traps that [`crate::registers`] sets. Fields are
//! listed by what is *kept*: what a later architecture adds is hidden until somebody decides
//! otherwise.

/// Number of registers in the table: `CRm` 4 to 7, `op2` 0 to 7.
pub const COUNT: usize = 32;

/// Index of `S3_0_C0_C<crm>_<op2>` in the table; `None` for the AArch32 ID registers (`crm` 1 to
/// 3), which read zero.
#[must_use]
#[inline(always)]
pub const fn index(crm: u64, op2: u64) -> Option<usize> {
    if crm >= 4 { Some((((crm & 3) << 3) | (op2 & 7)) as usize) } else { None }
}

/// One ID register: which 4-bit fields are kept, and which are limited or set.
#[derive(Clone, Copy, Debug)]
pub struct Rule {
    /// Name in lower case.
    pub name: &'static str,
    /// `CRm`.
    pub crm: u64,
    /// `op2`.
    pub op2: u64,
    /// Bits that pass.
    pub keep: u64,
    /// Fields limited to a value: bit of the field's start, most.
    pub most: &'static [(u32, u64)],
    /// Bits that are set whatever the hardware says, in fields that are not kept.
    pub set: u64,
}

/// Mask of the 4-bit fields that start at these bits.
const fn fields(starts: &[u32]) -> u64 {
    let mut mask = 0;
    let mut i = 0;
    while i < starts.len() {
        mask |= 0xF << starts[i];
        i += 1;
    }
    mask
}

const fn rule(name: &'static str, crm: u64, op2: u64, keep: u64) -> Rule {
    Rule { name, crm, op2, keep, most: &[], set: 0 }
}

/// Every ID register that is not zero for a cell.
pub const RULES: [Rule; 10] = [
    // FP, AdvSIMD, GIC, SVE, DIT, CSV2 (1: without SCXTNUM), CSV3. EL0 and EL1 are AArch64 only; no
    // EL2, EL3, RAS, MPAM, AMU.
    Rule {
        most: &[(56, 1)],
        set: 0x11,
        ..rule("id_aa64pfr0_el1", 4, 0, fields(&[16, 20, 24, 32, 48, 56, 60]))
    },
    // BT, SSBS. No MTE, SME, NMI, GCS.
    rule("id_aa64pfr1_el1", 4, 1, fields(&[0, 4])),
    // SVE's features.
    rule("id_aa64zfr0_el1", 4, 4, u64::MAX),
    // Debug, breakpoints, watchpoints, context comparators, double lock. No PMU, trace, SPE, TRBE,
    // BRBE.
    rule("id_aa64dfr0_el1", 5, 0, fields(&[0, 12, 20, 28, 36])),
    // All but TME.
    rule("id_aa64isar0_el1", 6, 0, !fields(&[24])),
    // All but XS and LS64.
    rule("id_aa64isar1_el1", 6, 1, !fields(&[56, 60])),
    // WFxT, RPRES, GPA3, APA3, BC, PAC_frac, CLRBHB, CSSC. No MOPS, SYSREG128.
    rule("id_aa64isar2_el1", 6, 2, fields(&[0, 4, 8, 12, 20, 24, 28, 52])),
    // PARange (at most 40 bits, what stage 2 translates), ASIDBits, endianness, granules. No FGT,
    // ECV.
    Rule {
        most: &[(0, 2)],
        ..rule("id_aa64mmfr0_el1", 7, 0, fields(&[0, 4, 8, 12, 16, 20, 24, 28, 44]))
    },
    // HAFDBS, HPDS, PAN, ETS, nTLBPA, AFP, TIDCP1, ECBHB. No VMIDBits, VH, LO, XNX, HCX.
    rule("id_aa64mmfr1_el1", 7, 1, fields(&[0, 12, 20, 36, 44, 48, 52, 60])),
    // CnP, UAO, LSM, VARange, CCIDX, ST, AT, IDS, TTL, BBM, E0PD. No IESB, NV, FWB, EVT.
    rule("id_aa64mmfr2_el1", 7, 2, fields(&[0, 4, 8, 16, 20, 28, 32, 36, 48, 52, 60])),
];

impl Rule {
    /// What the cell reads where the hardware says `real`.
    #[must_use]
    pub const fn seen(&self, real: u64) -> u64 {
        let mut value = (real & self.keep) | self.set;
        let mut i = 0;
        while i < self.most.len() {
            let (at, most) = self.most[i];
            if (value >> at) & 0xF > most {
                value = (value & !(0xF << at)) | (most << at);
            }
            i += 1;
        }
        value
    }
}
