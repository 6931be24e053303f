//! RAM: one allocation, reached by physical address.
//!
//! The contract lets shared words be written through `&self`, so that the bytes lie in an `UnsafeCell`. Whoever holds a slice
//! from [`Ram::bytes`] must not store shared words into it meanwhile; Miri finds who does. Machines beside each other share
//! it; a test that plays them takes one step of one of them at a time.
use core::cell::UnsafeCell;
use core::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::rc::Rc;
use std::vec::Vec;

#[derive(Debug)]
pub(super) struct Ram {
    base: u64,
    /// In words, so that every aligned physical address is aligned here too.
    words: Option<Rc<UnsafeCell<Vec<u64>>>>,
}

impl Ram {
    pub(super) const OFF: Self = Self { base: 0, words: None };

    pub(super) fn new(base: u64, len: u64) -> Self {
        let page = abi::PAGE as u64;
        assert!(base.is_multiple_of(page) && len.is_multiple_of(page), "RAM is whole pages");
        Self { base, words: Some(Rc::new(UnsafeCell::new(std::vec![0; len as usize / 8]))) }
    }

    /// The same RAM, for a core beside this one.
    pub(super) fn beside(&self) -> Self {
        Self { base: self.base, words: self.words.clone() }
    }

    fn words(&self) -> (*mut u64, u64) {
        let Some(words) = &self.words else { return (core::ptr::null_mut(), 0) };
        // SAFETY: the vector itself is only written in `new`; a reference to it touches none of its elements.
        let words = unsafe { &*words.get() };
        (words.as_ptr().cast_mut(), words.len() as u64 * 8)
    }

    pub(super) fn range(&self) -> (u64, u64) {
        (self.base, self.words().1)
    }

    pub(super) fn contains(&self, pa: u64, len: u64) -> bool {
        let (base, ram) = self.range();
        pa >= base && len <= ram && pa - base <= ram - len
    }

    fn pointer(&self, pa: u64, len: usize, align: u64) -> *mut u8 {
        assert!(self.contains(pa, len as u64), "physical address {pa:#x}+{len:#x} outside of RAM");
        assert!(pa.is_multiple_of(align), "misaligned physical address {pa:#x}");
        self.words().0.cast::<u8>().wrapping_add((pa - self.base) as usize)
    }

    pub(super) fn bytes(&self, pa: u64, len: usize) -> &[u8] {
        let pointer = self.pointer(pa, len, 1);
        // SAFETY: inside the allocation, by `pointer`; no shared word in it is stored while the slice lives.
        unsafe { core::slice::from_raw_parts(pointer, len) }
    }

    pub(super) fn bytes_mut(&mut self, pa: u64, len: usize) -> &mut [u8] {
        let pointer = self.pointer(pa, len, 1);
        // SAFETY: inside the allocation, by `pointer`; exclusive through `&mut self`, and as machines that share the RAM
        // take their steps in turn.
        unsafe { core::slice::from_raw_parts_mut(pointer, len) }
    }

    fn word(&self, pa: u64) -> &AtomicU32 {
        let pointer = self.pointer(pa, 4, 4).cast();
        // SAFETY: aligned and inside the allocation, by `pointer`; every access through `&self` is atomic or `bytes`.
        unsafe { AtomicU32::from_ptr(pointer) }
    }

    fn double(&self, pa: u64) -> &AtomicU64 {
        let pointer = self.pointer(pa, 8, 8).cast();
        // SAFETY: as in `word`.
        unsafe { AtomicU64::from_ptr(pointer) }
    }

    pub(super) fn load_acquire(&self, pa: u64) -> u32 {
        self.word(pa).load(Ordering::Acquire)
    }

    pub(super) fn store_release(&self, pa: u64, value: u32) {
        self.word(pa).store(value, Ordering::Release);
    }

    pub(super) fn read_words(&self, pa: u64, to: &mut [u64]) {
        for (at, word) in (pa..).step_by(8).zip(to) {
            *word = self.double(at).load(Ordering::Relaxed);
        }
    }

    pub(super) fn write_words(&self, pa: u64, from: &[u64]) {
        for (at, &word) in (pa..).step_by(8).zip(from) {
            self.double(at).store(word, Ordering::Relaxed);
        }
    }

    /// One entry of a translation table.
    pub(super) fn entry(&self, table: u64, index: u64) -> u64 {
        self.double(table + index * 8).load(Ordering::Relaxed)
    }

    pub(super) fn set_entry(&self, table: u64, index: u64, value: u64) {
        self.double(table + index * 8).store(value, Ordering::Relaxed);
    }
}
