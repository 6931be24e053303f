//! Messages and doorbells between cores (LWKT style): no lock, no compare-and-swap, and one read-modify-write.
//!
//! A lane leads from one core to another. It holds
//! - a ring of messages: only the sender writes `written` and the slots, only the receiver writes `taken`. It has a place
//!   for everything that can be under way at once (the kernel counts it), so that it is never full;
//! - bells, one bit each, for what carries nothing but "it happened". A bell that is rung and not heard yet is not rung
//!   again, so that any number of rings costs one look. Sender and receiver own a word each, and a bell is rung
//!   where the two differ: a single word would have to be cleared by a read-modify-write too.
//!
//! Each core has one [`attention`](Desk) word, a bit for each core that wants it. Who sends sets its bit by `fetch_or`
//! and interrupts the receiver if the word was zero. The receiver stores zero and then looks at all lanes. Both put a
//! sequentially consistent fence between their two steps: either the receiver, looking, finds what was sent, or the
//! sender finds the word zero and interrupts. Without one of the fences both may miss (`tests/wakeup.rs`).
#![no_std]
#![forbid(unsafe_code)]

mod memory;

pub use memory::{Attention, Shared};

/// Words of a message.
pub const WORDS: usize = 8;
/// Messages that a lane holds, a power of two.
pub const PLACES: u32 = 1024;
/// Words of bells.
pub const BELLS: usize = 5;

/// What travels.
pub type Message = [u64; WORDS];

/// A lane as the protocol sees it. Every word has one writer.
pub trait Lane {
    /// Messages ever written: read with acquire.
    fn written(&self) -> u32;
    /// Stored with release, by the sender.
    fn set_written(&self, count: u32);
    /// Messages ever taken: read with acquire.
    fn taken(&self) -> u32;
    /// Stored with release, by the receiver.
    fn set_taken(&self, count: u32);
    /// Reads a slot; its number is below [`PLACES`].
    fn read(&self, slot: u32) -> Message;
    /// Writes a slot.
    fn write(&self, slot: u32, message: &Message);
    /// A word of bells as the sender left it.
    fn rung(&self, word: usize) -> u64;
    /// Stored by the sender.
    fn set_rung(&self, word: usize, bits: u64);
    /// The same word as the receiver left it.
    fn heard(&self, word: usize) -> u64;
    /// Stored by the receiver.
    fn set_heard(&self, word: usize, bits: u64);
    /// Sequentially consistent fence.
    fn fence(&self);
}

/// A core's word of attention.
pub trait Desk {
    /// Sets bits and answers the word before: the one read-modify-write there is. No ordering of its own.
    fn fetch_or(&self, bits: u64) -> u64;
    /// Stores zero. No ordering of its own.
    fn clear(&self);
    /// Sequentially consistent fence.
    fn fence(&self);
}

/// The lane has no place left: more is under way than was counted.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Full;

/// The sending end: its own count, so that nothing shared is trusted.
#[derive(Clone, Copy, Debug, Default)]
pub struct Sender {
    written: u32,
}

/// The receiving end.
#[derive(Clone, Copy, Debug, Default)]
pub struct Receiver {
    taken: u32,
}

impl Sender {
    /// An end of a lane of zeros.
    #[must_use]
    pub const fn new() -> Self {
        Self { written: 0 }
    }

    /// Messages that the receiver did not take yet.
    pub fn under_way(&self, lane: &impl Lane) -> u32 {
        self.written.wrapping_sub(lane.taken())
    }

    /// Puts a message into the lane. The receiver is told by [`call`].
    pub fn send(&mut self, lane: &impl Lane, message: &Message) -> Result<(), Full> {
        if self.written.wrapping_sub(lane.taken()) >= PLACES {
            return Err(Full);
        }
        lane.write(self.written % PLACES, message);
        self.written = self.written.wrapping_add(1);
        lane.set_written(self.written);
        Ok(())
    }

    /// Rings bell `bell`; `false`: it is rung already, and the receiver need not be told again.
    pub fn ring(&mut self, lane: &impl Lane, bell: usize) -> bool {
        let (word, bit) = (bell / 64 % BELLS, 1 << (bell % 64));
        // What the bell tells of was written before; the receiver, which stores `heard` before it looks, sees it.
        lane.fence();
        let rung = lane.rung(word);
        if (rung ^ lane.heard(word)) & bit != 0 {
            return false;
        }
        lane.set_rung(word, rung ^ bit);
        true
    }
}

impl Receiver {
    /// An end of a lane of zeros.
    #[must_use]
    pub const fn new() -> Self {
        Self { taken: 0 }
    }

    /// The next message.
    pub fn receive(&mut self, lane: &impl Lane) -> Option<Message> {
        if lane.written() == self.taken {
            return None;
        }
        let message = lane.read(self.taken % PLACES);
        self.taken = self.taken.wrapping_add(1);
        lane.set_taken(self.taken);
        Some(message)
    }

    /// The bells of `word` that rang since the last look.
    pub fn hear(&mut self, lane: &impl Lane, word: usize) -> u64 {
        let rung = lane.rung(word);
        let bells = rung ^ lane.heard(word);
        if bells != 0 {
            lane.set_heard(word, rung);
            // Before anything is looked at that the bells tell of: see `ring`.
            lane.fence();
        }
        bells
    }
}

/// After something was sent or rung: marks the receiver's desk. `true`: it must be interrupted.
#[must_use]
pub fn call(desk: &impl Desk, from: u8) -> bool {
    desk.fence();
    desk.fetch_or(1 << (from % 64)) == 0
}

/// Before the lanes are looked at, and after every interrupt by another core.
pub fn answer(desk: &impl Desk) {
    desk.clear();
    desk.fence();
}
