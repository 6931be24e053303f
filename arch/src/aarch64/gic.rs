//! GICv3 (IHI 0069): distributor and the core's own redistributor through memory, the CPU interface through registers.
use super::{LINEAR, barrier, read, write};
use core::arch::asm;

/// Distributor registers, offsets in bytes (12.9).
mod gicd {
    pub const CTLR: u64 = 0x0000;
    pub const IGROUPR: u64 = 0x0080;
    pub const ISENABLER: u64 = 0x0100;
    pub const ICENABLER: u64 = 0x0180;
    pub const IPRIORITYR: u64 = 0x0400;
    pub const ICFGR: u64 = 0x0C00;
    pub const IROUTER: u64 = 0x6000;
}
/// Redistributor registers (12.11); the SGI frame follows 64 KB after the RD frame and repeats the distributor's offsets.
mod gicr {
    pub const WAKER: u64 = 0x0014;
    pub const SGI_FRAME: u64 = 0x1_0000;
}
/// Priority of every line: one level, as the scheduler orders by spectrum, not the controller.
const PRIORITY: u8 = 0xA0;
/// First shared peripheral interrupt.
const SPI: u32 = 32;
/// The software-generated interrupt by which cores call each other.
pub const CALL: u32 = 0;
/// First special INTID: acknowledging found nothing (2.2.1).
const SPECIAL: u64 = 1020;

/// Addresses of the two frames, as the kernel sees them.
pub struct Gic {
    distributor: u64,
    redistributor: u64,
}

impl Gic {
    /// Before boot.
    pub const OFF: Self = Self { distributor: 0, redistributor: 0 };
    /// Physical addresses in.
    pub fn new(distributor: u64, redistributor: u64) -> Self {
        Self { distributor: LINEAR + distributor, redistributor: LINEAR + redistributor }
    }

    /// Brings the distributor up, which all cores share.
    pub fn start_shared(&mut self) {
        // EnableGrp1NS and ARE_NS, in the view of a machine with one security state: bits 1 and 4 (12.9.4).
        store(self.distributor + gicd::CTLR, 1 << 4 | 1 << 1);
    }

    /// Brings the controller up for this core: group 1, no line of a device open, `timer` and [`CALL`] open.
    pub fn start(&mut self, timer: u32) {
        // Out of sleep (12.11.42): ProcessorSleep cleared, then ChildrenAsleep falls.
        store(self.redistributor + gicr::WAKER, 0);
        for _ in 0..1000 {
            if load(self.redistributor + gicr::WAKER) & 1 << 2 == 0 {
                break;
            }
        }
        let frame = self.redistributor + gicr::SGI_FRAME;
        store(frame + gicd::IGROUPR, u32::MAX);
        store(frame + gicd::ICENABLER, u32::MAX);
        for open in [timer, CALL] {
            store_byte(frame + gicd::IPRIORITYR + open as u64, PRIORITY);
            store(frame + gicd::ISENABLER, 1 << open);
        }
        // System registers on, all priorities pass, end = drop and deactivate, group 1 on (12.2).
        write!("S3_0_C12_C12_5", read!("S3_0_C12_C12_5") | 1); // ICC_SRE_EL1.SRE
        barrier!("isb");
        write!("S3_0_C4_C6_0", 0xFF); // ICC_PMR_EL1
        write!("S3_0_C12_C12_4", 0); // ICC_CTLR_EL1
        write!("S3_0_C12_C12_7", 1); // ICC_IGRPEN1_EL1
        barrier!("isb");
    }

    fn frame(&self, intid: u32) -> u64 {
        if intid < SPI { self.redistributor + gicr::SGI_FRAME } else { self.distributor }
    }

    /// Masks or unmasks a line.
    pub fn mask(&mut self, intid: u32, masked: bool) {
        let register = if masked { gicd::ICENABLER } else { gicd::ISENABLER };
        store(self.frame(intid) + register + (intid / 32 * 4) as u64, 1 << (intid % 32));
        barrier!("dsb sy");
    }

    /// Group, priority, trigger and route of a line, which stays masked.
    pub fn prepare(&mut self, intid: u32, edge: bool) {
        self.mask(intid, true);
        let frame = self.frame(intid);
        let group = frame + gicd::IGROUPR + (intid / 32 * 4) as u64;
        store(group, load(group) | 1 << (intid % 32));
        store_byte(frame + gicd::IPRIORITYR + intid as u64, PRIORITY);
        if intid >= SPI {
            let config = frame + gicd::ICFGR + (intid / 16 * 4) as u64;
            let bit = 2 << (intid % 16 * 2);
            let rest = load(config) & !bit;
            store(config, if edge { rest | bit } else { rest });
            store_wide(
                frame + gicd::IROUTER + intid as u64 * 8,
                read!("MPIDR_EL1") & 0xFF_00FF_FFFF,
            );
        }
    }
}

/// The next pending interrupt, now active; `None` if there is none (ICC_IAR1_EL1).
pub fn acknowledge() -> Option<u32> {
    let intid = read!("S3_0_C12_C12_0");
    barrier!("dsb sy");
    (intid < SPECIAL).then_some(intid as u32)
}

/// Interrupts core `core` by [`CALL`] (ICC_SGI1R_EL1, 12.2.20): affinity 0.0.0.`core`. What was written before is seen
/// by whoever takes it.
pub fn call(core: u8) {
    barrier!("dsb ishst");
    write!("S3_0_C12_C11_5", u64::from(CALL) << 24 | 1 << core);
    barrier!("isb");
}

/// Drops the priority and deactivates (ICC_EOIR1_EL1).
pub fn end(intid: u32) {
    write!("S3_0_C12_C12_1", intid as u64);
}

// Plain loads and stores, spelt in assembly: a hypervisor that mediates these frames can only emulate an access whose
// syndrome is valid (ISV, D24.2.40), which pairs and write-back forms, that a compiler may choose, do not have.

fn load(address: u64) -> u32 {
    let value: u32;
    // SAFETY: a register of a frame that the handoff named and `mmu::kernel_tables` mapped as device memory.
    unsafe { asm!("ldr {:w}, [{}]", out(reg) value, in(reg) address, options(nostack)) };
    value
}
fn store(address: u64, value: u32) {
    // SAFETY: as in `load`.
    unsafe { asm!("str {:w}, [{}]", in(reg) value, in(reg) address, options(nostack)) };
}
fn store_byte(address: u64, value: u8) {
    // SAFETY: as in `load`; priorities are byte-accessible (12.9.20).
    unsafe { asm!("strb {:w}, [{}]", in(reg) u32::from(value), in(reg) address, options(nostack)) };
}
fn store_wide(address: u64, value: u64) {
    // SAFETY: as in `load`; routes are 64 bits wide (12.9.22).
    unsafe { asm!("str {}, [{}]", in(reg) value, in(reg) address, options(nostack)) };
}
