//! Everything that stops a fiber but a call.
use crate::kernel::{FIBERS, Kernel, NONE};
use crate::postmortem::Scene;
use abi::stats::{end, state};
use arch::{Machine, Trap};

/// After a trap for the FP/SIMD registers a fiber gets them this often without one: a program that uses them mostly goes on.
const EAGER: u8 = 8;

impl<M: Machine> Kernel<M> {
    /// Handles a trap of the current fiber, whose registers are saved, and answers which frame goes on.
    pub fn trap(&mut self, trap: &Trap) -> &mut M::Frame {
        self.part();
        match *trap {
            Trap::Interrupt => self.interrupts(),
            Trap::Floating => {
                self.fiber_mut().eager = EAGER;
                self.take_floating();
                let place = self.current as usize % FIBERS;
                return &mut self.fibers[place].frame;
            }
            Trap::Fault { cause, address, syndrome } => {
                self.counters.faults += 1;
                self.witness(Scene { syndrome, ..Scene::NONE });
                if cause == end::PANIC {
                    self.keep_message();
                    self.last_words();
                }
                self.end_domain(self.domain, cause, address);
                self.culprit = NONE;
            }
        }
        self.schedule()
    }

    /// Gives the FP/SIMD registers to the current fiber; they stay its own until another one asks.
    pub(crate) fn take_floating(&mut self) {
        let (new, old) = (self.current as usize % FIBERS, self.floating as usize);
        if old < FIBERS && old != new && self.fibers[old].state != state::ENDED {
            let (below, above) = self.fibers.split_at_mut(old.max(new));
            let (low, high) = (&mut below[old.min(new)].frame, &mut above[0].frame);
            let (from, to) = if old < new { (low, high) } else { (high, low) };
            self.machine.swap_floating(Some(from), to);
        } else {
            self.machine.swap_floating(None, &mut self.fibers[new].frame);
        }
        self.floating = self.current;
        self.machine.allow_floating(true);
    }
}
