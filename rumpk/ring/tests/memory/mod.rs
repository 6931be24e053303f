//! A ring's two parts as plain cells, with bounds, for the tests of one thread.
#![allow(dead_code, reason = "each test uses a part of it")]
use ring::{Memory, Word};
use std::cell::{Cell, RefCell};

/// P and C of a ring, and a count of the accesses.
pub struct Plain {
    words: [Cell<u32>; 4],
    slots: RefCell<Vec<[u8; 64]>>,
    /// Loads of the peer's index.
    pub index_loads: Cell<u32>,
    /// Fences passed.
    pub fences: Cell<u32>,
}

impl Plain {
    pub fn new(slots: u32) -> Self {
        Self {
            words: [const { Cell::new(0) }; 4],
            slots: RefCell::new(vec![[0; 64]; slots as usize]),
            index_loads: Cell::new(0),
            fences: Cell::new(0),
        }
    }

    pub fn word(&self, word: Word) -> u32 {
        self.words[word as usize].get()
    }

    /// What a hostile peer may do: any value into a word.
    pub fn force(&self, word: Word, value: u32) {
        self.words[word as usize].set(value);
    }

    /// What a hostile producer may do: any bytes into a slot.
    pub fn force_slot(&self, slot: usize, bytes: [u8; 64]) {
        self.slots.borrow_mut()[slot] = bytes;
    }
}

impl Memory for Plain {
    fn load_acquire(&self, word: Word) -> u32 {
        self.index_loads.set(self.index_loads.get() + 1);
        self.word(word)
    }
    fn load_relaxed(&self, word: Word) -> u32 {
        self.word(word)
    }
    fn store_release(&self, word: Word, value: u32) {
        self.words[word as usize].set(value);
    }
    fn fence(&self) {
        self.fences.set(self.fences.get() + 1);
    }
    fn read_header(&self, slot: u32) -> [u64; 2] {
        let slots = self.slots.borrow();
        let word = |at: usize| {
            u64::from_le_bytes(slots[slot as usize][at..at + 8].try_into().expect("8 bytes"))
        };
        [word(0), word(8)]
    }
    fn write_header(&self, slot: u32, header: [u64; 2]) {
        let bytes = &mut self.slots.borrow_mut()[slot as usize];
        bytes[..8].copy_from_slice(&header[0].to_le_bytes());
        bytes[8..16].copy_from_slice(&header[1].to_le_bytes());
    }
    fn read_payload(&self, slot: u32, to: &mut [u8; 48]) {
        to.copy_from_slice(&self.slots.borrow()[slot as usize][16..]);
    }
    fn write_payload(&self, slot: u32, from: &[u8; 48]) {
        self.slots.borrow_mut()[slot as usize][16..].copy_from_slice(from);
    }
}
