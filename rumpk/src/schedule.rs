//! Who runs next: charge, wake, pick, and finish what the chosen fiber was waiting for.
use crate::kernel::{DOMAINS, FIBERS, Kernel, NONE};
use abi::stats::state;
use arch::Machine;

/// The places in a mask, lowest first.
pub fn places(mut mask: u64) -> impl Iterator<Item = usize> {
    core::iter::from_fn(move || {
        let place = mask.trailing_zeros() as usize;
        mask &= mask.wrapping_sub(1);
        (place < 64).then_some(place)
    })
}

/// Who gets the core.
enum Chosen {
    Fiber(usize),
    /// One step of the kernel's for this domain.
    Job(u8),
    Nobody,
}

impl<M: Machine> Kernel<M> {
    /// A fiber that waited becomes ready. What it got is found out when it runs.
    pub(crate) fn wake(&mut self, place: usize) {
        let fiber = &mut self.fibers[place % FIBERS];
        if fiber.state != state::WAITING {
            return;
        }
        fiber.state = state::READY;
        let id = fiber.domain;
        let domain = &mut self.domains[id as usize % DOMAINS];
        let asleep = domain.ready == 0;
        domain.ready |= 1 << place;
        if asleep {
            let now = self.machine.now();
            self.sched.wake(id, now);
            self.reconsider |= self.domain == NONE || self.sched.preempts(id, self.domain);
        }
    }

    pub(crate) fn wake_all(&mut self, mask: u64) {
        for place in places(mask) {
            self.wake(place);
        }
    }

    /// The fiber is not ready any more.
    pub(crate) fn unready(&mut self, place: usize) {
        let id = self.fibers[place % FIBERS].domain;
        let domain = &mut self.domains[id as usize % DOMAINS];
        domain.ready &= !(1 << place);
        if domain.ready == 0 && domain.job.is_none() && !domain.is_free() {
            let now = self.machine.now();
            self.sched.sleep(id, now);
        }
    }

    /// Notes that a fiber wants to be woken at `at`.
    pub(crate) fn note_timer(&mut self, at: u64) {
        self.next_timer = self.next_timer.min(at);
    }

    /// Wakes the fibers whose deadline or timer passed, ends what expired, and finds the next such time.
    #[inline(never)]
    pub(crate) fn expire(&mut self, now: u64) {
        self.lapse(now);
        let mut next = self.lapses.next();
        for place in 0..FIBERS {
            let fiber = &mut self.fibers[place];
            if !fiber.is_alive() {
                continue;
            }
            let mut due = false;
            if fiber.timer <= now {
                fiber.timer = u64::MAX;
                fiber.timer_fired = true;
                due = true;
            }
            if fiber.wait.active && fiber.wait.deadline <= now {
                fiber.wait.timed_out = true;
                fiber.wait.deadline = u64::MAX;
                due = true;
            }
            if fiber.wait.active && fiber.wait.lapse != 0 && fiber.wait.lapse <= now {
                // A slot that it waits on is dead now: it looks again.
                fiber.wait.lapse = 0;
                due = true;
            }
            next = next.min(fiber.next_time());
            if due {
                self.wake(place);
            }
        }
        self.power_late(now);
        self.next_timer = next.min(self.seals.deadline());
    }

    /// Charges the time since the last look to the current domain; `true` while it may go on. A third strike ends it.
    fn charge(&mut self, now: u64) -> bool {
        let spent = now - self.charged_until.min(now);
        self.charged_until = now;
        if self.current == NONE {
            return false;
        }
        let id = self.domain;
        self.fiber_mut().time += spent;
        self.domain_mut().time += spent;
        let charged = self.sched.charge(id, spent, now);
        if let Some(strikes) = charged.strike {
            self.struck(id, strikes);
        }
        !charged.exhausted && self.current != NONE && self.fiber().state == state::RUNNING
    }

    /// Consequences of a strike: the second takes a spectrum, the third ends the domain.
    #[cold]
    fn struck(&mut self, id: u8, strikes: u8) {
        let spectrum = self.sched.spectrum(id);
        self.audit_strike(id, strikes);
        match strikes {
            2 if spectrum > 0 => {
                // Lower is always allowed.
                let _ = self.sched.set_spectrum(id, spectrum - 1);
                self.domains[id as usize % DOMAINS].history.lost += 1;
            }
            3 => {
                self.witness(crate::postmortem::Scene::NONE);
                self.end_domain(id, abi::stats::end::STRIKES, 0);
                self.culprit = NONE;
            }
            _ => {}
        }
    }

