//! The side that reads.
use crate::memory::plausible;
use crate::{Header, Memory, Word};
use abi::call::Error;
use abi::ring::{INLINE_MAX, Slot};

/// The consumer's private state. The order of the fields lets two of them be loaded at once.
#[derive(Clone, PartialEq, Eq, Debug)]
#[repr(C)]
pub struct Consumer {
    /// Next index to read.
    read: u32,
    /// The peer's `write` as last seen.
    end: u32,
    mask: u32,
    /// How far `write` may be ahead; 0 in a broken ring, so that no message is ever plausible again.
    slots: u32,
}

/// A message taken out of the ring.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[must_use = "a producer that sleeps has to be rung"]
pub struct Popped {
    /// The checked copy; the payload is zero where `len` is 0.
    pub slot: Slot,
    /// The producer sleeps on a full ring: ring the doorbell.
    pub must_ring: bool,
}

/// A message taken out of the ring without its payload.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[must_use = "a producer that sleeps has to be rung"]
pub struct PoppedHeader {
    /// The checked copy.
    pub header: Header,
    /// The producer sleeps on a full ring: ring the doorbell.
    pub must_ring: bool,
}

/// Where the next message stands. Carried in registers: behind an atomic access the compiler would load the fields again.
#[derive(Clone, Copy)]
struct Found {
    read: u32,
    end: u32,
    slot: u32,
}

impl Consumer {
    /// The consumer of a fresh ring; `BadCall` unless `slots` is a power of two.
    pub const fn new(slots: u32) -> Result<Self, Error> {
        if !slots.is_power_of_two() {
            return Err(Error::BadCall);
        }
        Ok(Self { read: 0, end: 0, mask: slots - 1, slots })
    }

    /// Goes on where an earlier instance of this side stopped: what it did not free is read again. Both
    /// indices are foreign input here: `Gone` if they are further apart than the ring is long.
    pub fn resume(memory: &impl Memory, slots: u32) -> Result<Self, Error> {
        let fresh = Self::new(slots)?;
        let read = memory.load_relaxed(Word::Read);
        let end = memory.load_acquire(Word::Write);
        if end.wrapping_sub(read) > slots {
            return Err(Error::Gone);
        }
        Ok(Self { read, end, ..fresh })
    }

    /// Takes the next message: `Empty`, or `Gone` if the ring is broken.
    #[inline]
    pub fn pop(&mut self, memory: &impl Memory) -> Result<Popped, Error> {
        let slot = self.peek(memory)?;
        Ok(Popped { slot, must_ring: self.advance(memory) })
    }

    /// Takes the next message and drops its payload, if it has one: for protocols of kind and argument.
    #[inline]
    pub fn pop_header(&mut self, memory: &impl Memory) -> Result<PoppedHeader, Error> {
        let (found, raw) = self.look(memory)?;
        // The usual short message has neither flags nor length.
        if raw[0] >> 16 != 0 && !plausible(raw[0]) {
            return Err(self.breaks());
        }
        Ok(PoppedHeader { header: Header::split(raw), must_ring: self.free(memory, found) })
    }

    /// Takes the next message, all 48 bytes of its payload into `payload`, whatever its length.
    #[inline]
    pub fn pop_inline(
        &mut self,
        memory: &impl Memory,
        payload: &mut [u8; INLINE_MAX],
    ) -> Result<PoppedHeader, Error> {
        let (found, raw) = self.look(memory)?;
        if !plausible(raw[0]) {
            return Err(self.breaks());
        }
        memory.read_payload(found.slot, payload);
        Ok(PoppedHeader { header: Header::split(raw), must_ring: self.free(memory, found) })
    }

    /// Copies the next message and leaves it in the ring, for a server that frees a request only after its
    /// answer is out. Do not look twice: the peer may have changed the slot. `Empty` or `Gone`.
    #[inline]
    pub fn peek(&mut self, memory: &impl Memory) -> Result<Slot, Error> {
        let (found, raw) = self.look(memory)?;
        let Some(Header { kind, flags, len, arg }) = Header::decode(raw) else {
            return Err(self.breaks());
        };
        self.end = found.end;
        let mut payload = [0; INLINE_MAX];
        if len != 0 {
            memory.read_payload(found.slot, &mut payload);
        }
        Ok(Slot { kind, flags, len, arg, payload })
    }

    /// Frees the slot last looked at. `true`: the producer sleeps on a full ring, ring the doorbell.
    ///
    /// Without a message looked at it does nothing.
    #[must_use = "a producer that sleeps has to be rung"]
    pub fn advance(&mut self, memory: &impl Memory) -> bool {
        let Self { read, end, .. } = *self;
        read != end && self.free(memory, Found { read, end, slot: 0 })
    }

    /// Messages waiting, by a fresh look at the peer; `Gone` if the ring is broken.
    pub fn available(&mut self, memory: &impl Memory) -> Result<u32, Error> {
        let end = memory.load_acquire(Word::Write);
        if self.refuse(end) == Error::Gone {
            return Err(Error::Gone);
        }
        self.end = end;
        Ok(end.wrapping_sub(self.read))
    }

    /// Says that this side is going to sleep until there is a message, and looks once more: `true` if it may
    /// wait, `false` if there is one now or the ring is broken.
    pub fn prepare_sleep(&mut self, memory: &impl Memory) -> bool {
        memory.store_release(Word::ConsumerAsleep, 1);
        // Either the producer's look at the word above comes later and it rings, or its new `write` is seen here.
        memory.fence();
        let empty = self.available(memory) == Ok(0);
        if !empty {
            self.awake(memory);
        }
        empty
    }

    /// Says that this side is awake: after every wait that [`Self::prepare_sleep`] allowed.
    pub fn awake(&mut self, memory: &impl Memory) {
        memory.store_release(Word::ConsumerAsleep, 0);
    }

    /// The next message's place and its header, unchecked. The peer's index is loaded if the ring looks empty.
    #[inline]
    fn look(&mut self, memory: &impl Memory) -> Result<(Found, [u64; 2]), Error> {
        let Self { read, mut end, mask, slots } = *self;
        if read == end {
            // Acquire: the slots below the index are written.
            end = memory.load_acquire(Word::Write);
            if end.wrapping_sub(read).wrapping_sub(1) >= slots {
                return Err(self.refuse(end));
            }
        }
        let slot = read & mask;
        Ok((Found { read, end, slot }, memory.read_header(slot)))
    }

    #[inline]
    fn free(&mut self, memory: &impl Memory, found: Found) -> bool {
        let next = found.read.wrapping_add(1);
        (self.read, self.end) = (next, found.end);
        // Release: the copy is complete before the producer may write the slot again.
        memory.store_release(Word::Read, next);
        // Either the producer sees the new `read` when it looks again before it sleeps, or its sleep is seen here.
        memory.fence();
        memory.load_relaxed(Word::ProducerAsleep) != 0
    }

    /// Why there is no message if the peer's index is `end`: `Empty` or, from now on, `Gone`.
    #[cold]
    fn refuse(&mut self, end: u32) -> Error {
        if self.slots == 0 || end.wrapping_sub(self.read) > self.slots {
            return self.breaks();
        }
        Error::Empty
    }

    #[cold]
    fn breaks(&mut self) -> Error {
        self.slots = 0;
        self.end = self.read;
        Error::Gone
    }
}
