//! Extents: physical memory given out at spawn and taken back at the end, in whole pages, first fit.
use abi::PAGE;
use abi::call::Error;

/// Free ranges at most. A domain takes one range and splits at most one, so twice the domains suffice.
const RANGES: usize = 192;

/// The free ranges in order of their addresses, neighbours merged.
pub struct Extents {
    ranges: [(u64, u64); RANGES],
    count: usize,
}

impl Extents {
    /// No memory.
    pub const NONE: Self = Self { ranges: [(0, 0); RANGES], count: 0 };

    /// Takes `len` bytes, rounded up to pages; the address. `NoMemory` if no range is long enough.
    pub fn take(&mut self, len: u64) -> Result<u64, Error> {
        let len = len.checked_next_multiple_of(PAGE as u64).ok_or(Error::NoMemory)?;
        let free = &mut self.ranges[..self.count];
        let fit = free.iter().position(|r| r.1 >= len && len != 0).ok_or(Error::NoMemory)?;
        let (base, room) = free[fit];
        if room == len {
            free.copy_within(fit + 1.., fit);
            self.count -= 1;
        } else {
            free[fit] = (base + len, room - len);
        }
        Ok(base)
    }

    /// Gives `len` bytes at `base` back, rounded up as in [`Self::take`].
    pub fn give(&mut self, base: u64, len: u64) {
        let len = len.next_multiple_of(PAGE as u64);
        if len == 0 {
            return;
        }
        let at = self.ranges[..self.count].partition_point(|r| r.0 < base);
        let joins_before = at > 0 && self.ranges[at - 1].0 + self.ranges[at - 1].1 == base;
        let joins_after = at < self.count && base + len == self.ranges[at].0;
        match (joins_before, joins_after) {
            (true, true) => {
                self.ranges[at - 1].1 += len + self.ranges[at].1;
                self.ranges[..self.count].copy_within(at + 1.., at);
                self.count -= 1;
            }
            (true, false) => self.ranges[at - 1].1 += len,
            (false, true) => self.ranges[at] = (base, len + self.ranges[at].1),
            (false, false) => {
                assert!(self.count < RANGES, "more free ranges than domains could make");
                self.ranges[..=self.count].copy_within(at..self.count, at + 1);
                self.ranges[at] = (base, len);
                self.count += 1;
            }
        }
    }

    /// Free bytes, and the longest range.
    pub fn free(&self) -> (u64, u64) {
        let ranges = &self.ranges[..self.count];
        (ranges.iter().map(|r| r.1).sum(), ranges.iter().map(|r| r.1).max().unwrap_or(0))
    }
}

#[cfg(test)]
#[path = "memory_tests.rs"]
mod tests;
