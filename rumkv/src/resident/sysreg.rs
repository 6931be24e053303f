//! Trapped system registers: what is hidden is UNDEFINED in the cell, ID registers are masked, SGIs
//! stay inside.
use abi::hypercall::counter;

use rules::lines::CLUSTER;

use super::state::{Core, Frame};
use super::trap::Outcome;
use crate::{instruction, msr};

/// A trapped MRS, MSR or SYS (Arm ARM DDI 0487, ESR_ELx, ISS encoding for exception class 0x18):
/// op0 21:20, op2 19:17, op1 16:14, CRn 13:10, Rt 9:5, CRm 4:1, direction 0.
const fn register(op0: u64, op1: u64, crn: u64, crm: u64, op2: u64) -> u64 {
    op0 << 20 | op2 << 17 | op1 << 14 | crn << 10 | crm << 1
}

const ENCODING: u64 = register(3, 7, 15, 15, 7);
const READ: u64 = 1;
/// `S3_0_C0_C<m>_<n>`: the identification space; all but CRm and op2.
const ID_SPACE: u64 = register(3, 7, 15, 0, 0);
const ID: u64 = register(3, 0, 0, 0, 0);
const ACTLR: u64 = register(3, 0, 1, 0, 1);
/// ICC_SGI1R_EL1, ICC_ASGI1R_EL1, ICC_SGI0R_EL1: CRm 11, op2 5, 6, 7.
const SGI1R: u64 = register(3, 0, 12, 11, 5);
/// Where op2 stands.
const OP2: u32 = 17;
/// `SYS` with CRn 8: TLB maintenance; all but op1, CRm, op2.
const TLBI_SPACE: u64 = register(3, 0, 15, 0, 0);
const TLBI: u64 = register(1, 0, 8, 0, 0);

/// Handles a trap of class 0x18.
#[inline(always)]
pub fn access<const COUNT_TLB: bool, const OPEN_SGI: bool>(
    frame: &mut Frame,
    core: &Core,
    esr: u64,
) -> Outcome {
    let target = (esr >> 5 & 31) as usize;
    let encoding = esr & ENCODING;
    if COUNT_TLB && encoding & TLBI_SPACE == TLBI {
        core.count(counter::TLB);
        // More than was asked for: everything of this cell, on all its cores.
        instruction!("dsb ishst");
        instruction!("tlbi vmalls12e1is");
        instruction!("dsb ish");
        return Outcome::Skip;
    }
    core.count(counter::SYSREG);
    if esr & READ == 0 {
        // SGI1R is 0; ASGI1R and SGI0R, 1 and 2, are for groups and security states of nobody.
        let sgi = encoding.wrapping_sub(SGI1R).rotate_right(OP2);
        if OPEN_SGI && sgi == 0 {
            msr!("icc_sgi1r_el1", frame.x[target]);
        } else if sgi == 0 {
            generate(core, frame.x[target]);
        }
        let skip = sgi < 3 || encoding == ACTLR;
        return if skip { Outcome::Skip } else { Outcome::Undefined };
    }
    frame.x[target] = if encoding & ID_SPACE == ID {
        identification(core, encoding)
    } else if encoding == ACTLR {
        0
    } else {
        return Outcome::Undefined;
    };
    Outcome::Skip
}

#[inline(never)]
fn identification(core: &Core, encoding: u64) -> u64 {
    let (crm, op2) = (encoding >> 1 & 15, encoding >> 17 & 7);
    match rules::features::index(crm, op2) {
        Some(index) => core.cell.id[index & (rules::features::COUNT - 1)],
        None => 0,
    }
}

/// ICC_SGI1R_EL1 (Arm IHI 0069, 12.2.21): IRM 40, INTID 27:24, the rest as
/// [`rules::lines::target`]. Sent on as physical SGIs to the cell's own cores only; each core then
/// finds it like any other interrupt, with the enable bits and priorities that the cell gave it.
#[inline(never)]
fn generate(core: &Core, value: u64) {
    const IRM: u64 = 1 << 40;
    const INTID: u64 = 0xF << 24;
    for page in core.cell.cores {
        let own = page.core.target;
        let meant = if value & IRM != 0 {
            own != core.target
        } else {
            (value ^ own) & CLUSTER == 0 && value & own & 0xFFFF != 0
        };
        if meant {
            msr!("icc_sgi1r_el1", own | value & INTID);
        }
    }
}
