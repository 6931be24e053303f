//! What the syndrome of a data abort says (Arm ARM DDI 0487, ESR_ELx, ISS encoding for a data
//! abort).

/// One access of a cell that faulted in the second stage.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Access(u64);

impl Access {
    /// Takes the syndrome as the hardware gave it.
    #[must_use]
    #[inline(always)]
    pub const fn new(esr: u64) -> Self {
        Self(esr)
    }

    /// Whether register, size and direction are there: not for pairs, write-back, atomics, walks.
    #[must_use]
    #[inline(always)]
    pub const fn has_syndrome(self) -> bool {
        self.0 & (1 << 24) != 0
    }

    /// Whether the fault is an external abort (DFSC 0b01xxxx) and no fault of the map.
    #[must_use]
    #[inline(always)]
    pub const fn is_external(self) -> bool {
        self.0 & 0x30 == 0x10
    }

    /// Bytes: 1, 2, 4 or 8 (SAS).
    #[must_use]
    #[inline(always)]
    pub const fn size(self) -> u32 {
        1 << ((self.0 >> 22) & 3)
    }

    /// Register of the access, 31 for `xzr` (SRT).
    #[must_use]
    #[inline(always)]
    pub const fn register(self) -> usize {
        ((self.0 >> 16) & 31) as usize
    }

    /// Whether it is a store (WnR).
    #[must_use]
    #[inline(always)]
    pub const fn is_write(self) -> bool {
        self.0 & (1 << 6) != 0
    }

    /// The value that a load of `raw` leaves in its register: cut to the size, sign extended if
    /// asked (SSE) to the register's width (SF).
    #[must_use]
    #[inline(always)]
    pub const fn loaded(self, raw: u64) -> u64 {
        let unused = 64 - 8 * self.size();
        let high = raw << unused;
        if self.0 & (1 << 21) == 0 {
            return high >> unused;
        }
        let extended = ((high as i64) >> unused) as u64;
        if self.0 & (1 << 15) == 0 { extended & 0xFFFF_FFFF } else { extended }
    }
}
