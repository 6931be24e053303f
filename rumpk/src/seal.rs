//! Seals: when the chain is due for one, who makes it, and who waits for it.
//!
//! One service holds the key (`secret` in its manifest). It waits for the EVENT of its AUDIT slot, reads what is new,
//! signs the head and hands the signature in; from then on what it covers may be overwritten. Two kinds of fibers wait
//! for that: those whose next call would note more than the ring has room for, and who switched the cell off.
use crate::call::Args;
use crate::fiber::HELD;
use crate::kernel::{FIBERS, Kernel};
use crate::object::{Answer, Stop, single};
use abi::boot::{Beb, SERVICE_SECRET, beb, virt};
use abi::call::{Error, number, op};
use abi::prov::{CHECKPOINT_EVERY, kind};
use abi::stats::state;
use arch::{Frame, Machine};
use prov::{BYTES, SEAL_LEN};

/// How long the last seal may take before the cell is switched off without it, ns.
const PATIENCE_NS: u64 = 200_000_000;
/// Records that one call notes at most.
const PER_CALL: u64 = 3;

/// What the kernel knows of seals. All zeros: nothing is due.
#[derive(Debug, Default)]
pub(crate) struct Seals {
    /// Number of the service that holds the key, plus 1; 0: there is none.
    service: u16,
    /// The cell is being switched off: 1 + the operation of POWER. It happens at the latest at this time, ns.
    closing: u8,
    until: u64,
    /// Fibers that wait for room in the ring, by place.
    held: u64,
    /// Fibers that wait for a record to read, by place. Who waits for a seal to be due stands in the object.
    pub(crate) readers: u64,
    /// On other cores than the chain's home: how far the chain is as that said last, and whether it was asked to say more.
    pub(crate) heard: u64,
    pub(crate) watching: bool,
    /// On the chain's home: cores with fibers that wait for a record.
    pub(crate) watchers: u8,
}

impl Seals {
    pub(crate) const NONE: Self = Self {
        service: 0,
        closing: 0,
        until: 0,
        held: 0,
        readers: 0,
        heard: 0,
        watching: false,
        watchers: 0,
    };

    /// As if the manifest gave this service the key.
    #[cfg(test)]
    pub(crate) fn of(service: u16) -> Self {
        Self { service: service + 1, ..Self::NONE }
    }

    /// When the cell is switched off, sealed or not; [`u64::MAX`]: nobody asked.
    pub(crate) fn deadline(&self) -> u64 {
        if self.closing == 0 { u64::MAX } else { self.until }
    }
}

impl<M: Machine> Kernel<M> {
    /// Remembers which service holds the key.
    pub(crate) fn find_sealer(&mut self) {
        let count = self.manifest().map_or(0, |m| m.service_count());
        let holds = |index: &u16| {
            let service = self.manifest().and_then(|m| m.service(*index));
            service.is_some_and(|s| s.flags & SERVICE_SECRET != 0)
        };
        self.seals.service = (0..count).find(holds).map_or(0, |index| index + 1);
    }

    /// The domain that makes seals, while it lives.
    fn sealer(&self) -> Option<u8> {
        let service = self.seals.service.checked_sub(1)?;
        let lives = |id: &u8| {
            let domain = &self.domains[*id as usize];
            !domain.is_free() && domain.service == service && !self.is_ending(*id)
        };
        (0..self.domains.len() as u8).find(lives)
    }

    /// Whether `id` is the domain that makes seals: the key's page is for it alone.
    pub(crate) fn is_sealer(&self, service: u16) -> bool {
        self.seals.service.checked_sub(1) == Some(service)
    }

    /// Whether a seal is wanted now.
    pub(crate) fn seal_is_due(&self) -> bool {
        let many = self.chain.unsealed() >= CHECKPOINT_EVERY || self.chain.is_half_full();
        many || self.seals.closing != 0
    }

    /// A record was appended: wakes who waits for one, and the sealer if it is time.
    pub(crate) fn audit_signal(&mut self) {
        let readers = core::mem::take(&mut self.seals.readers);
        if readers != 0 {
            self.wake_all(readers);
        }
        if self.seals.watchers != 0 {
            self.tell_chain();
        }
        if self.objects[single::AUDIT as usize].waiters != 0 && self.seal_is_due() {
            self.signal(single::AUDIT);
        }
    }

    /// What `wait` finds at an AUDIT slot: a record the fiber has not received, or that a seal is due.
    pub(crate) fn probe_audit(&mut self, place: usize, wants: u8) -> u8 {
        use abi::call::want;
        let mut got = want::WRITABLE;
        let next = if self.chain_is_far() { self.seals.heard } else { self.chain.next() };
        if self.fibers[place].audit.next < next {
            got |= want::READABLE;
        }
        if self.seal_is_due() {
            got |= want::EVENT;
        }
        if got & wants == 0 {
            if wants & want::READABLE != 0 {
                self.seals.readers |= 1 << place;
                if self.chain_is_far() {
                    self.watch_chain();
                }
            }
            if wants & want::EVENT != 0 {
                self.objects[single::AUDIT as usize].waiters |= 1 << place;
            }
        }
        got & wants
    }

