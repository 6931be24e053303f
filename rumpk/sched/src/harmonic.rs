//! Who runs next, and what it is charged.
use crate::admission::{RESTART_PERIOD_NS, VOID};
use crate::domain::Domain;

/// Domains of a core.
pub const DOMAINS: usize = 64;

/// What [`Harmonic::pick`] decided.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Choice {
    /// The domain.
    pub id: u8,
    /// Absolute time at which its energy ends if nothing else is charged to it, ns; `u64::MAX` in Void.
    pub until: u64,
}

/// What [`Harmonic::charge`] found.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Charged {
    /// No energy: it does not run again before its debt is paid; pick another.
    pub exhausted: bool,
    /// It has now so many strikes in a row: 1 audit, 2 audit and lower its spectrum, 3 end it. The caller does these.
    pub strike: Option<u8>,
}

/// The scheduler of one core.
#[derive(Debug)]
pub struct Harmonic {
    pub(crate) domains: [Domain; DOMAINS],
    pub(crate) present: u64,
    /// Have a fiber that is ready.
    pub(crate) awake: u64,
    /// Awake and without energy, by spectrum.
    pub(crate) throttled: [u64; 4],
    /// Awake and with energy, by spectrum.
    pub(crate) ready: [u64; 4],
    /// The one that `pick` chose last; equal deadlines take turns after it.
    pub(crate) running: Option<u8>,
    pub(crate) last: [u8; 4],
    /// Longest from ready to done, by spectrum, for the admitted set.
    pub(crate) response: [u64; 4],
    /// From when on a restart may have energy in advance again, ns.
    advances_at: u64,
}

impl Default for Harmonic {
    fn default() -> Self {
        Self::new()
    }
}

pub(crate) fn bit(id: u8) -> u64 {
    1u64.checked_shl(u32::from(id)).unwrap_or(0)
}

