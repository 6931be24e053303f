//! Loads and stores by address.

/// Reads 8 bits.
#[inline(always)]
pub fn read8(at: u64) -> u8 {
    // SAFETY: a test kernel reads what the test is about; a fault is an answer.
    unsafe { (at as *const u8).read_volatile() }
}

/// Reads 32 bits.
#[inline(always)]
pub fn read32(at: u64) -> u32 {
    // SAFETY: as `read8`.
    unsafe { (at as *const u32).read_volatile() }
}

/// Reads 64 bits.
#[inline(always)]
pub fn read64(at: u64) -> u64 {
    // SAFETY: as `read8`.
    unsafe { (at as *const u64).read_volatile() }
}

/// Writes 8 bits.
#[inline(always)]
pub fn write8(at: u64, value: u8) {
    // SAFETY: a test kernel writes what the test is about and nothing of its own image.
    unsafe { (at as *mut u8).write_volatile(value) }
}

/// Writes 32 bits.
#[inline(always)]
pub fn write32(at: u64, value: u32) {
    // SAFETY: as `write8`.
    unsafe { (at as *mut u32).write_volatile(value) }
}

/// Writes 64 bits.
#[inline(always)]
pub fn write64(at: u64, value: u64) {
    // SAFETY: as `write8`.
    unsafe { (at as *mut u64).write_volatile(value) }
}
