//! Where an instance was stopped, for the next one of its domain.
//!
//! A byte written to a device cannot be asked back: a driver that is stopped between the store to the device and its own note
//! of it would leave its successor in doubt. The kernel knows: the program counter tells which of the two stores were made,
//! the registers hold what a load took from the device. So it keeps both, and the next instance makes the store that is
//! missing (decision 0047). Nothing is deferred for it: who is killed is dead at once, whatever its image says.
//!
//! An instance that is stopped before it has repaired what it found must not hide it: what is kept stays until an instance says
//! that it resumed. Like a checkpoint it comes from the dead, and is to be distrusted.
use crate::kernel::{DOMAINS, FIBERS, Kernel};
use crate::object::Answer;
use abi::call::{Error, LeftOff};
use abi::stats::end;
use arch::{Frame, Machine, UserAddr};

/// What a domain keeps of the stop of an instance.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Stop {
    /// An instance was stopped, and none has resumed since.
    open: bool,
    /// Program counter; 0: the instance was inside a call, and left nothing undone.
    pc: u64,
    registers: [u64; 6],
}

impl Stop {
    /// Nobody was stopped.
    pub const NONE: Self = Self { open: false, pc: 0, registers: [0; 6] };
}

impl<M: Machine> Kernel<M> {
    /// Keeps where the domain is stopped. Of its fibers only the one that ran last may have been stopped anywhere; the others
    /// gave the core away by a call.
    pub(crate) fn leave_off(&mut self, id: u8, cause: u8) {
        let domain = &mut self.domains[id as usize % DOMAINS];
        if domain.history.stop.open {
            return;
        }
        let mut stop = Stop { open: true, ..Stop::NONE };
        // A violation is found inside its own call, for which most registers are not saved: the frame is an older one. Every
        // other end comes with a trap that saves all, with the call SEND, which saves before, or while it does not run.
        if cause != end::PLEDGE {
            let frame = &self.fibers[domain.last as usize % FIBERS].frame;
            stop.pc = frame.pc();
            stop.registers.copy_from_slice(&frame.registers()[..6]);
        }
        domain.history.stop = stop;
    }

    /// `prov(LEFT_OFF)`.
    pub(crate) fn left_off(&mut self, buf: UserAddr, len: usize) -> Answer {
        let stop = self.domain().history.stop;
        if stop.pc == 0 {
            return Err(Error::Empty.into());
        }
        let record = LeftOff { pc: stop.pc, registers: stop.registers, zero: 0 }.encode();
        self.copy_out_words(buf, &record[..record.len().min(len)])?;
        Ok(record.len())
    }

    /// `prov(RESUMED)`.
    pub(crate) fn resumed(&mut self) {
        self.domain_mut().history.stop = Stop::NONE;
    }
}
