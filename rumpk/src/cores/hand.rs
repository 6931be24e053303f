//! GRANT to a fiber of another core: the copy goes there in the granter's parcel, and is parked where it will be taken.
//!
//! If the object is at home on a third core, the message goes by way of that: it alone knows who has what of its objects, and what
//! it calls back follows on the same lane. The receiver's core looks at everything that can have changed meanwhile: who
//! holds the end, whether its mask allows the thing, whether there is room. The granter waits for its answer.
use super::ask::{Asked, Use};
use super::ends;
use super::lend::Facts;
use super::note::{Note, kind};
use super::share::Home;
use crate::call::Offer;
use crate::kernel::{CHANNELS, FIBERS, Kernel, OBJECTS};
use crate::object::{Answer, Body, single};
use abi::call::Error;
use abi::cap::Kind;
use arch::{CORES, Machine};
use cap::Cap;

/// Where the parts of a copy stand in the parcel, bytes.
mod at {
    pub const OFFSET: usize = 0;
    pub const LEN: usize = 8;
    pub const EXPIRY: usize = 16;
    /// Kind, verbs, permissions, depth.
    pub const RIGHTS: usize = 24;
    /// The object as its home names it.
    pub const HOME: usize = 32;
    pub const FACTS: usize = 40;
}

/// From whom to whom: `b` of the message.
struct Way {
    /// Core of the granter, and of the end that receives.
    from: u8,
    to: u8,
    channel: u8,
    side: u8,
    /// Of the holder that the granter knew.
    serial: u32,
}

impl Way {
    fn encode(&self) -> u64 {
        let Self { from, to, channel, side, serial } = *self;
        u64::from(u32::from_le_bytes([from, to, channel, side])) | u64::from(serial) << 32
    }
    fn decode(word: u64) -> Self {
        let [from, to, channel, side] = (word as u32).to_le_bytes();
        let core = |core: u8| core % CORES as u8;
        let serial = (word >> 32) as u32;
        Self { from: core(from), to: core(to), channel, side: side & 1, serial }
    }
}

impl<M: Machine> Kernel<M> {
    /// Sends an offer to the core of the end that receives it.
    pub(crate) fn grant_far(&mut self, offer: &Offer, far: ends::Far) -> Answer {
        let copy = &offer.copy;
        let parcel = self.parcel(self.core, self.current).ok_or(Error::Gone)?;
        let object = copy.object;
        let home = match self.body(object) {
            // It exists on every core, and nobody revokes it.
            Body::Single(_) => Home { core: far.core, object: object as u16, epoch: 0 },
            // What its parent revokes is the parent core's object, and not its home's.
            Body::Far(child) if child.is_child => return Err(Error::Unsupported.into()),
            Body::Far(other) => other.home,
            _ => {
                self.lend(object, far.core)?.put(parcel, at::FACTS);
                self.home_of(object)
            }
        };
        for (at, word) in
            [(at::OFFSET, copy.offset), (at::LEN, copy.len), (at::EXPIRY, copy.expiry)]
        {
            parcel.put_word(at, word);
        }
        parcel.put(at::RIGHTS, &[copy.kind.0, copy.verbs, copy.perms, copy.depth]);
        parcel.put_word(at::HOME, home.encode());
        let (from, to, channel) = (self.core, far.core, far.index);
        let way = Way { from, to, channel, side: offer.side, serial: far.serial };
        let via = if home.core == self.core { to } else { home.core };
        let note = Note { b: way.encode(), ..home.note(kind::GRANT) };
        self.ask_through(via, to, note, Asked { how: Use::Grant, object, ..Asked::NONE })
    }

