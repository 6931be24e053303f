//! A fiber's call on something of another core: one message, and the fiber waits for the answer.
//!
//! It waits as in `wait`, but for nothing that it could name: [`FAR`] stands where the number of entries would. The
//! answer is noted when it comes, and becomes the call's result when the fiber runs, as only then its memory is there to
//! be written.
use super::note::{Note, kind};
use super::share::Home;
use crate::kernel::{FIBERS, Kernel, OBJECTS};
use crate::object::{Answer, Body, FarKind, Stop, single};
use abi::call::{Error, want};
use abi::ring::Slot;
use abi::stats::state;
use arch::{Frame, Machine, UserAddr};

/// Entries of a wait for an answer.
pub const FAR: u8 = 0xFE;
const _: () = assert!(FAR != crate::fiber::HELD && FAR as usize > abi::call::WAIT_MAX);

/// Bytes of an answer that are copied at once.
const PIECE: usize = 256;

/// What becomes of the answer.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Use {
    /// Status and value are the result.
    #[default]
    Plain,
    /// The parcel's first bytes go to the buffer.
    Copy,
    /// So do those of a message, and its length is the value. Of a child that ended the capability in `slot` goes.
    Message,
    /// A child is there: its capability and its channel's go into their slots.
    Child,
    /// As `Message`; `b` of the answer is how far the fiber has the audit chain.
    Record,
    /// A capability was parked.
    Grant,
    /// `object`, in epoch `len`, may be mapped.
    Map,
}

/// A call under way.
#[derive(Clone, Copy)]
#[allow(clippy::struct_excessive_bools, reason = "independent facts about one call")]
pub struct Asked {
    /// The answer is still to come: the fiber's place is not free before.
    pub pending: bool,
    /// It came, and its result is to be written.
    pub done: bool,
    /// The fiber ended meanwhile and its place waits for the answer.
    pub orphan: bool,
    /// An instance asked that is dead: the next one does not start before the answer came.
    pub stale: bool,
    pub how: Use,
    pub core: u8,
    /// Slot concerned; for a child also its channel's.
    pub slot: u8,
    pub channel_slot: u8,
    /// Our far object of the child that is being started.
    pub object: u32,
    pub buf: UserAddr,
    pub len: u32,
    pub status: i32,
    pub value: u64,
}

impl Asked {
    pub const NONE: Self = Self {
        pending: false,
        done: false,
        orphan: false,
        stale: false,
        how: Use::Plain,
        core: 0,
        slot: 0,
        channel_slot: 0,
        object: 0,
        buf: UserAddr(0),
        len: 0,
        status: 0,
        value: 0,
    };
}

impl<M: Machine> Kernel<M> {
    /// Sends `note` to its object's home and suspends the current fiber.
    pub(crate) fn ask_core(&mut self, core: u8, note: Note, asked: Asked) -> Answer {
        self.ask_through(core, core, note, asked)
    }

    /// The same where core `via` passes it on to the one that answers.
    pub(super) fn ask_through(&mut self, via: u8, core: u8, note: Note, asked: Asked) -> Answer {
        let (place, fiber) = (self.current, self.fiber().id);
        self.post(via, &Note { place, fiber, ..note });
        self.suspend(core, asked)
    }

    /// Suspends the current fiber until core `core` answers.
    pub(super) fn suspend(&mut self, core: u8, asked: Asked) -> Answer {
        let place = self.current;
        let fiber = self.fiber_mut();
        fiber.asked = Asked { pending: true, core, ..asked };
        let wait = &mut fiber.wait;
        (wait.count, wait.active, wait.timed_out) = (FAR, true, false);
        (wait.deadline, wait.lapse) = (u64::MAX, 0);
        fiber.state = state::WAITING;
        self.unready(place as usize);
        Err(Stop::Later)
    }

    /// The answer to a fiber's call.
    pub(super) fn answered(&mut self, from: u8, note: &Note) {
        let place = note.place as usize % FIBERS;
        let fiber = &mut self.fibers[place];
        let asked = &mut fiber.asked;
        if !asked.pending || asked.core != from || fiber.id != note.fiber {
            self.refuse_mapping(from, note);
            return;
        }
        let domain = fiber.domain;
        let (orphan, stale) = (core::mem::take(&mut asked.orphan), asked.stale);
        (asked.pending, asked.done) = (false, !orphan && !stale);
        (asked.status, asked.value) = (note.word as i32, note.a);
        let asked = *asked;
        match asked.how {
            Use::Child => self.child_started(from, &asked, note),
            Use::Record if asked.done && asked.status == 0 => self.received(place, note.b),
            Use::Grant if asked.status == 0 => self.handed_over(place as u8, &asked, note.a),
            Use::Map if stale || self.is_ending(domain) || !self.fibers[place].is_alive() => {
                self.refuse_mapping(from, note);
            }
            _ => {}
        }
        if orphan {
            self.fibers[place].state = 0;
        } else if stale {
            self.fibers[place].asked = Asked::NONE;
            self.go_on(self.fibers[place].domain);
        } else {
            self.wake(place);
        }
    }

    /// Whether the place of a fiber that ended has to be kept until an answer comes.
    pub(crate) fn is_asking(&mut self, place: usize) -> bool {
        let asked = &mut self.fibers[place].asked;
        asked.orphan |= asked.pending;
        asked.done = false;
        asked.pending
    }

    /// What the next instance in a fiber's place has to wait for: the parcel is the other core's until it answered, and the
    /// answer is for nobody any more.
    pub(crate) fn stale(asked: &Asked) -> Asked {
        if asked.pending { Asked { stale: true, ..*asked } } else { Asked::NONE }
    }

