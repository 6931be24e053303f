//! `tick(slot, op, rec)`, and setting the wall clock.
use crate::kernel::Kernel;
use crate::object::Answer;
use abi::call::{CLOCK_SET, Energy, Error, Time, tick_op};
use abi::cap::verb;
use abi::ring::Slot;
use arch::{Machine, UserAddr};

impl<M: Machine> Kernel<M> {
    pub(super) fn tick(&mut self, slot: usize, op: usize, rec: UserAddr) -> Answer {
        self.lookup_for(slot, verb::TICK)?;
        match op {
            tick_op::TIME => {
                let now = self.machine.now();
                let boot = self.wall();
                let wall = if boot == 0 { 0 } else { boot.saturating_add(now) };
                self.copy_out_words(rec, &Time { now, wall }.encode())?;
            }
            tick_op::ENERGY => {
                let id = self.domain;
                let energy = Energy {
                    left: self.sched.energy_left(id) / 1000,
                    budget: self.sched.budget(id) / 1000,
                    deadline: self.sched.deadline(id),
                    strikes: self.sched.strikes(id) as u32,
                    spectrum: self.sched.spectrum(id) as u32,
                };
                self.copy_out_words(rec, &energy.encode())?;
            }
            tick_op::ARM => {
                let mut at = [0; 8];
                self.copy_in_words(rec, &mut at)?;
                let at = u64::from_le_bytes(at);
                (self.fiber_mut().timer, self.fiber_mut().timer_fired) = (at, false);
                // Due already: nobody would look before the next timer.
                self.note_timer(at);
                self.reconsider |= at <= self.machine.now();
            }
            tick_op::CANCEL => {
                (self.fiber_mut().timer, self.fiber_mut().timer_fired) = (u64::MAX, false);
            }
            _ => return Err(Error::BadCall.into()),
        }
        Ok(0)
    }

    /// `send` on a CLOCK: what `tick(TIME)` answers from now on. The SysTable keeps what was known at boot, and every
    /// deadline counts from boot, so that nobody's wait changes. A time before the boot is none: `BadCall`.
    pub(crate) fn set_wall(&mut self, message: &Slot) -> Answer {
        let boot = message.arg.checked_sub(self.machine.now()).filter(|&boot| boot != 0);
        if message.kind != CLOCK_SET || message.len != 0 {
            return Err(Error::BadCall.into());
        }
        self.places.wall = boot.ok_or(Error::BadCall)?;
        self.share_wall();
        Ok(0)
    }
}