    /// A copy on its way: through us, if the object is ours and the receiver is not, else to us.
    pub(super) fn handed(&mut self, note: &Note) {
        let way = Way::decode(note.b);
        if way.to != self.core {
            let lent = self.pass_on(&way, note);
            let word = lent.map_or_else(|error| error as i32 as u32, |()| 0);
            self.post(way.to, &Note { word, ..*note });
            return;
        }
        let (status, a) = match note.word {
            0 => match self.accept(&way, note) {
                Ok(holder) => (0, holder),
                Err(error) => (error as i32 as u32, 0),
            },
            refused => (refused, 0),
        };
        let Note { place, fiber, .. } = *note;
        let answer = Note { kind: kind::ANSWER, place, fiber, word: status, a, ..Note::default() };
        self.post(way.from, &answer);
    }

    fn pass_on(&mut self, way: &Way, note: &Note) -> Result<(), Error> {
        let (object, _) = self.object_of(note)?;
        let parcel = self.parcel(way.from, note.place).ok_or(Error::Gone)?;
        self.lend(object, way.to)?.put(parcel, at::FACTS);
        Ok(())
    }

    /// Parks a copy here. Value: number of the fiber that the end was made for.
    fn accept(&mut self, way: &Way, note: &Note) -> Result<u64, Error> {
        let &Way { channel, side, .. } = way;
        let place = &self.channels[channel as usize % CHANNELS];
        let (end, peer) = (&place.ends[side as usize], &place.ends[1 - side as usize]);
        let (owner, holder) = (end.object, end.holder);
        let here = place.base != 0 && end.object != 0 && end.far.is_none() && !end.gone;
        let state = self.end_state(self.core, channel, side);
        // The one that the granter meant may be gone, and another hold its end.
        if !here || peer.broken || !state.held || state.serial != way.serial {
            return Err(Error::Gone);
        }
        let owner = self.objects[owner as usize % OBJECTS].owner;
        let parcel = self.parcel(way.from, note.place).ok_or(Error::Gone)?;
        let object = self.named_here(parcel, note)?;
        let mut rights = [0; 4];
        parcel.get(at::RIGHTS, &mut rights);
        let [kind, verbs, perms, depth] = rights;
        let copy = Cap {
            offset: parcel.word(at::OFFSET),
            len: parcel.word(at::LEN),
            expiry: parcel.word(at::EXPIRY),
            object,
            epoch: self.objects[object as usize % OBJECTS].epoch,
            kind: Kind(kind),
            verbs,
            perms,
            depth,
            live: 1,
        };
        let room = if self.may_hold(owner, object) {
            self.make_room(channel, side)
        } else {
            Err(Error::Pledge)
        };
        if let Err(error) = room {
            self.end_unused(object);
            return Err(error);
        }
        self.park(&Offer { copy, channel, side });
        Ok(self.fibers[holder as usize % FIBERS].id.into())
    }

    /// Our object for what a parcel names.
    fn named_here(&mut self, parcel: &super::parcel::Parcel, note: &Note) -> Result<u32, Error> {
        let home = Home::decode(parcel.word(at::HOME)).ok_or(Error::BadCall)?;
        if home.core != self.core {
            let facts = Facts::get(parcel, at::FACTS).ok_or(Error::Unsupported)?;
            return self.borrow(home, facts);
        }
        if u32::from(home.object) < single::COUNT {
            return Ok(home.object.into());
        }
        Ok(self.object_of(note)?.0)
    }

    /// The other core parked what the fiber in `place` granted: noted here, where it was given.
    pub(super) fn handed_over(&mut self, place: u8, asked: &Asked, holder: u64) {
        let Some(parcel) = self.parcel(self.core, place) else { return };
        let mut data = [0; 32];
        parcel.get(at::RIGHTS, &mut data[..4]);
        data[4..8].copy_from_slice(&(holder as u32).to_le_bytes());
        for (to, at) in [(8, at::EXPIRY), (16, at::OFFSET), (24, at::LEN)] {
            data[to..to + 8].copy_from_slice(&parcel.word(at).to_le_bytes());
        }
        let fiber = self.fibers[place as usize % FIBERS].id;
        self.audit(abi::prov::kind::GRANT, fiber, asked.object, 0, &data);
    }
}