    /// Writes the result of the current fiber's call; `false`: the answer is not there yet.
    pub(crate) fn finish_ask(&mut self) -> bool {
        let asked = self.fiber().asked;
        if !asked.done {
            return false;
        }
        self.fiber_mut().asked = Asked::NONE;
        self.fiber_mut().wait.active = false;
        let mut result = (asked.status as isize, asked.value as usize);
        if asked.status == 0 {
            match self.take_answer(&asked) {
                Ok(value) => result.1 = value,
                Err(Stop::Error(error)) => result = (error as isize, 0),
                // Given up meanwhile.
                Err(_) => result = (Error::Denied as isize, 0),
            }
        }
        self.fiber_mut().frame.set_result(result.0, result.1);
        // Of a wait that ends at once the value is taken from here.
        self.fiber_mut().wait.count = result.1 as u8;
        true
    }

    fn take_answer(&mut self, asked: &Asked) -> Answer {
        let mut bytes = [0; PIECE];
        let parcel = self.parcel(self.core, self.current).ok_or(Error::Gone)?;
        match asked.how {
            Use::Plain => return Ok(asked.value as usize),
            Use::Grant => return Ok(0),
            Use::Map => return self.mapping_allowed(asked),
            Use::Child => return self.take_child(asked),
            Use::Copy | Use::Message | Use::Record => {}
        }
        let whole = if asked.how == Use::Copy { asked.value as usize } else { Slot::SIZE };
        let len = (asked.len as usize).min(whole);
        for at in (0..len).step_by(PIECE) {
            let piece = &mut bytes[..PIECE.min(len - at)];
            parcel.get(at, piece);
            let to = asked.buf.0.checked_add(at as u64).ok_or(Error::BadAddress)?;
            self.copy_out_words(UserAddr(to), piece)?;
        }
        if asked.how != Use::Copy {
            if asked.slot != 0 {
                self.forget_child(asked.slot);
            }
            return Ok((asked.value as usize).min(len));
        }
        Ok(whole)
    }

    /// `send` on something of another core.
    pub(crate) fn send_far(&mut self, home: Home, kind: FarKind, message: &Slot) -> Answer {
        if kind != FarKind::End {
            return Err(Error::BadCall.into());
        }
        let parcel = self.parcel(self.core, self.current).ok_or(Error::Gone)?;
        parcel.put(0, &message.encode());
        self.ask_core(home.core, home.note(kind::SEND), Asked::NONE)
    }

    /// `send` of an operation number on it.
    pub(crate) fn operate_far(&mut self, home: Home, kind: FarKind, operation: usize) -> Answer {
        match kind {
            FarKind::Fiber | FarKind::Irq => {
                let note = Note { word: operation as u32, ..home.note(kind::OPERATE) };
                self.ask_core(home.core, note, Asked::NONE)
            }
            _ => Err(Error::BadCall.into()),
        }
    }

    /// `recv` from it.
    pub(crate) fn recv_far(
        &mut self,
        object: u32,
        slot: usize,
        buf: UserAddr,
        len: usize,
    ) -> Answer {
        let Body::Far(far) = &mut self.objects[object as usize % OBJECTS].body else {
            return Err(Error::BadCall.into());
        };
        far.got = 0;
        let far = *far;
        let own = far.parent == self.current;
        let asked = Asked { how: Use::Message, buf, len: len as u32, ..Asked::NONE };
        match far.kind {
            FarKind::End | FarKind::Irq => {
                self.ask_core(far.home.core, far.home.note(kind::RECEIVE), asked)
            }
            FarKind::Memory | FarKind::Device => Err(Error::BadCall.into()),
            FarKind::Fiber if own && !far.ended => Err(Error::Empty.into()),
            FarKind::Fiber => {
                let note = Note { word: own.into(), ..far.home.note(kind::TAKE_END) };
                let slot = if own { slot as u8 } else { 0 };
                self.ask_core(far.home.core, note, Asked { slot, ..asked })
            }
        }
    }

    /// Which wants hold at something of another core, as far as is known here; asks its home to tell if none does.
    pub(crate) fn probe_far(&mut self, index: usize, wants: u8) -> u8 {
        let Body::Far(far) = &mut self.objects[index].body else { return want::DEAD };
        if matches!(far.kind, FarKind::Memory | FarKind::Device) {
            return want::DEAD;
        }
        if far.kind == FarKind::Fiber && far.parent != crate::kernel::NONE {
            return if far.ended { wants & (want::READABLE | want::EVENT) } else { 0 };
        }
        let got = far.got & (wants | want::DEAD);
        far.got = 0;
        if got != 0 {
            return got;
        }
        if !core::mem::replace(&mut far.watching, true) {
            let (core, note) = (far.home.core, far.home.note(kind::WATCH));
            self.post(core, &Note { word: wants.into(), ..note });
        }
        0
    }

    /// The home of something that we watch has news.
    pub(super) fn signalled(&mut self, from: u8, note: &Note) {
        if note.object == single::AUDIT {
            return self.chain_grew(note.a);
        }
        for index in 0..OBJECTS {
            let Body::Far(far) = &mut self.objects[index].body else { continue };
            let home = Home { core: from, object: note.object as u16, epoch: note.epoch };
            if far.home == home {
                (far.watching, far.got) = (false, note.word as u8);
                self.signal(index as u32);
            }
        }
    }
}

impl Home {
    /// A message about this object.
    pub(super) fn note(self, kind: u8) -> Note {
        Note { kind, object: self.object.into(), epoch: self.epoch, ..Note::default() }
    }
}
