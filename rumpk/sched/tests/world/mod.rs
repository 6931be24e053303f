//! A core with random domains that do their worst, and an oracle that knows nothing of the scheduler's bookkeeping.
//!
//! The kernel's part is played as the kernel plays it: charge, wake, preempt only for a higher spectrum, finish a call that
//! energy ended in. What is checked is what the design promises, from the outside: who asks for no more than its budget, at
//! most once per window, is done before the window ends; order is by spectrum, then deadline; the core idles, or runs
//! Void, only when nobody else could run; nobody gets more than its share and one budget.
use abi::pledge::WINDOW_NS;
use sched::{Choice, Harmonic, KERNEL_STRETCH_NS, Params, RESTART_NS};

const MS: u64 = 1_000_000;
/// Simulated time of one set.
const LIFE: u64 = 120 * MS;
/// Most domains of a set.
const MOST: u64 = 14;

/// SplitMix64 (Steele, Lea, Flood 2014): a seed is all there is to a run.
pub struct Random(pub u64);

impl Random {
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }
    /// Below `end`, which is not 0.
    pub fn below(&mut self, end: u64) -> u64 {
        self.next() % end
    }
    fn one_in(&mut self, n: u64) -> bool {
        self.below(n) == 0
    }
}

/// What is wrong with the scheduler on purpose.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Bug {
    None,
    /// Who woke first runs first, whatever its deadline.
    Fifo,
    /// Admission without the kernel's stretches.
    NoStretch,
    /// Every wake begins with a full budget.
    FullWake,
    /// What a call cost below zero is forgotten.
    NoDebt,
    /// Whoever starts anew gets energy for it, as often as it does, and never pays it back.
    FreeRestart,
}

/// The scheduler with its bug.
struct Core {
    is: Harmonic,
    bug: Bug,
    woken: [u64; 64],
}

impl Core {
    /// Whether the set with one more domain is admitted.
    fn add(&mut self, id: u8, set: &[Params], params: Params) -> bool {
        if self.bug != Bug::NoStretch {
            return self.is.add(id, params).is_ok();
        }
        let (mut sum, mut most) = ([0; 4], [0; 4]);
        for p in set.iter().chain([&params]) {
            let s = usize::from(p.spectrum);
            sum[s] += p.budget_ns;
            most[s] = p.budget_ns.max(most[s]);
        }
        let fits = sum[3] + most[3] <= 2 * MS
            && (sum[2] == 0 || 6 * sum[3] + sum[2] + most[2] <= 10 * MS)
            && (sum[1] == 0 || 26 * sum[3] + 6 * sum[2] + sum[1] + most[1] <= 50 * MS);
        fits && self.is.add_unchecked(id, params).is_ok()
    }

    fn wake(&mut self, id: u8, now: u64) {
        self.is.wake(id, now);
        self.woken[usize::from(id)] = now;
        let lacks = self.is.budget(id) as i64 - self.is.energy_left(id);
        if self.bug == Bug::FullWake && lacks > 0 && self.is.energy_left(id) > 0 {
            self.is.refund(id, lacks as u64);
        }
    }

    fn pick(&mut self, now: u64) -> Option<Choice> {
        if self.bug != Bug::Fifo {
            return self.is.pick(now);
        }
        let woken = self.woken;
        self.is.pick_by(now, |_, set, _| {
            let all = (0..64u8).filter(|id| set >> id & 1 != 0);
            all.min_by_key(|id| woken[usize::from(*id)]).unwrap_or(0)
        })
    }

    fn restart(&mut self, id: u8, now: u64) {
        if self.bug != Bug::FreeRestart {
            self.is.advance(id, now);
        } else if self.is.energy_left(id) < RESTART_NS as i64 {
            self.is.refund(id, RESTART_NS);
        }
    }

    fn charge(&mut self, id: u8, ran: u64, now: u64) -> bool {
        let debt = ran as i64 - self.is.energy_left(id);
        if self.bug == Bug::NoDebt && debt > 0 && self.is.spectrum(id) != 0 {
            self.is.refund(id, debt as u64);
        }
        self.is.charge(id, ran, now).exhausted
    }
}

/// How a domain behaves.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Kind {
    /// At most its budget, at most once per window.
    Honest,
    /// Always more.
    Endless,
    /// Anything, at any time; also just before its window ends.
    Erratic,
}

#[derive(Clone, Copy, Debug)]
struct Load {
    id: u8,
    params: Params,
    kind: Kind,
    /// Work left, and when it was asked for.
    job: Option<(u64, u64)>,
    next_ask: u64,
    ran: u64,
}

impl Load {
    /// Who asks for what it was promised is done before a window is over.
    fn in_time(&self, now: u64) -> Result<(), Broken> {
        let Some((_, asked)) = self.job.filter(|_| self.kind == Kind::Honest) else {
            return Ok(());
        };
        let spectrum = self.params.spectrum;
        match (now - asked).checked_sub(WINDOW_NS[usize::from(spectrum)]) {
            Some(by) if by > 0 => Err(Broken::Late { id: self.id, spectrum, by }),
            _ => Ok(()),
        }
    }
}

