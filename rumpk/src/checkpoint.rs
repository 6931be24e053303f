//! The Blink checkpoint: what an instance leaves to the next one of its domain, and nobody else sees.
//!
//! It lies in the domain's own extent, on a page that is mapped nowhere, so that it costs nobody else anything and a Blink needs
//! nothing for it. Whoever loads it must distrust it: who saved it is dead, and may have died of what stands there.
use crate::build::KEPT_LEN;
use crate::kernel::{DOMAINS, Kernel};
use crate::object::Answer;
use abi::PAGE;
use abi::call::Error;
use abi::call::prov_op::CHECKPOINT_MAX;
use arch::{Machine, UserAddr};

/// Bytes copied at a time, so that no large buffer stands on the kernel's stack.
const PIECE: usize = 256;
const _: () = assert!(CHECKPOINT_MAX <= PAGE && KEPT_LEN == 2 * PAGE as u64);

impl<M: Machine> Kernel<M> {
    /// Where the current domain's checkpoint lies.
    fn checkpoint_at(&self) -> u64 {
        let domain = self.domain();
        domain.extent.0 + domain.layout.kept() + PAGE as u64
    }

    /// Keeps `len` bytes for the next instance, in place of what was kept before. `TooBig` above 4 KB.
    pub(crate) fn save_checkpoint(&mut self, from: UserAddr, len: usize) -> Answer {
        if len > CHECKPOINT_MAX {
            return Err(Error::TooBig.into());
        }
        let (to, mut piece) = (self.checkpoint_at(), [0; PIECE]);
        // All of it is readable, or the old one stays.
        for keep in [false, true] {
            for done in (0..len).step_by(PIECE) {
                let now = PIECE.min(len - done);
                let at = from.0.checked_add(done as u64).ok_or(Error::BadAddress)?;
                self.machine.copy_in(UserAddr(at), &mut piece[..now])?;
                if keep {
                    let to = to + done as u64;
                    self.machine.bytes_mut(to, now).copy_from_slice(&piece[..now]);
                }
            }
        }
        self.domains[self.domain as usize % DOMAINS].history.checkpoint = len as u32;
        Ok(len)
    }

    /// Fills as much as the buffer takes; value: its whole length. `Empty` where none is kept.
    pub(crate) fn load_checkpoint(&mut self, to: UserAddr, len: usize) -> Answer {
        let whole = self.domain().history.checkpoint as usize;
        if whole == 0 {
            return Err(Error::Empty.into());
        }
        let (from, mut piece) = (self.checkpoint_at(), [0; PIECE]);
        for done in (0..whole.min(len)).step_by(PIECE) {
            let now = PIECE.min(whole.min(len) - done);
            piece[..now].copy_from_slice(self.machine.bytes(from + done as u64, now));
            let at = to.0.checked_add(done as u64).ok_or(Error::BadAddress)?;
            self.machine.copy_out(UserAddr(at), &piece[..now])?;
        }
        Ok(whole)
    }
}
