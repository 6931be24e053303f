//! Blink: a domain that faulted starts anew, out of the reservation that the dead instance held.
//!
//! What the next instance needs is never given back: the extent, the energy, the places of the domain and of its first fiber,
//! and one object for each that was voided ([`Body::Kept`]). So a Blink cannot fail for want of anything. What the dead one made
//! of it is gone: its mappings, its fibers, its narrowings, what it was granted, and the children that it spawned (their memory
//! and energy came out of its own). What survives stands in `survives.txt`, each line with its reason.
//!
//! Who restarts too often is not helped by one more restart: five own faults inside ten seconds, and the domain is quarantined,
//! until somebody releases it through its FIBER capability.
use crate::domain::Domain;
use crate::fiber::Fiber;
use crate::job::{Phase, Step};
use crate::kernel::{CHANNELS, DOMAINS, FIBERS, Kernel, NONE, OBJECTS};
use crate::left_off::Stop;
use crate::object::Body;
use abi::cap::{Kind, R, W, slot, verb};
use abi::image::policy;
use abi::pledge;
use abi::prov::kind;
use abi::stats::{end, state};
use arch::Machine;
use sched::Params;

/// Faults of its own inside [`SOON_NS`] that put a domain into quarantine.
const FAULTS_MAX: usize = 5;
/// What counts as soon after the one before, ns.
const SOON_NS: u64 = 10_000_000_000;
/// Links of the manifest that one step looks at.
const LINKS_STEP: usize = 8;

/// What becomes of a domain whose end is under way.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Fate {
    /// It is gone.
    End = 0,
    /// It starts anew.
    Blink,
    /// It waits to be released, and starts anew then.
    Park,
}

/// What a domain's instances have in common. Survives them.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct History {
    /// Blinks so far.
    pub blinks: u32,
    /// Times of its last own faults, ns, in turn; 0: none.
    faults: [u64; FAULTS_MAX - 1],
    /// Where the next one goes.
    turn: u8,
    /// Spectra lost by strikes.
    pub lost: u8,
    /// Bytes of the checkpoint in the second kept page; 0: there is none.
    pub checkpoint: u32,
    /// In quarantine.
    pub parked: bool,
    /// A device of it did not come to rest: it stays in quarantine until the next boot.
    pub restless: bool,
    /// When the instance ended that the running one replaces, ns.
    pub ended: u64,
    /// Where it was stopped.
    pub stop: Stop,
}

impl History {
    /// Of a domain that never faulted.
    pub const NONE: Self = Self {
        blinks: 0,
        faults: [0; FAULTS_MAX - 1],
        turn: 0,
        lost: 0,
        checkpoint: 0,
        parked: false,
        restless: false,
        ended: 0,
        stop: Stop::NONE,
    };

    fn soon(now: u64, fault: u64) -> bool {
        fault != 0 && now - fault.min(now) <= SOON_NS
    }

    /// Notes an own fault; [`Fate::Park`] if it is one too many.
    fn fault(&mut self, now: u64, trusted: bool) -> Fate {
        let before = self.faults.iter().filter(|&&at| Self::soon(now, at)).count();
        // What made it fault may be what it saved.
        if before > 0 || !trusted {
            self.checkpoint = 0;
        }
        self.faults[self.turn as usize % self.faults.len()] = now.max(1);
        self.turn = (self.turn + 1) % self.faults.len() as u8;
        if before == FAULTS_MAX - 1 { Fate::Park } else { Fate::Blink }
    }

    /// Released: the past does not count any more.
    fn forgive(&mut self) {
        (self.faults, self.lost, self.blinks, self.parked) = ([0; FAULTS_MAX - 1], 0, 0, false);
    }
}

impl<M: Machine> Kernel<M> {
    /// What the manifest's policy makes of this end.
    pub(crate) fn fate(&mut self, id: u8, cause: u8) -> Fate {
        let now = self.machine.now();
        let domain = &mut self.domains[id as usize % DOMAINS];
        domain.history.ended = now;
        // The memory of an application that is linked with the kernel is the kernel's: there is nothing to restore it from.
        let restarts = domain.policy == policy::RESTART && domain.layout.image.is_some();
        if cause == end::EXIT || !restarts {
            return Fate::End;
        }
        if cause == end::KILLED {
            return Fate::Blink;
        }
        let trusted = !matches!(cause, end::PLEDGE | end::STRIKES);
        domain.history.fault(now, trusted)
    }

    /// The fault of a child that may not fault: its parent ends, too, by its own policy. Subject zero stands for the kernel.
    pub(crate) fn escalate(&mut self, id: u8, cause: u8) {
        let domain = &self.domains[id as usize % DOMAINS];
        if domain.policy != policy::ESCALATE || cause == end::EXIT {
            return;
        }
        let parent = match domain.parent {
            NONE => (0..DOMAINS as u8).find(|&other| self.is_init(other)),
            parent => Some(parent),
        };
        if let Some(parent) = parent.filter(|&p| p != id) {
            self.end_domain(parent, end::CHILD, 0);
        }
    }

