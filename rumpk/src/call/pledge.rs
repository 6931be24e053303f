//! `pledge(op, rec, len)`.
use crate::kernel::{Kernel, OBJECTS};
use crate::object::Answer;
use abi::call::{Error, pledge_op};
use abi::pledge;
use arch::{Machine, UserAddr};

impl<M: Machine> Kernel<M> {
    pub(super) fn pledge(&mut self, op: usize, rec: UserAddr, len: usize) -> Answer {
        match op {
            pledge_op::NARROW if len == 8 => {
                let mut bytes = [0; 8];
                self.copy_in_words(rec, &mut bytes)?;
                self.narrow(u64::from_le_bytes(bytes));
                Ok(0)
            }
            pledge_op::UNVEIL | pledge_op::LOCK => Err(Error::Unsupported.into()),
            _ => Err(Error::BadCall.into()),
        }
    }

    /// Narrows the domain's mask and takes away at once what it no longer allows: mappings and open files.
    /// Slots that need a dropped bit stay where they are; using one ends the domain.
    fn narrow(&mut self, mask: u64) {
        let before = self.domain().pledge;
        let after = pledge::narrow(before, mask);
        self.domain_mut().pledge = after;
        self.audit_pledge(before, after);
        // Lower is always allowed.
        let _ = self.sched.set_spectrum(self.domain, pledge::spectrum(after));
        let lost = before & !after & pledge::BITS;
        for object in 0..OBJECTS as u32 {
            let o = &self.objects[object as usize];
            if o.pledge & lost != 0 && self.maps(object, self.domain) {
                self.unmap_object(object, self.domain);
            }
        }
        if lost & (pledge::RPATH | pledge::WPATH) != 0 {
            for handle in &mut self.domain_mut().handles {
                handle.address = 0;
            }
            self.domain_mut().answer = None;
        }
    }
}
