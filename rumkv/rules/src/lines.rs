//! Which lines an access to a mediated frame concerns (Arm IHI 0069, 12.8 GICD, 12.11 GICR SGI
//! frame).
//!
//! The distributor and the SGI frame of a redistributor lay out their per-line registers at the
//! same offsets; the distributor holds lines from 32 on, the SGI frame lines 0 to 31. So one
//! decoder serves both. The register groups are regular, and the decoder is arithmetic instead of a
//! table, because it is resident.

/// What a write to a group of registers does to its lines. Bits and no `enum`: the compiler would
/// copy the whole decoder once for each variant, and the decoder is resident.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Group(u32);

impl Group {
    /// Reads pass, writes are ignored: IGROUPR and ICFGR, fixed by init.
    pub const FIXED: Self = Self(0);
    /// A write of 1 to an own line passes: ISENABLER, ISPENDR, ISACTIVER.
    pub const SET: Self = Self(1);
    /// A write of 1 to an own line passes after the line has left the list registers: ICENABLER,
    /// ICPENDR.
    pub const CLEAR: Self = Self(1 | 2);
    /// As [`Group::CLEAR`], and an active line ends: ICACTIVER.
    pub const CLEAR_ACTIVE: Self = Self(1 | 2 | 4);
    /// A byte per line: IPRIORITYR.
    pub const PRIORITY: Self = Self(8);
    /// A double word per line: IROUTER.
    pub const ROUTE: Self = Self(8 | 4);
    /// No register of lines.
    const NOTHING: Self = Self(2);

    /// Whether a 1 for an own line passes.
    #[must_use]
    #[inline(always)]
    pub const fn passes(self) -> bool {
        self.0 & 1 != 0
    }

    /// Whether the line leaves the list registers before.
    #[must_use]
    #[inline(always)]
    pub const fn withdraws(self) -> bool {
        self.0 & 2 != 0
    }

    /// Whether an active line ends then.
    #[must_use]
    #[inline(always)]
    pub const fn ends(self) -> bool {
        self.0 & 4 != 0
    }
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

/// Registers of one layout in a word: width of a line as a power of two (3:0), group (7:4), sizes
/// of access that the architecture allows (11:8).
const fn layout(log: u32, group: Group, sizes: u32) -> u32 {
    log | group.0 << 4 | sizes << 8
}

/// Decodes an access of `size` bytes (1, 2, 4 or 8) at `offset` of a frame; `None`: no line
/// register, or not an access that it allows (reads as zero, write ignored).
#[must_use]
#[inline(always)]
pub fn decode(offset: u32, size: u32) -> Option<Lines> {
    // The groups of the blocks with a bit per line, four bits for each; nothing at offset 0.
    const BITS: u32 = {
        const EACH: [Group; 8] = [
            Group::NOTHING,
            Group::FIXED,
            Group::SET,
            Group::CLEAR,
            Group::SET,
            Group::CLEAR,
            Group::SET,
            Group::CLEAR_ACTIVE,
        ];
        let (mut word, mut i) = (0, 0);
        while i < EACH.len() {
            word |= EACH[i].0 << (4 * i);
            i += 1;
        }
        word
    };
    let block = offset >> 7;
    let layout = match block {
        0..=7 => layout(0, Group(BITS >> (4 * block) & 0xF), 4),
        8..=15 => layout(3, Group::PRIORITY, 4 | 1),
        24 | 25 => layout(1, Group::FIXED, 4),
        0xC0..=0xFF => layout(6, Group::ROUTE, 8),
        _ => return None,
    };
    let (log, group) = (layout & 0xF, Group(layout >> 4 & 0xF));
    if layout >> 8 & size == 0 || offset & (size - 1) != 0 || group == Group::NOTHING {
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
