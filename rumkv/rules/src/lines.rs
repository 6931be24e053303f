//! Which lines an access to a mediated frame concerns (Arm IHI 0069, 12.8 GICD, 12.11 GICR SGI
//! frame).
//!
//! The distributor and the SGI frame of a redistributor lay out their per-line registers at the
//! same offsets; the distributor holds lines from 32 on, the SGI frame lines 0 to 31. So one
//! decoder serves both. The register groups are regular, and the decoder is arithmetic instead of a
//! table, because it is resident.

/// What a group of registers does to its lines.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Group {
    /// Reads pass, writes are ignored: IGROUPR and ICFGR, fixed by init.
    Fixed,
    /// A write of 1 to an own line passes: ISENABLER, ISPENDR, ISACTIVER.
    Set,
    /// A write of 1 to an own line passes after the line has left the list registers: ICENABLER,
    /// ICPENDR.
    Clear,
    /// As [`Group::Clear`], and an active line ends: ICACTIVER.
    ClearActive,
    /// A byte per line: IPRIORITYR.
    Priority,
    /// A double word per line: IROUTER.
    Route,
}

/// An access decoded: the first line, how many bits a line has in the register, and the group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lines {
    /// First line that the access covers.
    pub first: u32,
    /// Bits per line: 1, 2, 8 or 64.
    pub width: u32,
    /// What the registers do.
    pub group: Group,
}

/// Decodes an access of `size` bytes (1, 2, 4 or 8) at `offset` of a frame; `None`: no line
/// register, or not an access that it allows (reads as zero, write ignored).
#[must_use]
#[inline(always)]
pub fn decode(offset: u32, size: u32) -> Option<Lines> {
    // What the seven groups with a bit per line do, four bits for each; nothing at offset 0.
    const BITS: u32 = 0x3121_210F;
    let block = offset >> 7;
    // Width as a power of two, and what the group does.
    let (log, what) = match block {
        0..=7 => (0, BITS >> (4 * block) & 0xF),
        8..=15 => (3, 4),
        24 | 25 => (1, 0),
        0xC0..=0xFF => (6, 5),
        _ => return None,
    };
    let group = match what {
        0 => Group::Fixed,
        1 => Group::Set,
        2 => Group::Clear,
        3 => Group::ClearActive,
        4 => Group::Priority,
        5 => Group::Route,
        _ => return None,
    };
    // The sizes of access that the architecture allows.
    let sizes = match log {
        6 => 8,
        3 => 4 | 1,
        _ => 4,
    };
    if sizes & size == 0 || offset & (size - 1) != 0 {
        return None;
    }
    // Every group has 1,024 lines, so it is aligned to the 0x80 << log bytes that they take.
    let first = (offset & ((0x80 << log) - 1)) << 3 >> log;
    Some(Lines { first, width: 1 << log, group })
}

/// Widens bits of lines to a register of `width` bits per line (1, 2 or 8): line 0 at bit 0, as
/// many lines as fit.
#[must_use]
#[inline(always)]
pub fn spread(lines: u32, width: u32) -> u32 {
    let field = (1_u32 << (width & 31)) - 1;
    let (mut mask, mut lines, mut at) = (0, lines, 0);
    while at < 32 {
        if lines & 1 != 0 {
            mask |= field << at;
        }
        lines >>= 1;
        at += width;
    }
    mask
}

/// An affinity (MPIDR form) as ICC_SGI1R_EL1 names it: Aff3 55:48, RS 47:44, Aff2 39:32, Aff1
/// 23:16, one bit of 15:0.
#[must_use]
#[inline(always)]
pub const fn target(affinity: u64) -> u64 {
    (affinity >> 32 & 0xFF) << 48
        | (affinity >> 4 & 0xF) << 44
        | (affinity >> 16 & 0xFF) << 32
        | (affinity >> 8 & 0xFF) << 16
        | 1 << (affinity & 0xF)
}

/// Bits of ICC_SGI1R_EL1 that name a group of 16 cores.
pub const CLUSTER: u64 = 0xFF << 48 | 0xF << 44 | 0xFF << 32 | 0xFF << 16;
