//! Writes every control register whole, with the values of [`rules::registers`].
use rules::registers as value;

use crate::resident::Core;
use crate::{instruction, mrs, msr};

use super::Choice;

/// A 4-bit field of an ID register.
const fn field(register: u64, at: u32) -> u64 {
    (register >> at) & 0xF
}

/// Everything but SCTLR_EL2, which `resident_release` writes once init is gone.
pub(super) fn write(core: &Core, root: u64, choice: Choice) {
    let ttlb = if choice.count_tlb { value::HCR_TTLB } else { 0 };
    msr!("hcr_el2", value::HCR_EL2 | ttlb);
    instruction!("isb");
    traps();
    msr!("cnthctl_el2", value::CNTHCTL_EL2);
    msr!("cntvoff_el2", value::CNTVOFF_EL2);
    msr!("cnthp_ctl_el2", value::CNTHP_CTL_EL2);
    msr!("vpidr_el2", mrs!("midr_el1"));
    msr!("vmpidr_el2", mrs!("mpidr_el1"));
    msr!("tpidr_el2", core::ptr::from_ref(core) as u64);
    msr!("vtcr_el2", value::VTCR_EL2);
    // VMID 0 is nobody's.
    msr!("vttbr_el2", u64::from(core.cell.number + 1) << 48 | core.cell.stage2.base());
    msr!("mair_el2", value::MAIR_EL2);
    msr!("tcr_el2", value::TCR_EL2);
    msr!("ttbr0_el2", root);
    interrupts();
    // What the cell finds at its first instruction is written where a core starts, each time
    // (`resident/park.rs`); its timer is off until then, too.
    msr!("cntv_ctl_el0", value::CNTV_CTL_EL0);
    msr!("cntp_ctl_el0", value::CNTP_CTL_EL0);
    instruction!("isb");
}

/// What the cell may not touch.
fn traps() {
    let pfr0 = mrs!("id_aa64pfr0_el1");
    let mmfr0 = mrs!("id_aa64mmfr0_el1");
    msr!("cptr_el2", value::CPTR_EL2);
    instruction!("isb");
    if field(pfr0, 32) != 0 {
        // ZCR_EL2.
        msr!("s3_4_c1_c2_0", value::ZCR_EL2);
    }
    msr!("mdcr_el2", value::MDCR_EL2);
    msr!("hstr_el2", value::HSTR_EL2);
    msr!("hacr_el2", value::HACR_EL2);
    msr!("actlr_el2", value::ACTLR_EL2);
    if field(mrs!("id_aa64mmfr1_el1"), 40) != 0 {
        // HCRX_EL2.
        msr!("s3_4_c1_c2_2", value::HCRX_EL2);
    }
    if field(mmfr0, 56) != 0 {
        // HFGRTR_EL2, HFGWTR_EL2, HFGITR_EL2, HDFGRTR_EL2, HDFGWTR_EL2.
        msr!("s3_4_c1_c1_4", value::HFGRTR_EL2);
        msr!("s3_4_c1_c1_5", value::HFGWTR_EL2);
        msr!("s3_4_c1_c1_6", value::HFGITR_EL2);
        msr!("s3_4_c3_c1_4", value::HDFGRTR_EL2);
        msr!("s3_4_c3_c1_5", value::HDFGWTR_EL2);
    }
    if field(pfr0, 40) != 0 {
        // MPAM2_EL2.
        msr!("s3_4_c10_c5_0", value::MPAM2_EL2);
    }
}

/// The interface of the interrupt controller, physical and virtual.
fn interrupts() {
    msr!("icc_sre_el2", value::ICC_SRE_EL2);
    instruction!("isb");
    msr!("icc_ctlr_el1", value::ICC_CTLR_EL1);
    msr!("icc_pmr_el1", value::ICC_PMR_EL1);
    msr!("icc_bpr1_el1", value::ICC_BPR1_EL1);
    msr!("icc_igrpen0_el1", value::ICC_IGRPEN0_EL1);
    msr!("icc_igrpen1_el1", value::ICC_IGRPEN1_EL1);
    msr!("ich_lr0_el2", 0);
    msr!("ich_lr1_el2", 0);
    msr!("ich_lr2_el2", 0);
    msr!("ich_lr3_el2", 0);
    msr!("ich_vmcr_el2", value::ICH_VMCR_EL2);
    msr!("ich_ap0r0_el2", value::ICH_AP0R0_EL2);
    msr!("ich_ap1r0_el2", value::ICH_AP1R0_EL2);
    msr!("ich_hcr_el2", value::ICH_HCR_EL2);
}