    /// A new instance runs.
    pub(crate) fn count_blink(&mut self, id: u8) {
        let now = self.machine.now();
        let domain = &self.domains[id as usize % DOMAINS];
        let (history, first) = (domain.history, domain.first as usize % FIBERS);
        let took = now - history.ended.min(now);
        self.audit(kind::BLINK, self.fibers[first].id, history.blinks, 0, &took.to_le_bytes());
    }

    /// FIBER's blink: by the policy, and held against nobody.
    pub(crate) fn blink(&mut self, place: usize) -> crate::object::Answer {
        self.may_blink(place)?;
        self.kill(place)
    }

    /// Whether FIBER's blink can be asked of the fiber in `place`.
    pub(crate) fn may_blink(&self, place: usize) -> Result<(), abi::call::Error> {
        let id = self.fibers[place % FIBERS].domain;
        let domain = &self.domains[id as usize % DOMAINS];
        if domain.first as usize != place {
            // A further fiber is its domain's own affair: nothing in the image says how to start it.
            return Err(abi::call::Error::Denied);
        }
        if domain.history.parked {
            return Err(abi::call::Error::NotReady);
        }
        Ok(())
    }

    /// FIBER's release: strikes, Blinks and the lost spectrum are forgotten; who was in quarantine starts anew.
    pub(crate) fn release(&mut self, place: usize) -> crate::object::Answer {
        let fiber = &self.fibers[place % FIBERS];
        if fiber.state == state::ENDED {
            return Err(abi::call::Error::Gone.into());
        }
        let id = fiber.domain;
        let history = &self.domains[id as usize % DOMAINS].history;
        if history.restless {
            // What its device may still write to is nobody's.
            return Err(abi::call::Error::NotReady.into());
        }
        let parked = history.parked && self.domains[id as usize % DOMAINS].job.is_none();
        self.domains[id as usize % DOMAINS].history.forgive();
        self.sched.forgive(id);
        self.restore_spectrum(id);
        if parked {
            self.fibers[place % FIBERS].state = state::READY;
            self.begin(id, Phase::Birth);
        } else {
            // Still on its way into quarantine: it does not stay there.
            let domain = &mut self.domains[id as usize % DOMAINS];
            if domain.fate == Fate::Park {
                domain.fate = Fate::Blink;
            }
        }
        Ok(0)
    }

    /// The spectrum of birth, less what strikes took; a running instance keeps what it gave up itself.
    fn restore_spectrum(&mut self, id: u8) {
        let now = self.machine.now();
        let domain = &self.domains[id as usize % DOMAINS];
        let most = pledge::spectrum(domain.pledge).saturating_sub(domain.history.lost);
        let params = Params { spectrum: most, budget_ns: domain.layout.budget };
        if most > self.sched.spectrum(id) {
            // Somebody else may have been promised meanwhile what it gave up: then it stays where it is.
            let _ = self.sched.restore(id, params, now);
        }
    }

    /// The dead instance is taken out of every table; what stays is as at spawn, but for what `survives.txt` names.
    pub(crate) fn clear_instance(&mut self, id: u8) -> Step {
        let index = id as usize % DOMAINS;
        for channel in 0..CHANNELS as u8 {
            self.free_channel_if_dead(channel);
        }
        self.orphan(id);
        let domain = core::mem::replace(&mut self.domains[index], Domain::FREE);
        if let Some(space) = &domain.space {
            self.machine.retire(space);
        }
        if self.domain == id {
            self.domain = NONE;
        }
        let place = domain.first as usize % FIBERS;
        let mut layout = domain.layout;
        layout.again = true;
        let mut history = domain.history;
        history.blinks = history.blinks.saturating_add(1);
        let parked = domain.fate == Fate::Park;
        history.parked = parked;
        self.domains[index] = Domain {
            extent: domain.extent,
            heap: domain.heap,
            pledge: domain.born,
            born: domain.born,
            policy: domain.policy,
            service: domain.service,
            fibers: 1 << place,
            fibers_max: domain.fibers_max,
            fate: domain.fate,
            first: place as u8,
            last: place as u8,
            parent: domain.parent,
            carved: domain.carved,
            time: domain.time,
            link: domain.link,
            history,
            layout,
            ..Domain::FREE
        };
        self.veils[index] = self.veils[index].reborn();
        self.clear_fiber(place, parked);
        if parked {
            let (fiber, blinks) = (self.fibers[place].id, history.blinks);
            self.audit(kind::QUARANTINE, fiber, blinks, 0, &self.fibers[place].name.clone());
        }
        self.restore_spectrum(id);
        if parked { Step::Then(Phase::None) } else { Step::Then(Phase::Birth) }
    }

