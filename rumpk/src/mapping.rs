//! Who has which object mapped, so that taking a right away also takes the pages away.
//!
//! A window or memory lists the domains that mapped it, at most [`MAX_MAPPERS`]; an end of a channel has one side, so one
//! domain, and the channel remembers it. Whoever mapped through a capability that expires stands in a second list, by
//! time: a mapping must not outlive the capability, and nobody looks at a capability while its pages are used.
//!
//! What is kept is that a domain has pages of an object, not which: taking away removes the whole object there, and
//! a domain that maps through two capabilities loses both mappings at the earlier expiry. Who still may maps again
//! (decisions 0014 and 0023).
use crate::kernel::{CHANNELS, DOMAINS, Kernel, NONE, OBJECTS};
use crate::object::Body;
use crate::schedule::places;
use abi::call::Error;
use abi::cap::{MAX_MAPPERS, NEVER};
use arch::Machine;

/// The domains of this core that mapped an object, one bit each.
#[derive(Clone, Copy, Default, Debug, PartialEq, Eq)]
pub struct Mappers(u32);

const _: () = assert!(DOMAINS <= u32::BITS as usize);

impl Mappers {
    /// Nobody.
    pub const NONE: Self = Self(0);

    const fn bit(domain: u8) -> u32 {
        1 << (domain as u32 % u32::BITS)
    }
    pub const fn has(self, domain: u8) -> bool {
        self.0 & Self::bit(domain) != 0
    }
    /// How many they are.
    pub const fn count(self) -> u32 {
        self.0.count_ones()
    }
    /// Whether `domain` may be one of them, beside so many on other cores: `Full` if it would be the ninth.
    pub const fn check(self, domain: u8, elsewhere: u32) -> Result<(), Error> {
        if self.has(domain) || self.count() + elsewhere < MAX_MAPPERS as u32 {
            Ok(())
        } else {
            Err(Error::Full)
        }
    }
    pub const fn add(&mut self, domain: u8) {
        self.0 |= Self::bit(domain);
    }
    pub const fn remove(&mut self, domain: u8) {
        self.0 &= !Self::bit(domain);
    }
    pub fn iter(self) -> impl Iterator<Item = u8> {
        places(self.0.into()).map(|domain| domain as u8)
    }
}

/// Mappings of a core that end by themselves.
const LAPSES: usize = 64;

/// One of them.
#[derive(Clone, Copy)]
struct Lapse {
    /// Absolute, ns; 0: a free place.
    at: u64,
    object: u32,
    domain: u8,
}

/// Mappings through capabilities that expire.
pub struct Lapses {
    list: [Lapse; LAPSES],
    /// No entry is earlier; 0: there is none.
    next: u64,
}

impl Lapses {
    /// None.
    pub const NONE: Self = Self { list: [Lapse { at: 0, object: 0, domain: 0 }; LAPSES], next: 0 };

    /// When the next one ends, ns; `u64::MAX` if there is none.
    pub const fn next(&self) -> u64 {
        if self.next == 0 { u64::MAX } else { self.next }
    }

    fn find(&self, object: u32, domain: u8) -> Option<usize> {
        let same = |l: &Lapse| l.at != 0 && (l.object, l.domain) == (object, domain);
        self.list.iter().position(same)
    }

    /// Where a mapping of `domain` that ends may be noted; `Full` if nowhere.
    fn room(&self, object: u32, domain: u8) -> Result<usize, Error> {
        let free = || self.list.iter().position(|l| l.at == 0);
        self.find(object, domain).or_else(free).ok_or(Error::Full)
    }

    fn add(&mut self, at: u64, object: u32, domain: u8) {
        // Asked for before the pages were mapped.
        let Ok(place) = self.room(object, domain) else { return };
        let before = self.list[place].at;
        let at = if before == 0 { at } else { at.min(before) };
        self.list[place] = Lapse { at, object, domain };
        self.next = self.next().min(at);
    }

