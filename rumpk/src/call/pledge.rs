//! `pledge(op, rec, len)`: the domain narrows its mask and its view of the files.
//!
//! What a dropped bit allowed is taken away before the call returns: mappings in the domain's space, open files, the facts
//! that only drivers and auditors see. Slots whose object needs the bit stay as they are and are void: [`Kernel::lookup`]
//! answers a use of one with the domain's end. The same holds for rights without a slot ([`Kernel::need`]): who never had
//! one is told `Denied`, who gave it up and uses it ends.
use crate::archive;
use crate::kernel::{DOMAINS, FIBERS, Kernel, OBJECTS};
use crate::object::{Answer, Stop};
use crate::schedule::places;
use abi::PAGE;
use abi::call::{Error, Unveil, pledge_op};
use abi::pledge;
use abi::stats::state;
use abi::vfs::PATH_MAX;
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
            pledge_op::UNVEIL => self.unveil(rec, len),
            pledge_op::LOCK if len == 0 => {
                self.veils[self.domain as usize % DOMAINS].lock();
                Ok(0)
            }
            _ => Err(Error::BadCall.into()),
        }
    }

    /// A right that no slot stands for: `Denied` if the domain never had it, its end if it gave it up.
    pub(crate) fn need(&self, bit: u64) -> Result<(), Stop> {
        let domain = self.domain();
        if domain.pledge & bit != 0 {
            return Ok(());
        }
        if domain.born & bit != 0 { Err(Stop::Violation) } else { Err(Error::Denied.into()) }
    }

    fn unveil(&mut self, rec: UserAddr, len: usize) -> Answer {
        if len > Unveil::SIZE + PATH_MAX {
            return Err(Error::TooBig.into());
        }
        let mut bytes = [0; Unveil::SIZE + PATH_MAX];
        self.copy_in_words(rec, &mut bytes[..len])?;
        let head = Unveil::decode(&bytes[..len]).ok_or(Error::BadCall)?;
        let text = bytes.get(Unveil::SIZE..len).unwrap_or_default();
        if head.path_len as usize != text.len() || head.perms > 7 {
            return Err(Error::BadCall.into());
        }
        let path = archive::check_path(text).ok_or(Error::BadCall)?;
        self.veils[self.domain as usize % DOMAINS].unveil(path, head.perms as u8)?;
        self.close_hidden();
        Ok(0)
    }

    /// Narrows the domain's mask and takes away at once what it no longer allows.
    fn narrow(&mut self, mask: u64) {
        let before = self.domain().pledge;
        let after = pledge::narrow(before, mask);
        self.domain_mut().pledge = after;
        self.audit_pledge(before, after);
        // Lower is always allowed.
        let _ = self.sched.set_spectrum(self.domain, pledge::spectrum(after));
        let lost = before & !after & pledge::BITS;
        if lost == 0 {
            return;
        }
        for object in 0..OBJECTS as u32 {
            let o = &self.objects[object as usize];
            if o.pledge & lost != 0 && self.maps(object, self.domain) {
                self.unmap_object(object, self.domain);
            }
        }
        self.hide_facts(before, after);
        self.close_hidden();
        if after & (pledge::RPATH | pledge::WPATH) == 0 && self.domain().vfs != 0 {
            // Files need one of two bits, an object all of its own: from now on one that is gone.
            let vfs = self.domain().vfs as usize % OBJECTS;
            self.objects[vfs].pledge |= lost & (pledge::RPATH | pledge::WPATH);
            self.domain_mut().answer = None;
        }
        self.look_again();
    }

    /// The pages that only drivers and auditors see.
    fn hide_facts(&mut self, before: u64, after: u64) {
        const SEES: u64 = pledge::DEVICE | pledge::AUDIT;
        if before & SEES == 0 || after & SEES != 0 {
            return;
        }
        let p = &self.places;
        for (at, len) in [p.manifest, p.fdt, p.beb, p.memmap] {
            self.unmap_pages(self.domain, at, len.next_multiple_of(PAGE as u64));
        }
    }

    /// Fibers of the domain that wait for what is void now find out.
    fn look_again(&mut self) {
        for place in places(self.domain().fibers) {
            let fiber = &self.fibers[place % FIBERS];
            if fiber.state == state::WAITING && fiber.wait.active {
                self.wake(place);
            }
        }
    }
}
