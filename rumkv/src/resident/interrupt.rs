//! Interrupts that the short path in the vectors leaves: software-generated ones, maintenance, full
//! list registers. Maintenance is also how a core of the same cell calls (`park::kick`).
//!
//! A physical interrupt of the cell is acknowledged here, its priority dropped, and put into a list
//! register that is linked to it, so that it stays active until the cell deactivates it. When more
//! wait than there are list registers, the most urgent are in them: a more urgent one displaces the
//! least urgent that the cell has not taken yet, which goes back to the distributor; less urgent
//! ones wait there, masked by priority, until maintenance says that there is room.
use abi::hypercall::counter;

use super::list::{self, ACTIVE, GROUP1, HARDWARE, PENDING, PRIORITY_SHIFT};
use super::park::{enter, pass};
use super::state::{Core, core};
use crate::memory::Block;
use crate::{mrs, msr};

/// GIC maintenance (Arm BSA: PPI 25).
pub const MAINTENANCE: u32 = 25;
/// Priority below which only maintenance comes: that of cells is clamped above it.
pub const LEAST_PRIORITY: u64 = 0x10;

const ISPENDR: u64 = 0x200;
const ICFGR: u64 = 0xC00;
/// The SGI frame follows the RD frame (Arm IHI 0069, 12.10).
pub const SGI_FRAME: u64 = 0x1_0000;

/// The long path of an interrupt that was acknowledged as `iar`.
#[unsafe(no_mangle)]
pub(super) extern "C" fn resident_interrupt(iar: u64) -> ! {
    deliver(iar);
    enter(core().frame)
}

#[inline(always)]
fn deliver(iar: u64) {
    let intid = iar as u32;
    if intid >= 1020 {
        return;
    }
    let priority = mrs!("icc_rpr_el1");
    msr!("icc_eoir1_el1", iar);
    if intid == MAINTENANCE {
        msr!("icc_dir_el1", iar);
        pass(core());
        return;
    }
    let mut entry = PENDING | GROUP1 | priority << PRIORITY_SHIFT | iar;
    if intid < 16 {
        // No physical counterpart stays active; two list registers may not hold the same one.
        msr!("icc_dir_el1", iar);
        if list::free() != list::ALL && again(intid) {
            return;
        }
    } else {
        entry |= HARDWARE | iar << 32;
    }
    insert(core(), entry);
}

/// Makes an SGI that a list register holds already pending there; whether there was one.
#[inline(always)]
fn again(intid: u32) -> bool {
    for i in 0..list::COUNT {
        let held = list::read(i);
        if held & (PENDING | ACTIVE) != 0 && list::intid(held) == intid {
            list::write(i, held | PENDING);
            return true;
        }
    }
    false
}

/// Puts an interrupt into a list register, by displacing the least urgent waiting one if none is
/// free.
#[inline(always)]
fn insert(core: &Core, mut entry: u64) {
    let free = list::free();
    if free != 0 {
        list::write(u64::from(free.trailing_zeros()), entry);
        if free & (free - 1) != 0 {
            return;
        }
    }
    // All are in use now. Find the least urgent that waits; the bigger number is the less urgent.
    let mut worst = LEAST_PRIORITY;
    let mut at = list::COUNT;
    for i in 0..list::COUNT {
        let held = list::read(i);
        let urgency = (held >> PRIORITY_SHIFT) & 0xFF;
        if held & ACTIVE == 0 && urgency >= worst {
            worst = urgency;
            at = i;
        }
    }
    if free == 0 {
        if at < list::COUNT && worst > (entry >> PRIORITY_SHIFT) & 0xFF {
            let displaced = list::read(at);
            list::write(at, entry);
            entry = displaced;
        }
        give_back(core, entry);
    }
    list::restrict(worst);
}

/// Gives a waiting interrupt back to the distributor: pending there again.
#[inline(always)]
fn give_back(core: &Core, entry: u64) {
    let intid = list::intid(entry);
    if entry & HARDWARE != 0 {
        msr!("icc_dir_el1", u64::from(intid));
    }
    pend(core, intid);
}

/// The frame that holds the registers of a line.
#[inline(always)]
pub fn frame_of(core: &Core, intid: u32) -> Block {
    if intid < 32 {
        // SAFETY: the SGI frame of this core's redistributor.
        unsafe { Block::at(core.gicr.base() + SGI_FRAME) }
    } else {
        core.cell.gicd
    }
}

/// Makes an edge-triggered line or an SGI pending; a level is pending by itself.
#[inline(never)]
fn pend(core: &Core, intid: u32) {
    let frame = frame_of(core, intid);
    let edge = frame.read32(ICFGR + u64::from(intid >> 4) * 4) >> (2 * (intid & 15)) & 2;
    if intid < 16 || edge != 0 {
        frame.write32(ISPENDR + u64::from(intid >> 5) * 4, 1 << (intid & 31));
    }
}

/// Takes lines of word `n` out of the list registers: what waits is pending in the distributor
/// again, what the cell handles stays unless `active`. What is not the cell's goes with them. Call
/// it before the write that clears the line there.
#[inline(never)]
pub fn withdraw(core: &Core, n: u32, lines: u32, active: bool) {
    list::open();
    if list::free() == list::ALL {
        return;
    }
    for i in 0..list::COUNT {
        let held = list::read(i);
        let intid = list::intid(held);
        let state = held & (PENDING | ACTIVE);
        let word = intid >> 5;
        let meant = !core.cell.lines(word) | if n == word { lines } else { 0 };
        if state == 0 || meant >> (intid & 31) & 1 == 0 {
            continue;
        }
        let left = if active { 0 } else { state & ACTIVE };
        list::write(i, if left != 0 { held & !PENDING } else { 0 });
        if left == 0 && held & HARDWARE != 0 {
            msr!("icc_dir_el1", u64::from(intid));
        }
        if state & PENDING != 0 {
            pend(core, intid);
        }
    }
}

/// Counts an interrupt that the vectors did not (none: they count all). Names the index for the
/// assembly.
const _: () = assert!(counter::INTERRUPT == 0);