    fn remove(&mut self, object: u32, domain: u8) {
        // The usual case: nothing that is mapped ever ends.
        if self.next == 0 {
            return;
        }
        if let Some(place) = self.find(object, domain) {
            self.list[place].at = 0;
            self.next = self.list.iter().map(|l| l.at).filter(|&at| at != 0).min().unwrap_or(0);
        }
    }

    fn due(&self, now: u64) -> Option<(u32, u8)> {
        let due = self.list.iter().find(|l| l.at != 0 && l.at <= now)?;
        Some((due.object, due.domain))
    }
}

impl<M: Machine> Kernel<M> {
    /// Whether the current domain may map `object` through a capability that ends at `expiry`: `Full` for the ninth
    /// domain, and where no more mappings that end can be noted.
    pub(crate) fn check_mapping(&self, object: u32, expiry: u64) -> Result<(), Error> {
        let elsewhere = self.far_mappers(object);
        self.mappers[object as usize % OBJECTS].check(self.domain, elsewhere)?;
        if expiry != NEVER {
            self.lapses.room(object, self.domain)?;
        }
        Ok(())
    }

    /// Notes a mapping of the current domain that [`Self::check_mapping`] allowed.
    pub(crate) fn note_mapping(&mut self, object: u32, expiry: u64) {
        if !matches!(self.body(object), Body::End { .. }) {
            self.mappers[object as usize % OBJECTS].add(self.domain);
        }
        if expiry != NEVER {
            self.lapses.add(expiry, object, self.domain);
            self.note_timer(expiry);
            // The timer that is armed may be later.
            self.reconsider = true;
        }
    }

    /// Whether `domain` has pages of `object`.
    pub(crate) fn maps(&self, object: u32, domain: u8) -> bool {
        match self.body(object) {
            Body::End { channel, side } => {
                let channel = &self.channels[channel as usize % CHANNELS];
                domain != NONE && channel.ends[side as usize & 1].mapped == domain
            }
            _ => self.mappers[object as usize % OBJECTS].has(domain),
        }
    }

    /// Removes whatever `domain` mapped of an object; the invalidation is complete on return.
    pub(crate) fn unmap_object(&mut self, object: u32, domain: u8) {
        if !self.maps(object, domain) {
            return;
        }
        match self.body(object) {
            Body::End { channel, side } => self.channel_unmap(channel, side),
            Body::Device { base, len } | Body::Memory { base, len } => {
                self.unmap_pages(domain, base, len);
            }
            Body::Far(_) => self.unmap_far(object, domain),
            _ => {}
        }
        self.forget_mapping(object, domain);
    }

    /// Removes whatever anybody mapped of an object. At most [`MAX_MAPPERS`] domains, whatever the number of copies.
    pub(crate) fn unmap_everywhere(&mut self, object: u32) {
        if let Body::End { channel, side } = self.body(object) {
            let channel = &self.channels[channel as usize % CHANNELS];
            self.unmap_object(object, channel.ends[side as usize & 1].mapped);
            return;
        }
        for domain in self.mappers[object as usize % OBJECTS].iter() {
            self.unmap_object(object, domain);
        }
    }

    /// The pages of `object` are gone from `domain`, or its whole space is about to go.
    pub(crate) fn forget_mapping(&mut self, object: u32, domain: u8) {
        if let Body::Far(_) = self.body(object) {
            self.forget_far_mapping(object, domain);
        }
        self.mappers[object as usize % OBJECTS].remove(domain);
        self.lapses.remove(object, domain);
        if let Body::End { channel, side } = self.body(object) {
            let end = &mut self.channels[channel as usize % CHANNELS].ends[side as usize & 1];
            if end.mapped == domain {
                end.mapped = NONE;
            }
        }
    }

    /// Removes the mappings whose capability expired.
    pub(crate) fn lapse(&mut self, now: u64) {
        while self.lapses.next() <= now {
            let Some((object, domain)) = self.lapses.due(now) else { return };
            self.unmap_object(object, domain);
            // Also where the pages were gone already.
            self.lapses.remove(object, domain);
        }
    }
}
