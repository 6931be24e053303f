//! The interrupt controller as a kernel uses it (Arm IHI 0069).
use abi::boot::virt::{GICD, GICR, VTIMER_INTID};

use crate::memory::{read32, write8, write32};
use crate::{instruction, msr};

/// The virtual timer's line.
pub const VTIMER: u32 = VTIMER_INTID;
/// SGI frame of the own redistributor.
pub const SGI_FRAME: u64 = GICR + 0x1_0000;
/// Offsets of both frames.
pub const IGROUPR: u64 = 0x80;
/// Set-enable.
pub const ISENABLER: u64 = 0x100;
/// Clear-enable.
pub const ICENABLER: u64 = 0x180;
/// Set-pending.
pub const ISPENDR: u64 = 0x200;
/// Clear-pending.
pub const ICPENDR: u64 = 0x280;
/// Set-active.
pub const ISACTIVER: u64 = 0x300;
/// Clear-active.
pub const ICACTIVER: u64 = 0x380;
/// Priority bytes.
pub const IPRIORITYR: u64 = 0x400;
/// Trigger.
pub const ICFGR: u64 = 0xC00;
/// Routes.
pub const IROUTER: u64 = 0x6000;

/// Frame of a line.
pub const fn frame(intid: u32) -> u64 {
    if intid < 32 { SGI_FRAME } else { GICD }
}

/// Offset of a redistributor's wake register; bit 1: asleep, bit 2: its interface is.
const WAKER: u64 = 0x14;
/// Distributor control without security states: group 1 on, affinity routing.
const CTLR_ON: u32 = 0x12;

/// Turns the interface on, every line allowed. What RumKV has set for its cells, and does not let
/// them change, a kernel without it finds as reset left it.
pub fn begin() {
    write32(GICR + WAKER, 0);
    while read32(GICR + WAKER) & 4 != 0 {}
    write32(GICD, CTLR_ON);
    write32(SGI_FRAME + IGROUPR, !0);
    msr!("icc_sre_el1", 7);
    instruction!("isb");
    msr!("icc_pmr_el1", 0xFF);
    msr!("icc_bpr1_el1", 0);
    msr!("icc_igrpen1_el1", 1);
    instruction!("isb");
}

/// Enables a line with a priority.
pub fn enable(intid: u32, priority: u8) {
    write8(frame(intid) + IPRIORITYR + u64::from(intid), u32::from(priority));
    write32(frame(intid) + ISENABLER + u64::from(intid / 32) * 4, 1 << (intid % 32));
}

/// Sends an SGI to this core (affinity 0).
#[inline(always)]
pub fn send_to_self(intid: u64) {
    msr!("icc_sgi1r_el1", intid << 24 | 1);
    instruction!("isb");
}

/// Lets interrupts come.
#[inline(always)]
pub fn unmask() {
    instruction!("msr daifclr, #2");
}

/// Holds interrupts back.
#[inline(always)]
pub fn mask() {
    instruction!("msr daifset, #2");
}
