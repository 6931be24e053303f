//! Domains whose parent lives on another core.
//!
//! The parent's core takes what comes out of the parent (energy, the channel's memory) and keeps a far object for the child,
//! which the parent's capability names. The child's core gives memory and a place, tells the far object when the
//! child ends, and keeps the place until the parent asked, or is gone.
use super::ask::{Asked, Use};
use super::ends::Far as FarEnd;
use super::note::{Note, kind};
use super::share::Home;
use crate::kernel::{CHANNELS, DOMAINS, Kernel, OBJECTS};
use crate::object::{Answer, Body, DOOMED, Far, FarKind, Object};
use crate::quota::Quota;
use crate::spawn::Wish;
use abi::PAGE;
use abi::call::{Error, NO_SLOT};
use abi::cap::{Kind, R, W, slot, verb};
use arch::{Machine, UserAddr};

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
        self.put_wish(parcel, wish, home, channel, left);
        let channel_slot = if channel.is_some() { wish.channel_slot } else { NO_SLOT };
        let asked = Asked {
            how: Use::Child,
            slot: own_slot,
            channel_slot,
            object,
            // What `child_started` wants to know.
            buf: UserAddr(epoch.into()),
            len: channel.unwrap_or_default().into(),
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
            Body::Far(far) if there => {
                far.home = home;
                if far.parent == DOOMED {
                    self.doom(home);
                }
            }
            _ => self.post(from, &home.note(kind::ORPHAN)),
        }
        if let Some(channel) = channel {
            let (index, serial) = ((note.b >> 32) as u8, note.b as u32);
            let far = FarEnd { core: from, index, instance: 0, serial };
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

    pub(super) fn give_back_for(&mut self, object: u32) {
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
}
