//! Quiesce steps: how a device is brought to rest when its driver died, as the driver's own image says.
//!
//! At most eight for a device: write a register, or read one until masked bits have a value, within a bound. A device that does not
//! come to rest may still write to memory that it was given; then the domain stays as it is, and so does all that it held.
use crate::blink::Fate;
use crate::job::{Phase, Step};
use crate::kernel::{DOMAINS, Kernel};
use abi::image::{QuiesceStep, quiesce};
use arch::Machine;

/// Readings of one register in one step of the job.
const READINGS: u64 = 64;
/// Longest that a poll may take, ns, whatever the image says.
const LONGEST_NS: u64 = 100_000_000;

impl<M: Machine> Kernel<M> {
    /// Does the quiesce step number `at`, below 256; above it stands when the poll began, in units of 256 ns.
    pub(crate) fn quiesce_some(&mut self, id: u8, at: u64) -> Step {
        let (number, began) = (at & 0xFF, at >> 8);
        let domain = &self.domains[id as usize % DOMAINS];
        let Some(step) = domain.layout.quiesce(number as usize) else {
            let gone = domain.fate == Fate::End;
            return Step::Then(if gone { Phase::Leave } else { Phase::Clear });
        };
        let Some(register) = self.register_of(id, &step) else { return Step::More(number + 1) };
        if step.op == quiesce::WRITE {
            self.machine.write_register(register, step.value);
            return Step::More(number + 1);
        }
        let now = self.machine.now();
        let began = if began == 0 { now >> 8 } else { began };
        for _ in 0..READINGS {
            if self.machine.read_register(register) & step.mask == step.value {
                return Step::More(number + 1);
            }
        }
        if now - (began << 8).min(now) < (step.within_us as u64 * 1000).min(LONGEST_NS) {
            return Step::More(began << 8 | number);
        }
        self.restless(id)
    }

    /// The register that a step means, if the domain was given the device.
    fn register_of(&self, id: u8, step: &QuiesceStep) -> Option<u64> {
        let domain = &self.domains[id as usize % DOMAINS];
        let manifest = self.manifest()?;
        let service = manifest.service(domain.service)?;
        let grants = (0..service.grant_count).filter_map(|i| manifest.grant(&service, i));
        let mut windows = grants.filter(|g| g.kind == abi::cap::Kind::DEVICE.0);
        let window = windows.nth(step.device as usize)?;
        let inside = step.offset.is_multiple_of(4) && step.offset as u64 + 4 <= window.b;
        inside.then(|| window.a + step.offset as u64)
    }

    /// The device does not come to rest: its memory may still be written. The domain keeps everything, and nobody gets it.
    fn restless(&mut self, id: u8) -> Step {
        let domain = &mut self.domains[id as usize % DOMAINS];
        domain.history.parked = true;
        domain.history.restless = true;
        let first = domain.first;
        self.fibers[first as usize % crate::kernel::FIBERS].state = abi::stats::state::QUARANTINED;
        Step::Then(Phase::None)
    }
}
