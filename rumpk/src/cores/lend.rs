//! What this core's objects are lent to other cores: the home's side.
//!
//! A capability that travels to another core names a local object there ([`super::borrow`]); its home notes here which cores may
//! have some, and how many domains of each mapped it. One entry is one object in one epoch. When the epoch rises, by REVOKE or as the
//! object ends, the entry closes: each of those cores is told, takes the pages away, forgets, and says so. Until all did,
//! a revoker waits, and so do the end of the owner's domain and the memory of a channel: what another core may still reach is
//! nobody else's. Messages of a lane keep their order, so whatever went there before is undone as well.
//!
//! The counts of mappings have one writer each: the home counts those that it allowed, the other core those that ended
//! ([`super::Shared`]), and the difference is how many there are.
use super::note::{Note, kind};
use super::parcel::Parcel;
use crate::channel::FAR_MAPPED;
use crate::job::Phase;
use crate::kernel::{CHANNELS, DOMAINS, FIBERS, Kernel, NONE, OBJECTS};
use crate::object::{Answer, Body, FarKind, Stop};
use crate::schedule::places;
use abi::call::Error;
use abi::cap::MAX_MAPPERS;
use arch::{CORES, Machine};
use core::sync::atomic::Ordering;

/// Objects of a core that are lent at a time, and objects that a core borrows.
pub const LENT: usize = 64;
/// `b` of an answer that allows a mapping, so that one that nobody waits for any more is known.
pub(super) const CONSENT: u64 = u64::MAX;

/// One object, in one epoch. All zeros: a free place.
#[derive(Clone, Copy)]
struct Entry {
    object: u16,
    epoch: u32,
    /// Cores that may have it; while it closes, those that did not say yet that they do not.
    holders: u8,
    closing: bool,
    /// Domain that the object belongs to.
    owner: u8,
    /// Of an end: 1 + channel, and side.
    channel: u8,
    side: u8,
    /// 1 + place of the fiber whose REVOKE waits, and its number.
    place: u8,
    fiber: u32,
    /// Mappings ever allowed, by core, modulo 256.
    allowed: [u8; CORES],
}

/// What is lent.
pub struct Lending {
    /// By object: 1 + its entry in the epoch that it has; 0: not lent.
    by: [u8; OBJECTS],
    list: [Entry; LENT],
    closing: u8,
}

impl Lending {
    /// Nothing.
    pub const NONE: Self = Self {
        by: [0; OBJECTS],
        list: [Entry {
            object: 0,
            epoch: 0,
            holders: 0,
            closing: false,
            owner: 0,
            channel: 0,
            side: 0,
            place: 0,
            fiber: 0,
            allowed: [0; CORES],
        }; LENT],
        closing: 0,
    };

    #[inline(always)]
    fn entry(&self, object: u32) -> Option<usize> {
        usize::from(self.by[object as usize % OBJECTS]).checked_sub(1)
    }

    /// Whether the object, as it is now, may be known to other cores.
    #[inline(always)]
    pub fn has(&self, object: u32) -> bool {
        self.entry(object).is_some()
    }

    /// Whether another core may still reach an end of the channel.
    pub fn has_end_of(&self, channel: u8) -> bool {
        self.list.iter().any(|e| e.holders != 0 && e.channel == channel + 1)
    }

    /// Whether things of a domain are being called back.
    pub fn recalls(&self, owner: u8) -> bool {
        self.closing != 0 && self.list.iter().any(|e| e.closing && e.owner == owner)
    }

    /// Entries in use.
    #[cfg(test)]
    pub fn used(&self) -> usize {
        self.list.iter().filter(|e| e.holders != 0 || e.closing).count()
    }

    fn add(&mut self, object: u32, to: u8, new: Entry) -> Result<usize, Error> {
        let at = if let Some(at) = self.entry(object) {
            at
        } else {
            let free = |e: &Entry| e.holders == 0 && !e.closing;
            let at = self.list.iter().position(free).ok_or(Error::Full)?;
            // The counts go on: what another core counts is compared with them.
            self.list[at] = Entry { allowed: self.list[at].allowed, ..new };
            self.by[object as usize % OBJECTS] = at as u8 + 1;
            at
        };
        self.list[at].holders |= 1 << to;
        Ok(at)
    }
}

/// What another core has to know of an object to use it.
#[derive(Clone, Copy)]
pub(super) struct Facts {
    pub kind: FarKind,
    /// Place in its home's list.
    pub entry: u8,
    /// Of an end: its side, and the rings.
    pub side: u8,
    pub slots: u32,
    pub buffer: u32,
    /// Address and bytes of what can be mapped.
    pub base: u64,
    pub len: u64,
    /// Bits that a user needs.
    pub pledge: u64,
}

