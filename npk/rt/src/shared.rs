//! A ring's two parts as the domain sees them: the memory behind [`ring::Memory`].
//!
//! The peer writes at any time, so that everything is an atomic access of its own. A part that only
//! the peer writes is mapped read-only and is only ever loaded from.
use core::sync::atomic::{AtomicU32, AtomicU64, Ordering, fence};

use abi::ring::{INLINE_MAX, SLOT_LEN, SLOTS_OFFSET};
use ring::{Memory, Word};

const WORDS: usize = SLOT_LEN / 8;

/// One ring in shared memory.
#[derive(Clone, Copy, Debug)]
pub struct Shared {
    p: &'static [AtomicU32; 2],
    c: &'static [AtomicU32; 2],
    slots: &'static [[AtomicU64; WORDS]],
}

impl Shared {
    /// The ring with parts P and C at these addresses; `None` for null or misaligned ones.
    ///
    /// # Safety
    /// `map` gave the addresses and the number of slots, so that both parts stay mapped for the
    /// domain's life, and nothing but atomics is laid over them.
    pub unsafe fn at(p: u64, c: u64, slots: u32) -> Option<Self> {
        let aligned = p.is_multiple_of(64) && c.is_multiple_of(8);
        if p == 0 || c == 0 || !aligned {
            return None;
        }
        let (p, c) = (p as usize, c as usize);
        let head = core::ptr::with_exposed_provenance::<[AtomicU32; 2]>(p);
        let tail = core::ptr::with_exposed_provenance::<[AtomicU32; 2]>(c);
        let first = core::ptr::with_exposed_provenance::<[AtomicU64; WORDS]>(p + SLOTS_OFFSET);
        // SAFETY: mapped, aligned to 64, not null; atomics only.
        let head = unsafe { head.as_ref() }?;
        // SAFETY: mapped, aligned to 8, not null; atomics only.
        let tail = unsafe { tail.as_ref() }?;
        // SAFETY: the slots follow the head within part P; atomics only.
        let slots = unsafe { core::slice::from_raw_parts(first, slots as usize) };
        Some(Self { p: head, c: tail, slots })
    }

    #[inline]
    fn word(&self, word: Word) -> &AtomicU32 {
        let part = if word.in_p() { self.p } else { self.c };
        &part[word.offset() / 4]
    }
}

impl Memory for Shared {
    #[inline]
    fn load_acquire(&self, word: Word) -> u32 {
        self.word(word).load(Ordering::Acquire)
    }

    #[inline]
    fn load_relaxed(&self, word: Word) -> u32 {
        self.word(word).load(Ordering::Relaxed)
    }

    #[inline]
    fn store_release(&self, word: Word, value: u32) {
        self.word(word).store(value, Ordering::Release);
    }

    #[inline]
    fn fence(&self) {
        fence(Ordering::SeqCst);
    }

    #[inline]
    fn read_header(&self, slot: u32) -> [u64; 2] {
        let slot = &self.slots[slot as usize];
        [slot[0].load(Ordering::Relaxed), slot[1].load(Ordering::Relaxed)]
    }

    #[inline]
    fn write_header(&self, slot: u32, header: [u64; 2]) {
        let slot = &self.slots[slot as usize];
        slot[0].store(header[0], Ordering::Relaxed);
        slot[1].store(header[1], Ordering::Relaxed);
    }

    #[inline]
    fn read_payload(&self, slot: u32, to: &mut [u8; INLINE_MAX]) {
        let words = &self.slots[slot as usize][2..];
        for (bytes, word) in to.chunks_exact_mut(8).zip(words) {
            bytes.copy_from_slice(&word.load(Ordering::Relaxed).to_le_bytes());
        }
    }

    #[inline]
    fn write_payload(&self, slot: u32, from: &[u8; INLINE_MAX]) {
        let words = &self.slots[slot as usize][2..];
        for (bytes, word) in from.chunks_exact(8).zip(words) {
            let mut raw = [0; 8];
            raw.copy_from_slice(bytes);
            word.store(u64::from_le_bytes(raw), Ordering::Relaxed);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{AtomicU32, AtomicU64, INLINE_MAX, Shared, WORDS};
    use crate::channel::message;
    use ring::{Consumer, Producer};

    fn leaked(slots: usize) -> Shared {
        let part = || Box::leak(Box::new([const { AtomicU32::new(0) }; 2]));
        let slots: Vec<[AtomicU64; WORDS]> =
            (0..slots).map(|_| [const { AtomicU64::new(0) }; WORDS]).collect();
        Shared { p: part(), c: part(), slots: Vec::leak(slots) }
    }

    #[test]
    fn messages_pass_in_order_and_whole() {
        let memory = leaked(4);
        let mut producer = Producer::new(4).unwrap();
        let mut consumer = Consumer::new(4).unwrap();
        for i in 0..100u64 {
            let text = [i as u8; INLINE_MAX];
            let sent = message(7, i, &text[..i as usize % (INLINE_MAX + 1)]).unwrap();
            let _ = producer.push(&memory, &sent).unwrap();
            let got = consumer.pop(&memory).unwrap().slot;
            assert_eq!(got, sent);
        }
    }

    #[test]
    fn null_and_misaligned_parts_are_refused() {
        for (p, c) in [(0, 4096), (4096, 0), (4096 + 8, 4096), (4096, 4097)] {
            // SAFETY: refused before anything is read.
            assert!(unsafe { Shared::at(p, c, 4) }.is_none());
        }
    }
}
