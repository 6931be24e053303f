//! Requests of other cores' fibers, served at the home of what they are about.
//!
//! The fiber whose registers this core holds has nothing to do with them: nothing here may look at the current fiber
//! or touch its memory.
use super::note::{Note, kind};
use crate::kernel::{FIBERS, Kernel, OBJECTS};
use crate::object::{Body, Stop, single};
use abi::call::{Error, MESSAGE_MIN, op, want};
use abi::ring::Slot;
use abi::stats::{CLASS_POSTMORTEM, state};
use arch::Machine;

impl<M: Machine> Kernel<M> {
    /// An operation on the fiber in `place` that another core's fiber asked for.
    fn operate_for(&mut self, place: usize, operation: usize) -> Result<(), Stop> {
        match operation {
            op::FIBER_KILL => self.kill_fiber(place)?,
            op::FIBER_BLINK => {
                self.may_blink(place)?;
                self.kill_fiber(place)?;
            }
            op::FIBER_RELEASE => {
                self.release(place)?;
            }
            _ => return Err(Error::BadCall.into()),
        }
        Ok(())
    }

    /// Serves a request and answers it.
    pub(super) fn serve(&mut self, from: u8, note: &Note) {
        let answer = match note.kind {
            kind::SPAWN => self.serve_spawn(from, note),
            kind::STATS => self.serve_stats(from, note),
            kind::MAP => self.serve_map(from, note),
            kind::APPEND | kind::READ | kind::NEXT => self.serve_chain(from, note),
            _ => self.serve_object(from, note).map(|value| (value, 0)),
        };
        let (status, a, b) = match answer {
            Ok((a, b)) => (0, a, b),
            Err(Stop::Error(error)) => (error as i32, 0, 0),
            Err(_) => (Error::Unsupported as i32, 0, 0),
        };
        let (kind, word) = (kind::ANSWER, status as u32);
        self.post(from, &Note { kind, word, a, b, ..*note });
    }

    /// The object that a message names, if it is still that one.
    pub(super) fn object_of(&self, note: &Note) -> Result<(u32, Body), Error> {
        let object = &self.objects[note.object as usize % OBJECTS];
        if object.epoch != note.epoch || object.is_free() {
            return Err(Error::Revoked);
        }
        Ok((note.object, object.body))
    }

    fn serve_map(&mut self, from: u8, note: &Note) -> Result<(u64, u64), Stop> {
        let (object, body) = self.object_of(note)?;
        Ok((self.allow_mapping(from, object, body)?, super::lend::CONSENT))
    }

    fn serve_object(&mut self, from: u8, note: &Note) -> Result<u64, Stop> {
        let parcel = self.parcel(from, note.place).ok_or(Error::Gone)?;
        let mut message = Slot::zeroed();
        match (note.kind, self.object_of(note)?.1) {
            (kind::OPERATE, Body::Fiber { place }) => {
                self.operate_for(place as usize, note.word as usize)?;
                return Ok(0);
            }
            (kind::TAKE_END, Body::Fiber { place }) => {
                self.end_of(place as usize, &mut message)?;
                if note.word != 0 {
                    self.reap(place as usize);
                }
            }
            (kind::SEND, Body::End { channel, side }) => {
                let mut bytes = [0; Slot::SIZE];
                parcel.get(0, &mut bytes);
                let message = Slot::decode(&bytes).ok_or(Error::BadCall)?;
                self.channel_send(channel, side, &message)?;
                return Ok(0);
            }
            (kind::RECEIVE, Body::End { channel, side }) => {
                self.channel_recv(channel, side, &mut message)?;
            }
            (kind::RECEIVE, Body::Irq { .. }) => self.take_latch(note.object)?,
            (kind::OPERATE, Body::Irq { intid }) if note.word as usize == op::IRQ_UNMASK => {
                // The line is its owner's, who pays for what it brings.
                let owner = self.objects[note.object as usize % OBJECTS].owner;
                self.unmask(note.object, intid, owner);
                return Ok(0);
            }
            _ => return Err(Error::BadCall.into()),
        }
        parcel.put(0, &message.encode());
        Ok(MESSAGE_MIN as u64 + u64::from(message.len))
    }

    fn serve_stats(&mut self, from: u8, note: &Note) -> Result<(u64, u64), Stop> {
        let parcel = self.parcel(from, note.place).ok_or(Error::Gone)?;
        let (class, place) = (note.word, note.a as usize % FIBERS);
        if class == CLASS_POSTMORTEM && note.b == 0 && !self.is_far_kin(place, note.fiber) {
            return Err(Error::Denied.into());
        }
        let mut record = [0; 256];
        let len = self.stats_record(note.word, note.a as usize, &mut record)?;
        parcel.put(0, &record[..len]);
        Ok((len as u64, 0))
    }

    /// Another core waits for this object: it is told now, or when it is signalled.
    pub(super) fn watch(&mut self, from: u8, note: &Note) {
        if note.object == single::AUDIT {
            return self.chain_watched(from, note.a);
        }
        let wants = note.word as u8;
        let got = match self.object_of(note) {
            Ok((index, Body::End { channel, side })) => {
                let index = index as usize % OBJECTS;
                // As for a fiber of ours, but that none of them is to be woken.
                let waiters = self.objects[index].waiters;
                let got = self.probe_end(index, channel, side, wants, 0);
                self.objects[index].waiters = waiters;
                got
            }
            Ok((index, Body::Irq { .. })) => {
                let rung = self.take_latch(index).is_ok();
                if rung { wants & (want::READABLE | want::EVENT) } else { 0 }
            }
            Ok((_, Body::Fiber { place })) => {
                let ended = self.fibers[place as usize].state == state::ENDED;
                if ended { wants & (want::READABLE | want::EVENT) } else { 0 }
            }
            _ => want::DEAD,
        };
        if got == 0 {
            self.objects[note.object as usize % OBJECTS].watchers |= 1 << from;
        } else {
            self.tell(from, note.object, note.epoch, got);
        }
    }

    /// The cores that watch a signalled object look again.
    #[cold]
    pub(crate) fn tell_watchers(&mut self, object: u32) {
        let place = &mut self.objects[object as usize % OBJECTS];
        let (watchers, epoch) = (core::mem::take(&mut place.watchers), place.epoch);
        for core in crate::schedule::places(watchers.into()) {
            self.tell(core as u8, object, epoch, 0);
        }
    }

    fn tell(&mut self, core: u8, object: u32, epoch: u32, got: u8) {
        let note = Note { kind: kind::SIGNAL, word: got.into(), object, epoch, ..Note::default() };
        self.post(core, &note);
    }
}
