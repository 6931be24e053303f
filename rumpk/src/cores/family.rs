//! Ends between cores: a child's, which its parent hears of and asks about, and a parent's, whose children go on without it.
use super::note::{Note, kind};
use super::share::Home;
use crate::kernel::{FIBERS, Kernel, NONE, OBJECTS};
use crate::object::{Body, DOOMED, Far, FarKind};
use abi::stats::{end, state};
use arch::Machine;

impl<M: Machine> Kernel<M> {
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

    /// The domain restarts: its children on other cores end with it, as those on its own do. What they cost stays taken until
    /// they are gone.
    pub(crate) fn end_far_children(&mut self, id: u8) {
        for index in 0..OBJECTS {
            let owner = self.objects[index].owner;
            let Body::Far(far) = &mut self.objects[index].body else { continue };
            if owner != id || !far.is_child {
                continue;
            }
            (far.parent, far.untold) = (DOOMED, false);
            let far = *far;
            if far.ended {
                self.post(far.home.core, &far.home.note(kind::ORPHAN));
                self.free_object(index as u32);
            } else if far.home.epoch != 0 {
                self.doom(far.home);
            }
        }
    }

    /// Ends a child for good; its end is told all the same, and gives back what it cost.
    pub(super) fn doom(&mut self, home: Home) {
        self.post(home.core, &Note { word: 1, ..home.note(kind::ORPHAN) });
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
        if note.word != 0 {
            if fiber.state != state::ENDED {
                self.end_for_good(self.fibers[place as usize % FIBERS].domain, end::KILLED, 0);
            }
            return;
        }
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
