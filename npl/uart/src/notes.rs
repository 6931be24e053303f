//! How far the bytes got, in words of the channels that outlive the driver: so that whatever the instruction at which it ends,
//! the next instance goes on with the next byte.
//!
//! | what | where |
//! |---|---|
//! | bytes of the client's message that left | the first word that we write as its consumer |
//! | bytes for the client that no message holds yet | the first word that we write as its producer: how many; the bytes follow |
//! | the byte that was taken from the device last | the word after those |
//!
//! The first and the last are written in one step with the device ([`rt::handover`]). Each says to which message it belongs.
use abi::ring::INLINE_MAX;
use core::sync::atomic::{AtomicU32, Ordering};
use rt::channel::Ends;
use rt::handover::Note;
use rt::pl011::{DATA_BITS, sound};

/// Place of the byte that was taken last.
const TAKEN: usize = 1 + INLINE_MAX / 4;
/// Words for each direction.
pub const WORDS: usize = TAKEN + 1;
const _: () = assert!(WORDS <= rt::shared::NOTES);
const _: () = assert!(DATA_BITS + 6 + 13 == 31 && INLINE_MAX < 1 << 6);

/// For a ring without notes, which no kernel gives.
static NOWHERE: AtomicU32 = AtomicU32::new(0);

/// Bytes of a message, with the low half of its index.
fn count(index: u32, bytes: usize) -> u32 {
    index << 16 | bytes as u32
}

/// The bytes that a [`count`] tells of the message with this index: none if it tells of another one.
fn counted(note: u32, index: u32) -> usize {
    if note >> 16 == index & 0xFFFF { (note as usize & 0xFFFF).min(INLINE_MAX) } else { 0 }
}

/// Bit 31 set, 13 bits of the index of the message that the byte will be in, 6 of its place there; below, what the data register
/// gives. Only the last byte taken is looked for, so that 13 bits tell it from those of earlier messages.
fn taken(index: u32, at: usize) -> u32 {
    1 << 31 | (index & 0x1FFF) << (DATA_BITS + 6) | (at as u32) << DATA_BITS
}

/// A channel's words.
pub trait Notes {
    /// Index of the next message that this side sends (`sends`) or receives.
    fn index(&self, sends: bool) -> u32;
    /// Word `place` of those that this side keeps.
    fn word(&self, sends: bool, place: usize) -> &AtomicU32;

    /// Bytes of the message looked at that left already.
    fn sent(&self) -> usize {
        counted(self.word(false, 0).load(Ordering::Relaxed), self.index(false))
    }
    /// The note that so many have.
    fn note_sent(&self, bytes: usize) -> Note<'_> {
        Note { word: self.word(false, 0), value: count(self.index(false), bytes) }
    }
    /// Bytes on their way to the client that no message holds yet, and their number.
    fn received(&self) -> ([u8; INLINE_MAX], usize) {
        let load = |place| self.word(true, place).load(Ordering::Relaxed);
        let mut bytes = [0; INLINE_MAX];
        for (index, four) in bytes.as_chunks_mut().0.iter_mut().enumerate() {
            *four = load(1 + index).to_le_bytes();
        }
        let (index, mut len) = (self.index(true), counted(load(0), self.index(true)));
        let data = load(TAKEN) & ((1 << DATA_BITS) - 1);
        if load(TAKEN) - data == taken(index, len)
            && let Some(byte) = sound(data)
            && let Some(place) = bytes.get_mut(len)
        {
            *place = byte;
            len += 1;
        }
        (bytes, len)
    }
    /// The note of what is taken from the device for place `at`, until it is kept there.
    fn note_received(&self, at: usize) -> Note<'_> {
        Note { word: self.word(true, TAKEN), value: taken(self.index(true), at) }
    }
    /// Adds one at place `at`.
    fn keep_received(&self, at: usize, byte: u8) {
        let (word, shift) = (self.word(true, 1 + at / 4), at % 4 * 8);
        let others = word.load(Ordering::Relaxed) & !(0xFF << shift);
        word.store(others | u32::from(byte) << shift, Ordering::Relaxed);
        self.word(true, 0).store(count(self.index(true), at + 1), Ordering::Release);
    }
    /// Every word that a step may have left undone.
    fn unfinished(&self) -> [&AtomicU32; 2] {
        [self.word(false, 0), self.word(true, TAKEN)]
    }
}

impl Notes for Ends {
    fn index(&self, sends: bool) -> u32 {
        Self::index(self, sends)
    }
    fn word(&self, sends: bool, place: usize) -> &AtomicU32 {
        self.note_word(sends, place).unwrap_or(&NOWHERE)
    }
}
