//! RAM as the kernel sees it: all of it at a fixed distance, and nothing outside of it.
//!
//! An address that is not RAM is the kernel's own doing and a panic. Words are for what another side, a fiber or another
//! core, writes at the same time.
use super::LINEAR;
use core::arch::asm;

/// The cell's RAM, physical.
pub struct Ram {
    base: u64,
    len: u64,
}

/// Out of the way of those that are inside, as each access asks.
#[cold]
#[inline(never)]
fn outside(pa: u64, len: usize) -> ! {
    panic!("physical address {pa:#x}+{len:#x} misaligned or outside of RAM")
}

impl Ram {
    /// `len` bytes from `base`.
    pub const fn new(base: u64, len: u64) -> Self {
        Self { base, len }
    }
    /// Base and bytes.
    pub fn range(&self) -> (u64, u64) {
        (self.base, self.len)
    }

    /// Pointer to RAM; panics where `pa` and `len` leave it.
    #[inline]
    pub fn pointer(&self, pa: u64, len: usize) -> *mut u8 {
        self.aligned(pa, len, 1)
    }

    /// The same, and `pa` must be a multiple of `align`.
    #[inline(always)]
    fn aligned(&self, pa: u64, len: usize, align: u64) -> *mut u8 {
        let at = pa.wrapping_sub(self.base);
        // An address below the base is far above the length.
        if len as u64 > self.len || at > self.len - len as u64 || pa & (align - 1) != 0 {
            outside(pa, len);
        }
        (LINEAR + pa) as *mut u8
    }

    #[inline(always)]
    fn word(&self, pa: u64) -> *mut u32 {
        self.aligned(pa, 4, 4).cast()
    }

    /// Pointer to `count` words of 8 bytes.
    #[inline(always)]
    pub fn words(&self, pa: u64, count: usize) -> *mut u64 {
        self.aligned(pa, count * 8, 8).cast()
    }

    /// Copies bytes; the ranges do not overlap.
    pub fn copy(&self, from: u64, to: u64, len: usize) {
        assert!(from.abs_diff(to) >= len as u64, "overlapping copy");
        let (from, to) = (self.pointer(from, len), self.pointer(to, len));
        // SAFETY: two ranges of RAM that do not overlap.
        unsafe { core::ptr::copy_nonoverlapping(from, to, len) };
    }

    #[inline(always)]
    pub fn load_acquire(&self, pa: u64) -> u32 {
        let word = self.word(pa);
        let value: u32;
        // SAFETY: an aligned word in RAM.
        unsafe {
            asm!("ldar {:w}, [{}]", out(reg) value, in(reg) word, options(nostack, preserves_flags));
        };
        value
    }

    #[inline(always)]
    pub fn store_release(&self, pa: u64, value: u32) {
        let word = self.word(pa);
        // SAFETY: an aligned word in RAM.
        unsafe {
            asm!("stlr {:w}, [{}]", in(reg) value, in(reg) word, options(nostack, preserves_flags));
        };
    }

    pub fn read_words(&self, pa: u64, to: &mut [u64]) {
        let from = self.words(pa, to.len());
        for (i, word) in to.iter_mut().enumerate() {
            let at = from.wrapping_add(i);
            // SAFETY: aligned and in RAM; read once, as another side may write.
            *word = unsafe { at.read_volatile() };
        }
    }

    pub fn write_words(&self, pa: u64, from: &[u64]) {
        let to = self.words(pa, from.len());
        for (i, word) in from.iter().enumerate() {
            let at = to.wrapping_add(i);
            // SAFETY: aligned and in RAM.
            unsafe { at.write_volatile(*word) };
        }
    }
}
