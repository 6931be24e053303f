//! One core that does what the scheduler says, in discrete steps of time, and checks it.
//!
//! It plays the kernel's part: it charges the time that passed, wakes, puts to sleep, picks, and honours the rule
//! that only a higher spectrum preempts. Domains ask for work and are told when it was done.
#![allow(dead_code, reason = "each test uses a part of it")]
use sched::{Harmonic, Params};

/// Work that a domain still has to do.
#[derive(Clone, Copy, Debug)]
pub struct Job {
    /// When it was asked for.
    pub at: u64,
    /// ns of processor time left; `u64::MAX`: never done.
    pub left: u64,
}

/// A domain of the simulation.
#[derive(Clone, Debug)]
pub struct Load {
    pub id: u8,
    pub params: Params,
    pub job: Option<Job>,
    /// Time it ran.
    pub ran: u64,
    /// Longest from asked for to done.
    pub worst: u64,
    /// Yields before its energy ends.
    pub polite: bool,
}

pub struct Machine {
    pub now: u64,
    pub core: Harmonic,
    pub loads: Vec<Load>,
    /// The running domain's last moments are spent in the kernel for up to this long after energy ended.
    pub stretch: u64,
    running: Option<usize>,
    /// Void runs only while nothing else can.
    pub idle: u64,
    pub timers: u64,
}

impl Machine {
    pub fn new(sets: &[Params]) -> Option<Self> {
        let mut core = Harmonic::new();
        let mut loads = Vec::new();
        for (id, &params) in (0..).zip(sets) {
            core.add(id, params).ok()?;
            let (job, ran, worst) = (None, 0, 0);
            loads.push(Load { id, params, job, ran, worst, polite: true });
        }
        let (stretch, running) = (0, None);
        Some(Self { now: 0, core, loads, stretch, running, idle: 0, timers: 0 })
    }

    /// Asks domain `id` for `work` ns more.
    pub fn ask(&mut self, id: usize, work: u64) {
        let now = self.now;
        let job = self.loads[id].job.get_or_insert(Job { at: now, left: 0 });
        job.left = job.left.saturating_add(work);
        self.core.wake(id as u8, now);
        if self.running.is_none_or(|runs| self.core.preempts(id as u8, runs as u8)) {
            self.running = None;
        }
    }

    /// Runs until `end`, or until something needs a decision before it.
    pub fn run_to(&mut self, end: u64) {
        while self.now < end {
            let next = if let Some((index, until)) = self.choose() {
                self.run(index, until, end)
            } else {
                let next = self.core.next_event(self.now).min(end);
                self.idle += next - self.now;
                next
            };
            assert!(next >= self.now, "time goes back");
            self.now = next;
            self.core.refill_due(next);
        }
    }

    fn choose(&mut self) -> Option<(usize, u64)> {
        let waits = self.core.next_event(self.now);
        if let Some(index) = self.running
            && waits > self.now
            && !self.better_than(index)
        {
            let left = self.core.energy_left(index as u8);
            return Some((index, self.now.saturating_add(left as u64)));
        }
        self.core.refill_due(self.now);
        let before: Vec<u64> = self.loads.iter().map(|l| self.core.deadline(l.id)).collect();
        let choice = self.core.pick(self.now)?;
        self.running = Some(usize::from(choice.id));
        self.check(usize::from(choice.id), &before);
        Some((usize::from(choice.id), choice.until))
    }

    fn better_than(&self, index: usize) -> bool {
        self.loads.iter().any(|l| self.core.preempts(l.id, index as u8))
    }

    fn wants(&self, load: &Load) -> bool {
        load.job.is_some() && !self.core.is_throttled(load.id)
    }

    /// Nobody above is left out, and inside the spectrum nobody has an earlier deadline.
    fn check(&self, chosen: usize, deadlines: &[u64]) {
        let ours = self.core.spectrum(chosen as u8);
        for load in self.loads.iter().filter(|l| self.wants(l)) {
            let theirs = self.core.spectrum(load.id);
            assert!(theirs <= ours, "{} waits below {chosen}", load.id);
            let earlier = deadlines[usize::from(load.id)] < deadlines[chosen];
            assert!(theirs < ours || !earlier, "{} is due before {chosen}", load.id);
        }
    }

    fn run(&mut self, index: usize, until: u64, end: u64) -> u64 {
        let job = self.loads[index].job.expect("it is awake");
        let event = self.core.next_event(self.now).max(self.now);
        let done = self.now.saturating_add(job.left);
        let mut next = until.min(done).min(event).min(end);
        // The end of energy finds it inside the kernel: the stretch is finished first, if there is work for it.
        if next == until && self.core.spectrum(index as u8) != 0 {
            next = (next + self.stretch).min(done);
        }
        let ran = next - self.now;
        let load = &mut self.loads[index];
        load.ran += ran;
        if load.polite {
            self.core.cooperated(load.id);
        }
        let charged = self.core.charge(load.id, ran, next);
        if next == done {
            load.worst = load.worst.max(next - job.at);
            load.job = None;
            self.core.sleep(load.id, next);
        } else {
            load.job = Some(Job {
                at: job.at,
                left: if job.left == u64::MAX { job.left } else { job.left - ran },
            });
        }
        if next == done || charged.exhausted {
            self.running = None;
        }
        self.timers += 1;
        next
    }
}
