//! Channels: one end, either used through the kernel or mapped.
use abi::call::{MapInfo, meta, want};
use abi::cap::{R, W};
use abi::ring::{INLINE_MAX, Slot};
use core::sync::atomic::{AtomicU32, Ordering};
use ring::{Consumer, Memory, Producer, Word};

use crate::memory::Area;
use crate::shared::Shared;
use crate::{Error, Result, sys, wait};

/// A message; [`Error::TooBig`] for a payload above [`INLINE_MAX`] bytes.
pub fn message(kind: u16, arg: u64, payload: &[u8]) -> Result<Slot> {
    let mut slot =
        Slot { kind, flags: 0, len: payload.len() as u32, arg, payload: [0; INLINE_MAX] };
    slot.payload.get_mut(..payload.len()).ok_or(Error::TooBig)?.copy_from_slice(payload);
    Ok(slot)
}

/// The inline payload of a message, cut to what a slot can hold.
pub fn payload(slot: &Slot) -> &[u8] {
    &slot.payload[..(slot.len as usize).min(INLINE_MAX)]
}

/// One end of a channel. Messages go through the kernel, which copies them, until the end is
/// mapped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Channel(pub u8);

impl Channel {
    /// The channel with a well-known number; `which` of several, from 0.
    pub fn find(number: u32, which: u32) -> Result<Self> {
        let input = (u64::from(number) | u64::from(which) << 32).to_le_bytes();
        Ok(Self(sys::meta(meta::SLOT, &mut *sys::Aligned(input))? as u8))
    }

    /// Sends: [`Error::Full`] where the ring has no room.
    pub fn try_send(self, slot: &Slot) -> Result<()> {
        let len = abi::call::MESSAGE_MIN + (slot.len as usize).min(INLINE_MAX);
        sys::send(self.0, &sys::Aligned(slot.encode())[..len]).map(drop)
    }

    /// Sends, and waits while the ring is full.
    pub fn send(self, slot: &Slot) -> Result<()> {
        loop {
            match self.try_send(slot) {
                Err(Error::Full) => wait::one(self.0, want::WRITABLE, None)?,
                other => return other,
            }
        }
    }

    /// Receives: [`Error::Empty`] where there is nothing.
    pub fn try_recv(self) -> Result<Slot> {
        let mut buf = sys::Aligned::<{ Slot::SIZE }>::ZERO;
        sys::recv(self.0, &mut *buf)?;
        Ok(Slot::decode(&*buf).unwrap_or_else(Slot::zeroed))
    }

    /// Receives, and waits until there is something or the absolute `deadline` (ns) has passed.
    pub fn recv_until(self, deadline: Option<u64>) -> Result<Slot> {
        loop {
            match self.try_recv() {
                Err(Error::Empty) => wait::one(self.0, want::READABLE, deadline)?,
                other => return other,
            }
        }
    }

    /// Receives, and waits until there is something.
    pub fn recv(self) -> Result<Slot> {
        self.recv_until(None)
    }

    /// Rings the doorbell.
    pub fn ring(self) -> Result<()> {
        sys::doorbell(self.0).map(drop)
    }

    /// Maps both rings and the buffer areas into the own domain, and goes on where an earlier
    /// instance of this side stopped. From now on messages pass without the kernel.
    pub fn map(self) -> Result<Ends> {
        let (_, info) = sys::map(self.0, 0, 0, R | W)?;
        if !info.slots.is_power_of_two() || info.slot_len as usize != Slot::SIZE {
            return Err(Error::NotReady);
        }
        // SAFETY: the addresses and the geometry are those that `map` gave.
        let tx = unsafe { Shared::at(info.tx_p, info.tx_c, info.slots) };
        // SAFETY: as above.
        let rx = unsafe { Shared::at(info.rx_p, info.rx_c, info.slots) };
        let (Some(tx), Some(rx)) = (tx, rx) else { return Err(Error::NotReady) };
        Ok(Ends {
            slot: self.0,
            producer: Producer::resume(&tx, info.slots)?,
            consumer: Consumer::resume(&rx, info.slots)?,
            tx,
            rx,
            info,
            due: false,
        })
    }
}

/// The mapped ends of a channel: a producer's and a consumer's.
///
/// `push` and `pop` note that the peer sleeps; [`Ends::ring`], or the next wait, then rings once
/// for all of them.
#[derive(Debug)]
pub struct Ends {
    slot: u8,
    producer: Producer,
    consumer: Consumer,
    tx: Shared,
    rx: Shared,
    info: MapInfo,
    due: bool,
}

impl Ends {
    /// The slot of the channel.
    pub fn slot(&self) -> u8 {
        self.slot
    }

    /// Addresses, geometry and generation.
    pub fn info(&self) -> &MapInfo {
        &self.info
    }

    /// The buffer area that this side writes, for payloads that no slot holds; the peer is told where by a
    /// [`abi::ring::Descriptor`] in a message. Empty where the manifest gives the channel no `buffer`.
    pub fn own_area(&self) -> Area {
        // SAFETY: `map` gave address and length, to be written by this side.
        unsafe { Area::at(self.info.tx_buffer as usize, self.info.buffer_len as usize, true) }
    }

    /// The buffer area that the peer writes.
    pub fn peer_area(&self) -> Area {
        // SAFETY: `map` gave address and length, to be read by this side.
        unsafe { Area::at(self.info.rx_buffer as usize, self.info.buffer_len as usize, false) }
    }

