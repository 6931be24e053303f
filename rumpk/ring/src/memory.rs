//! What the two parts of a ring look like to the protocol.
use abi::call::Error;
use abi::ring::{Descriptor, FLAG_DESCRIPTOR, INLINE_MAX, Slot};

/// The four words of a ring. The first two stand in P, the others in C.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Word {
    /// P: index of the next slot to write.
    Write,
    /// P: 1 while the producer waits for room.
    ProducerAsleep,
    /// C: index of the next slot to read.
    Read,
    /// C: 1 while the consumer waits for a message.
    ConsumerAsleep,
}

impl Word {
    /// Whether the word stands in P (else in C).
    #[inline]
    #[must_use]
    pub const fn in_p(self) -> bool {
        matches!(self, Self::Write | Self::ProducerAsleep)
    }

    /// Bytes from the start of its part.
    #[inline]
    #[must_use]
    pub const fn offset(self) -> usize {
        match self {
            Self::Write | Self::Read => 0,
            Self::ProducerAsleep | Self::ConsumerAsleep => 4,
        }
    }
}

/// Access to the memory of one ring. `slot` is always below the number of slots.
///
/// The peer may write at any time, so that every read has to be a single one that the compiler neither
/// repeats nor invents (an atomic, a volatile or an assembly access).
pub trait Memory {
    /// Reads a word with acquire ordering.
    fn load_acquire(&self, word: Word) -> u32;
    /// Reads a word without ordering.
    fn load_relaxed(&self, word: Word) -> u32;
    /// Writes a word of the own part with release ordering.
    fn store_release(&self, word: Word, value: u32);
    /// A full fence: sequentially consistent.
    fn fence(&self);
    /// Reads the first 16 bytes of a slot, once, as two little-endian words.
    fn read_header(&self, slot: u32) -> [u64; 2];
    /// Writes the first 16 bytes of a slot.
    fn write_header(&self, slot: u32, header: [u64; 2]);
    /// Reads the other 48 bytes of a slot, once.
    fn read_payload(&self, slot: u32, to: &mut [u8; INLINE_MAX]);
    /// Writes the other 48 bytes of a slot.
    fn write_payload(&self, slot: u32, from: &[u8; INLINE_MAX]);
}

/// The first 16 bytes of a slot.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Header {
    /// What the message is, by the channel's protocol.
    pub kind: u16,
    /// 0 or [`FLAG_DESCRIPTOR`].
    pub flags: u16,
    /// Bytes of payload, at most [`INLINE_MAX`].
    pub len: u32,
    /// By the channel's protocol.
    pub arg: u64,
}

impl Header {
    /// The header of a slot.
    #[inline]
    #[must_use]
    pub const fn of(slot: &Slot) -> Self {
        Self { kind: slot.kind, flags: slot.flags, len: slot.len, arg: slot.arg }
    }

    /// As it stands in memory.
    #[inline]
    #[must_use]
    pub const fn encode(self) -> [u64; 2] {
        [self.kind as u64 | (self.flags as u64) << 16 | (self.len as u64) << 32, self.arg]
    }

    /// Checks a copy: `None` if `flags` has another bit than the descriptor's, or `len` is above the limit.
    #[inline]
    #[must_use]
    pub const fn decode(raw: [u64; 2]) -> Option<Self> {
        if plausible(raw[0]) { Some(Self::split(raw)) } else { None }
    }

    #[inline]
    pub(crate) const fn split(raw: [u64; 2]) -> Self {
        Self {
            kind: raw[0] as u16,
            flags: (raw[0] >> 16) as u16,
            len: (raw[0] >> 32) as u32,
            arg: raw[1],
        }
    }
}

/// Flags 15..1 clear and the length within the limit: turned to the top, the flags make one comparison of both.
#[inline]
pub(crate) const fn plausible(first: u64) -> bool {
    (first >> 17).rotate_right(15) <= INLINE_MAX as u64
}

/// The part of the sender's buffer area (`area` bytes) that a checked slot describes, as (offset, length) in bytes:
/// `None` if its payload is inline, `BadAddress` if the descriptor is not one or leaves the area.
pub fn descriptor(slot: &Slot, area: u32) -> Result<Option<(u32, u32)>, Error> {
    if slot.flags & FLAG_DESCRIPTOR == 0 {
        return Ok(None);
    }
    if slot.len as usize != Descriptor::SIZE {
        return Err(Error::BadAddress);
    }
    let what = Descriptor::decode(&slot.payload).ok_or(Error::BadAddress)?;
    let end = what.offset.checked_add(u64::from(what.len)).ok_or(Error::BadAddress)?;
    if what.zero != 0 || end > u64::from(area) {
        return Err(Error::BadAddress);
    }
    Ok(Some((what.offset as u32, what.len)))
}