    /// A signature over the head after record `seq`: kept as two records, and everything up to `seq` may be overwritten.
    pub(crate) fn seal(&mut self, seq: u32, signature: &[u8; SEAL_LEN]) -> Answer {
        if !self.is_sealer(self.domain().service) {
            return Err(Error::Denied.into());
        }
        let (hashed, _) = self.chain.head();
        // The low half of a number that is at most 1,024 records old.
        let behind = (hashed.wrapping_sub(1) as u32).wrapping_sub(seq);
        let Some(seq) = hashed.checked_sub(1 + u64::from(behind)) else {
            return Err(Error::NotFound.into());
        };
        if seq < self.chain.oldest() {
            return Err(Error::NotFound.into());
        }
        let (fiber, last) = (self.fiber().id, self.chain.next() == seq + 1);
        self.chain.seal(self.machine.bytes(virt::PROVCHAIN, BYTES), seq + 1);
        for (half, data) in signature.chunks_exact(SEAL_LEN / 2).enumerate() {
            self.audit(kind::CHECKPOINT, fiber, seq as u32, half as i32, data);
        }
        let held = core::mem::take(&mut self.seals.held);
        self.wake_all(held);
        if self.seals.closing != 0 && last {
            self.power_now();
        }
        Ok(0)
    }

    /// Whether a call that notes something has to wait until the sealer made room. Without a sealer the oldest go.
    pub(crate) fn must_hold(&self) -> bool {
        let full = !self.chain.has_room(PER_CALL);
        full && self.sealer().is_some_and(|id| id != self.domain)
    }

    /// The current fiber makes this call later: it waits like one that called `wait` for nothing.
    pub(crate) fn hold(&mut self, number: usize, args: &Args) -> Answer {
        let place = self.current as usize % FIBERS;
        self.seals.held |= 1 << place;
        self.sched.cooperated(self.domain);
        let fiber = &mut self.fibers[place];
        (fiber.audit.number, fiber.audit.args) = (number, *args);
        (fiber.wait.active, fiber.wait.timed_out) = (true, false);
        (fiber.wait.count, fiber.wait.deadline, fiber.wait.lapse) = (HELD, u64::MAX, 0);
        fiber.state = state::WAITING;
        self.unready(place);
        Err(Stop::Later)
    }

    /// A fiber that was held runs: its call is made now if there is room; `false`: it waits on, or it ended.
    pub(crate) fn resume_held(&mut self) -> bool {
        let place = self.current as usize % FIBERS;
        if self.seals.closing != 0 || self.must_hold() {
            self.seals.held |= 1 << place;
            return false;
        }
        let fiber = &mut self.fibers[place];
        fiber.wait.active = false;
        let (number, args) = (fiber.audit.number, fiber.audit.args);
        let (status, value) = match self.held_call(number, &args) {
            Ok(value) => (0, value),
            Err(Stop::Error(error)) => (error as isize, 0),
            Err(Stop::Later) => return false,
            Err(Stop::Violation) => {
                let slot = args[0];
                self.finish(Err(Stop::Violation), slot);
                return false;
            }
        };
        self.fibers[place].frame.set_result(status, value);
        true
    }

    /// POWER: with a sealer alive the chain is sealed first; the caller waits, for good.
    pub(crate) fn power(&mut self, operation: usize) -> Answer {
        if self.chain_is_far() {
            return self.power_far(operation);
        }
        self.close(operation, self.domain);
        self.hold(number::SEND, &[0; 6])
    }

    /// The cell is to be switched off, as a fiber of domain `asker` wants, or [`NONE`] if it is on another core. The sealer
    /// itself does not wait for its own seal.
    ///
    /// [`NONE`]: crate::kernel::NONE
    pub(crate) fn close(&mut self, operation: usize, asker: u8) {
        if self.seals.closing == 0 {
            let sealed = self.chain.unsealed() == 0 || self.sealer().is_none_or(|id| id == asker);
            self.seals.closing = 1 + operation as u8;
            if sealed {
                self.power_now();
            }
            self.seals.until = self.machine.now() + PATIENCE_NS;
            self.note_timer(self.seals.until);
            self.audit_signal();
        }
    }

    /// Time is up: the tail stays unsealed.
    pub(crate) fn power_late(&mut self, now: u64) {
        if now >= self.seals.deadline() {
            self.power_now();
        }
    }

    fn power_now(&mut self) -> ! {
        let off = self.seals.closing == 1 + op::POWER_OFF as u8;
        self.chain.hash(self.machine.bytes_mut(virt::PROVCHAIN, BYTES), u64::MAX);
        let mut head = Beb::zeroed();
        head.state = if off { beb::OFF } else { beb::RESET };
        head.time = self.machine.now();
        crate::record(&mut self.machine, self.places.beb, head, format_args!(""));
        if off { self.machine.power_off() } else { self.machine.reset() }
    }
}
