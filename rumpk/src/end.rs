//! The end of a fiber or a domain, in one place, whatever the cause.
//!
//! A domain that ends is frozen at once: none of its fibers runs again. What it owned is then voided and given back by its job
//! ([`crate::job`]), a bounded piece at a time and at its own expense; its parent hears of it when all of it is free again.
use crate::blink::Fate;
use crate::domain::Domain;
use crate::job::{Phase, Step};
use crate::kernel::{CHANNELS, DOMAINS, FIBERS, Kernel, NONE, OBJECTS};
use crate::object::Body;
use crate::schedule::places;
use abi::boot::{Beb, SERVICE_INIT, beb};
use abi::stats::{end, state};
use arch::Machine;

/// Objects that one step looks at, and how many of them it releases at most.
const LOOK_STEP: usize = 128;
const RELEASE_STEP: usize = 8;
/// An object of more bytes is released in a step of its own: eight domains may have mapped it.
const LARGE: u64 = 1 << 20;

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
            self.accounts.give_stack(id, len);
        }
        self.blame(place, cause, code);
        self.record_end(place, Fate::End);
        self.bury(place);
    }

    /// Ends a domain with all its fibers: what it owned is void, its peers learn of it, its memory is free, in steps.
    /// `code`: exit code, or faulting address. What becomes of the domain then, its policy says ([`crate::blink`]).
    pub(crate) fn end_domain(&mut self, id: u8, cause: u8, code: u64) {
        let domain = &self.domains[id as usize % DOMAINS];
        // Who is made anew already need not be made anew again.
        let reborn = domain.layout.again && domain.job.phase.makes_an_instance();
        if self.is_ending(id) || (reborn && cause == end::KILLED) {
            return;
        }
        let fate = self.fate(id, cause);
        self.end_with(id, cause, code, fate);
        self.escalate(id, cause);
    }

    /// Ends a domain whatever its policy says.
    pub(crate) fn end_for_good(&mut self, id: u8, cause: u8, code: u64) {
        if self.is_ending(id) {
            self.domains[id as usize % DOMAINS].fate = Fate::End;
        } else {
            self.end_with(id, cause, code, Fate::End);
        }
    }

    fn end_with(&mut self, id: u8, cause: u8, code: u64, fate: Fate) {
        let index = id as usize % DOMAINS;
        self.audit_domain_end(id, cause, code);
        if fate != Fate::End {
            self.leave_off(id, cause);
        }
        for place in places(self.domains[index].fibers) {
            self.freeze(place);
            self.blame(place, cause, code);
        }
        let (first, culprit) = (self.domains[index].first as usize % FIBERS, self.culprit as usize);
        if culprit < FIBERS && self.fibers[culprit].domain == id {
            // The parent knows the first fiber only: it is told where the other one was.
            self.fibers[first].pc = self.fibers[culprit].pc;
            self.record_end(culprit, fate);
        }
        self.record_end(first, fate);
        if fate == Fate::End && self.is_init(id) {
            self.no_subject(cause, code);
        }
        let domain = &mut self.domains[index];
        (domain.ready, domain.fate) = (0, fate);
        self.begin(id, Phase::Release);
    }

    /// Whether the domain's end is under way.
    pub(crate) fn is_ending(&self, id: u8) -> bool {
        let phase = self.domains[id as usize % DOMAINS].job.phase;
        matches!(phase, Phase::Release | Phase::Bury | Phase::Quiesce | Phase::Leave | Phase::Clear)
    }

    /// The fiber does not run any more, and nothing wakes it.
    fn freeze(&mut self, place: usize) {
        let fiber = &mut self.fibers[place];
        fiber.state = state::READY;
        fiber.wait.active = false;
        fiber.timer = u64::MAX;
        if self.current == place as u8 {
            self.current = NONE;
        }
        if self.floating == place as u8 {
            self.floating = NONE;
        }
    }

    /// Notes why a fiber ends.
    fn blame(&mut self, place: usize, cause: u8, code: u64) {
        let fiber = &mut self.fibers[place];
        (fiber.end, fiber.code) = (cause, code);
    }

    /// Voids some of what the domain owned.
    pub(crate) fn release_some(&mut self, id: u8, at: u64) -> Step {
        let mut released = 0;
        for index in at as usize..OBJECTS.min(at as usize + LOOK_STEP) {
            released += self.release_object(index as u32, id);
            if released >= RELEASE_STEP {
                return Step::More(index as u64 + 1);
            }
        }
        let at = at + LOOK_STEP as u64;
        if at < OBJECTS as u64 { Step::More(at) } else { self.recalled(id) }
    }

    /// Whether removing what others mapped of an object is a step of its own.
    fn is_large(&self, object: u32) -> bool {
        let len = match self.body(object) {
            Body::End { channel, .. } => self.channels[channel as usize % CHANNELS].len(),
            Body::Device { len, .. } | Body::Memory { len, .. } => len,
            _ => 0,
        };
        len > LARGE
    }

    /// What the domain lent to other cores must be back before anything of it is used again.
    fn recalled(&self, id: u8) -> Step {
        if self.lending.recalls(id) { Step::Wait } else { Step::Then(Phase::Bury) }
    }

    /// Buries one fiber of the domain that ends; the first one is left for last.
    pub(crate) fn bury_one(&mut self, id: u8) -> Step {
        let domain = &mut self.domains[id as usize % DOMAINS];
        let others = domain.fibers & !(1 << domain.first);
        let fate = domain.fate;
        let Some(place) = places(others).next() else {
            return Step::Then(Phase::Quiesce);
        };
        domain.fibers &= !(1 << place);
        self.record_end(place, fate);
        let (base, len) = core::mem::take(&mut self.fibers[place].stack);
        self.memory.give(base, len);
        self.accounts.give_stack(id, len);
        self.bury(place);
        Step::More(0)
    }

    /// Memory, energy and places are free again, and the parent hears of the end.
    pub(crate) fn leave_domain(&mut self, id: u8) -> Step {
        let index = id as usize % DOMAINS;
        self.domains[index].link = 0;
        for channel in 0..CHANNELS {
            if self.channels[channel].base != 0 {
                self.free_channel_if_dead(channel as u8);
            }
        }
        self.sched.remove(id);
        self.return_energy(id);
        self.accounts.close(id, Some(self.domains[index].first as usize));
        let domain = core::mem::replace(&mut self.domains[index], Domain::FREE);
        if let Some(space) = &domain.space {
            // The tag is used again by the next domain in this place.
            self.machine.retire(space);
        }
        self.memory.give(domain.extent.0, domain.extent.1);
        // What its children still hold was this domain's; the next one in its place has no claim to it.
        for child in self.domains.iter_mut().filter(|d| d.parent == id) {
            child.parent = NONE;
        }
        if self.domain == id {
            self.domain = NONE;
        }
        self.service_is_at(domain.service, None);
        self.publish_load();
        self.bury(domain.first as usize % FIBERS);
        Step::Replaced
    }

    /// Frees an object of the domain that ends, wherever it is mapped, and forgets what the domain mapped of others'.
    /// How much of a step it took; 0: it was not the domain's.
    fn release_object(&mut self, index: u32, id: u8) -> usize {
        let object = self.objects[index as usize];
        if object.is_free() {
            return 0;
        }
        // Its own pages go with its space, and its own fibers wait for nothing any more.
        self.forget_mapping(index, id);
        self.objects[index as usize].waiters &= !self.domains[id as usize % DOMAINS].fibers;
        if object.owner != id {
            return 0;
        }
        if object.is_kept() {
            if self.domains[id as usize % DOMAINS].fate == Fate::End {
                // It ends in quarantine: no instance comes that would need the place.
                self.free_object(index);
            }
            return 0;
        }
        let released = if self.is_large(index) { RELEASE_STEP } else { 1 };
        self.unmap_everywhere(index);
        let fate = self.domains[id as usize % DOMAINS].fate;
        if fate != Fate::End {
            self.keep_object(index, id, fate);
            return released;
        }
        match object.body {
            Body::End { channel, side } => self.drop_end(channel, side),
            Body::Irq { intid } => self.machine.mask_interrupt(intid, true),
            Body::Far(far) => self.release_far(&far),
            _ => {}
        }
        self.free_object(index);
        released
    }

    /// Leaves what the parent may ask about; frees the place if nobody will.
    fn bury(&mut self, place: usize) {
        self.freeze(place);
        // First of all: its children's ends must not wake it.
        self.fibers[place].state = state::ENDED;
        for child in 0..FIBERS {
            if self.fibers[child].parent == place as u8 {
                self.fibers[child].parent = NONE;
                if self.fibers[child].state == state::ENDED {
                    self.reap(child);
                }
            }
        }
        self.leave_far_children(place);
        self.clear_slots(place);
        let fiber = &self.fibers[place];
        let (parent, object) = (fiber.parent as usize, fiber.object);
        self.signal(object);
        if parent < FIBERS && self.fibers[parent].is_alive() {
            self.fibers[parent].ended |= 1 << place;
            self.wake_for_event(parent);
        } else if !self.tell_far_parent(place) {
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
        let asking = self.is_asking(place);
        let fiber = &mut self.fibers[place];
        (fiber.object, fiber.parent, fiber.far_parent) = (0, NONE, None);
        // Another core's answer is still to come to this place.
        fiber.state = if asking { state::ENDED } else { 0 };
        self.accounts.asked(place);
    }

    /// A fiber that waits for its events looks again.
    pub(crate) fn wake_for_event(&mut self, place: usize) {
        if self.fibers[place].wait.active {
            self.wake(place);
        }
    }

    pub(crate) fn is_init(&self, id: u8) -> bool {
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
