//! The end of a fiber or a domain, in one place, whatever the cause.
use crate::domain::Domain;
use crate::kernel::{CHANNELS, DOMAINS, FIBERS, Kernel, NONE, OBJECTS};
use crate::object::Body;
use crate::schedule::places;
use abi::boot::{Beb, SERVICE_INIT, beb};
use abi::stats::{end, state};
use arch::Machine;

impl<M: Machine> Kernel<M> {
    /// Ends one fiber. The first one takes its domain along: its parent knows no other, and could end none.
    pub(crate) fn end_fiber(&mut self, place: usize, cause: u8, code: u64) {
        let id = self.fibers[place].domain;
        let domain = &mut self.domains[id as usize % DOMAINS];
        if domain.first as usize == place {
            self.end_domain(id, cause, code);
            return;
        }
        self.audit_end(place, cause, code);
        self.unready(place);
        self.domains[id as usize % DOMAINS].fibers &= !(1 << place);
        let (base, len) = core::mem::take(&mut self.fibers[place].stack);
        if len != 0 {
            self.unmap_pages(id, base, len);
            self.memory.give(base, len);
        }
        self.bury(place, cause, code);
    }

    /// Ends a domain with all its fibers: what it owned is void, its peers learn of it, its memory is free.
    /// `code`: exit code, or faulting address.
    pub(crate) fn end_domain(&mut self, id: u8, cause: u8, code: u64) {
        let index = id as usize % DOMAINS;
        let init = self.is_init(id);
        self.audit_domain_end(id, cause, code);
        self.sched.remove(id);
        self.domains[index].ready = 0;
        for place in places(self.domains[index].fibers) {
            // Frozen: what ends with it may wake it no more.
            self.fibers[place].state = state::READY;
        }
        for object in 0..OBJECTS as u32 {
            self.release_object(object, id);
        }
        for channel in 0..CHANNELS as u8 {
            self.free_channel_if_dead(channel);
        }
        for place in places(self.domains[index].fibers) {
            let (base, len) = core::mem::take(&mut self.fibers[place].stack);
            self.memory.give(base, len);
            self.bury(place, cause, code);
        }
        let domain = core::mem::replace(&mut self.domains[index], Domain::FREE);
        if let Some(space) = &domain.space {
            // The tag is used again by the next domain in this place.
            self.machine.retire(space);
        }
        self.memory.give(domain.extent.0, domain.extent.1);
        if domain.carved != 0 && domain.parent != NONE {
            self.sched.give_back(domain.parent, domain.carved);
        }
        // What its children still hold was this domain's; the next one in its place has no claim to it.
        for child in self.domains.iter_mut().filter(|d| d.parent == id) {
            child.parent = NONE;
        }
        if self.domain == id {
            self.domain = NONE;
        }
        if init {
            self.no_subject(cause, code);
        }
    }

    /// Frees an object of the domain that ends, wherever it is mapped, and forgets what the domain mapped of others'.
    fn release_object(&mut self, index: u32, id: u8) {
        let object = self.objects[index as usize];
        if object.is_free() {
            return;
        }
        // Its own pages go with its space, and its own fibers wait for nothing any more.
        self.forget_mapping(index, id);
        self.objects[index as usize].waiters &= !self.domains[id as usize % DOMAINS].fibers;
        if object.owner != id {
            return;
        }
        self.unmap_everywhere(index);
        match object.body {
            Body::End { channel, side } => self.drop_end(channel, side),
            Body::Irq { intid } => self.machine.mask_interrupt(intid, true),
            _ => {}
        }
        self.free_object(index);
    }

    /// Leaves what the parent may ask about; frees the place if nobody will.
    fn bury(&mut self, place: usize, cause: u8, code: u64) {
        // First of all: its children's ends must not wake it.
        self.fibers[place].state = state::ENDED;
        if self.current == place as u8 {
            self.current = NONE;
        }
        if self.floating == place as u8 {
            self.floating = NONE;
        }
        for child in 0..FIBERS {
            if self.fibers[child].parent == place as u8 {
                self.fibers[child].parent = NONE;
                if self.fibers[child].state == state::ENDED {
                    self.reap(child);
                }
            }
        }
        let fiber = &mut self.fibers[place];
        (fiber.end, fiber.code) = (cause, code);
        fiber.wait.active = false;
        fiber.timer = u64::MAX;
        fiber.caps.clear();
        let (parent, object) = (fiber.parent as usize, fiber.object);
        self.signal(object);
        if parent < FIBERS && self.fibers[parent].is_alive() {
            self.fibers[parent].ended |= 1 << place;
            self.wake_for_event(parent);
        } else {
            self.reap(place);
        }
    }

    /// Frees the place of a fiber that ended.
    pub(crate) fn reap(&mut self, place: usize) {
        let object = self.fibers[place].object;
        if object != 0 {
            self.free_object(object);
        }
        let parent = self.fibers[place].parent as usize;
        if parent < FIBERS {
            self.fibers[parent].ended &= !(1 << place);
        }
        self.fibers[place].state = 0;
        self.fibers[place].object = 0;
    }

    /// A fiber that waits for its events looks again.
    fn wake_for_event(&mut self, place: usize) {
        if self.fibers[place].wait.active {
            self.wake(place);
        }
    }

    fn is_init(&self, id: u8) -> bool {
        let service = self.domains[id as usize % DOMAINS].service;
        let manifest = self.manifest();
        manifest.and_then(|m| m.service(service)).is_some_and(|s| s.flags & SERVICE_INIT != 0)
    }

    /// Subject zero is gone: nobody is left to start or stop anything.
    fn no_subject(&mut self, cause: u8, code: u64) -> ! {
        let mut head = Beb::zeroed();
        head.state = beb::NO_SUBJECT;
        head.code = 1;
        head.time = self.machine.now();
        let text = format_args!(
            "subject zero ended: {} ({code:#x})",
            end::NAMES.get(cause as usize).copied().unwrap_or("?")
        );
        crate::record(&mut self.machine, self.places.beb, head, text);
        self.machine.power_off()
    }
}
