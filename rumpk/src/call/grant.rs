//! `grant(slot, via, verbs, perms, &expiry)`: a narrowed copy goes into a channel; REVOKE; and `recv` into a slot, TAKE.
//!
//! Each decides first, from the caller's slots, and then applies to objects by their number alone, so that the second
//! half can run where an object is at home.
use super::Args;
use crate::kernel::{CHANNELS, DOMAINS, FIBERS, Kernel, OBJECTS};
use crate::object::{Answer, Body, FarKind, Stop};
use abi::call::{Error, Landed, REVOKE};
use abi::cap::{MAX_DEPTH, NEVER, PARKED, SLOTS, verb};
use abi::prov::kind;
use abi::stats::{Event, event};
use arch::{Machine, UserAddr};
use cap::Cap;

/// A grant that was decided: nothing in it can fail any more.
pub(crate) struct Offer {
    pub copy: Cap,
    /// Channel, and the end that receives.
    pub channel: u8,
    pub side: u8,
}

impl<M: Machine> Kernel<M> {
    pub(super) fn grant(&mut self, args: &Args) -> Answer {
        let [slot, via, ..] = *args;
        if via == REVOKE {
            return self.revoke(slot);
        }
        let offer = self.decide_grant(args)?;
        let end = &self.channels[offer.channel as usize % CHANNELS].ends[offer.side as usize & 1];
        if let Some(far) = end.far {
            // Its core looks whether it may have it, and parks it.
            return self.grant_far(&offer, far);
        }
        self.park(&offer);
        self.audit_grant(&offer);
        Ok(0)
    }

    fn audit_grant(&mut self, offer: &Offer) {
        let copy = &offer.copy;
        let mut data = [0; 32];
        data[..4].copy_from_slice(&[copy.kind.0, copy.verbs, copy.perms, copy.depth]);
        let ends = &self.channels[offer.channel as usize % CHANNELS].ends;
        let holder = ends[offer.side as usize & 1].holder as usize % FIBERS;
        data[4..8].copy_from_slice(&self.fibers[holder].id.to_le_bytes());
        data[8..16].copy_from_slice(&copy.expiry.to_le_bytes());
        data[16..24].copy_from_slice(&copy.offset.to_le_bytes());
        data[24..].copy_from_slice(&copy.len.to_le_bytes());
        self.audit(kind::GRANT, self.fiber().id, copy.object, 0, &data);
    }

    /// What the arguments come to. Nothing is changed but that void capabilities leave the channel.
    fn decide_grant(&mut self, args: &Args) -> Result<Offer, Stop> {
        let [slot, via, verbs, perms, expiry, _] = *args;
        if verbs > verb::ALL as usize || perms > 7 {
            return Err(Error::BadCall.into());
        }
        let cap = self.lookup_for(slot, verb::GRANT)?;
        let way = self.lookup_for(via, verb::SEND)?;
        let Body::End { channel, side } = self.body(way.object) else {
            return Err(no_way(self.body(way.object)).into());
        };
        let expiry = if expiry == 0 {
            NEVER
        } else {
            let mut at = [0; 8];
            self.copy_in_words(UserAddr(expiry as u64), &mut at)?;
            u64::from_le_bytes(at)
        };
        let copy = cap.hop(verbs as u8, perms as u8, expiry, MAX_DEPTH)?;
        if copy.expiry <= self.machine.now() {
            return Err(Error::Revoked.into());
        }
        let side = 1 - (side & 1);
        if self.check_receiver(channel, side, &copy)? {
            self.make_room(channel, side)?;
        }
        Ok(Offer { copy, channel, side })
    }

    /// Room for one more capability at an end, after the void ones have left; `Full` if there is none.
    pub(crate) fn make_room(&mut self, channel: u8, side: u8) -> Result<(), Error> {
        let (objects, now) = (&self.objects, self.machine.now());
        let mut left = [Cap::EMPTY; PARKED];
        let lives =
            |cap: &Cap| cap.check(objects[cap.object as usize % OBJECTS].epoch, now).is_ok();
        let room = self.parked[channel as usize % CHANNELS].make_room(side, lives, &mut left);
        self.let_all_go(&left);
        room
    }

