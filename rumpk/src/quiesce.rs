//! Quiesce steps: how a device is brought to rest when its driver died, as the driver's own image says.
//!
//! At most eight for a device: write a register, or read one until masked bits have a value, within a bound. A device that does not
//! come to rest may still write to memory that it was given; then the domain stays as it is, and so does all that it held. An image
//! with a step that the kernel could not do is not started.
use crate::blink::Fate;
use crate::image::Image;
use crate::job::{Phase, Step};
use crate::kernel::{DOMAINS, FIBERS, Kernel};
use abi::boot::Service;
use abi::image::{QUIESCE_MAX, QuiesceStep, quiesce};
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
        let service = self.manifest().and_then(|m| m.service(domain.service));
        let Some(register) = service.and_then(|service| self.register_of(&service, &step)) else {
            // Looked at when the image was accepted.
            return Step::More(number + 1);
        };
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

    /// Whether the kernel could do each step of an image for this service: a step that it passed over would leave the device
    /// at work. Only services have devices.
    pub(crate) fn steps_reach(&self, image: &Image, service: Option<&Service>) -> bool {
        let mut steps = (0..QUIESCE_MAX).map_while(|index| image.quiesce(index));
        steps.all(|step| {
            let register = service.and_then(|service| self.register_of(service, &step));
            step.op <= quiesce::POLL && register.is_some()
        })
    }

    /// The register that a step means, if the service was given the device and the kernel reaches it.
    fn register_of(&self, service: &Service, step: &QuiesceStep) -> Option<u64> {
        let manifest = self.manifest()?;
        let grants = (0..service.grant_count).filter_map(|i| manifest.grant(service, i));
        let mut windows = grants.filter(|g| g.kind == abi::cap::Kind::DEVICE.0);
        let window = windows.nth(step.device as usize)?;
        let register = window.a.checked_add(step.offset as u64)?;
        let inside = step.offset as u64 + 4 <= window.b;
        (inside && self.machine.is_register(register)).then_some(register)
    }

    /// The device does not come to rest: its memory may still be written. The domain keeps everything, and nobody gets it.
    fn restless(&mut self, id: u8) -> Step {
        let domain = &mut self.domains[id as usize % DOMAINS];
        domain.history.parked = true;
        domain.history.restless = true;
        let (place, blinks) = (domain.first as usize % FIBERS, domain.history.blinks);
        let fiber = &mut self.fibers[place];
        fiber.state = abi::stats::state::QUARANTINED;
        let (fiber, name) = (fiber.id, fiber.name);
        self.audit(abi::prov::kind::QUARANTINE, fiber, blinks, 0, &name);
        Step::Then(Phase::None)
    }
}
