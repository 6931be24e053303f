//! The list registers: what of a cell's interrupts the hardware presents (Arm IHI 0069, 12.4,
//! ICH_LR<n>_EL2).

use crate::{mrs, msr};

/// List registers in use. Four is what every GICv3 of an A-profile core has; more would only grow
/// the code.
pub const COUNT: u64 = 4;
/// What [`free`] answers when no list register is in use.
pub const ALL: u64 = (1 << COUNT) - 1;
/// State bit: pending.
pub const PENDING: u64 = 1 << 62;
/// State bit: active.
pub const ACTIVE: u64 = 1 << 63;
/// Linked to a physical interrupt: the cell's deactivation deactivates it.
pub const HARDWARE: u64 = 1 << 61;
/// Group 1.
pub const GROUP1: u64 = 1 << 60;
/// Where the priority stands.
pub const PRIORITY_SHIFT: u32 = 48;
/// ICH_HCR_EL2.UIE: an interrupt (INTID 25) when at most one list register is in use.
const UNDERFLOW: u64 = 1 << 1;

unsafe extern "C" {
    fn resident_list_read(index: u64) -> u64;
    fn resident_list_write(value: u64, index: u64);
}

/// Reads list register `index`, below [`COUNT`].
#[inline(always)]
pub fn read(index: u64) -> u64 {
    // SAFETY: a register read; callers count below COUNT.
    unsafe { resident_list_read(index) }
}

/// Writes list register `index`, below [`COUNT`].
#[inline(always)]
pub fn write(index: u64, value: u64) {
    // SAFETY: a register write; callers count below COUNT.
    unsafe { resident_list_write(value, index) }
}

/// One bit per free list register.
#[inline(always)]
pub fn free() -> u64 {
    mrs!("ich_elrsr_el2") & ALL
}

/// The interrupt that a list register holds.
#[inline(always)]
pub const fn intid(list: u64) -> u32 {
    list as u32
}

/// Lets every interrupt come.
#[inline(always)]
pub fn open() {
    msr!("icc_pmr_el1", rules::registers::ICC_PMR_EL1);
    msr!("ich_hcr_el2", rules::registers::ICH_HCR_EL2);
}

/// With all list registers in use: only what is more urgent than `priority` comes, and a
/// maintenance interrupt when there is room.
#[inline(always)]
pub fn restrict(priority: u64) {
    msr!("icc_pmr_el1", priority);
    msr!("ich_hcr_el2", rules::registers::ICH_HCR_EL2 | UNDERFLOW);
}