    /// Whether who has end `side` is there and may hold it. TAKE looks again: it may have become less by then, or
    /// another domain may hold the end. `false`: that is for another core to say.
    fn check_receiver(&self, channel: u8, side: u8, copy: &Cap) -> Result<bool, Error> {
        let ends = &self.channels[channel as usize % CHANNELS].ends;
        let (to, from) = (&ends[side as usize & 1], &ends[1 - (side as usize & 1)]);
        if to.gone || from.broken {
            return Err(Error::Gone);
        }
        if to.far.is_some() {
            return Ok(false);
        }
        if to.object == 0 {
            // The service at the other end was never started: whose mask would have to allow it?
            return Err(Error::NotReady);
        }
        let owner = self.objects[to.object as usize % OBJECTS].owner;
        if self.may_hold(owner, copy.object) { Ok(true) } else { Err(Error::Pledge) }
    }

    /// Whether a domain's mask has the bits that an object needs.
    pub(crate) fn may_hold(&self, domain: u8, object: u32) -> bool {
        let needs = self.objects[object as usize % OBJECTS].pledge;
        needs & !self.domains[domain as usize % DOMAINS].pledge == 0
    }

    /// Applies a grant: the copy waits, the doorbell rings, the fiber of that end has an event.
    pub(crate) fn park(&mut self, offer: &Offer) {
        let (channel, side) = (offer.channel, offer.side);
        self.count_loan(offer.copy.object);
        self.parked[channel as usize % CHANNELS].put(side, offer.copy);
        let end = &self.channels[channel as usize % CHANNELS].ends[side as usize & 1];
        let (object, holder) = (end.object, end.holder as usize % FIBERS);
        let (word, bit) = offer_bit(channel, side);
        self.fibers[holder].offers[word] |= bit;
        self.signal(object);
        if self.fibers[holder].wait.active {
            self.wake(holder);
        }
    }

    /// Nobody can take what was granted to an end any more.
    pub(crate) fn withdraw(&mut self, channel: u8, side: u8) {
        let left = self.parked[channel as usize % CHANNELS].clear(side);
        self.let_all_go(&left);
        let end = &self.channels[channel as usize % CHANNELS].ends[side as usize & 1];
        let (word, bit) = offer_bit(channel, side);
        self.fibers[end.holder as usize % FIBERS].offers[word] &= !bit;
    }

    /// REVOKE: every copy is void and nobody has anything mapped through one when it returns.
    fn revoke(&mut self, slot: usize) -> Answer {
        let cap = *self.lookup(slot)?;
        cap.may_revoke()?;
        let lent = self.lending.has(cap.object);
        let epoch = self.apply_revoke(&cap, self.domain);
        self.fiber_mut().caps.replace(slot, cap.restamped(epoch))?;
        let mut data = [0; 8];
        data[0] = cap.kind.0;
        data[4..].copy_from_slice(&epoch.to_le_bytes());
        self.audit(kind::REVOKE, self.fiber().id, cap.object, 0, &data);
        if lent { self.await_recall(cap.object) } else { Ok(0) }
    }

    /// Applies a REVOKE of `domain` by its capability `own`; the object's new epoch. What that domain itself has
    /// mapped stays where its own capability allows all of it, and goes where a copy may have allowed more.
    fn apply_revoke(&mut self, own: &Cap, domain: u8) -> u32 {
        let epoch = self.raise_epoch(own.object);
        let keeps = self.maps(own.object, domain) && self.is_whole(own);
        if keeps {
            for other in self.mappers[own.object as usize % OBJECTS].iter() {
                if other != domain {
                    self.unmap_object(own.object, other);
                }
            }
        } else {
            self.unmap_everywhere(own.object);
        }
        epoch
    }

    /// Whether the capability allows all that anybody may do with the object's memory.
    fn is_whole(&self, cap: &Cap) -> bool {
        let range = match self.body(cap.object) {
            Body::Device { len, .. } | Body::Memory { len, .. } => {
                (cap.offset, cap.len) == (0, len)
            }
            _ => true,
        };
        let all = abi::cap::R | abi::cap::W;
        range && cap.verbs & verb::MAP != 0 && cap.perms & all == all
    }

