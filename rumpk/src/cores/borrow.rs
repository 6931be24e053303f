//! What this core's domains have of other cores' objects: the borrower's side of [`super::lend`].
//!
//! All capabilities here to one object of another core, in one epoch, name one local object of kind
//! [`Body::Far`] that is nobody's; its loan counts them, and goes with the last one or when its home calls it back. So depth, verbs,
//! range, expiry, pledge and epoch of such a capability are looked at here as of any other, and what is done with it is asked of
//! its home, which looks at the epoch only. A mapping needs the home's leave, as at most eight domains may have one; where
//! a domain has it, its bit stands in the object's [`crate::mapping::Mappers`], as everywhere.
use super::LENT_BELL;
use super::ask::{Asked, Use};
use super::lend::{CONSENT, Facts, LENT};
use super::note::{Note, kind};
use super::share::Home;
use crate::channel::Channel;
use crate::kernel::{DOMAINS, FIBERS, Kernel, NONE, OBJECTS};
use crate::object::{Answer, Body, Far, FarKind, Object, Stop};
use abi::call::{Error, MapInfo};
use abi::cap::{R, W};
use arch::{CORES, Machine, Memory};
use cap::Cap;
use core::sync::atomic::Ordering;

/// One object of another core.
#[derive(Clone, Copy)]
struct Loan {
    /// Our object for it; 0: a free place.
    object: u32,
    /// Capabilities to it, in slots and on their way.
    count: u32,
    home: u8,
    /// Of a channel, as its home said with the last leave to map.
    generation: u32,
    facts: Facts,
}

/// What is borrowed.
pub struct Loans {
    list: [Loan; LENT],
    used: u8,
}

impl Loans {
    const FREE: Loan = Loan {
        object: 0,
        count: 0,
        home: 0,
        generation: 0,
        facts: Facts {
            kind: FarKind::Fiber,
            entry: 0,
            side: 0,
            slots: 0,
            buffer: 0,
            base: 0,
            len: 0,
            pledge: 0,
        },
    };
    /// Nothing.
    pub const NONE: Self = Self { list: [Self::FREE; LENT], used: 0 };

    /// Objects borrowed.
    #[cfg(test)]
    pub fn used(&self) -> usize {
        self.list.iter().filter(|loan| loan.object != 0).count().max(self.used.into())
    }

    fn find(&self, object: u32) -> Option<usize> {
        if self.used == 0 || object == 0 {
            return None;
        }
        self.list.iter().position(|loan| loan.object == object)
    }
}

impl<M: Machine> Kernel<M> {
    /// Our object for one of another core.
    fn loan_of(&self, home: Home) -> Option<usize> {
        self.loans.list.iter().position(|loan| {
            loan.object != 0 && matches!(self.body(loan.object), Body::Far(far) if far.home == home)
        })
    }

    /// Our object for what a capability from another core names, new if there is none yet.
    pub(super) fn borrow(&mut self, home: Home, facts: Facts) -> Result<u32, Error> {
        if let Some(at) = self.loan_of(home) {
            return Ok(self.loans.list[at].object);
        }
        let at = self.loans.list.iter().position(|l| l.object == 0).ok_or(Error::Full)?;
        let far = Body::Far(Far::of(facts.kind, home));
        let object = self.new_object(Object::new(far, NONE, facts.pledge))?;
        self.loans.list[at] = Loan { object, home: home.core, facts, ..Loans::FREE };
        self.loans.used += 1;
        Ok(object)
    }

    /// One capability more.
    pub(crate) fn count_loan(&mut self, object: u32) {
        if let Some(at) = self.loans.find(object) {
            self.loans.list[at].count += 1;
        }
    }

    /// One capability less: with the last one goes what it named.
    #[inline(always)]
    pub(crate) fn let_go(&mut self, cap: &Cap) {
        if self.loans.used != 0 {
            self.let_loan_go(cap);
        }
    }

    /// The same for what left a channel.
    pub(crate) fn let_all_go(&mut self, caps: &[Cap]) {
        for cap in caps {
            self.let_go(cap);
        }
    }