    /// The first fiber's place: the same name, number, parent and capability, and nothing else.
    fn clear_fiber(&mut self, place: usize, parked: bool) {
        self.clear_slots(place);
        let fiber = &mut self.fibers[place];
        let old = core::mem::replace(fiber, Fiber::FREE);
        *fiber = Fiber {
            id: old.id,
            domain: old.domain,
            parent: old.parent,
            object: old.object,
            far_parent: old.far_parent,
            far_parent_id: old.far_parent_id,
            asked: Self::stale(&old.asked),
            time: old.time,
            name: old.name,
            timer: u64::MAX,
            state: if parked { state::QUARANTINED } else { state::READY },
            end: if parked { old.end } else { end::RUNS },
            code: if parked { old.code } else { 0 },
            pc: if parked { old.pc } else { 0 },
            ..Fiber::FREE
        };
    }

    /// The children of the dead instance end with it: nobody has their capabilities any more, and their memory and energy are
    /// the next instance's. Services stay: the manifest promised them theirs.
    fn orphan(&mut self, id: u8) {
        let first = self.domains[id as usize % DOMAINS].first;
        for child in 0..FIBERS {
            if !self.fibers[child].is_free() && self.fibers[child].parent == first {
                self.fibers[child].parent = NONE;
                if self.fibers[child].state == state::ENDED {
                    self.reap(child);
                }
            }
        }
        for child in 0..DOMAINS as u8 {
            if !self.domains[child as usize].is_free() && self.accounts.payer_of(child) == Some(id)
            {
                self.end_for_good(child, end::KILLED, 0);
            }
        }
        self.end_far_children(id);
    }

    /// Gives the new instance what every one is born with: one link or grant of the manifest after the other, then the rest.
    pub(crate) fn birth_some(&mut self, id: u8, at: u64) -> Step {
        let domain = &self.domains[id as usize % DOMAINS];
        let (place, index) = (domain.first as usize % FIBERS, domain.service);
        let service = self.manifest().and_then(|m| m.service(index));
        if let Some(service) = service {
            let links = self.manifest().map_or(0, |m| m.link_count()) as u64;
            if at < links {
                for link in at..links.min(at + LINKS_STEP as u64) {
                    if self.give_link(place, index, link as u16) {
                        return Step::More(link + 1);
                    }
                }
                return Step::More(links.min(at + LINKS_STEP as u64));
            }
            let grant = (at - links) as u32;
            if grant < service.grant_count {
                self.give_grant(place, id, &service, grant);
                return Step::More(at + 1);
            }
        }
        self.give_singles(place, id);
        self.give_parent_end(place, id);
        self.inherit_console(place, self.fibers[place].parent);
        self.give_far_consoles(place, id);
        for object in &mut self.objects {
            // More of them than the manifest gives: the dead one had made some itself.
            if object.is_kept() && object.owner == id {
                *object =
                    crate::object::Object { epoch: object.epoch, ..crate::object::Object::FREE };
            }
        }
        Step::Then(Phase::Space)
    }

    /// The channel to the parent is the child's by birth.
    fn give_parent_end(&mut self, place: usize, id: u8) {
        let Some(channel) = self.domains[id as usize % DOMAINS].link.checked_sub(1) else { return };
        if self.channels[channel as usize % CHANNELS].ends[0].gone {
            return;
        }
        if let Ok(object) = self.attach_end(channel, 1, place as u8, 0) {
            let cap = self.cap(Kind::CHANNEL, object, verb::ALL, R | W);
            self.give(place, slot::PARENT, cap);
        }
    }

    /// Voids an object of an instance that is replaced, and keeps its place for the next one. An end of a channel that the
    /// next one is born with stays the channel's; its peer is told.
    pub(crate) fn keep_object(&mut self, index: u32, id: u8, fate: Fate) {
        let at = index as usize % OBJECTS;
        match self.objects[at].body {
            Body::End { channel, side } => {
                let link = self.domains[id as usize % DOMAINS].link;
                let born = self.channels[channel as usize % CHANNELS].number != 0
                    || (side == 1 && link == channel + 1);
                if born {
                    self.restart_end(channel, side, fate == Fate::Park);
                } else {
                    self.drop_end(channel, side);
                }
            }
            Body::Irq { intid } => self.machine.mask_interrupt(intid, true),
            Body::Far(far) if far.is_child => return,
            Body::Far(far) if far.is_console() => {
                self.raise_epoch(index);
                return;
            }
            _ => {}
        }
        self.free_object(index);
        let object = &mut self.objects[at];
        (object.body, object.owner) = (Body::Kept, id);
    }
}