impl Facts {
    pub fn put(&self, parcel: &Parcel, at: usize) {
        let small = [self.kind.code(), self.entry, self.side].map(u64::from);
        parcel
            .put_word(at, small[0] | small[1] << 8 | small[2] << 16 | u64::from(self.slots) << 32);
        for (n, word) in [self.base, self.len, self.pledge, self.buffer.into()].iter().enumerate() {
            parcel.put_word(at + 8 + n * 8, *word);
        }
    }

    pub fn get(parcel: &Parcel, at: usize) -> Option<Self> {
        let small = parcel.word(at);
        Some(Self {
            kind: FarKind::of_code(small as u8)?,
            entry: (small >> 8) as u8 % LENT as u8,
            side: (small >> 16) as u8 & 1,
            slots: (small >> 32) as u32,
            base: parcel.word(at + 8),
            len: parcel.word(at + 16),
            pledge: parcel.word(at + 24),
            buffer: parcel.word(at + 32) as u32,
        })
    }
}

impl<M: Machine> Kernel<M> {
    /// Notes that core `to` is about to have a capability to `object`. `Unsupported` for what does not leave its core.
    pub(super) fn lend(&mut self, object: u32, to: u8) -> Result<Facts, Error> {
        let place = self.objects[object as usize % OBJECTS];
        let (mut end, mut facts) = (
            (0, 0),
            Facts {
                kind: FarKind::End,
                entry: 0,
                side: 0,
                slots: 0,
                buffer: 0,
                base: 0,
                len: 0,
                pledge: place.pledge,
            },
        );
        match place.body {
            Body::End { channel, side } => {
                let of = &self.channels[channel as usize % CHANNELS];
                (facts.base, facts.len, facts.side) = (of.base, of.len(), side);
                (facts.slots, facts.buffer) = (of.slots, of.buffer);
                end = (channel + 1, side);
            }
            Body::Memory { base, len } => {
                (facts.kind, facts.base, facts.len) = (FarKind::Memory, base, len);
            }
            Body::Device { base, len } => {
                (facts.kind, facts.base, facts.len) = (FarKind::Device, base, len);
            }
            Body::Irq { .. } => facts.kind = FarKind::Irq,
            Body::Fiber { .. } => facts.kind = FarKind::Fiber,
            _ => return Err(Error::Unsupported),
        }
        let (object16, epoch, owner) = (object as u16, place.epoch, place.owner);
        let new = Entry {
            object: object16,
            epoch,
            holders: 0,
            closing: false,
            owner,
            channel: end.0,
            side: end.1,
            place: 0,
            fiber: 0,
            allowed: [0; CORES],
        };
        facts.entry = self.lending.add(object, to, new)? as u8;
        Ok(facts)
    }

    /// Mappings of entry `at` in domains of core `core`.
    fn mapped_on(&self, at: usize, core: usize) -> u8 {
        let Some(shared) = self.shared else { return 0 };
        let ended =
            shared.ended[core][self.core as usize % CORES][at % LENT].load(Ordering::Acquire);
        self.lending.list[at % LENT].allowed[core].wrapping_sub(ended)
    }

    /// Domains of other cores that mapped the object.
    #[inline(always)]
    pub(crate) fn far_mappers(&self, object: u32) -> u32 {
        self.lending.entry(object).map_or(0, |at| self.all_mapped(at))
    }

    #[cold]
    fn all_mapped(&self, at: usize) -> u32 {
        (0..CORES).map(|core| u32::from(self.mapped_on(at, core))).sum()
    }

    /// A domain of core `from` wants to map an object of ours. Value: the generation of a channel, and above it our entry.
    pub(super) fn allow_mapping(&mut self, from: u8, object: u32, body: Body) -> Result<u64, Stop> {
        let entry = self.lending.entry(object).ok_or(Error::Revoked)?;
        let mut generation = 0;
        match body {
            Body::End { channel, side } => {
                let over = self.all_mapped(entry) == 0;
                let channel = &mut self.channels[channel as usize % CHANNELS];
                let end = &mut channel.ends[side as usize & 1];
                if end.broken {
                    return Err(Error::Gone.into());
                }
                if end.mapped != NONE && !(end.mapped == FAR_MAPPED && over) {
                    return Err(Error::Exists.into());
                }
                end.mapped = FAR_MAPPED;
                generation = channel.generation.into();
            }
            Body::Memory { .. } | Body::Device { .. } => {
                let here = self.mappers[object as usize % OBJECTS].count();
                if here + self.all_mapped(entry) >= MAX_MAPPERS as u32 {
                    return Err(Error::Full.into());
                }
            }
            _ => return Err(Error::BadCall.into()),
        }
        let allowed = &mut self.lending.list[entry].allowed[from as usize % CORES];
        *allowed = allowed.wrapping_add(1);
        Ok(generation | (entry as u64) << 32)
    }