/// A promise that was broken.
#[derive(Debug)]
#[allow(dead_code, reason = "printed when a promise is broken")]
pub enum Broken {
    /// An honest domain was done after its window's end, or not at all.
    Late { id: u8, spectrum: u8, by: u64 },
    /// The scheduler itself counted a missed deadline.
    Missed { id: u8 },
    /// Somebody of a higher spectrum, or with an earlier deadline, waited.
    Order { ran: u8, waited: u8 },
    /// The core slept although somebody could run.
    Idle { waited: u8 },
    /// More processor time than its share and one budget.
    Share { id: u8, ran: u64, most: u64 },
}

/// What a run was like, to see that it was not empty.
#[derive(Default, Debug)]
pub struct Tally {
    pub jobs: u64,
    pub worst_photon: u64,
    pub idle: u64,
    pub void: u64,
}

pub struct World {
    now: u64,
    core: Core,
    loads: Vec<Load>,
    running: Option<usize>,
    random: Random,
    tally: Tally,
}

/// The set that a seed stands for, beside one in Void: budgets of all sizes, the last ones as large as still fits; or a
/// crowd of equal ones, where the kernel's stretches weigh most. Whether it is a crowd.
fn admitted(core: &mut Core, random: &mut Random) -> (Vec<Params>, bool) {
    let mut set = vec![Params { spectrum: 0, budget_ns: 0 }];
    core.add(0, &[], set[0]);
    let crowd = random.one_in(4);
    let (count, only) = if crowd {
        (8 + random.below(40), 1 + random.below(3))
    } else {
        (1 + random.below(MOST), random.below(8))
    };
    let fixed = |spectrum: u64| WINDOW_NS[spectrum as usize] / (count + 1);
    for _ in 0..count {
        let spectrum = if (1..=3).contains(&only) { only } else { 1 + random.below(3) };
        let most = WINDOW_NS[spectrum as usize] / 2;
        let mut budget_ns = if crowd { fixed(spectrum) } else { 1_000 + random.below(most) };
        // Less until it fits: the last ones fill what is left.
        while budget_ns > 1_000 {
            let params = Params { spectrum: spectrum as u8, budget_ns };
            if core.add(set.len() as u8, &set, params) {
                set.push(params);
                break;
            }
            budget_ns = budget_ns * 15 / 16;
        }
    }
    (set, crowd)
}

impl World {
    pub fn new(seed: u64, bug: Bug) -> Self {
        let mut random = Random(seed);
        let mut core = Core { is: Harmonic::new(), bug, woken: [0; 64] };
        let (set, crowd) = admitted(&mut core, &mut random);
        let greedy = crowd || random.one_in(4);
        let loads = (0..).zip(set).map(|(id, params)| {
            let kind = match random.below(3) {
                _ if params.spectrum == 0 => Kind::Endless,
                // One of them only wants what it was promised.
                _ if greedy && id == 1 => Kind::Honest,
                _ if greedy => Kind::Endless,
                0 => Kind::Honest,
                1 => Kind::Endless,
                _ => Kind::Erratic,
            };
            let next_ask = if params.spectrum == 0 || greedy || random.one_in(2) {
                0
            } else {
                random.below(5 * MS)
            };
            Load { id, params, kind, job: None, next_ask, ran: 0 }
        });
        let loads = loads.collect();
        Self { now: 0, core, loads, running: None, random, tally: Tally::default() }
    }

    /// Lives its life; the first broken promise.
    pub fn run(mut self) -> Result<Tally, Broken> {
        while self.now < LIFE {
            self.asks();
            self.restarts();
            self.core.is.refill_due(self.now);
            let next = match self.choose()? {
                Some(index) => self.step(index)?,
                None => self.idle()?,
            };
            assert!(next > self.now, "time stands still");
            self.now = next;
        }
        for load in &self.loads {
            load.in_time(self.now)?;
            self.share(load)?;
            if self.core.is.missed(load.id) > 0 {
                return Err(Broken::Missed { id: load.id });
            }
        }
        Ok(self.tally)
    }

    /// Everybody who asks for work by now has some.
    fn asks(&mut self) {
        for load in &mut self.loads {
            if load.job.is_some() || load.next_ask > self.now {
                continue;
            }
            let budget = load.params.budget_ns.max(1);
            let work = match load.kind {
                Kind::Honest => 1 + self.random.below(budget),
                Kind::Endless => u64::MAX / 4,
                Kind::Erratic => 1 + self.random.below(3 * budget),
            };
            load.job = Some((work, self.now));
            self.core.wake(load.id, self.now);
        }
    }

    /// Now and then somebody crashes who is not honest, preferably without energy.
    fn restarts(&mut self) {
        let count = self.loads.len() as u64;
        let load = self.loads[self.random.below(count) as usize];
        let crashes = load.job.is_some() && load.params.spectrum != 0 && self.random.one_in(2);
        if load.kind != Kind::Honest && crashes {
            self.core.restart(load.id, self.now);
        }
    }