impl Harmonic {
    /// A core without domains.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            domains: [Domain::NONE; DOMAINS],
            present: 0,
            awake: 0,
            throttled: [0; 4],
            ready: [0; 4],
            running: None,
            last: [0; 4],
            // Of nobody yet; all zeros, so that a static of it costs no image. `add` fills it.
            response: [0; 4],
            advances_at: 0,
        }
    }

    #[inline]
    pub(crate) fn at(&self, id: u8) -> &Domain {
        debug_assert!(usize::from(id) < DOMAINS);
        &self.domains[usize::from(id) % DOMAINS]
    }

    #[inline]
    pub(crate) fn at_mut(&mut self, id: u8) -> &mut Domain {
        debug_assert!(usize::from(id) < DOMAINS);
        &mut self.domains[usize::from(id) % DOMAINS]
    }

    #[inline]
    fn is_present(&self, id: u8) -> bool {
        self.present & bit(id) != 0
    }

    /// A fiber of the domain became ready. Where others of it are already, nothing changes.
    #[inline]
    pub fn wake(&mut self, id: u8, now: u64) {
        if !self.is_present(id) || self.awake & bit(id) != 0 {
            return;
        }
        self.awake |= bit(id);
        let s = usize::from(self.at(id).spectrum);
        if s != usize::from(VOID) {
            let response = self.response[s];
            self.at_mut(id).wake(now, response);
        }
        self.enlist(id);
    }

    /// No fiber of the domain is ready any more. What it was charged for may still follow.
    pub fn sleep(&mut self, id: u8, now: u64) {
        let awake = self.awake & bit(id) != 0;
        let domain = self.at_mut(id);
        if awake && domain.energy > 0 && domain.deadline < now {
            domain.miss(now);
        }
        self.awake &= !bit(id);
        self.enlist(id);
        if self.running == Some(id) {
            self.running = None;
        }
    }

    /// Puts the domain into the sets that its state says.
    #[inline]
    pub(crate) fn enlist(&mut self, id: u8) {
        let awake = self.awake & bit(id);
        let domain = self.at(id);
        let s = usize::from(domain.spectrum & 3);
        let (ready, throttled) = if domain.energy > 0 { (awake, 0) } else { (0, awake) };
        self.ready[s] = self.ready[s] & !bit(id) | ready;
        self.throttled[s] = self.throttled[s] & !bit(id) | throttled;
    }

    /// Throttled domains whose debt the windows up to `now` have paid become ready. [`Self::pick`] does it too.
    #[inline(always)]
    pub fn refill_due(&mut self, now: u64) {
        if self.any_throttled() {
            self.refill(now);
        }
    }

    /// Whether anybody waits for a refill: on nearly every path nobody does.
    #[inline]
    pub(crate) fn any_throttled(&self) -> bool {
        self.throttled[1] | self.throttled[2] | self.throttled[3] != 0
    }

    #[cold]
    fn refill(&mut self, now: u64) {
        for s in 1..4 {
            for id in ids(self.throttled[s]) {
                if self.at(id).deadline <= now {
                    self.at_mut(id).pay(now);
                    self.enlist(id);
                }
            }
        }
    }

    /// The domain to run: the highest spectrum with one that is ready, inside it the earliest deadline,
    /// among equals the next one in turn. `None`: the core sleeps until [`Self::next_event`] or an interrupt.
    #[inline]
    pub fn pick(&mut self, now: u64) -> Option<Choice> {
        self.pick_by(now, Self::earliest)
    }

    /// [`Self::pick`] with another rule inside a spectrum, given the ready ones and the last one that ran. The seam at which
    /// the simulator puts a wrong rule, to see that it is found.
    #[doc(hidden)]
    #[inline]
    pub fn pick_by(&mut self, now: u64, rule: impl Fn(&Self, u64, u8) -> u8) -> Option<Choice> {
        self.refill_due(now);
        let s = match self.ready {
            [_, _, _, photon] if photon != 0 => 3,
            [_, _, matter, _] if matter != 0 => 2,
            [_, gravity, ..] if gravity != 0 => 1,
            [void, ..] if void != 0 => 0,
            _ => {
                self.running = None;
                return None;
            }
        };
        let id = rule(self, self.ready[s], self.last[s]);
        self.last[s] = id;
        self.running = Some(id);
        let domain = self.at_mut(id);
        if domain.deadline < now {
            domain.miss(now);
        }
        let until = if s == 0 { u64::MAX } else { now + domain.energy as u64 };
        Some(Choice { id, until })
    }

    #[inline]
    fn earliest(&self, set: u64, last: u8) -> u8 {
        if set.is_power_of_two() {
            return set.trailing_zeros() as u8;
        }
        self.earliest_of_several(set, last)
    }

    fn earliest_of_several(&self, set: u64, last: u8) -> u8 {
        let later = set & (u64::MAX << (last % 64) << 1);
        let mut best = (u64::MAX, 0);
        let mut found = false;
        for id in ids(later).chain(ids(set & !later)) {
            let deadline = self.at(id).deadline;
            if !found || deadline < best.0 {
                (best, found) = ((deadline, id), true);
            }
        }
        best.1
    }

    /// Subtracts a verb's price in ns; `true` while energy is left. If not, [`Self::charge`] with 0 ns when the
    /// call is over makes the domain sleep.
    #[inline]
    pub fn spend(&mut self, id: u8, ns: u64) -> bool {
        let domain = self.at_mut(id);
        domain.energy = domain.energy.wrapping_sub(ns as i64);
        domain.energy > 0
    }

    /// Takes back a part of a price that turned out lower.
    #[inline]
    pub fn refund(&mut self, id: u8, ns: u64) {
        let domain = self.at_mut(id);
        domain.energy = domain.energy.saturating_add(ns as i64);
    }

    /// Charges `ns` of processor time up to `now` (it may go below zero) and says whether the domain may go on.
    #[inline(always)]
    pub fn charge(&mut self, id: u8, ns: u64, now: u64) -> Charged {
        let domain = self.at_mut(id);
        domain.energy = domain.energy.wrapping_sub(ns as i64);
        if domain.energy > 0 && now <= domain.deadline {
            return Charged { exhausted: false, strike: None };
        }
        self.settle(id, now)
    }

    /// Energy or window ended.
    #[cold]
    fn settle(&mut self, id: u8, now: u64) -> Charged {
        if !self.is_present(id) {
            return Charged { exhausted: true, strike: None };
        }
        let runs = self.running == Some(id);
        let awake = self.awake & bit(id) != 0;
        let domain = self.at_mut(id);
        let mut strike = None;
        if domain.energy <= 0 {
            // Interrupts may use up the energy of one that does not run: no strike.
            strike = if runs { domain.strike(now) } else { None };
            domain.pay(now);
        } else if awake {
            domain.miss(now);
        }
        let exhausted = domain.energy <= 0;
        self.enlist(id);
        if exhausted && runs {
            self.running = None;
        }
        Charged { exhausted, strike }
    }

    /// The domain starts anew, or goes on doing so: with too little energy for it, it gets some in advance, out of its own
    /// next window. One domain of the core in [`RESTART_PERIOD_NS`]; admission keeps the time free. The others go on as
    /// soon as they have paid for a restart.
    #[cold]
    pub fn advance(&mut self, id: u8, now: u64) {
        let s = usize::from(self.at(id).spectrum & 3);
        if !self.is_present(id) || s == usize::from(VOID) {
            return;
        }
        let response = self.response[s];
        if now >= self.advances_at && self.at_mut(id).advance(now, response) {
            self.advances_at = now + RESTART_PERIOD_NS;
        } else {
            self.at_mut(id).pay_in_part(now);
        }
        self.enlist(id);
    }

    /// The domain yielded or waited: no strike in this window.
    #[inline]
    pub fn cooperated(&mut self, id: u8) {
        self.at_mut(id).cooperated = true;
    }

    /// `from` spends `price` and the time `spent` and wakes `to`, which is picked: the time at which its energy ends. Where
    /// `from` `blocks` it cooperates and sleeps, else it is preempted. `None`, and nothing changed, if these steps one
    /// by one might do anything else.
    #[inline(always)]
    pub fn hand_over(
        &mut self,
        from: u8,
        to: u8,
        spent: u64,
        price: u64,
        blocks: bool,
        now: u64,
    ) -> Option<u64> {
        let (giver, taker) = (self.at(from), self.at(to));
        let energy = giver.energy.wrapping_sub((spent + price) as i64);
        let (before, s) = (usize::from(giver.spectrum & 3), usize::from(taker.spectrum & 3));
        let [_, gravity, matter, photon] = self.ready;
        let rivals = photon | if s < 3 { matter } else { 0 } | if s < 2 { gravity } else { 0 };
        let promised = s != usize::from(VOID) && taker.energy > 0;
        let lasts = energy > 0 && now <= giver.deadline;
        let (own, other) = (1u64 << (from % 64), 1u64 << (to % 64));
        if !(promised && lasts && (blocks || before < s)) || self.any_throttled() {
            return None;
        }
        if rivals & !own != 0 || self.awake & other != 0 {
            return None;
        }
        let giver = self.at_mut(from);
        giver.energy = energy;
        if blocks {
            giver.cooperated = true;
            self.awake &= !own;
            self.ready[before] &= !own;
        }
        self.awake |= other;
        self.ready[s] |= other;
        (self.last[s], self.running) = (to, Some(to));
        let response = self.response[s];
        let taker = self.at_mut(to);
        taker.wake(now, response);
        Some(now + taker.energy as u64)
    }

    /// The earliest refill that would preempt the running domain, or wake an idle core; `u64::MAX`: none.
    ///
    /// Refills in the running spectrum or below it are found at the next scheduling point, without a timer.
    #[must_use]
    #[inline(always)]
    pub fn next_event(&self, _now: u64) -> u64 {
        if self.any_throttled() { self.next_refill() } else { u64::MAX }
    }

    #[cold]
    fn next_refill(&self) -> u64 {
        let above = self.running.map_or(0, |id| usize::from(self.at(id).spectrum) + 1);
        let mut next = u64::MAX;
        for s in above..4 {
            for id in ids(self.throttled[s]) {
                next = next.min(self.at(id).paid_at());
            }
        }
        next
    }

    /// Whether a domain of a higher spectrum than `running`'s is ready and has energy.
    #[inline]
    #[must_use]
    pub fn outranked(&self, running: u8) -> bool {
        let above = usize::from(self.at(running).spectrum) + 1;
        let [_, gravity, matter, photon] = self.ready;
        match above {
            1 => gravity | matter | photon != 0,
            2 => matter | photon != 0,
            3 => photon != 0,
            _ => false,
        }
    }

    /// Whether `woken` is ready and of a higher spectrum than `running`.
    #[inline]
    #[must_use]
    pub fn preempts(&self, woken: u8, running: u8) -> bool {
        let (s, below) = (self.at(woken).spectrum, self.at(running).spectrum);
        s > below && self.ready[usize::from(s)] & bit(woken) != 0
    }
}

/// The numbers in a set, lowest first.
pub(crate) fn ids(mut set: u64) -> impl Iterator<Item = u8> {
    core::iter::from_fn(move || {
        let id = set.trailing_zeros() as u8;
        set &= set.wrapping_sub(1);
        (id < 64).then_some(id)
    })
}