    /// `recv` into a slot: the oldest capability that waits at this end and that the caller's mask allows lands there.
    pub(super) fn take_parked(
        &mut self,
        object: u32,
        buf: UserAddr,
        len: usize,
        into: usize,
    ) -> Answer {
        let Body::End { channel, side } = self.body(object) else {
            return Err(no_way(self.body(object)).into());
        };
        if into >= SLOTS {
            return Err(Error::BadSlot.into());
        }
        self.fiber().caps.check_free(into)?;
        if len < Landed::SIZE {
            return Err(Error::BadCall.into());
        }
        // What cannot be written is refused before anything is taken.
        self.copy_out_words(buf, &[0; Landed::SIZE])?;
        let (objects, now) = (&self.objects, self.machine.now());
        let mask = self.domains[self.domain as usize % DOMAINS].pledge;
        let lives = |cap: &Cap| {
            let object = &objects[cap.object as usize % OBJECTS];
            // What the receiver gave up meanwhile is void for it wherever it stands.
            cap.check(object.epoch, now).is_ok() && object.pledge & !mask == 0
        };
        let mut left = [Cap::EMPTY; PARKED];
        let taken = self.parked[channel as usize % CHANNELS].take(side, lives, &mut left);
        self.let_all_go(&left);
        let Some(cap) = taken else {
            return Err(self.nothing_parked(channel, side).into());
        };
        self.fiber_mut().caps.put(into, cap)?;
        self.copy_out_words(buf, &landed(&cap).encode())?;
        Ok(Landed::SIZE)
    }

    fn nothing_parked(&self, channel: u8, side: u8) -> Error {
        let ends = &self.channels[channel as usize % CHANNELS].ends;
        if ends[1 - (side as usize & 1)].gone { Error::Gone } else { Error::Empty }
    }

    /// The next event CAPABILITY of the current fiber. An end that it does not hold any more has none.
    pub(super) fn take_offer(&mut self) -> Option<Event> {
        for word in 0..self.fiber().offers.len() {
            while self.fiber().offers[word] != 0 {
                let bit = self.fiber().offers[word].trailing_zeros();
                self.fiber_mut().offers[word] &= self.fiber().offers[word].wrapping_sub(1);
                let end = word as u32 * 64 + bit;
                let what = self.offer_event((end / 2) as u8, (end & 1) as u8);
                if what.is_some() {
                    return what;
                }
            }
        }
        None
    }

    fn offer_event(&mut self, channel: u8, side: u8) -> Option<Event> {
        let place = &self.channels[channel as usize % CHANNELS];
        let object = place.ends[side as usize & 1].object;
        let number = place.number;
        let epoch = self.objects[object as usize % OBJECTS].epoch;
        let names = |(_, cap): &(u8, &Cap)| (cap.object, cap.epoch) == (object, epoch);
        let slot = self.fiber().caps.iter().find(names)?.0;
        let mut what = Event::zeroed();
        (what.kind, what.source, what.arg) = (event::CAPABILITY, slot.into(), number.into());
        what.count = self.parked[channel as usize % CHANNELS].take_news(side);
        Some(what)
    }
}

/// Why capabilities do not travel through something that is no end of a channel here.
fn no_way(body: Body) -> Error {
    match body {
        Body::Far(far) if far.kind == FarKind::End => Error::Unsupported,
        _ => Error::BadCall,
    }
}

/// Word and bit of an end in [`crate::fiber::Fiber::offers`].
fn offer_bit(channel: u8, side: u8) -> (usize, u64) {
    let end = channel as usize % CHANNELS * 2 + (side as usize & 1);
    (end / 64, 1 << (end % 64))
}

/// What the taker is told.
fn landed(cap: &Cap) -> Landed {
    Landed {
        kind: cap.kind.0,
        verbs: cap.verbs,
        perms: cap.perms,
        depth: cap.depth,
        zero: 0,
        offset: cap.offset,
        len: cap.len,
        expiry: cap.expiry,
    }
}
