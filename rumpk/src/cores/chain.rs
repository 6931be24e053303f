//! The audit chain from other cores than its home, core 0, which alone writes and reads it.
//!
//! To append and to read is one message each, with the record in the caller's parcel. A fiber's share of records is
//! counted where the fiber is: what it is refused costs core 0 nothing, and its number goes there with the next record,
//! whosever it is. Who waits for a record is told once how far the chain is; then its core has to ask again.
use super::ask::{Asked, Use};
use super::note::{Note, kind};
use super::share::Home;
use crate::kernel::{FIBERS, Kernel};
use crate::object::{Answer, Stop, single};
use abi::boot::virt;
use abi::call::{Error, MESSAGE_MIN};
use abi::prov::{ProvRecord, kind as record};
use arch::{Machine, UserAddr};
use prov::{BYTES, Entry};

/// Home of the chain.
const HOME: u8 = 0;
/// Records that one message may make core 0 hash. It hashes the rest when it is idle, or for the next message.
const HASH_MAX: u64 = 1;

impl<M: Machine> Kernel<M> {
    /// Whether the chain's home is another core.
    pub(crate) fn chain_is_far(&self) -> bool {
        self.core != HOME
    }

    /// Application records that were refused here and that core 0 does not know of; from now on it does.
    pub(super) fn refused_here(&mut self) -> u64 {
        core::mem::take(&mut self.counters.audits_refused)
    }

    /// An application record of the current fiber goes to core 0. Value: its number; of a message (`mute`) 0.
    pub(crate) fn append_far(&mut self, entry: &Entry, mute: bool) -> Answer {
        let parcel = self.parcel(self.core, self.current).ok_or(Error::Gone)?;
        parcel.put(0, &entry.data);
        let note = Note {
            kind: kind::APPEND,
            word: entry.status as u32,
            object: entry.object,
            epoch: mute.into(),
            a: self.refused_here(),
            ..Note::default()
        };
        self.audit_charge();
        self.ask_core(HOME, note, Asked::NONE)
    }

    /// READ: at most `most` records from number `first` on.
    pub(crate) fn read_far(&mut self, first: u64, most: usize, buf: UserAddr) -> Answer {
        let note = Note { kind: kind::READ, a: first, b: most as u64, ..Note::default() };
        let len = (most * ProvRecord::SIZE) as u32;
        self.ask_core(HOME, note, Asked { how: Use::Copy, buf, len, ..Asked::NONE })
    }

    /// `recv`: the next record that this fiber has not received.
    pub(crate) fn next_far(&mut self, buf: UserAddr, len: usize) -> Result<(), Stop> {
        let note = Note { kind: kind::NEXT, a: self.fiber().audit.next, ..Note::default() };
        let asked = Asked { how: Use::Record, buf, len: len as u32, ..Asked::NONE };
        self.ask_core(HOME, note, asked).map(|_| ())
    }

    /// POWER: the chain's home seals and switches off. There is no answer: the caller waits for good.
    pub(crate) fn power_far(&mut self, operation: usize) -> Answer {
        let note = Note { kind: kind::POWER, word: operation as u32, ..Note::default() };
        self.ask_core(HOME, note, Asked::NONE)
    }

    /// Serves a request about the chain.
    pub(super) fn serve_chain(&mut self, from: u8, note: &Note) -> Result<(u64, u64), Stop> {
        let parcel = self.parcel(from, note.place).ok_or(Error::Gone)?;
        match note.kind {
            _ if self.chain_is_far() => Err(Error::BadCall.into()),
            kind::APPEND => {
                let mut data = [0; 32];
                parcel.get(0, &mut data);
                let status = note.word as i32;
                let entry = self.entry(record::APPLICATION, note.fiber, note.object, status, &data);
                self.chain.drop_many(note.a);
                let seq = self.audit_application(&entry)?;
                Ok((if note.epoch == 0 { seq } else { 0 }, 0))
            }
            kind::READ => {
                let first = note.a.max(self.chain.oldest());
                if first >= self.chain.next() {
                    return Err(Error::Empty.into());
                }
                let memory = self.machine.bytes(virt::PROVCHAIN, BYTES);
                if self.chain.record(memory, first).is_none() {
                    self.audit_hash(HASH_MAX);
                }
                let memory = self.machine.bytes(virt::PROVCHAIN, BYTES);
                let mut len = 0;
                for seq in (first..).take(note.b as usize) {
                    let Some(record) = self.chain.record(memory, seq) else { break };
                    parcel.put(len, record);
                    len += ProvRecord::SIZE;
                }
                Ok((len as u64, 0))
            }
            _ => {
                let (message, seq) = self.notice_of(note.a)?;
                parcel.put(0, &message.encode());
                Ok((MESSAGE_MIN as u64 + u64::from(message.len), seq + 1))
            }
        }
    }

    /// The fiber in `place` received a record: it has all before number `next`.
    pub(super) fn received(&mut self, place: usize, next: u64) {
        self.fibers[place % FIBERS].audit.next = next;
    }

    /// A fiber here waits for a record: core 0 tells when there is one that this core does not know of.
    pub(crate) fn watch_chain(&mut self) {
        if !core::mem::replace(&mut self.seals.watching, true) {
            let note =
                Home { core: HOME, object: single::AUDIT as u16, epoch: 0 }.note(kind::WATCH);
            self.post(HOME, &Note { a: self.seals.heard, ..note });
        }
    }

    /// Core `from` knows the chain up to record `known`.
    pub(super) fn chain_watched(&mut self, from: u8, known: u64) {
        self.seals.watchers |= 1 << from;
        if self.chain.next() > known {
            self.tell_chain();
        }
    }

    /// Tells the cores where fibers wait for a record how far the chain is.
    #[cold]
    pub(crate) fn tell_chain(&mut self) {
        let note = Note { a: self.chain.next(), ..self.home_of(single::AUDIT).note(kind::SIGNAL) };
        for core in crate::schedule::places(core::mem::take(&mut self.seals.watchers).into()) {
            self.post(core as u8, &note);
        }
    }

    /// The chain has all records before number `next`.
    pub(super) fn chain_grew(&mut self, next: u64) {
        (self.seals.heard, self.seals.watching) = (next, false);
        let readers = core::mem::take(&mut self.seals.readers);
        self.wake_all(readers);
    }
}
