//! One domain's energy, window by window.
use crate::admission::{KERNEL_STRETCH_NS, RESTART_NS, VOID};
use abi::pledge::WINDOW_NS;

/// Clean windows after which strikes are forgotten.
pub(crate) const CLEAN_WINDOWS: u64 = 64;

/// What the scheduler keeps about a domain. Which sets it is in stands in the masks of
/// [`Harmonic`](crate::Harmonic).
#[derive(Clone, Copy, Debug)]
pub(crate) struct Domain {
    /// ns left in this window; below zero: debt. In Void so much that no uptime uses it up.
    pub(crate) energy: i64,
    /// ns per window; 0 in Void.
    pub(crate) budget: i64,
    /// End of the window; in Void never.
    pub(crate) deadline: u64,
    /// Since when there was no strike: the end of the window of the last one.
    pub(crate) clean_from: u64,
    pub(crate) missed: u32,
    /// ns that the next window's end pays back that pays a whole budget; see [`Self::advance`].
    pub(crate) owed: u32,
    /// ns that the window's end pays less than a budget, as it comes early; see [`Self::pay_in_part`].
    pub(crate) early: u32,
    pub(crate) spectrum: u8,
    /// Longest row of strikes that is not forgotten, 0 to 3.
    pub(crate) strikes: u8,
    /// Strikes in a row, up to the last window that ended, 0 to 3.
    pub(crate) row: u8,
    /// Reached the end of energy without a yield or wait in this window.
    pub(crate) struck: bool,
    /// Yielded or waited in this window.
    pub(crate) cooperated: bool,
}

impl Domain {
    pub(crate) const NONE: Self = Self {
        energy: 0,
        budget: 0,
        deadline: 0,
        clean_from: 0,
        missed: 0,
        owed: 0,
        early: 0,
        spectrum: VOID,
        strikes: 0,
        row: 0,
        struck: false,
        cooperated: false,
    };

    /// A domain that has not woken yet. Its window begins with its first wake.
    pub(crate) fn new(spectrum: u8, budget: u64) -> Self {
        let mut new = Self { spectrum, budget: budget as i64, ..Self::NONE };
        new.energy = new.budget;
        new.free_of_windows();
        new
    }

    pub(crate) fn window(&self) -> u64 {
        WINDOW_NS[usize::from(self.spectrum & 3)]
    }

    /// In Void there are no windows, and subtracting from what is left needs no test.
    fn free_of_windows(&mut self) {
        if self.spectrum == VOID {
            (self.energy, self.budget, self.deadline) = (i64::MAX, 0, u64::MAX);
        }
    }

    /// Goes down to `spectrum`: the same energy in a longer window, so that what was admitted still fits.
    pub(crate) fn lower(&mut self, spectrum: u8) {
        let before = self.window();
        self.spectrum = spectrum;
        self.deadline = self.deadline.saturating_add(self.window() - before);
        self.free_of_windows();
    }

    /// The constant-bandwidth rule for a domain that wakes at `now`; `response` is the longest from ready to
    /// done in its spectrum. Without energy afterwards it has to sleep until [`Self::paid_at`].
    #[inline(always)]
    pub(crate) fn wake(&mut self, now: u64, response: u64) {
        let window = self.window();
        if self.deadline <= now {
            if self.energy >= 0 {
                // Whatever is left of the window that begins in phase is below its share: Q from now on, without a division.
                self.fill();
                self.deadline = now + window;
                self.next_window(now, true);
                return;
            }
            self.pay(now);
        }
        if self.energy <= 0 || self.deadline > now + window {
            return;
        }
        let left = self.deadline.saturating_sub(now);
        let (q, full) = (self.energy as u64, self.budget as u64);
        if q * window <= full * left && left >= response {
            return;
        }
        // A window from now on, with the share of the time by which it ends later: q = Q where the old pair asked for
        // more than its bandwidth. Where it asked for less but its end is too near to be promised (a later
        // deadline may be running), this keeps the bandwidth; keeping the pair would miss.
        let share = (full * (window - left)).div_ceil(window);
        self.energy = (q + share).min(full) as i64;
        self.deadline = now + window;
        self.next_window(now, true);
    }

