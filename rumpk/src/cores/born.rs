//! A domain whose parent lives on another core, on its own core: started from the wish in the parent's parcel, with what the
//! parent lends it.
use super::ends::Far as FarEnd;
use super::note::Note;
use super::share::Home;
use super::wish::at;
use crate::channel::Channel;
use crate::kernel::{DOMAINS, Kernel, NONE, OBJECTS};
use crate::object::{Body, Far, FarKind, Object, Stop};
use crate::quota::Quota;
use crate::spawn::Wish;
use abi::call::{ARGS_MAX, Error, NO_SLOT};
use abi::cap::{Kind, R, W, slot, verb};
use arch::Machine;
use cap::Cap;

/// What a child gets from a parent on another core.
pub struct FarParent {
    /// The parent's far object of the child.
    pub home: Home,
    /// The parent's number.
    pub id: u32,
    /// The parent's mask.
    pub limit: u64,
    /// Memory of the channel to the parent, and where its other end is.
    channel: Option<(u64, FarEnd)>,
    /// What the child may give to children of its own.
    pub left: Quota,
    /// The ends that the parent lends as console, and the verbs and depth of each.
    consoles: [Option<(Home, u8, u8)>; 2],
}

impl<M: Machine> Kernel<M> {
    /// Starts a domain for a parent on core `from`. Value: its FIBER object, and the number of its channel.
    pub(super) fn serve_spawn(&mut self, from: u8, note: &Note) -> Result<(u64, u64), Stop> {
        let parcel = self.parcel(from, note.place).ok_or(Error::Gone)?;
        let (mut name, mut path, mut args) = ([0; 64], [0; 96], [0; ARGS_MAX]);
        parcel.get(at::NAME, &mut name);
        parcel.get(at::PATH, &mut path);
        let args_len = (parcel.word(at::ARGS_LEN) as usize).min(ARGS_MAX);
        parcel.get(at::ARGS, &mut args[..args_len]);
        let console = |n: usize| {
            let rights = parcel.word(at::CONSOLES + n * 16 + 8);
            let home = Home::decode(parcel.word(at::CONSOLES + n * 16))?;
            Some((home, rights as u8, (rights >> 8) as u8))
        };
        let channel_at = parcel.word(at::CHANNEL_AT);
        let far_end = FarEnd {
            core: from,
            index: (channel_at >> 32) as u8,
            instance: 0,
            serial: channel_at as u32,
        };
        let base = parcel.word(at::CHANNEL);
        let far = FarParent {
            home: Home::decode(parcel.word(at::PARENT)).ok_or(Error::BadCall)?,
            id: parcel.word(at::PARENT_ID) as u32,
            limit: parcel.word(at::LIMIT),
            channel: (base != 0).then_some((base, far_end)),
            left: Quota { bytes: parcel.word(at::LEFT), places: parcel.word(at::LEFT + 8) as u32 },
            consoles: [console(0), console(1)],
        };
        let place = self.start(&Wish {
            parent: NONE,
            far: Some(&far),
            service: u16::try_from(parcel.word(at::SERVICE)).ok(),
            path: abi::text(&path),
            name: abi::text(&name),
            pledge: parcel.word(at::PLEDGE),
            energy: parcel.word(at::ENERGY),
            heap: parcel.word(at::HEAP),
            args: &args[..args_len],
            channel_slot: NO_SLOT,
        })?;
        let object = self.fibers[place].object;
        let home = self.home_of(object);
        let link = self.domains[self.fibers[place].domain as usize % DOMAINS].link;
        let index = link.checked_sub(1);
        let serial = index.map_or(0, |index| self.end_state(self.core, index, 1).serial);
        let channel = u64::from(index.unwrap_or(NONE)) << 32 | u64::from(serial);
        Ok((home.encode(), channel))
    }

    /// What a child of another core's fiber is born with: parent, channel, console.
    pub(crate) fn connect_far(&mut self, place: usize, id: u8, far: &FarParent) {
        let fiber = &mut self.fibers[place];
        (fiber.far_parent, fiber.far_parent_id) = (Some(far.home), far.id);
        if let Some((base, end)) = far.channel
            && let Some(index) = self.channels.iter().position(|c| c.base == 0)
        {
            self.channels[index] = Channel::mirror(base, end);
            let index = index as u8;
            if let Ok(object) = self.attach_end(index, 1, place as u8, 0) {
                let cap = self.cap(Kind::CHANNEL, object, verb::ALL, R | W);
                self.give(place, slot::PARENT, cap);
                self.domains[id as usize % DOMAINS].link = index + 1;
            } else {
                self.channels[index as usize] = Channel::FREE;
            }
        }
        for (lent, at) in far.consoles.iter().zip([slot::CONSOLE_IN, slot::CONSOLE_OUT]) {
            if let Some((home, verbs, depth)) = *lent {
                let verbs = verbs & (verb::SEND | verb::RECV | verb::MASK);
                let id_of = u32::from_le_bytes([at, verbs, depth.saturating_add(1), 0]);
                let far = Far { id: id_of, ..Far::of(FarKind::End, home) };
                // Room was counted before.
                let _ = self.new_object(Object::new(Body::Far(far), id, 0));
            }
        }
        self.give_far_consoles(place, id);
    }

    /// The ends that a parent on another core lent as console, for each instance anew.
    pub(crate) fn give_far_consoles(&mut self, place: usize, id: u8) {
        for object in 0..OBJECTS as u32 {
            let of = &self.objects[object as usize];
            let Body::Far(far) = of.body else { continue };
            if of.owner == id && far.is_console() {
                let [at, verbs, depth, _] = far.id.to_le_bytes();
                let cap = self.cap(Kind::CHANNEL, object, verbs, 0);
                self.give(place, at, Cap { depth, ..cap });
            }
        }
    }
}