    fn can_run(&self, load: &Load) -> bool {
        load.job.is_some() && self.core.is.energy_left(load.id) > 0
    }

    /// The running one goes on unless its energy ended, it gave way, or a higher spectrum is ready.
    fn choose(&mut self) -> Result<Option<usize>, Broken> {
        if let Some(index) = self.running {
            let load = self.loads[index];
            if self.can_run(&load) && !self.core.is.outranked(load.id) {
                return self.check(index, false).map(Some);
            }
        }
        self.running = self.core.pick(self.now).map(|choice| usize::from(choice.id));
        match self.running {
            Some(index) => self.check(index, true).map(Some),
            None => Ok(None),
        }
    }

    /// Nobody above waits; where it was just chosen, nobody of its spectrum with an earlier deadline either.
    fn check(&self, index: usize, chosen: bool) -> Result<usize, Broken> {
        let core = &self.core.is;
        let own = self.loads[index].id;
        if core.missed(own) > 0 {
            return Err(Broken::Missed { id: own });
        }
        let (spectrum, deadline) = (core.spectrum(own), core.deadline(own));
        for load in self.loads.iter().filter(|l| l.id != own && self.can_run(l)) {
            let (other, due) = (core.spectrum(load.id), core.deadline(load.id));
            if other > spectrum || (chosen && other == spectrum && due < deadline) {
                return Err(Broken::Order { ran: own, waited: load.id });
            }
        }
        Ok(index)
    }

    fn idle(&mut self) -> Result<u64, Broken> {
        if let Some(load) = self.loads.iter().find(|l| self.can_run(l)) {
            return Err(Broken::Idle { waited: load.id });
        }
        let next = self.next_ask().min(self.core.is.next_event(self.now)).min(LIFE);
        self.tally.idle += next - self.now;
        Ok(next)
    }

    fn next_ask(&self) -> u64 {
        let idle = self.loads.iter().filter(|l| l.job.is_none());
        idle.map(|l| l.next_ask).min().unwrap_or(u64::MAX)
    }

    /// Runs until something happens, and a stretch of the kernel longer if energy ends inside a call.
    fn step(&mut self, index: usize) -> Result<u64, Broken> {
        let load = self.loads[index];
        let (left, asked) = load.job.expect("it is awake");
        let energy = self.core.is.energy_left(load.id) as u64;
        let done = self.now.saturating_add(left);
        let ends = self.now.saturating_add(energy);
        let event = self.core.is.next_event(self.now).max(self.now + 1);
        let slice = self.now + 1 + self.random.below(300_000);
        let mut next = ends.min(done).min(event).min(self.next_ask().max(self.now + 1)).min(slice);
        if next == ends && load.params.spectrum != 0 {
            let stretch = match load.kind {
                Kind::Erratic => self.random.below(KERNEL_STRETCH_NS + 1),
                _ => KERNEL_STRETCH_NS,
            };
            next = (next + stretch).min(done);
        }
        let ran = next - self.now;
        self.loads[index].ran += ran;
        self.tally.void += if load.params.spectrum == 0 { ran } else { 0 };
        // Everybody gives way now and then; strikes are another test's subject.
        self.core.is.cooperated(load.id);
        let exhausted = self.core.charge(load.id, ran, next);
        if next == done {
            self.done(index, next)?;
        } else {
            self.loads[index].job = Some((left - ran, asked));
        }
        if next == done || exhausted || next == slice {
            self.running = None;
        }
        Ok(next)
    }

    fn done(&mut self, index: usize, now: u64) -> Result<(), Broken> {
        let load = self.loads[index];
        load.in_time(now)?;
        let asked = load.job.map_or(now, |(_, asked)| asked);
        self.core.is.sleep(load.id, now);
        self.tally.jobs += 1;
        if load.params.spectrum == 3 && load.kind == Kind::Honest {
            self.tally.worst_photon = self.tally.worst_photon.max(now - asked);
        }
        let window = WINDOW_NS[usize::from(load.params.spectrum)];
        let deadline = self.core.is.deadline(load.id);
        let next_ask = match load.kind {
            Kind::Honest => asked + window + self.random.below(window),
            _ if self.random.one_in(3) => deadline - 1 - self.random.below(window / 3),
            _ => now + self.random.below(2 * window),
        };
        self.loads[index].job = None;
        self.loads[index].next_ask = next_ask.max(now);
        Ok(())
    }

    /// The constant-bandwidth rule: its share of the time, one budget, and one call that it could not pay for.
    fn share(&self, load: &Load) -> Result<(), Broken> {
        let Params { spectrum, budget_ns } = load.params;
        if spectrum == 0 {
            return Ok(());
        }
        let window = u128::from(WINDOW_NS[usize::from(spectrum)]);
        let part = (u128::from(self.now) * u128::from(budget_ns)).div_ceil(window) as u64;
        let most = part + budget_ns + 2 * KERNEL_STRETCH_NS + RESTART_NS;
        if load.ran > most {
            return Err(Broken::Share { id: load.id, ran: load.ran, most });
        }
        Ok(())
    }
}
