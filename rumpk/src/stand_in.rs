//! The side of a ring that nobody mapped: there the kernel sends and receives, by the protocol of the rings and with the same
//! distrust of the peer. A peer that breaks the ring loses its end.
use crate::kernel::{CHANNELS, Kernel, NONE};
use abi::call::Error;
use abi::ring::{INLINE_MAX, SLOT_LEN, SLOTS_OFFSET, Slot};
use arch::Machine;
use ring::{Consumer, Producer, Word};

/// A ring as the protocol sees it.
struct View<'a, M> {
    machine: &'a M,
    p: u64,
    c: u64,
}

impl<M: Machine> View<'_, M> {
    fn word(&self, word: Word) -> u64 {
        (if word.in_p() { self.p } else { self.c }) + word.offset() as u64
    }
    fn slot(&self, slot: u32) -> u64 {
        self.p + (SLOTS_OFFSET + slot as usize * SLOT_LEN) as u64
    }
}

impl<M: Machine> ring::Memory for View<'_, M> {
    fn load_acquire(&self, word: Word) -> u32 {
        self.machine.load_acquire(self.word(word))
    }
    fn load_relaxed(&self, word: Word) -> u32 {
        self.machine.load_acquire(self.word(word))
    }
    fn store_release(&self, word: Word, value: u32) {
        self.machine.store_release(self.word(word), value);
    }
    fn fence(&self) {
        self.machine.fence();
    }
    fn read_header(&self, slot: u32) -> [u64; 2] {
        let mut header = [0; 2];
        self.machine.read_words(self.slot(slot), &mut header);
        header
    }
    fn write_header(&self, slot: u32, header: [u64; 2]) {
        self.machine.write_words(self.slot(slot), &header);
    }
    fn read_payload(&self, slot: u32, to: &mut [u8; INLINE_MAX]) {
        let mut words = [0; INLINE_MAX / 8];
        self.machine.read_words(self.slot(slot) + 16, &mut words);
        for (to, word) in to.as_chunks_mut().0.iter_mut().zip(&words) {
            *to = word.to_le_bytes();
        }
    }
    fn write_payload(&self, slot: u32, from: &[u8; INLINE_MAX]) {
        let mut words = [0; INLINE_MAX / 8];
        for (word, from) in words.iter_mut().zip(from.as_chunks().0) {
            *word = u64::from_le_bytes(*from);
        }
        self.machine.write_words(self.slot(slot) + 16, &words);
    }
}

impl<M: Machine> Kernel<M> {
    fn view(&self, channel: u8, producer: u8) -> View<'_, M> {
        let (p, c) = self.channels[channel as usize % CHANNELS].ring(producer);
        View { machine: &self.machine, p, c }
    }

    /// The end as the kernel may stand in for it: `BadCall` if it is mapped, `Gone` if it is broken or, where
    /// `needs_peer`, nobody is at the other end.
    fn stand_in(&self, channel: u8, side: u8, needs_peer: bool) -> Result<u32, Error> {
        let place = &self.channels[channel as usize % CHANNELS];
        let (end, peer) = (&place.ends[side as usize & 1], &place.ends[1 - (side as usize & 1)]);
        if end.mapped != NONE {
            return Err(Error::BadCall);
        }
        if end.broken || (needs_peer && peer.gone) {
            return Err(Error::Gone);
        }
        Ok(place.slots)
    }

    fn broke(&mut self, channel: u8, side: u8, error: Error) -> Error {
        if error == Error::Gone {
            self.channels[channel as usize % CHANNELS].ends[side as usize & 1].broken = true;
            self.drop_end(channel, side);
        }
        error
    }

    /// Sends for an end that is not mapped.
    pub(crate) fn channel_send(&mut self, channel: u8, side: u8, slot: &Slot) -> Result<(), Error> {
        let slots = self.stand_in(channel, side, true)?;
        let view = self.view(channel, side);
        let sent = Producer::resume(&view, slots).and_then(|mut p| p.push(&view, slot));
        match sent {
            Ok(_) => {
                // An unmapped peer sleeps in `wait`, a mapped one may have announced it: ring in both cases.
                self.signal_end(channel, 1 - (side & 1));
                Ok(())
            }
            Err(error) => Err(self.broke(channel, side, error)),
        }
    }

    /// Receives for an end that is not mapped. What was sent before the peer went stays readable.
    pub(crate) fn channel_recv(
        &mut self,
        channel: u8,
        side: u8,
        to: &mut Slot,
    ) -> Result<(), Error> {
        let slots = self.stand_in(channel, side, false)?;
        // The object of a peer that went may be another's by now.
        let gone = self.channels[channel as usize % CHANNELS].ends[1 - (side as usize & 1)].gone;
        let view = self.view(channel, 1 - side);
        match Consumer::resume(&view, slots).and_then(|mut c| c.pop(&view)) {
            Ok(popped) => {
                if !gone && (popped.must_ring || self.peer_unmapped(channel, side)) {
                    self.signal_end(channel, 1 - (side & 1));
                }
                *to = popped.slot;
                Ok(())
            }
            Err(Error::Empty) if gone => Err(Error::Gone),
            Err(error) => Err(self.broke(channel, side, error)),
        }
    }

    fn peer_unmapped(&self, channel: u8, side: u8) -> bool {
        let place = &self.channels[channel as usize % CHANNELS];
        place.ends[1 - (side as usize & 1)].mapped == NONE
    }

    /// What a fiber can do at an end that is not mapped: (readable, writable). A mapped peer is told when it
    /// must ring.
    pub(crate) fn channel_ready(&mut self, channel: u8, side: u8) -> (bool, bool) {
        let Ok(slots) = self.stand_in(channel, side, false) else { return (true, true) };
        let peer_gone = self.channels[channel as usize].ends[(1 - side as usize) & 1].gone;
        let inward = self.view(channel, 1 - side);
        let readable = match Consumer::resume(&inward, slots) {
            Ok(mut consumer) => {
                consumer.awake(&inward);
                !consumer.prepare_sleep(&inward)
            }
            Err(_) => true,
        };
        let outward = self.view(channel, side);
        let writable = match Producer::resume(&outward, slots) {
            Ok(mut producer) => {
                producer.awake(&outward);
                !producer.prepare_sleep(&outward)
            }
            Err(_) => true,
        };
        (readable || peer_gone, writable || peer_gone)
    }
}
