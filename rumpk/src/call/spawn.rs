//! `spawn(slot, desc, len)`.
use crate::fiber::Fiber;
use crate::job::Phase;
use crate::kernel::{DOMAINS, Kernel};
use crate::object::{Answer, Stop};
use crate::spawn::Wish;
use abi::PAGE;
use abi::boot::SERVICE_INIT;
use abi::call::{ARGS_MAX, Error, SPAWN_FIBER, SPAWN_IMAGE, Spawn};
use abi::cap::{X, slot, verb};
use abi::pledge;
use abi::stats::state;
use arch::{Frame, Machine, UserAddr};

/// Most bytes of stack of a fiber of the own domain.
const STACK_MAX: u64 = 1 << 20;

impl<M: Machine> Kernel<M> {
    pub(super) fn spawn(&mut self, factory: usize, desc: UserAddr, len: usize) -> Answer {
        self.lookup_for(factory, verb::SPAWN)?;
        let args_len = len.checked_sub(Spawn::SIZE).ok_or(Error::BadCall)?;
        if args_len > ARGS_MAX {
            return Err(Error::TooBig.into());
        }
        let mut bytes = [0; Spawn::SIZE + ARGS_MAX];
        self.copy_in_words(desc, &mut bytes[..len])?;
        let spec = Spawn::decode(&bytes).ok_or(Error::BadCall)?;
        let args = &bytes[Spawn::SIZE..len];
        if spec.zero != [0; 3] || spec.zero2 != [0; 16] {
            return Err(Error::BadCall.into());
        }
        match spec.op {
            SPAWN_IMAGE => self.spawn_image(&spec, args),
            SPAWN_FIBER => self.spawn_fiber(&spec, args),
            _ => Err(Error::BadCall.into()),
        }
    }

    fn spawn_image(&mut self, spec: &Spawn, args: &[u8]) -> Answer {
        self.need(pledge::EXEC)?;
        let name = plain_name(&spec.name).ok_or(Error::BadCall)?;
        let (service, path, own) = self.resolve_name(name)?;
        let own_len = own.1;
        let args = if args.is_empty() { &own.0[..own_len] } else { args };
        // What a veil hides is hidden from children too, and only this core has the veil.
        let veiled = service.is_none() && !self.veils[self.domain as usize % DOMAINS].is_open();
        let core = if veiled { self.core } else { self.core_of(service) };
        let wish = Wish {
            parent: self.current,
            far: None,
            service,
            path: abi::text(&path),
            name,
            pledge: spec.pledge,
            energy: spec.energy,
            heap: spec.memory,
            args,
            channel_slot: spec.channel_slot,
        };
        if core != self.core {
            return self.spawn_far(core, &wish);
        }
        let place = self.start(&wish)?;
        self.slot_of(place)
    }

    /// The core for a new domain.
    fn core_of(&self, service: Option<u16>) -> u8 {
        let service = service.and_then(|index| self.manifest()?.service(index));
        self.core_for(service.as_ref())
    }

    /// Service, image path and argument text for a name. Services are for subject zero alone: the manifest gives them more
    /// than their parent has.
    #[allow(clippy::type_complexity, reason = "three results of one look into the manifest")]
    fn resolve_name(
        &self,
        name: &str,
    ) -> Result<(Option<u16>, [u8; 96], ([u8; ARGS_MAX], usize)), Error> {
        let manifest = self.manifest().ok_or(Error::NotFound)?;
        let own = manifest.service(self.domain().service);
        let may = own.is_some_and(|s| s.flags & SERVICE_INIT != 0);
        let mut args = ([0; ARGS_MAX], 0);
        if may && let Some(index) = manifest.find(name) {
            let runs = self.domains.iter().any(|d| !d.is_free() && d.service == index);
            if runs || self.service_at(index).is_some() {
                return Err(Error::Exists);
            }
            let service = manifest.service(index).ok_or(Error::NotFound)?;
            let text = manifest.args(&service);
            args.1 = text.len().min(ARGS_MAX);
            args.0[..args.1].copy_from_slice(&text[..args.1]);
            return Ok((Some(index), abi::name(abi::text(&service.image)), args));
        }
        let mut path = abi::name::<96>("Boot/bin/");
        path[9..9 + name.len()].copy_from_slice(name.as_bytes());
        if self.veil().perms(abi::text(&path)) & X == 0 {
            return Err(Error::NotFound);
        }
        Ok((None, path, args))
    }

    /// The caller's slot that names a child.
    fn slot_of(&self, place: usize) -> Answer {
        let object = self.fibers[place].object;
        let mut slots = self.fiber().caps.iter();
        let found = slots.find(|(_, cap)| cap.object == object).map(|(slot, _)| slot as usize);
        found.ok_or(Error::Full.into())
    }

    fn spawn_fiber(&mut self, spec: &Spawn, args: &[u8]) -> Answer {
        let stack = if spec.stack == 0 { PAGE as u64 } else { spec.stack };
        if stack > STACK_MAX {
            return Err(Error::TooBig.into());
        }
        let stack = stack.next_multiple_of(PAGE as u64);
        if self.own_fibers(self.domain) >= self.domain().fibers_max {
            return Err(Error::Full.into());
        }
        let place = self.fibers.iter().position(Fiber::is_free).ok_or(Error::Full)?;
        let own_slot = self.fiber().caps.free_slot(slot::FIRST).ok_or(Error::Full)?;
        if self.objects.iter().filter(|o| o.is_free()).count() < 2 {
            return Err(Error::Full.into());
        }
        if !self.domain().job.is_none() {
            return Err(Error::NotReady.into());
        }
        let len = stack + 2 * PAGE as u64;
        self.accounts.take_stack(self.domain, len)?;
        let base = match self.memory.take(len) {
            Ok(base) => base,
            Err(error) => {
                self.accounts.give_stack(self.domain, len);
                return Err(error.into());
            }
        };
        // The page at the top now, as the argument block lies there; the rest is the domain's job.
        let top = base + stack;
        self.machine.zero(top, PAGE);
        let args_at = (top + PAGE as u64 - args.len() as u64) & !15;
        self.machine.bytes_mut(args_at, args.len()).copy_from_slice(args);
        let given = [args_at, args.len() as u64, abi::boot::virt::SYSTABLE];
        let frame = M::Frame::start(spec.entry, args_at, given, self.isolated);
        let (domain, parent) = (self.domain, self.current);
        let name = self.fiber().name;
        self.new_fiber(place, domain, parent, frame, name);
        self.fibers[place].stack = (base, len);
        self.domain_mut().fibers |= 1 << place;
        self.give_singles(place, domain);
        self.name_fiber(place, own_slot, parent);
        self.audit_fiber(place, 1);
        self.begin(domain, Phase::Stack);
        self.domain_mut().job.at = crate::build::at_part(place);
        self.fiber_mut().frame.set_result(0, own_slot as usize);
        self.fiber_mut().state = state::READY;
        Err(Stop::Later)
    }
}

/// The name in a descriptor, if it can be one: not empty, one path part, printable.
fn plain_name(field: &[u8; 64]) -> Option<&str> {
    let end = field.iter().position(|&b| b == 0)?;
    let name = core::str::from_utf8(&field[..end]).ok()?;
    let fine = |c: char| !c.is_control() && c != '/';
    let dots = name == "." || name == "..";
    (!name.is_empty() && !dots && name.chars().all(fine) && field[end..].iter().all(|&b| b == 0))
        .then_some(name)
}
