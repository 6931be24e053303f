//! Physical memory and device registers, by address.
//!
//! RumKV's addresses are physical: its own translation is the identity. [`Block`] is the one place
//! where an address becomes memory.

/// A block of device registers or of a table, accessed by offset, each access exactly as wide as
/// asked and never merged.
#[derive(Clone, Copy, Debug)]
pub struct Block(u64);

impl Block {
    /// The block at a physical address.
    ///
    /// # Safety
    /// From `base` on lies a device's register frame, or memory that belongs to RumKV (or, before
    /// the first cell runs, to what init fills), and users keep their offsets within it. No Rust
    /// reference to it exists.
    #[must_use]
    #[inline(always)]
    pub const unsafe fn at(base: u64) -> Self {
        Self(base)
    }

    /// Where it starts.
    #[must_use]
    #[inline(always)]
    pub const fn base(self) -> u64 {
        self.0
    }

    /// Reads 8 bits.
    #[inline(always)]
    pub fn read8(self, offset: u64) -> u8 {
        // SAFETY: the contract of `at`.
        unsafe { ((self.0 + offset) as *const u8).read_volatile() }
    }

    /// Reads 32 bits.
    #[inline(always)]
    pub fn read32(self, offset: u64) -> u32 {
        // SAFETY: the contract of `at`.
        unsafe { ((self.0 + offset) as *const u32).read_volatile() }
    }

    /// Reads 64 bits.
    #[inline(always)]
    pub fn read64(self, offset: u64) -> u64 {
        // SAFETY: the contract of `at`.
        unsafe { ((self.0 + offset) as *const u64).read_volatile() }
    }

    /// Writes 8 bits.
    #[inline(always)]
    pub fn write8(self, offset: u64, value: u8) {
        // SAFETY: the contract of `at`.
        unsafe { ((self.0 + offset) as *mut u8).write_volatile(value) }
    }

    /// Writes 32 bits.
    #[inline(always)]
    pub fn write32(self, offset: u64, value: u32) {
        // SAFETY: the contract of `at`.
        unsafe { ((self.0 + offset) as *mut u32).write_volatile(value) }
    }

    /// Writes 64 bits.
    #[inline(always)]
    pub fn write64(self, offset: u64, value: u64) {
        // SAFETY: the contract of `at`.
        unsafe { ((self.0 + offset) as *mut u64).write_volatile(value) }
    }
}