    /// Charges, lets time pass, and chooses; sleeps while nobody is ready. The frame to resume.
    pub fn schedule(&mut self) -> &mut M::Frame {
        self.part();
        loop {
            let now = self.machine.now();
            let runs = self.charge(now);
            self.reconsider = false;
            if now >= self.next_timer {
                self.expire(now);
            }
            let place = match self.choose(now, runs) {
                Chosen::Fiber(place) => place,
                Chosen::Job(id) => {
                    self.work(id);
                    continue;
                }
                Chosen::Nobody => {
                    self.sleep(now);
                    continue;
                }
            };
            self.dispatch(place);
            if self.finish_wait() {
                let place = self.current as usize % FIBERS;
                self.fibers[place].state = state::RUNNING;
                self.machine.enter(&mut self.fibers[place].frame);
                return &mut self.fibers[place].frame;
            }
            // It found nothing of what it waits for: it waits on. A held call may also have ended it.
            if self.current != NONE {
                self.fiber_mut().state = state::WAITING;
                self.unready(self.current as usize);
            }
        }
    }

    /// The running fiber, unless its energy ended (`runs` is false) or a higher spectrum is ready; else the best domain:
    /// its job, or its fibers in turn. Arms the timer.
    fn choose(&mut self, now: u64, runs: bool) -> Chosen {
        self.sched.refill_due(now);
        let (place, until) = if runs && !self.sched.outranked(self.domain) {
            let left = self.sched.energy_left(self.domain).max(0) as u64;
            (self.current as usize, now.saturating_add(left))
        } else {
            if self.current != NONE && self.fiber().state == state::RUNNING {
                self.fiber_mut().state = state::READY;
            }
            let Some(choice) = self.sched.pick(now) else { return Chosen::Nobody };
            if self.shut >> choice.id & 1 != 0 {
                self.open_lines(choice.id);
            }
            let domain = &self.domains[choice.id as usize % DOMAINS];
            if !domain.job.is_none() {
                return Chosen::Job(choice.id);
            }
            let after = domain.ready & (u64::MAX << (domain.last as u32 % 64) << 1);
            let set = if after != 0 { after } else { domain.ready };
            (set.trailing_zeros() as usize % FIBERS, choice.until)
        };
        let until = if until > u64::MAX / 2 { u64::MAX } else { until };
        self.arm(now, until.min(self.sched.next_event(now)));
        Chosen::Fiber(place)
    }

    /// Arms the timer for `at` or the fibers' next time. One that is armed for earlier stays: it comes once too often,
    /// where domains that call each other would set it anew with every call.
    #[inline(always)]
    pub(crate) fn arm(&mut self, now: u64, at: u64) {
        let at = self.next_timer.min(at);
        if self.armed > at || self.armed <= now {
            self.armed = at;
            self.machine.set_timer(at);
        }
    }

    /// Makes the fiber and its domain current.
    #[inline(always)]
    pub(crate) fn dispatch(&mut self, place: usize) {
        let id = self.fibers[place].domain;
        self.current = place as u8;
        if id != self.domain {
            self.domain = id;
            self.counters.switches += 1;
            if self.counters.first_npl == 0 {
                // Drivers come first: the first fiber that ever runs is one of theirs.
                self.counters.first_npl = self.machine.now();
            }
            if let Some(space) = &self.domains[id as usize % DOMAINS].space {
                self.machine.activate(space);
            }
        }
        self.domains[id as usize % DOMAINS].last = place as u8;
        if self.fibers[place].eager != 0 && self.floating != place as u8 {
            self.fibers[place].eager -= 1;
            self.take_floating();
        } else {
            self.machine.allow_floating(self.floating == place as u8);
        }
    }

    /// Nothing is ready: the core sleeps until an interrupt, with the timer armed only for what is really due.
    #[inline(never)]
    fn sleep(&mut self, now: u64) {
        self.current = NONE;
        let next = (0..FIBERS).map(|p| self.fibers[p].next_time()).min().unwrap_or(u64::MAX);
        self.next_timer = next.min(self.lapses.next()).min(self.seals.deadline());
        self.armed = self.next_timer.min(self.sched.next_event(now));
        self.machine.set_timer(self.armed);
        self.counters.idles += 1;
        self.audit_idle();
        self.machine.idle();
        self.charged_until = self.machine.now();
        self.counters.idle_time += self.charged_until - now;
        self.interrupts();
    }
}
