//! The side that reads.
use crate::{Header, Memory, Word};
use abi::call::Error;
use abi::ring::{INLINE_MAX, Slot};

/// The consumer's private state.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Consumer {
    /// Next index to read.
    read: u32,
    /// The peer's `write` as last seen.
    end: u32,
    mask: u32,
    broken: bool,
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

impl Consumer {
    /// The consumer of a fresh ring; `BadCall` unless `slots` is a power of two.
    pub const fn new(slots: u32) -> Result<Self, Error> {
        if !slots.is_power_of_two() {
            return Err(Error::BadCall);
        }
        Ok(Self { read: 0, end: 0, mask: slots - 1, broken: false })
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
        let header = self.peek_header(memory)?;
        Ok(PoppedHeader { header, must_ring: self.advance(memory) })
    }

    /// Copies the next message and leaves it in the ring, for a server that frees a request only after its
    /// answer is out. Do not look twice: the peer may have changed the slot. `Empty` or `Gone`.
    #[inline]
    pub fn peek(&mut self, memory: &impl Memory) -> Result<Slot, Error> {
        let Header { kind, flags, len, arg } = self.peek_header(memory)?;
        let mut payload = [0; INLINE_MAX];
        if len != 0 {
            memory.read_payload(self.read & self.mask, &mut payload);
        }
        Ok(Slot { kind, flags, len, arg, payload })
    }

    /// Frees the slot last looked at. `true`: the producer sleeps on a full ring, ring the doorbell.
    ///
    /// Without a message looked at it does nothing.
    #[inline]
    #[must_use = "a producer that sleeps has to be rung"]
    pub fn advance(&mut self, memory: &impl Memory) -> bool {
        if self.read == self.end {
            return false;
        }
        self.read = self.read.wrapping_add(1);
        // Release: the copy is complete before the producer may write the slot again.
        memory.store_release(Word::Read, self.read);
        // Either the producer sees the new `read` when it looks again before it sleeps, or its sleep is seen here.
        memory.fence();
        memory.load_relaxed(Word::ProducerAsleep) != 0
    }

    /// Messages waiting, by a fresh look at the peer; `Gone` if the ring is broken.
    pub fn available(&mut self, memory: &impl Memory) -> Result<u32, Error> {
        match self.refresh(memory) {
            Ok(()) | Err(Error::Empty) => Ok(self.end.wrapping_sub(self.read)),
            Err(error) => Err(error),
        }
    }

    /// Says that this side is going to sleep until there is a message, and looks once more: `true` if it may
    /// wait, `false` if there is one now or the ring is broken.
    pub fn prepare_sleep(&mut self, memory: &impl Memory) -> bool {
        memory.store_release(Word::ConsumerAsleep, 1);
        // Either the producer's look at the word above comes later and it rings, or its new `write` is seen here.
        memory.fence();
        let empty = matches!(self.refresh(memory), Err(Error::Empty));
        if !empty {
            self.awake(memory);
        }
        empty
    }

    /// Says that this side is awake: after every wait that [`Self::prepare_sleep`] allowed.
    pub fn awake(&mut self, memory: &impl Memory) {
        memory.store_release(Word::ConsumerAsleep, 0);
    }

    #[inline]
    fn peek_header(&mut self, memory: &impl Memory) -> Result<Header, Error> {
        if self.read == self.end {
            self.refresh(memory)?;
        }
        match Header::decode(memory.read_header(self.read & self.mask)) {
            Some(header) => Ok(header),
            None => Err(self.breaks()),
        }
    }

    /// Loads the peer's index.
    #[inline]
    fn refresh(&mut self, memory: &impl Memory) -> Result<(), Error> {
        // Acquire: the slots below the index are written.
        let end = memory.load_acquire(Word::Write);
        let waiting = end.wrapping_sub(self.read);
        if self.broken || waiting > self.mask + 1 {
            return Err(self.breaks());
        }
        self.end = end;
        if waiting == 0 { Err(Error::Empty) } else { Ok(()) }
    }

    /// Every later call comes back here by way of `refresh`, as the ring looks empty from now on.
    #[cold]
    fn breaks(&mut self) -> Error {
        self.broken = true;
        self.end = self.read;
        Error::Gone
    }
}
