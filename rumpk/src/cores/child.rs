//! Domains whose parent lives on another core.
//!
//! The parent's core takes what comes out of the parent (energy, the channel's memory) and keeps a far object for the child,
//! which the parent's capability names. The child's core gives memory and a place, tells the far object when the
//! child ends, and keeps the place until the parent asked, or is gone.
use super::ask::{Asked, Use};
use super::ends::Far as FarEnd;
use super::note::{Note, kind};
use super::share::Home;
use crate::channel::Channel;
use crate::kernel::{CHANNELS, DOMAINS, FIBERS, Kernel, NONE, OBJECTS};
use crate::object::{Answer, Body, Far, FarKind, Object, Stop};
use crate::quota::Quota;
use crate::spawn::Wish;
use abi::PAGE;
use abi::call::{ARGS_MAX, Error, NO_SLOT};
use abi::cap::{Kind, R, W, slot, verb};
use abi::stats::state;
use arch::{Machine, UserAddr};
use cap::Cap;

/// Where the parts of a wish stand in the parcel, bytes.
mod at {
    pub const PLEDGE: usize = 0;
    pub const ENERGY: usize = 8;
    pub const HEAP: usize = 16;
    pub const LIMIT: usize = 24;
    pub const SERVICE: usize = 32;
    pub const ARGS_LEN: usize = 40;
    pub const PARENT: usize = 48;
    pub const PARENT_ID: usize = 56;
    pub const CHANNEL: usize = 64;
    pub const CHANNEL_AT: usize = 72;
    /// Two words each.
    pub const CONSOLES: usize = 80;
    /// Bytes, then places.
    pub const LEFT: usize = 112;
    pub const NAME: usize = 128;
    pub const PATH: usize = 192;
    pub const ARGS: usize = 288;
}
const _: () = assert!(at::ARGS + ARGS_MAX <= super::parcel::LEN);

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
    /// `spawn` of an image on another core.
    pub(crate) fn spawn_far(&mut self, core: u8, wish: &Wish) -> Answer {
        let plan = self.plan(wish)?;
        let parent = wish.parent;
        let own_slot = self.fiber().caps.free_slot(slot::FIRST).ok_or(Error::Full)?;
        self.check_channel_slot(wish, own_slot)?;
        let parcel = self.parcel(self.core, parent).ok_or(Error::Gone)?;
        let object = self.new_object(Object::new(
            Body::Far(Far { parent, is_child: true, ..Far::of(FarKind::Fiber, Home::none(core)) }),
            self.domain,
            0,
        ))?;
        let taken = self.take_for_child(&plan, wish, object);
        let (channel, left) = match taken {
            Ok(taken) => taken,
            Err(error) => {
                self.free_object(object);
                return Err(error.into());
            }
        };
        let home = self.home_of(object);
        let epoch = home.epoch;
        parcel.put_word(at::PLEDGE, wish.pledge);
        parcel.put_word(at::ENERGY, wish.energy);
        parcel.put_word(at::HEAP, wish.heap);
        parcel.put_word(at::LIMIT, self.domain().pledge);
        parcel.put_word(at::SERVICE, wish.service.map_or(u64::MAX, u64::from));
        parcel.put_word(at::ARGS_LEN, wish.args.len() as u64);
        parcel.put_word(at::PARENT, home.encode());
        parcel.put_word(at::PARENT_ID, self.fiber().id.into());
        let base = channel.map_or(0, |c| self.channels[c as usize % CHANNELS].base);
        parcel.put_word(at::CHANNEL, base);
        let serial = channel.map_or(0, |c| self.end_state(self.core, c, 0).serial);
        let index = channel.unwrap_or_default();
        parcel.put_word(at::CHANNEL_AT, u64::from(index) << 32 | u64::from(serial));
        parcel.put_word(at::LEFT, left.bytes);
        parcel.put_word(at::LEFT + 8, left.places.into());
        self.put_consoles(parcel);
        parcel.put(at::NAME, &abi::name::<64>(wish.name));
        parcel.put(at::PATH, &abi::name::<96>(wish.path));
        parcel.put(at::ARGS, wish.args);
        let channel_slot = if channel.is_some() { wish.channel_slot } else { NO_SLOT };
        let asked = Asked {
            how: Use::Child,
            slot: own_slot,
            channel_slot,
            object,
            // What `child_started` wants to know.
            buf: UserAddr(epoch.into()),
            len: index.into(),
            ..Asked::NONE
        };
        let note = Note { kind: kind::SPAWN, ..Note::default() };
        self.ask_core(core, note, asked)
    }

    /// What comes out of the parent: energy, and the channel with the parent's end attached.
    fn take_for_child(
        &mut self,
        plan: &crate::spawn::Plan,
        wish: &Wish,
        object: u32,
    ) -> Result<(Option<u8>, Quota), Error> {
        let channel = self.channel_to_child(wish)?;
        if let Some(channel) = channel
            && let Err(error) = self.attach_end(channel, 0, wish.parent, 0)
        {
            self.discard_channel(Some(channel));
            return Err(error);
        }
        match self.pay_for_child(plan, object) {
            Ok(left) => Ok((channel, left)),
            Err(error) => {
                self.give_back_for(object);
                self.drop_channel_to_child(channel);
                Err(error)
            }
        }
    }

    /// Memory, places and energy, unless the manifest pays. What the child may give to children of its own.
    fn pay_for_child(&mut self, plan: &crate::spawn::Plan, object: u32) -> Result<Quota, Error> {
        if plan.service.is_some() {
            return Ok(Quota::NONE);
        }
        let (cost, heir) = plan.cost();
        let left = self.accounts.take_child(self.domain, cost, heir)?;
        let all = cost.more(left);
        let pages = all.bytes.div_ceil(PAGE as u64) as u32;
        let place = &mut self.objects[object as usize % OBJECTS].body;
        if let Body::Far(far) = place {
            (far.pages, far.places) = (pages, all.places as u8);
        }
        let params = plan.params();
        if params.budget_ns != 0 {
            let carved = self.sched.carve(self.domain, params)?;
            if let Body::Far(far) = &mut self.objects[object as usize % OBJECTS].body {
                far.carved = carved as u32;
            }
        }
        Ok(left)
    }

    fn drop_channel_to_child(&mut self, channel: Option<u8>) {
        let Some(channel) = channel else { return };
        let end = &self.channels[channel as usize % CHANNELS].ends[0];
        let (object, gone) = (end.object, end.gone);
        if !gone {
            self.drop_end(channel, 0);
            self.free_object(object);
        }
        self.channels[channel as usize % CHANNELS].ends[1].gone = true;
        self.free_channel_if_dead(channel);
    }

    /// The parent's console, lent to the child.
    fn put_consoles(&self, parcel: &super::parcel::Parcel) {
        for (n, at) in [slot::CONSOLE_IN, slot::CONSOLE_OUT].into_iter().enumerate() {
            let lent = self.fiber().caps.get(at).ok().and_then(|cap| {
                let home = match self.body(cap.object) {
                    Body::End { .. } => {
                        Home { core: self.core, object: cap.object as u16, epoch: cap.epoch }
                    }
                    Body::Far(far) if far.kind == FarKind::End => far.home,
                    _ => return None,
                };
                Some((home, cap.verbs, cap.depth))
            });
            let (word, rights) = lent.map_or((0, 0), |(home, verbs, depth)| {
                (home.encode(), u64::from(verbs) | u64::from(depth) << 8)
            });
            parcel.put_word(at::CONSOLES + n * 16, word);
            parcel.put_word(at::CONSOLES + n * 16 + 8, rights);
        }
    }

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
        let far_end =
            FarEnd { core: from, index: (channel_at >> 32) as u8, serial: channel_at as u32 };
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
        let index = self.fibers[place].channel_home;
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
                self.fibers[place].channel_home = Some(index);
            } else {
                self.channels[index as usize] = Channel::FREE;
            }
        }
        for (lent, at) in far.consoles.iter().zip([slot::CONSOLE_IN, slot::CONSOLE_OUT]) {
            if let Some((home, verbs, depth)) = *lent
                && let Ok(object) =
                    self.new_object(Object::new(Body::Far(Far::of(FarKind::End, home)), id, 0))
            {
                let verbs = verbs & (verb::SEND | verb::RECV | verb::MASK);
                let cap = self.cap(Kind::CHANNEL, object, verbs, 0);
                self.give(place, at, Cap { depth: depth.saturating_add(1), ..cap });
            }
        }
    }

    /// The other core's answer to a wish. The fiber that asked may have ended meanwhile, and its domain with it.
    pub(super) fn child_started(&mut self, from: u8, asked: &Asked, note: &Note) {
        let channel = (asked.channel_slot != NO_SLOT).then_some(asked.len as u8);
        let place = &mut self.objects[asked.object as usize % OBJECTS];
        let there = u64::from(place.epoch) == asked.buf.0;
        let home = if note.word == 0 { Home::decode(note.a) } else { None };
        let Some(home) = home else {
            if there {
                self.give_back_for(asked.object);
                self.free_object(asked.object);
            }
            self.drop_channel_to_child(channel);
            return;
        };
        match &mut place.body {
            Body::Far(far) if there => far.home = home,
            _ => self.post(from, &home.note(kind::ORPHAN)),
        }
        if let Some(channel) = channel {
            let far = FarEnd { core: from, index: (note.b >> 32) as u8, serial: note.b as u32 };
            let ends = &mut self.channels[channel as usize % CHANNELS].ends;
            ends[1].far = Some(far);
            if ends[0].gone {
                self.bell(from, super::CHANGED + far.index as usize);
            }
            // It may have ended already.
            self.end_changed(channel);
        }
    }

    /// The capabilities that `spawn` gives. Value: the slot of the child's.
    pub(super) fn take_child(&mut self, asked: &Asked) -> Answer {
        let cap = self.cap(Kind::FIBER, asked.object, verb::ALL, 0);
        self.fiber_mut().caps.put(asked.slot as usize, cap)?;
        if asked.channel_slot != NO_SLOT {
            let end = &self.channels[asked.len as usize % CHANNELS].ends[0];
            let cap = self.cap(Kind::CHANNEL, end.object, verb::ALL, R | W);
            self.fiber_mut().caps.put(asked.channel_slot as usize, cap)?;
        }
        Ok(asked.slot as usize)
    }

    fn give_back_for(&mut self, object: u32) {
        let place = &mut self.objects[object as usize % OBJECTS];
        let owner = place.owner;
        if let Body::Far(far) = &mut place.body {
            let carved = core::mem::take(&mut far.carved);
            let pages = core::mem::take(&mut far.pages);
            let places = core::mem::take(&mut far.places);
            if (owner as usize) >= DOMAINS {
                return;
            }
            let all = Quota { bytes: u64::from(pages) * PAGE as u64, places: places.into() };
            self.accounts.give_child(owner, all);
            if carved != 0 {
                self.sched.give_back(owner, carved.into());
            }
        }
    }

    /// A child on core `from` ended: its energy is the parent's again, which gets the event.
    pub(super) fn child_ended(&mut self, _from: u8, note: &Note) {
        let index = note.object as usize % OBJECTS;
        // Not by its epoch: the parent may have revoked what it gave away of its child.
        let named = |far: &Far| far.is_child && Some(far.home) == Home::decode(note.a);
        if !matches!(&self.objects[index].body, Body::Far(far) if named(far)) {
            return;
        }
        self.give_back_for(note.object);
        let Body::Far(far) = &mut self.objects[index].body else { return };
        (far.ended, far.untold, far.id) = (true, true, note.word);
        let (home, parent) = (far.home, far.parent as usize);
        if parent < FIBERS && self.fibers[parent].is_alive() {
            self.fibers[parent].far_ended = self.fibers[parent].far_ended.saturating_add(1);
            self.signal(note.object);
            self.wake_for_event(parent);
        } else {
            self.post(home.core, &home.note(kind::ORPHAN));
            self.free_object(note.object);
        }
    }

    /// Number of a far child of the current fiber whose end was not told yet.
    pub(crate) fn far_event(&mut self) -> Option<u32> {
        let parent = self.current;
        for object in &mut self.objects {
            let Body::Far(far) = &mut object.body else { continue };
            if far.untold && far.parent == parent {
                far.untold = false;
                let id = far.id;
                self.fiber_mut().far_ended -= 1;
                return Some(id);
            }
        }
        None
    }

    /// The parent asked for the end of its child: the capability in `slot` goes, and what it named.
    pub(super) fn forget_child(&mut self, slot: u8) {
        let Ok(cap) = self.fiber_mut().caps.take(slot as usize) else { return };
        if let Body::Far(far) = self.body(cap.object) {
            if far.untold {
                let fiber = self.fiber_mut();
                fiber.far_ended = fiber.far_ended.saturating_sub(1);
            }
            self.free_object(cap.object);
        }
    }

    /// The fiber in `place` ended: nobody asks for its far children any more. Those that run go on, and give its domain
    /// its energy back.
    pub(crate) fn leave_far_children(&mut self, place: usize) {
        if self.shared.is_none() {
            return;
        }
        for index in 0..OBJECTS {
            let Body::Far(far) = &mut self.objects[index].body else { continue };
            if far.parent as usize != place {
                continue;
            }
            far.parent = NONE;
            let far = *far;
            // One that is being started is found by the answer, with its `orphan`.
            if far.ended && far.home.epoch != 0 {
                self.post(far.home.core, &far.home.note(kind::ORPHAN));
                self.free_object(index as u32);
            }
        }
    }

    /// The domain of a far object ends.
    pub(crate) fn release_far(&mut self, far: &Far) {
        if far.kind == FarKind::Fiber && far.is_child && far.home.epoch != 0 {
            self.post(far.home.core, &far.home.note(kind::ORPHAN));
        }
    }

    /// A fiber here has no parent any more.
    pub(super) fn orphaned(&mut self, note: &Note) {
        let object = &self.objects[note.object as usize % OBJECTS];
        let Body::Fiber { place } = object.body else { return };
        if object.epoch != note.epoch {
            return;
        }
        let fiber = &mut self.fibers[place as usize % FIBERS];
        fiber.far_parent = None;
        if fiber.state == state::ENDED {
            self.reap(place as usize);
        }
    }

    /// A fiber here ended that another core's fiber may ask for. `true`: its place is kept until then.
    pub(crate) fn tell_far_parent(&mut self, place: usize) -> bool {
        let fiber = &self.fibers[place % FIBERS];
        let (Some(home), id) = (fiber.far_parent, fiber.id) else { return false };
        let own = self.home_of(fiber.object);
        self.post(home.core, &Note { word: id, a: own.encode(), ..home.note(kind::ENDED) });
        true
    }
}
