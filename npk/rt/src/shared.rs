//! A ring's two parts as the domain sees them: the memory behind [`ring::Memory`].
//!
//! The peer writes at any time, so that everything is an atomic access of its own. A part that only
//! the peer writes is mapped read-only and is only ever loaded from.
use core::sync::atomic::{AtomicU32, AtomicU64, Ordering, fence};

use abi::ring::{INLINE_MAX, SLOT_LEN, SLOTS_OFFSET};
use ring::{Memory, Word};

const WORDS: usize = SLOT_LEN / 8;
/// Words of a part before its slots; the protocol uses the first two.
const HEAD: usize = SLOTS_OFFSET / 4;
/// Words that a side may keep for its next instance in each part that it writes.
pub const NOTES: usize = HEAD - 2;

/// One slot, as aligned as the contract places it.
#[derive(Debug)]
#[repr(C, align(64))]
struct Line([AtomicU64; WORDS]);

const _: () = assert!(size_of::<Line>() == SLOT_LEN && SLOTS_OFFSET.is_multiple_of(64));

/// One ring in shared memory.
#[derive(Clone, Copy, Debug)]
pub struct Shared {
    p: &'static [AtomicU32; HEAD],
    c: &'static [AtomicU32; HEAD],
    slots: &'static [Line],
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
        let head = core::ptr::with_exposed_provenance::<[AtomicU32; HEAD]>(p);
        let tail = core::ptr::with_exposed_provenance::<[AtomicU32; HEAD]>(c);
        let first = core::ptr::with_exposed_provenance::<Line>(p + SLOTS_OFFSET);
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

    /// A word behind the indices: of part P for the side that produces, of part C for the one that consumes.
    pub fn note(&self, produces: bool, index: usize) -> Option<&AtomicU32> {
        if produces { self.p } else { self.c }.get(2 + index)
    }

    /// A slot as four pairs of words: one instruction moves a pair where the machine has such
    /// (aarch64's LDP and STP), and the protocol needs no more than each word by itself.
    #[inline]
    fn pairs(&self, slot: u32) -> *const u128 {
        self.slots[slot as usize].0.as_ptr().cast()
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
        // SAFETY: the first pair of words of a slot; read once, as the peer may write.
        let both = unsafe { self.pairs(slot).read_volatile() };
        [both as u64, (both >> 64) as u64]
    }

    #[inline]
    fn write_header(&self, slot: u32, [first, second]: [u64; 2]) {
        let both = u128::from(first) | u128::from(second) << 64;
        // SAFETY: as above, in the part that this side writes, behind atomics.
        unsafe { self.pairs(slot).cast_mut().write_volatile(both) };
    }

    #[inline]
    fn read_payload(&self, slot: u32, to: &mut [u8; INLINE_MAX]) {
        for (i, bytes) in to.as_chunks_mut().0.iter_mut().enumerate() {
            let from = self.pairs(slot).wrapping_add(i + 1);
            // SAFETY: one of the three pairs behind the header; read once, as the peer may write.
            *bytes = unsafe { from.read_volatile() }.to_le_bytes();
        }
    }

    #[inline]
    fn write_payload(&self, slot: u32, from: &[u8; INLINE_MAX]) {
        for (i, bytes) in from.as_chunks().0.iter().enumerate() {
            let to = self.pairs(slot).wrapping_add(i + 1).cast_mut();
            // SAFETY: as above, in the part that this side writes, behind atomics.
            unsafe { to.write_volatile(u128::from_le_bytes(*bytes)) };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{AtomicU32, AtomicU64, HEAD, INLINE_MAX, Line, Shared, WORDS};
    use crate::channel::message;
    use ring::{Consumer, Producer};

    fn leaked(slots: usize) -> Shared {
        let part = || Box::leak(Box::new([const { AtomicU32::new(0) }; HEAD]));
        let slots: Vec<Line> =
            (0..slots).map(|_| Line([const { AtomicU64::new(0) }; WORDS])).collect();
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
