//! Who is promised what: admission, the parent's share, going down, and what `tick` and `ps` show.
use crate::admission::{Load, Params, VOID};
use crate::domain::Domain;
use crate::harmonic::{DOMAINS, Harmonic, bit, ids};
use abi::call::Error;
use abi::pledge::WINDOW_NS;

impl Harmonic {
    /// Whether a domain with these parameters fits beside the others. `NoEnergy` if not, `BadCall` for a
    /// spectrum that there is not.
    pub fn admit(&self, params: Params) -> Result<(), Error> {
        params.check()?;
        let mut load = self.load();
        load.include(params.spectrum, params.promised());
        load.check()
    }

    fn load(&self) -> Load {
        let mut load = Load::default();
        for id in ids(self.present) {
            load.include(self.at(id).spectrum, self.at(id).budget as u64);
        }
        load
    }

    fn update_response(&mut self) {
        self.response = self.load().response();
    }

    /// Admits a domain under a free number; it sleeps until its first wake, which begins its first window.
    /// Errors of [`Self::admit`], `BadSlot` for a number of 64 or above, `Exists` for one in use.
    pub fn add(&mut self, id: u8, params: Params) -> Result<(), Error> {
        if usize::from(id) >= DOMAINS {
            return Err(Error::BadSlot);
        }
        if self.present & bit(id) != 0 {
            return Err(Error::Exists);
        }
        self.admit(params)?;
        self.add_unchecked(id, params)
    }

    /// [`Self::add`] of what nobody admitted: the simulator's seam for a wrong admission.
    #[doc(hidden)]
    pub fn add_unchecked(&mut self, id: u8, params: Params) -> Result<(), Error> {
        *self.at_mut(id) = Domain::new(params.spectrum, params.promised());
        self.present |= bit(id);
        self.update_response();
        Ok(())
    }

    /// Forgets a domain; its promise is free again. A Blink does not come here: it keeps energy and strikes.
    pub fn remove(&mut self, id: u8) {
        if usize::from(id) >= DOMAINS {
            return;
        }
        self.sleep(id, 0);
        *self.at_mut(id) = Domain::NONE;
        self.present &= !bit(id);
        self.update_response();
    }

    /// Takes a child's energy out of its parent's: per window of the parent's as much as the child may use in that
    /// time, rounded up. Answers what was taken, for [`Self::give_back`]. `NoEnergy` if the parent would have nothing
    /// left or the set with the child would not fit (so that [`Self::add`] of the child then succeeds).
    pub fn carve(&mut self, parent: u8, child: Params) -> Result<u64, Error> {
        child.check()?;
        let promised = child.promised();
        if promised == 0 {
            return Ok(0);
        }
        if self.present & bit(parent) == 0 {
            return Err(Error::NotFound);
        }
        let from = *self.at(parent);
        let share = share(promised, child.spectrum, from.spectrum);
        if from.spectrum == VOID || share >= from.budget as u64 {
            return Err(Error::NoEnergy);
        }
        let mut load = Load::default();
        load.include(child.spectrum, promised);
        for id in ids(self.present) {
            let less = if id == parent { share } else { 0 };
            load.include(self.at(id).spectrum, self.at(id).budget as u64 - less);
        }
        load.check()?;
        let domain = self.at_mut(parent);
        domain.budget -= share as i64;
        domain.energy -= share as i64;
        self.enlist(parent);
        self.update_response();
        Ok(share)
    }

    /// Returns what [`Self::carve`] took, after the child was removed. It counts from the parent's next window on.
    pub fn give_back(&mut self, parent: u8, taken: u64) {
        if self.present & bit(parent) != 0 && self.at(parent).spectrum != VOID {
            self.at_mut(parent).budget += taken as i64;
            self.update_response();
        }
    }

    /// Goes down to a lower spectrum with the same energy per (longer) window. `Denied` for a higher one.
    pub fn set_spectrum(&mut self, id: u8, spectrum: u8) -> Result<(), Error> {
        if self.present & bit(id) == 0 {
            return Err(Error::NotFound);
        }
        let before = self.at(id).spectrum;
        if spectrum > before {
            return Err(Error::Denied);
        }
        if spectrum < before {
            self.ready[usize::from(before)] &= !bit(id);
            self.throttled[usize::from(before)] &= !bit(id);
            self.at_mut(id).lower(spectrum);
            self.enlist(id);
            self.update_response();
        }
        Ok(())
    }

    /// Goes up again to what a domain was admitted with, after it had gone down. `NoEnergy` if that does not fit beside the
    /// others any more; `BadCall` for a spectrum that there is not.
    pub fn restore(&mut self, id: u8, params: Params, now: u64) -> Result<(), Error> {
        params.check()?;
        if self.present & bit(id) == 0 {
            return Err(Error::NotFound);
        }
        let mut load = Load::default();
        // What children hold of it is not its own to promise again.
        let held = self.at(id).budget as u64;
        let promised = if held == 0 { params.promised() } else { held };
        load.include(params.spectrum, promised);
        for other in ids(self.present & !bit(id)) {
            load.include(self.at(other).spectrum, self.at(other).budget as u64);
        }
        load.check()?;
        let old = *self.at(id);
        let s = usize::from(old.spectrum & 3);
        self.ready[s] &= !bit(id);
        self.throttled[s] &= !bit(id);
        let mut new = Domain::new(params.spectrum, promised);
        (new.strikes, new.clean_from, new.missed) = (old.strikes, old.clean_from, old.missed);
        // Nothing is left of the old window: the new one begins now.
        new.deadline = if params.spectrum == VOID { u64::MAX } else { now + new.window() };
        *self.at_mut(id) = new;
        self.enlist(id);
        self.update_response();
        Ok(())
    }

    /// Forgets the strikes: released through the domain's FIBER capability.
    pub fn forgive(&mut self, id: u8) {
        let domain = self.at_mut(id);
        (domain.strikes, domain.row) = (0, 0);
    }

    /// ns left in this window; below zero: debt; `i64::MAX` or little less in Void.
    #[must_use]
    pub fn energy_left(&self, id: u8) -> i64 {
        self.at(id).energy
    }

    /// ns per window; 0 in Void.
    #[must_use]
    pub fn budget(&self, id: u8) -> u64 {
        self.at(id).budget as u64
    }

    /// Absolute end of the window, ns; `u64::MAX` in Void.
    #[must_use]
    pub fn deadline(&self, id: u8) -> u64 {
        self.at(id).deadline
    }

    /// Deadlines that passed while it had energy and work.
    #[must_use]
    pub fn missed(&self, id: u8) -> u32 {
        self.at(id).missed
    }

    /// Longest row of strikes that is not forgotten, 0 to 3.
    #[must_use]
    pub fn strikes(&self, id: u8) -> u8 {
        self.at(id).strikes
    }

    /// 0 Void to 3 Photon.
    #[must_use]
    pub fn spectrum(&self, id: u8) -> u8 {
        self.at(id).spectrum
    }

    /// Whether it has a ready fiber and no energy.
    #[must_use]
    pub fn is_throttled(&self, id: u8) -> bool {
        self.throttled.iter().any(|set| set & bit(id) != 0)
    }
}

/// What `budget` ns per window of spectrum `of` come to in a window of spectrum `per`, rounded up; [`u64::MAX`] in Void.
#[must_use]
pub fn share(budget: u64, of: u8, per: u8) -> u64 {
    let (of, per) = (WINDOW_NS[usize::from(of & 3)], WINDOW_NS[usize::from(per & 3)]);
    if per == u64::MAX { u64::MAX } else { (budget * per).div_ceil(of) }
}