    #[cold]
    fn let_loan_go(&mut self, cap: &Cap) {
        let current = self.objects[cap.object as usize % OBJECTS].epoch == cap.epoch;
        if !cap.is_empty()
            && current
            && let Some(at) = self.loans.find(cap.object)
        {
            let count = &mut self.loans.list[at].count;
            *count = count.saturating_sub(1);
            self.end_unused(cap.object);
        }
    }

    /// Ends the loan of an object that no capability names.
    pub(super) fn end_unused(&mut self, object: u32) {
        if let Some(at) = self.loans.find(object)
            && self.loans.list[at].count == 0
        {
            self.end_loan(at);
        }
    }

    /// All capabilities of a fiber go.
    pub(crate) fn clear_slots(&mut self, place: usize) {
        if self.loans.used != 0 {
            for slot in 0..abi::cap::SLOTS {
                if let Ok(cap) = self.fibers[place % FIBERS].caps.take(slot) {
                    self.let_go(&cap);
                }
            }
        }
        self.fibers[place % FIBERS].caps.clear();
    }

    fn end_loan(&mut self, at: usize) {
        let object = self.loans.list[at].object;
        self.unmap_everywhere(object);
        self.free_object(object);
        self.loans.list[at] = Loans::FREE;
        self.loans.used -= 1;
    }

    /// The home of something calls it back: every capability to it is void, its pages are gone, and the home is told.
    pub(super) fn called_back(&mut self, from: u8, note: &Note) {
        let home = Home { core: from, object: note.object as u16, epoch: note.epoch };
        if let Some(at) = self.loan_of(home) {
            self.end_loan(at);
        }
        let (entry, allowed) = (note.word as usize % LENT, (note.word >> 8) as u8);
        if let Some(shared) = self.shared {
            // Leaves that are still on their way find their loan gone, and end nothing any more.
            let ended = &shared.ended[self.core as usize % CORES][from as usize % CORES][entry];
            ended.store(allowed, Ordering::Release);
        }
        let word = entry as u32;
        self.post(from, &Note { kind: kind::VOIDED, word, ..Note::default() });
    }

    /// One mapping that the home allowed is over, or was never made.
    fn mapping_over(&mut self, at: usize) {
        let Loan { home, facts, .. } = self.loans.list[at];
        self.count_ended(home, facts.entry as usize % LENT);
    }

    fn count_ended(&mut self, home: u8, entry: usize) {
        let Some(shared) = self.shared else { return };
        let own = self.core as usize % CORES;
        let ended = &shared.ended[own][home as usize % CORES][entry];
        ended.store(ended.load(Ordering::Relaxed).wrapping_add(1), Ordering::Release);
        // An end may be mapped by others again.
        self.bell(home, LENT_BELL + entry);
    }

    /// `domain` has no pages of a far object any more.
    #[cold]
    pub(crate) fn forget_far_mapping(&mut self, object: u32, domain: u8) {
        if self.mappers[object as usize % OBJECTS].has(domain)
            && let Some(at) = self.loans.find(object)
        {
            self.mapping_over(at);
        }
    }

    /// Takes the pages of a far object from `domain`.
    pub(crate) fn unmap_far(&mut self, object: u32, domain: u8) {
        if let Some(at) = self.loans.find(object) {
            let Facts { base, len, .. } = self.loans.list[at].facts;
            self.unmap_pages(domain, base, len);
        }
    }

    /// An answer that allows a mapping came too late: the fiber that asked is gone, and maybe the loan with it. A call back
    /// comes behind it on the same lane, so that the home still counts it.
    pub(super) fn refuse_mapping(&mut self, from: u8, note: &Note) {
        if note.word == 0 && note.b == CONSENT {
            self.count_ended(from, (note.a >> 32) as usize % LENT);
        }
    }