    /// The windows that ended by `now` pay their budgets, and the one that `now` lies in begins, in phase.
    pub(crate) fn pay(&mut self, now: u64) {
        let Some(late) = now.checked_sub(self.deadline) else { return };
        let ended = late / self.window() + 1;
        // Without energy and without a yield it was struck, or a debt slept through it: neither ends a row.
        let clean = self.energy > 0 || self.cooperated;
        let further = i64::try_from(ended - 1).unwrap_or(i64::MAX).saturating_mul(self.budget);
        let income = self.income();
        self.energy = (self.energy + income).saturating_add(further).min(self.budget);
        self.deadline += ended * self.window();
        self.next_window(now, clean);
    }

    /// The deadline passed with energy left and work to do: counted, and a window begins now.
    pub(crate) fn miss(&mut self, now: u64) {
        let ended = now.saturating_sub(self.deadline) / self.window() + 1;
        self.missed = self.missed.saturating_add(u32::try_from(ended).unwrap_or(u32::MAX));
        self.fill();
        self.deadline = now + self.window();
        self.next_window(now, true);
    }

    /// What the end of the window pays: a budget less what was had in advance, or the part of one that is due so early.
    #[inline(always)]
    fn income(&mut self) -> i64 {
        let less = if self.early == 0 { &mut self.owed } else { &mut self.early };
        self.budget - i64::from(core::mem::take(less))
    }

    #[inline(always)]
    fn fill(&mut self) {
        self.energy = self.income();
    }

    /// Energy for a restart now, out of the next window: what it spends now it lacks then. `false`: it needs none, or has to
    /// pay for an earlier one, or for more than a call's end, first.
    pub(crate) fn advance(&mut self, now: u64, response: u64) -> bool {
        let (most, debt) = (RESTART_NS as i64, -(KERNEL_STRETCH_NS as i64));
        if self.owed != 0 || !(debt..most).contains(&self.energy) {
            return false;
        }
        self.owed = (most - self.energy) as u32;
        self.energy = most;
        if self.deadline < now + response {
            // Too near to be promised: later is always allowed.
            self.deadline = now + self.window();
        }
        true
    }

    /// Without energy worth speaking of, and without an advance, a restart waits until its domain's share of the time comes to
    /// what a restart needs, not for the end of the window: the window ends then, pays that much and no more, and the next
    /// one ends as much later as time was paid for. [`Self::wake`] does the same for who has slept.
    pub(crate) fn pay_in_part(&mut self, now: u64) {
        if self.early != 0 || self.energy >= KERNEL_STRETCH_NS as i64 {
            return;
        }
        let (window, full) = (self.window(), self.budget as u64);
        let begun = self.deadline.saturating_sub(window).min(now);
        let needed = (RESTART_NS as i64 - self.energy) as u64;
        let due = (full * (now - begun) / window).max(needed);
        // What is left is not for use by an earlier end than it was promised for: it comes with the payment.
        let left = self.energy.max(0) as u64;
        if due + left < full {
            self.energy = self.energy.min(0);
            self.early = (full - due - left) as u32;
            self.deadline = begun + (due * window).div_ceil(full);
        }
    }

    /// When a domain without energy has some again: the end of the window whose budget pays its debt.
    pub(crate) fn paid_at(&self) -> u64 {
        let debt = self.energy.min(0).unsigned_abs();
        let more = debt / (self.budget.max(1) as u64);
        self.deadline.saturating_add(more.saturating_mul(self.window()))
    }

    /// Energy ended at `now`. The number of strikes in a row, if this is one.
    pub(crate) fn strike(&mut self, now: u64) -> Option<u8> {
        if self.cooperated || self.struck {
            return None;
        }
        self.forget(now);
        self.struck = true;
        self.row = (self.row + 1).min(3);
        self.strikes = self.strikes.max(self.row);
        self.clean_from = self.deadline;
        Some(self.row)
    }

    /// Counted in time, not in windows begun: short sleeps begin many of them.
    fn forget(&mut self, now: u64) {
        let clean = CLEAN_WINDOWS.saturating_mul(self.window());
        if self.strikes != 0 && now >= self.clean_from.saturating_add(clean) {
            self.strikes = 0;
        }
    }

    /// `clean`: the domain ran in the window that ended, and was not struck in it.
    fn next_window(&mut self, now: u64, clean: bool) {
        self.forget(now);
        if clean {
            self.row = 0;
        }
        (self.struck, self.cooperated) = (false, false);
    }
}
