//! Two domains that pass the core to each other, over and over: what has to be looked at each time, and what not.
use crate::admission::VOID;
use crate::domain::Domain;
use crate::harmonic::{Harmonic, bit};

/// What stays as it is about a domain while it and another one pass the core to and fro.
#[derive(Clone, Copy, Debug)]
pub struct Terms {
    window: u64,
    budget: u64,
    response: u64,
    deadline: u64,
}

impl Terms {
    /// Of nobody.
    pub const NONE: Self = Self { window: 0, budget: 0, response: 0, deadline: 0 };

    /// End of the window, absolute ns: the terms hold before it.
    #[must_use]
    pub const fn deadline(&self) -> u64 {
        self.deadline
    }

    /// Whether a domain that wakes at `now`, before its deadline, keeps what it has by the constant-bandwidth rule.
    #[inline(always)]
    fn keeps(&self, energy: u64, now: u64) -> bool {
        let left = self.deadline.wrapping_sub(now);
        energy * self.window <= self.budget * left && left >= self.response
    }
}

impl Harmonic {
    /// The terms of two domains, one running and the other asleep, for [`Self::pass`] between them. `None` where a third one might
    /// come in between: one that waits for a refill, or is ready in the lower spectrum of the two or above; and in Void,
    /// which is promised nothing.
    #[must_use]
    pub fn terms(&self, a: u8, b: u8) -> Option<[Terms; 2]> {
        let (one, other) = (self.at(a), self.at(b));
        let lower = one.spectrum.min(other.spectrum);
        let mut rivals = 0;
        for s in usize::from(lower)..4 {
            rivals |= self.ready[s];
        }
        let alone = rivals & !(bit(a) | bit(b)) == 0 && !self.any_throttled();
        (alone && lower != VOID).then(|| [self.terms_of(one), self.terms_of(other)])
    }

    fn terms_of(&self, domain: &Domain) -> Terms {
        Terms {
            window: domain.window(),
            budget: domain.budget as u64,
            response: self.response[usize::from(domain.spectrum & 3)],
            deadline: domain.deadline,
        }
    }

    /// `giver` (number, cost in ns) blocks and wakes `taker`, which is picked: the time at which its energy ends. What
    /// [`Self::hand_over`] does, with the sets left for [`Self::passed`]. `None`, and nothing changed, if either has no energy
    /// or the taker does not keep its window. `now` is before both deadlines.
    #[inline(always)]
    pub fn pass(&mut self, giver: (u8, u64), taker: (u8, &Terms), now: u64) -> Option<u64> {
        let left = self.at(giver.0).energy.wrapping_sub(giver.1 as i64);
        let energy = self.at(taker.0).energy;
        if left <= 0 || energy <= 0 || !taker.1.keeps(energy as u64, now) {
            return None;
        }
        self.at_mut(giver.0).energy = left;
        Some(now + energy as u64)
    }

    /// After any number of [`Self::pass`] between two domains: `waits` sleeps and `runs` was picked.
    pub fn passed(&mut self, waits: u8, runs: u8) {
        for id in [waits, runs] {
            let domain = self.at_mut(id);
            domain.cooperated = true;
            let s = usize::from(domain.spectrum & 3);
            self.last[s] = id;
        }
        self.awake = self.awake & !bit(waits) | bit(runs);
        self.enlist(waits);
        self.enlist(runs);
        self.running = Some(runs);
    }
}
