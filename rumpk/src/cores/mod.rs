//! Several cores (LWKT style): each has a kernel of its own, with its fibers, domains, objects, memory and timer, which
//! nobody else writes.
//!
//! The boot core founds the others' kernels before it starts them, so that nothing in them is ever shared: what all read
//! (archive, manifest, addresses) is copied, and free memory is cut into equal parts. From then on cores talk by
//! messages and bells (crate `lane`), which [`Kernel::attend`] takes when another core called. A call on an object of another
//! core is one message and suspends the caller until the answer ([`ask`]); the object's home core serves it ([`serve`]).
//! A capability never names a foreign object itself but a local one of kind [`crate::object::Body::Far`], so that every
//! path that finds an object finds it on its own core, and the paths that count pay nothing for the other cores.
pub(crate) mod ask;
mod born;
mod borrow;
mod chain;
mod child;
pub(crate) mod ends;
mod family;
mod hand;
mod lend;
mod note;
mod parcel;
mod serve;
mod share;
mod wish;

pub use ask::{Asked, Use};
pub use born::FarParent;
pub use borrow::Loans;
pub use lend::Lending;
pub use share::{Home, Shared};

use crate::channel::Channel;
use crate::kernel::{CHANNELS, Kernel, NONE};
use abi::PAGE;
use abi::boot::Handoff;
use arch::{CORES, Machine};
pub(crate) use note::Note;
use note::kind;

/// Messages that one interrupt handles; what is left interrupts again, so that no stretch gets long.
const AT_ONCE: usize = 8;
/// From here on bells of a lane say that a channel's end changed; below, they are doorbells. Each by channel.
pub(crate) const CHANGED: usize = CHANNELS;

/// From here on: something about a lent object changed. By its place in its home's list.
pub(crate) const LENT_BELL: usize = 2 * CHANNELS;

const _: () = assert!(LENT_BELL + lend::LENT <= 64 * lane::BELLS);

impl<M: Machine> Kernel<M> {
    /// Makes `other`, all zeros, the kernel of core `core`. Its machine comes with the core itself.
    pub fn found(&mut self, other: &mut Self, core: u8, shared: &'static Shared) {
        self.shared = Some(shared);
        other.shared = Some(shared);
        other.core = core;
        other.isolated = self.isolated;
        other.places = self.places.clone();
        (other.current, other.domain, other.floating) = (NONE, NONE, NONE);
        (other.next_timer, other.armed) = (u64::MAX, u64::MAX);
        other.random = self.fork_random();
        other.singles();
        other.next_id = u32::from(core) << 24;
        self.share_memory(other);
        // Channels of the manifest have the same number on every core.
        for (to, from) in other.channels.iter_mut().zip(&self.channels) {
            let Channel { base, slots, buffer, number, .. } = *from;
            *to = Channel { base, slots, buffer, number, ends: from.ends.clone(), ..Channel::FREE };
        }
    }

    /// What boot left; `None` before [`Self::take_over`] or [`Self::found`].
    pub fn handoff(&self) -> Option<Handoff> {
        self.places.handoff
    }

    /// The other core's part of what was free at boot.
    fn share_memory(&mut self, other: &mut Self) {
        let (_, free) = self.places.free;
        let part = free / u64::from(self.places.cores) / PAGE as u64 * PAGE as u64;
        let base = self.memory.take(part).expect("a core's part of the free memory");
        other.memory.give(base, part);
        self.accounts.begin(part);
        other.accounts.begin(part);
    }

    /// A state for another core's random numbers that says nothing about our own.
    fn fork_random(&mut self) -> [u8; 32] {
        let fork = *blake3::Hasher::new_keyed(&self.random).update(b"fork").finalize().as_bytes();
        self.random =
            *blake3::Hasher::new_keyed(&self.random).update(b"next").finalize().as_bytes();
        fork
    }

    /// Sends a message to another core and calls it.
    pub(crate) fn post(&mut self, core: u8, note: &Note) {
        let Some(shared) = self.shared else { return };
        let (from, to) = (self.core as usize % CORES, core as usize % CORES);
        let sent = self.senders[to].send(&shared.lanes[from][to], &note.encode());
        // Its places are counted: see `note`.
        assert!(sent.is_ok(), "the lane to core {to} is full");
        self.call_core(core);
    }

    /// Rings a bell of another core; `false`: it was rung already.
    pub(crate) fn bell(&mut self, core: u8, number: usize) -> bool {
        let Some(shared) = self.shared else { return false };
        let (from, to) = (self.core as usize % CORES, core as usize % CORES);
        let rung = self.senders[to].ring(&shared.lanes[from][to], number);
        if rung {
            self.call_core(core);
        }
        rung
    }

    fn call_core(&mut self, core: u8) {
        let Some(shared) = self.shared else { return };
        if lane::call(&shared.desks[core as usize % CORES], self.core) {
            self.machine.call_core(core);
        }
    }

    /// Looks at what other cores sent: after each of their calls. `true`: there is more.
    pub(crate) fn attend(&mut self) -> bool {
        let Some(shared) = self.shared else { return false };
        lane::answer(&shared.desks[self.core as usize % CORES]);
        let (to, mut left) = (self.core as usize % CORES, AT_ONCE);
        for from in (0..CORES).filter(|&from| from != to) {
            let lane = &shared.lanes[from][to];
            // Messages first: a bell may be about what one of them says.
            while left > 0
                && let Some(message) = self.receivers[from].receive(lane)
            {
                let note = Note::decode(&message);
                // It may hash a record.
                let parts = if note.kind == kind::READ { AT_ONCE / 2 } else { 1 };
                left = left.saturating_sub(parts);
                self.handle_note(from as u8, &note, &message);
            }
            for word in 0..lane::BELLS {
                let bells = self.receivers[from].hear(lane, word);
                for bell in crate::schedule::places(bells) {
                    self.heard(word * 64 + bell);
                }
            }
        }
        left == 0
    }

    fn heard(&mut self, bell: usize) {
        if bell < CHANGED {
            self.heard_doorbell(bell as u8);
        } else if bell >= LENT_BELL {
            self.heard_lent(bell - LENT_BELL);
        } else {
            self.end_changed((bell - CHANGED) as u8);
        }
    }

    fn handle_note(&mut self, from: u8, note: &Note, message: &lane::Message) {
        match note.kind {
            kind::ANSWER => self.answered(from, note),
            kind::ENDED => self.child_ended(from, note),
            kind::ORPHAN => self.orphaned(note),
            kind::WATCH => self.watch(from, note),
            kind::SIGNAL => self.signalled(from, note),
            kind::AUDIT => self.audit_far(message),
            kind::POWER => self.close(note.word as usize, NONE),
            kind::GRANT => self.handed(note),
            kind::VOID => self.called_back(from, note),
            kind::VOIDED => self.given_back(from, note),
            _ => self.serve(from, note),
        }
    }
}

#[cfg(test)]
mod tests;
