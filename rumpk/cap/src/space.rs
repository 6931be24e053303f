//! The 64 slots of a fiber.
use crate::Cap;
use abi::call::Error;
use abi::cap::SLOTS;

/// A capability space. A slot number is whatever a fiber passed: any value is fine, 64 and above is
/// `BadSlot`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct CSpace {
    slots: [Cap; SLOTS],
}

impl Default for CSpace {
    fn default() -> Self {
        Self::new()
    }
}

impl CSpace {
    /// 64 empty slots.
    #[must_use]
    pub const fn new() -> Self {
        Self { slots: [Cap::EMPTY; SLOTS] }
    }

    /// The capability in `slot`, `BadSlot` if there is none. Whether it lives, [`Cap::check`] says.
    #[allow(
        clippy::inline_always,
        reason = "the kernel is built for size, and every call starts here"
    )]
    #[inline(always)]
    pub fn get(&self, slot: impl Into<usize>) -> Result<&Cap, Error> {
        self.slots.get(slot.into()).filter(|cap| !cap.is_empty()).ok_or(Error::BadSlot)
    }

    /// `Ok` if a capability could be put there: `BadSlot` out of range, `Exists` if taken.
    pub fn check_free(&self, slot: impl Into<usize>) -> Result<(), Error> {
        match self.slots.get(slot.into()) {
            None => Err(Error::BadSlot),
            Some(cap) if !cap.is_empty() => Err(Error::Exists),
            Some(_) => Ok(()),
        }
    }

    /// Fills a free slot: `BadSlot` out of range, `Exists` if taken.
    pub fn put(&mut self, slot: impl Into<usize>, cap: Cap) -> Result<(), Error> {
        let slot = slot.into();
        self.check_free(slot)?;
        self.slots[slot] = cap;
        Ok(())
    }

    /// Puts what `mask` left, or a re-stamped capability, back into its slot; [`Cap::EMPTY`] frees it.
    /// `BadSlot` if the slot was empty or is out of range.
    pub fn replace(&mut self, slot: impl Into<usize>, cap: Cap) -> Result<(), Error> {
        let slot = slot.into();
        self.get(slot)?;
        self.slots[slot] = cap;
        Ok(())
    }

    /// Empties the slot and hands out what was in it; `BadSlot` if nothing was.
    pub fn take(&mut self, slot: impl Into<usize>) -> Result<Cap, Error> {
        let slot = slot.into();
        let cap = *self.get(slot)?;
        self.slots[slot] = Cap::EMPTY;
        Ok(cap)
    }

    /// Empties every slot: the same as [`CSpace::new`], in place.
    pub fn clear(&mut self) {
        self.slots.fill(Cap::EMPTY);
    }

    /// The first free slot at `from` or above.
    #[must_use]
    pub fn free_slot(&self, from: u8) -> Option<u8> {
        (from..SLOTS as u8).find(|&slot| self.slots[usize::from(slot)].is_empty())
    }

    /// The slots in use, lowest first.
    pub fn iter(&self) -> impl Iterator<Item = (u8, &Cap)> {
        (0u8..).zip(&self.slots).filter(|(_, cap)| !cap.is_empty())
    }

    /// Number of slots in use.
    #[must_use]
    pub fn used(&self) -> u32 {
        self.iter().count() as u32
    }

    /// Frees every slot for which `keep` is false (a pledge dropped what it needs, its object ended).
    pub fn retain(&mut self, mut keep: impl FnMut(u8, &Cap) -> bool) {
        for (slot, cap) in (0u8..).zip(&mut self.slots) {
            if !cap.is_empty() && !keep(slot, cap) {
                *cap = Cap::EMPTY;
            }
        }
    }
}
