//! The side that writes.
use crate::memory::plausible;
use crate::{Header, Memory, Word};
use abi::call::Error;
use abi::ring::{INLINE_MAX, Slot};

/// The producer's private state.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Producer {
    /// Next index to write.
    write: u32,
    /// Index at which the ring is full as far as known: the peer's `read` as last seen, plus the slots.
    limit: u32,
    mask: u32,
    broken: bool,
}

/// A message is in the ring.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[must_use = "a consumer that sleeps has to be rung"]
pub struct Pushed {
    /// The consumer sleeps: ring the doorbell.
    pub must_ring: bool,
}

impl Producer {
    /// The producer of a fresh ring; `BadCall` unless `slots` is a power of two.
    pub const fn new(slots: u32) -> Result<Self, Error> {
        if !slots.is_power_of_two() {
            return Err(Error::BadCall);
        }
        Ok(Self { write: 0, limit: slots, mask: slots - 1, broken: false })
    }

    /// Goes on where an earlier instance of this side stopped. Both indices are foreign input here:
    /// `Gone` if they are further apart than the ring is long.
    pub fn resume(memory: &impl Memory, slots: u32) -> Result<Self, Error> {
        let fresh = Self::new(slots)?;
        let write = memory.load_relaxed(Word::Write);
        let read = memory.load_acquire(Word::Read);
        if write.wrapping_sub(read) > slots {
            return Err(Error::Gone);
        }
        Ok(Self { write, limit: read.wrapping_add(slots), ..fresh })
    }

    /// Puts a message into the ring: `Full`, `Gone` if the ring is broken, and for what no consumer would take
    /// `TooBig` (`len`) or `BadCall` (`flags`).
    #[inline]
    pub fn push(&mut self, memory: &impl Memory, slot: &Slot) -> Result<Pushed, Error> {
        let header = Header::of(slot).encode();
        if !plausible(header[0]) {
            return Err(if slot.len as usize > INLINE_MAX {
                Error::TooBig
            } else {
                Error::BadCall
            });
        }
        let index = self.reserve(memory)?;
        if header[0] >> 32 != 0 {
            memory.write_payload(index & self.mask, &slot.payload);
        }
        Ok(self.publish(memory, index, header))
    }

    /// Puts a message of 16 bytes into the ring: a kind and an argument. `Full` or `Gone`.
    #[inline]
    pub fn push_word(
        &mut self,
        memory: &impl Memory,
        kind: u16,
        arg: u64,
    ) -> Result<Pushed, Error> {
        let index = self.reserve(memory)?;
        Ok(self.publish(memory, index, Header { kind, flags: 0, len: 0, arg }.encode()))
    }

    /// Puts a message with `len` of 48 bytes of payload into the ring, without a [`Slot`] in between. `Full`, `Gone`, or
    /// `TooBig` if `len` is above 48.
    #[inline]
    pub fn push_inline(
        &mut self,
        memory: &impl Memory,
        kind: u16,
        arg: u64,
        len: u32,
        payload: &[u8; INLINE_MAX],
    ) -> Result<Pushed, Error> {
        if len as usize > INLINE_MAX {
            return Err(Error::TooBig);
        }
        let index = self.reserve(memory)?;
        memory.write_payload(index & self.mask, payload);
        Ok(self.publish(memory, index, Header { kind, flags: 0, len, arg }.encode()))
    }

    /// Free slots, by a fresh look at the peer; `Gone` if the ring is broken.
    pub fn room(&mut self, memory: &impl Memory) -> Result<u32, Error> {
        match self.refresh(memory) {
            Ok(()) | Err(Error::Full) => Ok(self.limit.wrapping_sub(self.write)),
            Err(error) => Err(error),
        }
    }

    /// Says that this side is going to sleep until there is room, and looks once more: `true` if it may wait,
    /// `false` if there is room now or the ring is broken.
    pub fn prepare_sleep(&mut self, memory: &impl Memory) -> bool {
        memory.store_release(Word::ProducerAsleep, 1);
        // Either the consumer's look at the word above comes later and it rings, or its new `read` is seen here.
        memory.fence();
        let full = matches!(self.refresh(memory), Err(Error::Full));
        if !full {
            self.awake(memory);
        }
        full
    }

    /// Says that this side is awake: after every wait that [`Self::prepare_sleep`] allowed.
    pub fn awake(&mut self, memory: &impl Memory) {
        memory.store_release(Word::ProducerAsleep, 0);
    }

    /// The index to write to.
    #[inline]
    fn reserve(&mut self, memory: &impl Memory) -> Result<u32, Error> {
        if self.write == self.limit {
            self.refresh(memory)?;
        }
        Ok(self.write)
    }

    /// Loads the peer's index. Out of line: once per round of the ring when the consumer keeps up.
    #[cold]
    fn refresh(&mut self, memory: &impl Memory) -> Result<(), Error> {
        // Acquire: the consumer's reads of the slots that it freed are over.
        let used = self.write.wrapping_sub(memory.load_acquire(Word::Read));
        let slots = self.mask + 1;
        if self.broken || used > slots {
            self.broken = true;
            self.limit = self.write;
            return Err(Error::Gone);
        }
        self.limit = self.write.wrapping_add(slots - used);
        if used == slots { Err(Error::Full) } else { Ok(()) }
    }

    #[inline]
    fn publish(&mut self, memory: &impl Memory, index: u32, header: [u64; 2]) -> Pushed {
        memory.write_header(index & self.mask, header);
        let next = index.wrapping_add(1);
        self.write = next;
        memory.store_release(Word::Write, next);
        // Either the consumer sees the new `write` when it looks again before it sleeps, or its sleep is seen here.
        memory.fence();
        Pushed { must_ring: memory.load_relaxed(Word::ConsumerAsleep) != 0 }
    }
}
