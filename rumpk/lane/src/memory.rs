//! Lane and desk in ordinary shared memory.
use crate::{BELLS, Desk, Lane, Message, PLACES, WORDS};
use core::sync::atomic::{AtomicU32, AtomicU64, Ordering, fence};

/// A lane. All zeros at first.
pub struct Shared {
    written: AtomicU32,
    taken: AtomicU32,
    rung: [AtomicU64; BELLS],
    heard: [AtomicU64; BELLS],
    slots: [[AtomicU64; WORDS]; PLACES as usize],
}

impl Shared {
    /// An empty lane.
    #[must_use]
    #[allow(clippy::large_stack_arrays, reason = "evaluated by the compiler into a static")]
    #[allow(clippy::new_without_default, reason = "evaluated by the compiler into a static")]
    pub const fn new() -> Self {
        Self {
            written: AtomicU32::new(0),
            taken: AtomicU32::new(0),
            rung: [const { AtomicU64::new(0) }; BELLS],
            heard: [const { AtomicU64::new(0) }; BELLS],
            slots: [const { [const { AtomicU64::new(0) }; WORDS] }; PLACES as usize],
        }
    }

    fn slot(&self, slot: u32) -> &[AtomicU64; WORDS] {
        &self.slots[(slot % PLACES) as usize]
    }
}

impl Lane for Shared {
    fn written(&self) -> u32 {
        self.written.load(Ordering::Acquire)
    }
    fn set_written(&self, count: u32) {
        self.written.store(count, Ordering::Release);
    }
    fn taken(&self) -> u32 {
        self.taken.load(Ordering::Acquire)
    }
    fn set_taken(&self, count: u32) {
        self.taken.store(count, Ordering::Release);
    }
    fn read(&self, slot: u32) -> Message {
        self.slot(slot).each_ref().map(|word| word.load(Ordering::Relaxed))
    }
    fn write(&self, slot: u32, message: &Message) {
        for (to, from) in self.slot(slot).iter().zip(message) {
            to.store(*from, Ordering::Relaxed);
        }
    }
    fn rung(&self, word: usize) -> u64 {
        self.rung[word % BELLS].load(Ordering::Acquire)
    }
    fn set_rung(&self, word: usize, bits: u64) {
        self.rung[word % BELLS].store(bits, Ordering::Release);
    }
    fn heard(&self, word: usize) -> u64 {
        self.heard[word % BELLS].load(Ordering::Acquire)
    }
    fn set_heard(&self, word: usize, bits: u64) {
        self.heard[word % BELLS].store(bits, Ordering::Release);
    }
    fn fence(&self) {
        fence(Ordering::SeqCst);
    }
}

/// A core's word of attention.
pub struct Attention(AtomicU64);

impl Attention {
    /// Nobody wants anything.
    #[must_use]
    #[allow(clippy::new_without_default, reason = "evaluated by the compiler into a static")]
    pub const fn new() -> Self {
        Self(AtomicU64::new(0))
    }
}

impl Desk for Attention {
    fn fetch_or(&self, bits: u64) -> u64 {
        self.0.fetch_or(bits, Ordering::Relaxed)
    }
    fn clear(&self) {
        self.0.store(0, Ordering::Relaxed);
    }
    fn fence(&self) {
        fence(Ordering::SeqCst);
    }
}
