//! Work of the kernel for one domain, in bounded steps: making its memory, taking it apart, making it anew.
//!
//! Nothing in the kernel is preempted, so whatever is long must be cut. A domain with a job is scheduled like any other, by its
//! spectrum and energy; when its turn comes the kernel takes one step, charges it to the domain, looks for interrupts and
//! decides anew. What a step may do is bounded by the constants here and in [`crate::build`]; a step is no strike, however many
//! of them fill a window.
//!
//! | phase | what it does | next |
//! |---|---|---|
//! | Release | voids what the dead instance owned, tells its peers | Bury |
//! | Bury | its fibers, one a step | Quiesce |
//! | Quiesce | its devices stop | Leave, or Clear |
//! | Leave | gives memory, energy and places back | none |
//! | Clear | the tables forget the instance, the reservation stays | Birth; none in quarantine |
//! | Birth | a CSpace from the manifest | Space |
//! | Space | an empty translation root | Fill |
//! | Fill | copies and zeroes memory | Relocate |
//! | Relocate | adds the base | Map |
//! | Map | enters the pages | Start |
//! | Start | the first fiber is ready at its entry | none |
//! | Stack | zeroes and maps the stack of a further fiber | none |
use crate::blink::Fate;
use crate::kernel::{DOMAINS, FIBERS, Kernel, NONE};
use arch::Machine;

/// Who starts anew with less energy than this does not get far, ns.
const STARVED_NS: i64 = 2_000;

/// What comes next.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Phase {
    None = 0,
    Release,
    Bury,
    Quiesce,
    Leave,
    Clear,
    Birth,
    Space,
    Fill,
    Relocate,
    Map,
    Start,
    Stack,
}

impl Phase {
    /// Whether an instance of the domain is being made that does not run yet.
    pub fn makes_an_instance(self) -> bool {
        (Self::Birth as u8..=Self::Start as u8).contains(&(self as u8))
    }
}

/// A job: the phase, and how far it got. What `at` counts is the phase's own affair.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Job {
    pub phase: Phase,
    pub at: u64,
}

impl Job {
    /// Nothing to do.
    pub const NONE: Self = Self { phase: Phase::None, at: 0 };

    pub fn is_none(&self) -> bool {
        self.phase == Phase::None
    }
}

/// What a step leaves.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Step {
    /// More of the same phase, from here on.
    More(u64),
    /// Nothing before another core answered ([`crate::cores::Asked`]).
    Wait,
    /// The phase is over; this one follows.
    Then(Phase),
    /// The job is another one by now: the step found the domain unfit, or took it away.
    Replaced,
}

impl<M: Machine> Kernel<M> {
    /// Gives the domain a job. It is awake until the job is done.
    pub(crate) fn begin(&mut self, id: u8, phase: Phase) {
        self.domains[id as usize % DOMAINS].job = Job { phase, at: 0 };
        let now = self.machine.now();
        // What it was charged for until now counts; who ends does not spin.
        self.sched.cooperated(id);
        self.sched.charge(id, 0, now);
        self.sched.wake(id, now);
        if phase == Phase::Release && self.domains[id as usize % DOMAINS].fate == Fate::Blink {
            self.sched.advance(id, now);
        }
        self.reconsider |= self.domain == NONE || self.sched.preempts(id, self.domain);
    }

    /// One step of the domain's job, at its expense. What interrupted meanwhile comes first, as the call or the step before
    /// may have been long; if it woke somebody better, who runs is decided anew.
    ///
    /// Never a part of `schedule`: its steps would be, too, and every choice would begin by making room for them.
    #[inline(never)]
    pub(crate) fn work(&mut self, id: u8) {
        self.current = NONE;
        self.interrupts();
        if self.sched.outranked(id) || self.domains[id as usize % DOMAINS].job.is_none() {
            return;
        }
        self.audit_beside(id);
        let restarts = self.domains[id as usize % DOMAINS].fate == Fate::Blink;
        self.step(id);
        // Who is made or taken apart cannot cooperate; its energy bounds it all the same.
        self.sched.cooperated(id);
        let now = self.machine.now();
        let spent = now - self.charged_until.min(now);
        self.charged_until = now;
        let domain = &mut self.domains[id as usize % DOMAINS];
        if !domain.is_free() {
            domain.time += spent;
            self.fibers[domain.first as usize % FIBERS].time += spent;
            let exhausted = self.sched.charge(id, spent, now).exhausted;
            // Nor is it much of a restart whose first instruction has to wait.
            let starved = domain.job.is_none() && self.sched.energy_left(id) < STARVED_NS;
            if restarts && (exhausted || starved) {
                self.sched.advance(id, now);
            }
        }
    }

    /// What the domain's job waited for is there.
    pub(crate) fn go_on(&mut self, id: u8) {
        if !self.domains[id as usize % DOMAINS].job.is_none() {
            let now = self.machine.now();
            self.sched.wake(id, now);
            self.reconsider |= self.domain == NONE || self.sched.preempts(id, self.domain);
        }
    }

    fn step(&mut self, id: u8) {
        let job = self.domains[id as usize % DOMAINS].job;
        let step = match job.phase {
            Phase::None => return,
            Phase::Release => self.release_some(id, job.at),
            Phase::Bury => self.bury_one(id),
            Phase::Quiesce => self.quiesce_some(id, job.at),
            Phase::Leave => self.leave_domain(id),
            Phase::Clear => self.clear_instance(id),
            Phase::Birth => self.birth_some(id, job.at),
            Phase::Space => self.make_space(id),
            Phase::Fill => self.fill_some(id, job.at),
            Phase::Relocate => self.relocate_some(id, job.at),
            Phase::Map => self.map_some(id, job.at),
            Phase::Start => self.start_first_fiber(id),
            Phase::Stack => self.stack_some(id, job.at),
        };
        let job = match step {
            Step::More(at) => Job { at, ..job },
            Step::Then(phase) => Job { phase, at: 0 },
            Step::Wait => {
                let now = self.machine.now();
                self.sched.sleep(id, now);
                return;
            }
            Step::Replaced => return,
        };
        let domain = &mut self.domains[id as usize % DOMAINS];
        domain.job = job;
        if job.is_none() && domain.ready == 0 {
            let now = self.machine.now();
            self.sched.sleep(id, now);
        }
    }
}