    /// The object is in another epoch from now on, or about to end: who has it on other cores loses it.
    #[cold]
    pub(crate) fn call_back(&mut self, object: u32) {
        let Some(at) = self.lending.entry(object) else { return };
        self.lending.by[object as usize % OBJECTS] = 0;
        self.lending.closing += 1;
        let entry = &mut self.lending.list[at];
        entry.closing = true;
        let Entry { object, epoch, holders, allowed, .. } = *entry;
        for core in places(holders.into()) {
            let word = at as u32 | u32::from(allowed[core % CORES]) << 8;
            let note =
                Note { kind: kind::VOID, word, object: object.into(), epoch, ..Note::default() };
            self.post(core as u8, &note);
        }
    }

    /// The current fiber's REVOKE of `object`, which is lent, waits until nobody has it any more.
    pub(crate) fn await_recall(&mut self, object: u32) -> Answer {
        let (place, fiber) = (self.current, self.fiber().id);
        // What had the object's place before may still be on its way back, in an earlier epoch.
        let closing = |e: &&mut Entry| e.closing && u32::from(e.object) == object && e.place == 0;
        let newest = self.lending.list.iter_mut().filter(closing).max_by_key(|e| e.epoch);
        let Some(entry) = newest else { return Ok(0) };
        (entry.place, entry.fiber) = (place + 1, fiber);
        self.suspend(self.core, super::Asked::NONE)
    }

    /// Core `from` has nothing of a closing entry any more.
    pub(super) fn given_back(&mut self, from: u8, note: &Note) {
        let entry = &mut self.lending.list[note.word as usize % LENT];
        if !entry.closing {
            return;
        }
        entry.holders &= !(1 << (from % 8));
        if entry.holders != 0 {
            return;
        }
        entry.closing = false;
        let done = *entry;
        self.lending.closing -= 1;
        if done.channel != 0 {
            self.end_is_back(done.channel - 1, done.side, done.object.into());
        }
        if done.place != 0 {
            let (place, fiber) = (done.place - 1, done.fiber);
            self.answered(self.core, &Note { kind: kind::ANSWER, place, fiber, ..Note::default() });
        }
        let owner = self.domains.get(done.owner as usize);
        if owner.is_some_and(|d| d.job.phase == Phase::Release) {
            self.go_on(done.owner);
        }
    }

    /// No other core reaches an end any more: the kernel is that side again. What was put off until now is done.
    fn end_is_back(&mut self, channel: u8, side: u8, object: u32) {
        let end = &mut self.channels[channel as usize % CHANNELS].ends[side as usize & 1];
        if end.object == object && end.mapped == FAR_MAPPED {
            end.mapped = NONE;
        }
        if end.object == object && end.gone && !end.broken {
            self.publish_end(channel, side, false);
        }
        self.free_channel_if_dead(channel);
    }

    /// Whether an end that its owner drops may still be reached by another core: its peer's core must not hear of it
    /// before that is over, as it may own the memory.
    pub(super) fn is_lent_end(&self, channel: u8, side: u8) -> bool {
        let end = &self.channels[channel as usize % CHANNELS].ends[side as usize & 1];
        let mut list = self.lending.list.iter();
        !end.broken
            && list.any(|e| e.holders != 0 && (e.channel, e.side) == (channel + 1, side & 1))
    }

    /// A bell for an entry: who borrowed an end rang its doorbell, or mapped it no longer.
    pub(super) fn heard_lent(&mut self, at: usize) {
        let Entry { object, channel, side, holders, closing, .. } = self.lending.list[at % LENT];
        if holders == 0 || closing || channel == 0 {
            return;
        }
        let over = self.all_mapped(at % LENT) == 0;
        let end = &mut self.channels[(channel - 1) as usize % CHANNELS].ends[side as usize & 1];
        if over && end.mapped == FAR_MAPPED && end.object == u32::from(object) {
            end.mapped = NONE;
        }
        self.signal_end(channel - 1, 1 - (side & 1));
    }
}

const _: () = assert!(FIBERS < u8::MAX as usize && DOMAINS < NONE as usize && CORES <= 8);
