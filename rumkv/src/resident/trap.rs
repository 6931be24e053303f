//! A synchronous exception of a cell: one syndrome in, one handler out.
use abi::hypercall::{HVC_IMMEDIATE, cause, counter};
use rules::abort::Access as Syndrome;

use super::distributor::{Access, Kind, mediate};
use super::end::{end, fault_address};
use super::park::enter;
use super::state::{self, Cell, Core, Frame, skip};
use super::{firmware, hypercall, sysreg};
use crate::memory::Block;
use crate::{mrs, msr};

/// Exception classes (Arm ARM DDI 0487, ESR_ELx.EC).
const HVC64: u64 = 0x16;
const SMC64: u64 = 0x17;
const SYSTEM_REGISTER: u64 = 0x18;
const FETCH: u64 = 0x20;
const DATA: u64 = 0x24;

/// Bytes of a frame of the interrupt controller; a redistributor has two. Frames are aligned to it.
const FRAME_LEN: u64 = 0x1_0000;

/// How a trap ends for the cell.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// It goes on where ELR_EL2 points.
    Resume,
    /// It goes on behind the instruction, which was done for it.
    Skip,
    /// The instruction does not exist for it.
    Undefined,
}

/// Handles a synchronous exception; what it answers stands in the frame and in ELR_EL2.
#[inline(always)]
pub fn synchronous<const COUNT_TLB: bool, const OPEN_SGI: bool>(frame: &mut Frame) -> ! {
    let core = state::core();
    let esr = mrs!("esr_el2");
    let outcome = match esr >> 26 & 0x3F {
        HVC64 if esr as u16 == HVC_IMMEDIATE => {
            core.count(counter::HYPERCALL);
            hypercall::call(frame, core);
            Outcome::Resume
        }
        FETCH | DATA if Syndrome::new(esr).is_external() => end(cause::EXTERNAL),
        DATA => data_abort(frame, core, Syndrome::new(esr)),
        SYSTEM_REGISTER => sysreg::access::<COUNT_TLB, OPEN_SGI>(frame, core, esr),
        SMC64 => {
            core.count(counter::FIRMWARE);
            firmware::call(frame, core);
            Outcome::Skip
        }
        FETCH => end(cause::FETCH),
        class @ 0..FETCH => {
            // Trapped instructions of hidden features, and hvc with other immediates: its return
            // address is behind the instruction, that of an undefined one is the instruction.
            core.count(counter::OTHER);
            if class == HVC64 {
                msr!("elr_el2", mrs!("elr_el2") - 4);
            }
            Outcome::Undefined
        }
        _ => end(cause::UNEXPECTED),
    };
    match outcome {
        Outcome::Resume => {}
        Outcome::Skip => skip(),
        Outcome::Undefined => inject(),
    }
    enter(core::ptr::from_mut(frame) as u64)
}

/// A load or store that the second stage refused: a mediated frame, or the end of the cell.
#[inline(always)]
fn data_abort(frame: &mut Frame, core: &Core, syndrome: Syndrome) -> Outcome {
    let address = fault_address();
    let write = syndrome.is_write();
    let (of, kind) = if address.wrapping_sub(core.cell.gicd.base()) < FRAME_LEN {
        (core, Kind::Distributor)
    } else {
        redistributor(core.cell, address)
    };
    if !syndrome.has_syndrome() {
        end(cause::NO_SYNDROME);
    }
    core.count(counter::MMIO);
    if write && !core::ptr::eq(of, core) {
        // A sibling's own lines are its affair: what it has in its list registers is out of reach.
        return Outcome::Skip;
    }
    let offset = address & (FRAME_LEN - 1);
    let register = syndrome.register();
    let access = Access {
        kind,
        // SAFETY: the cell touched a frame at its physical address; RumKV maps all of them.
        frame: unsafe { Block::at(address - offset) },
        offset: offset as u32,
        size: syndrome.size(),
        write,
        value: frame.x[register],
    };
    let value = mediate(of, access);
    if !write {
        // Register 31 is a word that no one reads back.
        frame.x[register] = syndrome.loaded(value);
    }
    Outcome::Skip
}

/// The core of the cell whose redistributor holds an address, and which of its frames; the end of
/// the cell where there is none.
#[inline(always)]
fn redistributor(cell: &Cell, address: u64) -> (&'static Core, Kind) {
    for page in cell.cores {
        let inside = address.wrapping_sub(page.core.gicr.base());
        if inside < 2 * FRAME_LEN {
            let kind = if inside < FRAME_LEN { Kind::Redistributor } else { Kind::Private };
            return (&page.core, kind);
        }
    }
    end(cause::DATA)
}

/// Gives the cell an UNDEFINED exception at the instruction that it executed (Arm ARM DDI 0487,
/// D1.3).
#[inline(always)]
fn inject() {
    /// Class 0 with a 32-bit instruction.
    const UNKNOWN: u64 = 1 << 25;
    const NZCV: u64 = 0xF << 28;
    const DIT: u64 = 1 << 24;
    const PAN: u64 = 1 << 22;
    const SSBS: u64 = 1 << 12;
    const EL1H_MASKED: u64 = 0x3C5;
    const DSSBS: u64 = 1 << 44;
    let old = mrs!("spsr_el2");
    let sctlr = mrs!("sctlr_el1");
    msr!("esr_el1", UNKNOWN);
    msr!("elr_el1", mrs!("elr_el2"));
    msr!("spsr_el1", old);
    // From AArch32 (0b10000) 0x600, from EL0 (0b00000) 0x400, with SP_EL1 (0b00101) 0x200, with
    // SP_EL0 (0b00100) 0; there is nothing else that a cell can have come from.
    let entry = if old & 4 != 0 { (old & 1) << 9 } else { 0x400 + ((old & 0x10) << 5) };
    msr!("elr_el2", mrs!("vbar_el1") + entry);
    // SPAN stands one bit above PAN, and means the contrary.
    let mut new = old & (NZCV | DIT | PAN) | EL1H_MASKED | PAN & !(sctlr >> 1);
    if sctlr & DSSBS != 0 {
        new |= SSBS;
    }
    msr!("spsr_el2", new);
}