    /// Rings the peer of a borrowed end, through its home. `false`: it is rung already.
    pub(crate) fn ring_far(&mut self, object: u32) -> Result<bool, Error> {
        let at = self.loans.find(object).ok_or(Error::BadCall)?;
        let Loan { home, facts, .. } = self.loans.list[at];
        if facts.kind != FarKind::End {
            return Err(Error::BadCall);
        }
        Ok(self.bell(home, LENT_BELL + facts.entry as usize % LENT))
    }

    /// `map` of something of another core; `None`: it was unmapped.
    pub(crate) fn map_far(
        &mut self,
        cap: &Cap,
        args: &[usize; 6],
    ) -> Result<Option<MapInfo>, Stop> {
        let [_, offset, len, perms, ..] = *args;
        // An end that is only lent as a console has no loan.
        let at = self.loans.find(cap.object).ok_or(Error::BadCall)?;
        let Loan { facts, .. } = self.loans.list[at];
        let memory = match facts.kind {
            FarKind::Memory => Memory::Normal,
            FarKind::Device => Memory::Device,
            FarKind::End if (offset, len) == (0, 0) => Memory::Normal,
            _ => return Err(Error::BadCall.into()),
        };
        let is_end = facts.kind == FarKind::End;
        if is_end && perms == 0 {
            self.channel_unmap_own(cap.object)?;
            return Ok(None);
        }
        if is_end && perms != (R | W) as usize {
            return Err(Error::Denied.into());
        }
        if perms != 0 {
            self.check_mapping(cap.object, cap.expiry)?;
            if !self.maps(cap.object, self.domain) {
                return Err(self.ask_mapping(cap.object, args));
            }
        }
        if is_end { self.map_far_end(at) } else { self.map_window(cap, facts.base, memory, args) }
            .map(Some)
            .map_err(Stop::from)
    }

    fn ask_mapping(&mut self, object: u32, args: &[usize; 6]) -> Stop {
        let Body::Far(Far { home, .. }) = self.body(object) else { return Error::BadCall.into() };
        let Some(parcel) = self.parcel(self.core, self.current) else { return Error::Gone.into() };
        for (n, arg) in args.iter().enumerate() {
            parcel.put_word(n * 8, *arg as u64);
        }
        let epoch = self.objects[object as usize % OBJECTS].epoch;
        let asked = Asked { how: Use::Map, object, len: epoch, ..Asked::NONE };
        match self.ask_core(home.core, home.note(kind::MAP), asked) {
            Err(stop) => stop,
            Ok(_) => Error::Gone.into(),
        }
    }

    /// The home allowed the mapping that the current fiber asked for: it is made now, if it still may be.
    pub(super) fn mapping_allowed(&mut self, asked: &Asked) -> Answer {
        let object = asked.object;
        if self.objects[object as usize % OBJECTS].epoch != asked.len {
            return Err(Error::Revoked.into());
        }
        let at = self.loans.find(object).ok_or(Error::Revoked)?;
        self.loans.list[at].generation = asked.value as u32;
        let had = self.mappers[object as usize % OBJECTS].has(self.domain);
        if had {
            // Another fiber of the domain was quicker, and one leave is enough.
            self.mapping_over(at);
        } else {
            self.mappers[object as usize % OBJECTS].add(self.domain);
        }
        let parcel = self.parcel(self.core, self.current).ok_or(Error::Gone)?;
        let args = core::array::from_fn(|n| parcel.word(n * 8) as usize);
        let answer = self.map(&args);
        if answer.is_err() && !had {
            self.unmap_object(object, self.domain);
        }
        answer
    }

    fn map_far_end(&mut self, at: usize) -> Result<MapInfo, Error> {
        let Loan { object, facts, generation, .. } = self.loans.list[at];
        let Facts { base, slots, buffer, .. } = facts;
        let channel = Channel { base, slots, buffer, generation, ..Channel::FREE };
        for (address, len, perms) in channel.views(facts.side) {
            if let Err(error) = self.map_pages(address, len, perms, Memory::Normal) {
                self.unmap_object(object, self.domain);
                return Err(error);
            }
        }
        Ok(channel.info(facts.side))
    }
}

const _: () = assert!(DOMAINS <= 32);
