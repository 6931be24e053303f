//! What does not fit into a message: one parcel for each fiber, written by the one side while the other waits.
use core::sync::atomic::{AtomicU64, Ordering};

/// Bytes of a parcel: a wish with the longest arguments.
pub const LEN: usize = 1536;
const WORDS: usize = LEN / 8;

/// The fiber's core writes it before the request, the object's before the answer; the lane orders both.
pub struct Parcel([AtomicU64; WORDS]);

impl Parcel {
    pub const fn new() -> Self {
        Self([const { AtomicU64::new(0) }; WORDS])
    }

    /// Puts bytes at `offset`, a multiple of 8. What does not fit is cut.
    pub fn put(&self, offset: usize, bytes: &[u8]) {
        for (word, part) in self.0.iter().skip(offset / 8).zip(bytes.chunks(8)) {
            let mut whole = [0; 8];
            whole[..part.len()].copy_from_slice(part);
            word.store(u64::from_le_bytes(whole), Ordering::Relaxed);
        }
    }

    /// Fills `bytes` from `offset`, a multiple of 8.
    pub fn get(&self, offset: usize, bytes: &mut [u8]) {
        for (word, part) in self.0.iter().skip(offset / 8).zip(bytes.chunks_mut(8)) {
            let whole = word.load(Ordering::Relaxed).to_le_bytes();
            part.copy_from_slice(&whole[..part.len()]);
        }
    }

    pub fn put_word(&self, offset: usize, word: u64) {
        self.put(offset, &word.to_le_bytes());
    }

    pub fn word(&self, offset: usize) -> u64 {
        self.0[offset / 8 % WORDS].load(Ordering::Relaxed)
    }
}
