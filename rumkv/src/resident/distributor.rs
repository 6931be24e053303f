//! The mediated frames of the interrupt controller (Arm IHI 0069, 12.8 to 12.11).
//!
//! A cell sees and changes its own lines. Reads are the hardware's, masked; writes go only to
//! registers where a 0 bit changes nothing, to a priority byte, or to a whole routing register, so
//! that no two cells ever read and write back one word. Nobody gets LPIs: what belongs to them
//! reads as zero and ignores writes.
use rules::lines::{Group, decode, spread};

use super::interrupt::{LEAST_PRIORITY, withdraw};
use super::state::Core;
use crate::memory::Block;

/// Control registers that read as the hardware says: CTLR, IIDR of the distributor; its TYPER with
/// the bits that pass: ITLinesNumber, IDbits, A3V, No1N. Hidden: SPI messages (MBIS), LPIs,
/// extended SPIs.
const CTLR: u32 = 0x0;
const TYPER: u32 = 0x4;
const IIDR: u32 = 0x8;
const TYPER_KEPT: u32 = 0x1F | 0x1F << 19 | 1 << 24 | 1 << 25;
/// ID registers of every frame (12.1.3).
const IDENTIFICATION: u32 = 0xFFD0;
const GICR_IIDR: u32 = 0x4;
const GICR_TYPER: u32 = 0x8;
const GICR_TYPER_END: u32 = 0xF;

/// The frames.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// GICD.
    Distributor,
    /// First frame of the own GICR. Reads as awake and without LPIs.
    Redistributor,
    /// Second frame of the own GICR: lines 0 to 31.
    Private,
}

/// One access of a cell to a mediated frame.
#[derive(Clone, Copy)]
pub struct Access {
    /// Which.
    pub kind: Kind,
    /// The frame.
    pub frame: Block,
    /// Offset in the frame, below 64 KB.
    pub offset: u32,
    /// Bytes.
    pub size: u32,
    /// Whether `value` is written.
    pub write: bool,
    /// The value to write.
    pub value: u64,
}

/// Performs an access; answers what a read yields, which the caller cuts to the size.
#[inline(always)]
pub fn mediate(core: &Core, access: Access) -> u64 {
    let Access { kind, frame, offset, write, .. } = access;
    let kept = match (kind, offset) {
        (_, IDENTIFICATION..)
        | (Kind::Distributor, CTLR | IIDR)
        | (Kind::Redistributor, GICR_IIDR) => u32::MAX,
        (Kind::Distributor, TYPER) => TYPER_KEPT,
        (Kind::Redistributor, GICR_TYPER..=GICR_TYPER_END) => {
            return core.typer >> (8 * (offset & 4));
        }
        (Kind::Redistributor, _) => return 0,
        _ => return lines(core, access),
    };
    if write {
        return 0;
    }
    u64::from(frame.read32(u64::from(offset & !3)) & kept)
}

/// An access to the registers that have a field per line.
#[inline(always)]
fn lines(core: &Core, access: Access) -> u64 {
    let Access { kind, frame, size, write, value, .. } = access;
    let Some(at) = decode(access.offset, size) else { return 0 };
    let n = at.first >> 5;
    if (n == 0) != (kind == Kind::Private) {
        return 0;
    }
    let own = core.cell.lines(n) >> (at.first & 31);
    let offset = u64::from(access.offset);
    if !write {
        return match size {
            8 if own & 1 != 0 => frame.read64(offset),
            1 if own & 1 != 0 => u64::from(frame.read8(offset)),
            4 => u64::from(frame.read32(offset) & spread(own, at.width)),
            _ => 0,
        };
    }
    if at.group.passes() {
        let own = own & value as u32;
        if at.group.withdraws() {
            withdraw(core, n, own, at.group.ends());
        }
        frame.write32(offset, own);
    } else if at.group == Group::PRIORITY {
        priorities(frame, offset, size, own, value);
    } else if at.group == Group::ROUTE && own & 1 != 0 && core.cell.core(value).is_some() {
        frame.write64(offset, value);
    }
    0
}

/// Writes priority bytes of own lines, one by one. A cell's priority stays below that of
/// maintenance.
#[inline(never)]
fn priorities(frame: Block, offset: u64, size: u32, own: u32, value: u64) {
    let (mut own, mut value) = (own, value);
    for i in 0..u64::from(size) {
        if own & 1 != 0 {
            frame.write8(offset + i, (value as u8).max(LEAST_PRIORITY as u8));
        }
        own >>= 1;
        value >>= 8;
    }
}
