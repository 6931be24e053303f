//! Waiting for several capabilities at once.
use abi::call::{WAIT_MAX, WaitEntry, want};

use crate::{Error, Result, sys};

/// An entry of a wait list: `slot`, and bits of [`want`].
pub const fn on(slot: u8, want: u8) -> WaitEntry {
    WaitEntry { slot, want, got: 0, zero: 0 }
}

/// A wait list that is filled anew for each wait.
pub struct List {
    entries: [WaitEntry; WAIT_MAX],
    len: usize,
}

impl List {
    /// An empty list.
    pub const fn new() -> Self {
        Self { entries: [on(0, 0); WAIT_MAX], len: 0 }
    }

    /// Empties the list.
    pub fn clear(&mut self) {
        self.len = 0;
    }

    /// Adds an entry; [`Error::TooBig`] past [`WAIT_MAX`].
    pub fn add(&mut self, slot: u8, want: u8) -> Result<()> {
        let place = self.entries.get_mut(self.len).ok_or(Error::TooBig)?;
        *place = on(slot, want);
        self.len += 1;
        Ok(())
    }

    /// Waits; the value is how many entries are ready.
    pub fn wait(&mut self, deadline: Option<u64>) -> Result {
        sys::wait(&mut self.entries[..self.len], deadline)
    }

    /// What the last wait found for `slot`: bits of [`want`].
    pub fn got(&self, slot: u8) -> u8 {
        let of = self.entries[..self.len].iter().filter(|e| e.slot == slot);
        of.fold(0, |bits, e| bits | e.got)
    }
}

impl Default for List {
    fn default() -> Self {
        Self::new()
    }
}

/// Waits for one slot; the value is what was found, bits of [`want`] with [`want::DEAD`] beside
/// them where the other side went. [`Error::Gone`] for a void capability.
pub fn found(slot: u8, wanted: u8, deadline: Option<u64>) -> Result<u8> {
    let mut list = [on(slot, wanted)];
    sys::wait(&mut list, deadline)?;
    if list[0].got == want::DEAD { Err(Error::Gone) } else { Ok(list[0].got) }
}

/// As [`found`], for who asks the object itself afterwards.
pub fn one(slot: u8, wanted: u8, deadline: Option<u64>) -> Result<()> {
    found(slot, wanted, deadline).map(drop)
}