    /// Puts a message into the ring: [`Error::Full`], or [`Error::Gone`] for a broken ring.
    #[inline]
    pub fn push(&mut self, slot: &Slot) -> Result<()> {
        self.due |= self.producer.push(&self.tx, slot)?.must_ring;
        Ok(())
    }

    /// As [`Ends::push`], for a message of kind and argument alone.
    #[inline]
    pub fn push_word(&mut self, kind: u16, arg: u64) -> Result<()> {
        self.due |= self.producer.push_word(&self.tx, kind, arg)?.must_ring;
        Ok(())
    }

    /// Takes a message: [`Error::Empty`], or [`Error::Gone`] for a broken ring.
    #[inline]
    pub fn pop(&mut self) -> Result<Slot> {
        let popped = self.consumer.pop(&self.rx)?;
        self.due |= popped.must_ring;
        Ok(popped.slot)
    }

    /// As [`Ends::pop`], without the payload.
    #[inline]
    pub fn pop_word(&mut self) -> Result<(u16, u64)> {
        let popped = self.consumer.pop_header(&self.rx)?;
        self.due |= popped.must_ring;
        Ok((popped.header.kind, popped.header.arg))
    }

    /// Copies the next message and leaves it in the ring until [`Ends::done`]: an instance that ends before it has
    /// served the request leaves it to the next one.
    pub fn peek(&mut self) -> Result<Slot> {
        self.consumer.peek(&self.rx)
    }

    /// Frees the message last looked at.
    pub fn done(&mut self) {
        self.due |= self.consumer.advance(&self.rx);
    }

    /// Index of the next message to be sent (`sends`) or received, for notes that belong to it.
    pub fn index(&self, sends: bool) -> u32 {
        let (ring, word) = if sends { (&self.tx, Word::Write) } else { (&self.rx, Word::Read) };
        ring.load_relaxed(word)
    }

    /// A word that the next instance of this side finds again, of [`crate::shared::NOTES`] for each direction. The peer
    /// can read it; 0 past the last one.
    pub fn note(&self, sends: bool, index: usize) -> u32 {
        let ring = if sends { &self.tx } else { &self.rx };
        ring.note(sends, index).map_or(0, |word| word.load(Ordering::Relaxed))
    }

    /// The word itself, for [`crate::handover`]; `None` past the last one.
    pub fn note_word(&self, sends: bool, index: usize) -> Option<&AtomicU32> {
        if sends { &self.tx } else { &self.rx }.note(sends, index)
    }

    /// Keeps such a word.
    pub fn keep(&self, sends: bool, index: usize, value: u32) {
        let ring = if sends { &self.tx } else { &self.rx };
        if let Some(word) = ring.note(sends, index) {
            word.store(value, Ordering::Release);
        }
    }

    /// Free slots towards the peer.
    pub fn room(&mut self) -> Result<u32> {
        self.producer.room(&self.tx)
    }

    /// Rings if the peer was seen asleep since it was last rung.
    pub fn ring(&mut self) -> Result<()> {
        if core::mem::take(&mut self.due) { sys::doorbell(self.slot).map(drop) } else { Ok(()) }
    }

    /// Says that this side is going to sleep until there is a message; `false`: there is one, or
    /// the ring is broken.
    pub fn sleep_for_message(&mut self) -> bool {
        self.consumer.prepare_sleep(&self.rx)
    }

    /// Says that this side is going to sleep until there is room; `false`: there is, or the ring is
    /// broken.
    pub fn sleep_for_room(&mut self) -> bool {
        self.producer.prepare_sleep(&self.tx)
    }

    /// Says that this side is awake, after a wait that either of the above allowed.
    pub fn awake(&mut self) {
        self.consumer.awake(&self.rx);
        self.producer.awake(&self.tx);
    }

    /// What a wait list takes for this channel: its doorbell, and to ring first where that is due.
    pub fn want(&mut self) -> u8 {
        let ring = if core::mem::take(&mut self.due) { want::RING } else { 0 };
        want::READABLE | ring
    }

    /// Waits for the doorbell, ringing first where that is due, and is awake again. `false`: the
    /// peer went.
    fn wait(&mut self, deadline: Option<u64>) -> Result<bool> {
        let wanted = self.want();
        let found = wait::found(self.slot, wanted, deadline);
        self.awake();
        match found {
            Ok(found) => Ok(found & want::DEAD == 0),
            // The doorbell that was to be rung first is nobody's.
            Err(Error::Gone) => Ok(false),
            Err(e) => Err(e),
        }
    }

    /// Puts a message into the ring, waits while it is full, and rings.
    pub fn send(&mut self, slot: &Slot) -> Result<()> {
        let mut there = true;
        loop {
            match self.push(slot) {
                Ok(()) => return self.ring(),
                Err(Error::Full) if !there => return Err(Error::Gone),
                Err(Error::Full) => {}
                Err(e) => return Err(e),
            }
            if self.sleep_for_room() {
                there = self.wait(None)?;
            }
        }
    }

    /// Takes a message; waits until there is one or the absolute `deadline` (ns) has passed. What
    /// the peer sent before it went is still received; then [`Error::Gone`].
    pub fn recv(&mut self, deadline: Option<u64>) -> Result<Slot> {
        let mut there = true;
        loop {
            match self.pop() {
                Ok(slot) => {
                    // A peer that went needs no ringing.
                    let _ = self.ring();
                    return Ok(slot);
                }
                Err(Error::Empty) if !there => return Err(Error::Gone),
                Err(Error::Empty) => {}
                Err(e) => return Err(e),
            }
            if self.sleep_for_message() {
                there = self.wait(deadline)?;
            }
        }
    }
}
