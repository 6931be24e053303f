//! Clock and timer, moved by the test.
use std::vec::Vec;

/// Frequency of the counter: 1 GHz, so that a tick is a nanosecond.
pub(super) const HZ: u64 = 1_000_000_000;

#[derive(Debug)]
pub(super) struct Time {
    pub(super) now: u64,
    pub(super) timer: u64,
    /// Interrupts to come: time and line.
    pub(super) raises: Vec<(u64, u32)>,
}

impl Time {
    pub(super) const OFF: Self = Self { now: 0, timer: u64::MAX, raises: Vec::new() };

    /// When something happens next.
    pub(super) fn next(&self) -> Option<u64> {
        let times = self.raises.iter().map(|&(at, _)| at).chain([self.timer]);
        times.min().filter(|&at| at != u64::MAX)
    }

    /// The lines whose time came.
    pub(super) fn take_raises(&mut self) -> Vec<u32> {
        let now = self.now;
        let due = self.raises.extract_if(.., |&mut (at, _)| at <= now);
        due.map(|(_, intid)| intid).collect()
    }
}
