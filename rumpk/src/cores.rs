//! Several cores (LWKT style): each has a kernel of its own, with its fibers, domains, objects, memory and timer, which
//! nobody else writes.
//!
//! The boot core founds the others' kernels before it starts them, so that nothing in them is ever shared: what all read
//! (archive, manifest, addresses) is copied, and free memory is cut into equal parts.
use crate::kernel::{Kernel, NONE};
use abi::PAGE;
use abi::boot::Handoff;
use arch::Machine;

impl<M: Machine> Kernel<M> {
    /// Makes `other`, all zeros, the kernel of core `core`. Its machine comes with the core itself.
    pub fn found(&mut self, other: &mut Self, core: u8) {
        other.core = core;
        other.isolated = self.isolated;
        other.places = self.places.clone();
        (other.current, other.domain, other.floating) = (NONE, NONE, NONE);
        (other.next_timer, other.armed) = (u64::MAX, u64::MAX);
        other.random = self.fork_random();
        other.singles();
        self.share_memory(other);
    }

    /// What boot left; `None` before [`Self::take_over`] or [`Self::found`].
    pub fn handoff(&self) -> Option<Handoff> {
        self.places.handoff
    }

    /// The other core's part of what was free at boot.
    fn share_memory(&mut self, other: &mut Self) {
        let (_, free) = self.places.free;
        let part = free / u64::from(self.places.cores) / PAGE as u64 * PAGE as u64;
        let base = self.memory.take(part).expect("a core's part of the free memory");
        other.memory.give(base, part);
    }

    /// A state for another core's random numbers that says nothing about our own.
    fn fork_random(&mut self) -> [u8; 32] {
        let fork = *blake3::Hasher::new_keyed(&self.random).update(b"fork").finalize().as_bytes();
        self.random =
            *blake3::Hasher::new_keyed(&self.random).update(b"next").finalize().as_bytes();
        fork
    }
}
