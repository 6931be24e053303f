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
        let args = (&mut bytes[Spawn::SIZE..], args_len);
        if spec.zero != [0; 3] || spec.zero2 != [0; 16] {
            return Err(Error::BadCall.into());
        }
        match spec.op {
            SPAWN_IMAGE => self.spawn_image(&spec, args),
            SPAWN_FIBER => self.spawn_fiber(&spec, &args.0[..args.1]),
            _ => Err(Error::BadCall.into()),
        }
    }

    /// `args`: room for the longest argument block, and how much of it the caller filled.
    fn spawn_image(&mut self, spec: &Spawn, args: (&mut [u8], usize)) -> Answer {
        self.need(pledge::EXEC)?;
        let name = plain_name(&spec.name).ok_or(Error::BadCall)?;
        let (room, mut args_len) = args;
        let (service, path) = self.resolve_name(name)?;
        if args_len == 0 {
            args_len = self.own_args(service, room);
        }
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
            args: &room[..args_len],
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

    /// Service and image path for a name. Services are for subject zero alone: the manifest gives them more than their
    /// parent has.
    fn resolve_name(&self, name: &str) -> Result<(Option<u16>, [u8; 96]), Error> {
        let manifest = self.manifest().ok_or(Error::NotFound)?;
        let own = manifest.service(self.domain().service);
        let may = own.is_some_and(|s| s.flags & SERVICE_INIT != 0);
        if may && let Some(index) = manifest.find(name) {
            let runs = self.domains.iter().any(|d| !d.is_free() && d.service == index);
            if runs || self.service_at(index).is_some() {
                return Err(Error::Exists);
            }
            let service = manifest.service(index).ok_or(Error::NotFound)?;
            return Ok((Some(index), abi::name(abi::text(&service.image))));
        }
        let mut path = abi::name::<96>("Boot/bin/");
        path[9..9 + name.len()].copy_from_slice(name.as_bytes());
        if self.veil().perms(abi::text(&path)) & X == 0 {
            return Err(Error::NotFound);
        }
        Ok((None, path))
    }

    /// Copies the arguments that the manifest has for a service, as its memory is not borrowed for long; their length.
    fn own_args(&self, service: Option<u16>, to: &mut [u8]) -> usize {
        let manifest = self.manifest();
        let service = manifest.as_ref().and_then(|m| Some((m, m.service(service?)?)));
        let text = service.as_ref().map_or(&[][..], |(manifest, service)| manifest.args(service));
        let len = text.len().min(to.len());
        to[..len].copy_from_slice(&text[..len]);
        len
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
        if self.objects.iter().filter(|o| o.is_free()).nth(1).is_none() {
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
        self.new_fiber(place, domain, parent, &name);
        self.fibers[place].frame = frame;
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
