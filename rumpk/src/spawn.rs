//! A new domain: everything is decided in [`Kernel::plan`], then [`Kernel::start`] takes what it needs. Its memory is made
//! afterwards, as its own job ([`crate::build`]).
use crate::build::Layout;
use crate::cores::FarParent;
use crate::domain::Domain;
use crate::fiber::Fiber;
use crate::image::Image;
use crate::job::Phase;
use crate::kernel::{DOMAINS, FIBERS, Kernel, NONE};
use crate::object::{Body, Object};
use crate::quota::Quota;
use abi::PAGE;
use abi::boot::{KERNEL_SERVICE, Service};
use abi::call::{ARGS_MAX, Error, NO_SLOT};
use abi::cap::{Kind, slot, verb};
use abi::pledge;
use abi::stats::{end, state};
use arch::Machine;
use cap::Cap;
use sched::Params;

/// Pages for translation tables of a domain besides those for its own memory: roots, facts, devices, channels.
const TABLE_PAGES: u64 = 16;
/// Memory that one last table covers.
const PER_TABLE: u64 = 2 << 20;
/// Objects that one domain may take at birth.
const OBJECTS_AT_BIRTH: usize = 72;
const PAGE_LEN: u64 = PAGE as u64;

/// What a new domain shall be.
pub struct Wish<'a> {
    /// Place of the fiber that asks; [`NONE`]: the kernel.
    pub parent: u8,
    /// The fiber of another core that asks.
    pub far: Option<&'a FarParent>,
    pub service: Option<u16>,
    /// Path of the image in the archive; empty: the application linked with the kernel.
    pub path: &'a str,
    pub name: &'a str,
    /// ANDed; all ones: as the manifests say.
    pub pledge: u64,
    /// J per window; 0: as the manifests say.
    pub energy: u64,
    /// Bytes; 0: as the manifests say.
    pub heap: u64,
    pub args: &'a [u8],
    /// Where the parent wants its end of the channel to the child.
    pub channel_slot: u8,
}

/// A checked wish: nothing in it can fail any more but for memory and energy, which are taken first.
pub struct Plan {
    layout: Layout,
    pub service: Option<(u16, Service)>,
    params: Params,
    policy: u8,
    fibers_max: u32,
    name: [u8; 32],
}

impl Plan {
    /// What it costs, and whether it may need more than that.
    pub fn cost(&self) -> (Quota, bool) {
        let cost = Quota { bytes: self.layout.extent_len(), places: self.fibers_max };
        (cost, self.layout.pledge & pledge::EXEC != 0 || self.fibers_max > 1)
    }
    /// What it is promised.
    pub fn params(&self) -> Params {
        self.params
    }
}

/// Bytes of tables for a domain with so much memory.
fn tables_len(memory: u64) -> u64 {
    (TABLE_PAGES + memory / PER_TABLE) * PAGE_LEN
}

impl<M: Machine> Domain<M> {
    /// Fills a free place for the plan, in place: what is moved is moved with preemption off.
    fn fill(&mut self, plan: &Plan, extent: (u64, u64), place: u8) {
        *self = Self::FREE;
        self.extent = extent;
        self.heap = plan.layout.heap_in(extent.0);
        self.pledge = plan.layout.pledge;
        self.born = plan.layout.pledge;
        self.layout.clone_from(&plan.layout);
        self.policy = plan.policy;
        self.service = plan.service.map_or(KERNEL_SERVICE, |(index, _)| index);
        self.fibers = 1 << place;
        self.fibers_max = plan.fibers_max;
        self.first = place;
        self.last = place;
    }
}

impl<M: Machine> Kernel<M> {
    /// Decides what the wish comes to. Nothing is changed.
    pub(crate) fn plan(&self, wish: &Wish) -> Result<Plan, Error> {
        let manifest = self.manifest().ok_or(Error::NotFound)?;
        let service = match wish.service {
            Some(index) => Some((index, manifest.service(index).ok_or(Error::NotFound)?)),
            None => None,
        };
        let (image, bytes) = self.load(wish.path)?;
        let driver = service.as_ref().map(|(_, service)| service);
        if !image.as_ref().is_none_or(|image| self.steps_reach(image, driver)) {
            return Err(Error::BadCall);
        }
        let own = image.as_ref().map(|image| image.manifest);
        let most = own.as_ref().map_or(u64::MAX, |m| m.pledge);
        // A service is what the signed manifest says it is; anything else is within its parent's rights.
        let allowed = match (&service, self.fibers.get(wish.parent as usize)) {
            (Some((_, s)), _) => pledge::narrow(most, s.pledge),
            (None, Some(p)) => pledge::narrow(most, self.domains[p.domain as usize].pledge),
            (None, None) => match wish.far {
                Some(far) => pledge::narrow(most, far.limit),
                None => return Err(Error::Denied),
            },
        };
        let asked = if wish.pledge == u64::MAX { allowed } else { wish.pledge };
        if asked & pledge::BITS & !allowed != 0 {
            return Err(Error::Pledge);
        }
        let pledge = pledge::narrow(allowed, asked);
        let spectrum = pledge::spectrum(pledge);
        let or = |first: u64, then: u64| if first != 0 { first } else { then };
        let of_service = |f: fn(&Service) -> u64| service.as_ref().map_or(0, |(_, s)| f(s));
        let own_energy = own.as_ref().map_or(0, |m| m.energy);
        let mut energy = or(wish.energy, or(of_service(|s| s.energy), own_energy));
        if spectrum == 0 {
            energy = 0;
        } else if energy == 0 {
            energy = pledge::BUDGET_J[spectrum as usize];
        }
        let budget_ns = energy.checked_mul(1000).ok_or(Error::NoEnergy)?;
        let heap = or(wish.heap, or(of_service(|s| s.heap), own.as_ref().map_or(0, |m| m.heap)));
        let stack = or(of_service(|s| s.stack), own.as_ref().map_or(PAGE_LEN * 8, |m| m.stack));
        if heap > abi::image::MEMORY_MAX || stack > abi::image::MEMORY_MAX {
            return Err(Error::NoMemory);
        }
        let mut layout = Layout {
            heap: heap.next_multiple_of(PAGE_LEN),
            stack: stack.next_multiple_of(PAGE_LEN).max(PAGE_LEN),
            image,
            bytes,
            pledge,
            regions: service.as_ref().map_or(0, |(_, s)| manifest.regions(s)),
            budget: budget_ns,
            ..Layout::NONE
        };
        layout.tables = tables_len(layout.extent_len());
        Ok(Plan {
            layout,
            service,
            params: Params { spectrum, budget_ns },
            policy: service.map_or(own.map_or(0, |m| m.policy), |(_, s)| s.policy as u8),
            fibers_max: own.map_or(FIBERS as u32, |m| m.fibers.max(1)),
            name: abi::name(wish.name),
        })
    }

    /// Finds and checks the image at `path`.
    fn load(&self, path: &str) -> Result<(Option<Image>, (u64, usize)), Error> {
        if path.is_empty() {
            return if self.isolated { Err(Error::NotFound) } else { Ok((None, (0, 0))) };
        }
        let archive = self.archive();
        let found = crate::archive::find(archive, path).ok_or(Error::NotFound)?;
        let bytes = &archive[found.offset..found.offset + found.len];
        let image = Image::parse(bytes).map_err(|_| Error::BadCall)?;
        Ok((Some(image), (self.places.archive.0 + found.offset as u64, found.len)))
    }

    /// Makes the domain and its first fiber, with the job of making their memory; the fiber's place.
    pub(crate) fn start(&mut self, wish: &Wish) -> Result<usize, Error> {
        let plan = self.plan(wish)?;
        let id = self.domains.iter().position(Domain::is_free).ok_or(Error::Full)?;
        let place = self.fibers.iter().position(Fiber::is_free).ok_or(Error::Full)?;
        // Looked at until they are enough: a count of the whole table were 3,000 instructions.
        let mut free = self.objects.iter().filter(|o| o.is_free());
        if free.nth(OBJECTS_AT_BIRTH - 1).is_none() {
            return Err(Error::Full);
        }
        if wish.args.len() > ARGS_MAX {
            return Err(Error::TooBig);
        }
        let own_slot = match self.fibers.get(wish.parent as usize) {
            Some(parent) => parent.caps.free_slot(slot::FIRST).ok_or(Error::Full)?,
            None => 0,
        };
        self.check_channel_slot(wish, own_slot)?;
        self.veil_at_birth(id, &plan, wish)?;
        self.open_account(&plan, wish, id as u8)?;
        let len = plan.layout.extent_len();
        let extent = match self.memory.take(len) {
            Ok(base) => (base, len),
            Err(error) => {
                self.accounts.close(id as u8, None);
                return Err(error);
            }
        };
        let taken = self.channel_to_child(wish).and_then(|channel| {
            let carved = self.admit(&plan, wish, id as u8);
            if carved.is_err() {
                self.discard_channel(channel);
            }
            Ok((carved?, channel))
        });
        let (carved, channel) = match taken {
            Ok(taken) => taken,
            Err(error) => {
                self.memory.give(extent.0, extent.1);
                self.accounts.close(id as u8, None);
                return Err(error);
            }
        };
        let parent = self.fibers.get(wish.parent as usize).map_or(NONE, |p| p.domain);
        let domain = &mut self.domains[id];
        domain.fill(&plan, extent, place as u8);
        (domain.parent, domain.carved) = (parent, carved);
        self.keep_args(id as u8, wish.args);
        self.new_fiber(place, id as u8, wish.parent, &plan.name);
        self.birth_slots(place, &plan, wish);
        self.connect_parent(place, wish, channel);
        if let Some(far) = wish.far {
            self.connect_far(place, id as u8, far);
        }
        self.name_fiber(place, own_slot, wish.parent);
        self.audit_domain(place, plan.layout.bytes);
        self.publish_load();
        if let Some((index, _)) = plan.service {
            self.service_is_at(index, Some(self.home_of(self.fibers[place].object)));
        }
        self.begin(id as u8, Phase::Space);
        Ok(place)
    }

    /// Memory and places: a service's as the manifest promises, anything else's out of its parent's.
    fn open_account(&mut self, plan: &Plan, wish: &Wish, id: u8) -> Result<(), Error> {
        if let Some((_, service)) = &plan.service {
            self.accounts.open_service(id, service.child_pages, service.child_places);
            return Ok(());
        }
        if let Some(far) = wish.far {
            self.accounts.open_given(id, far.left);
            return Ok(());
        }
        let parent = self.fibers[wish.parent as usize % FIBERS].domain;
        let (cost, heir) = plan.cost();
        self.accounts.open_child(parent, id, cost, heir)
    }

    pub(crate) fn check_channel_slot(&self, wish: &Wish, own_slot: u8) -> Result<(), Error> {
        let Some(parent) = self.fibers.get(wish.parent as usize) else { return Ok(()) };
        if wish.channel_slot == NO_SLOT {
            return Ok(());
        }
        if wish.channel_slot == own_slot {
            return Err(Error::Exists);
        }
        parent.caps.check_free(wish.channel_slot as usize)
    }

    /// Takes the energy: a service's out of the core's, anything else's out of its parent's.
    fn admit(&mut self, plan: &Plan, wish: &Wish, id: u8) -> Result<u64, Error> {
        let mut carved = 0;
        if plan.service.is_none() && plan.params.budget_ns != 0 && wish.far.is_none() {
            let parent = self.fibers[wish.parent as usize % FIBERS].domain;
            carved = self.sched.carve(parent, plan.params)?;
        }
        self.sched.add(id, plan.params)?;
        Ok(carved)
    }

    /// A domain's tag: no two of the machine share one.
    pub(crate) fn tag(&self, id: u8) -> u16 {
        u16::from(self.core) * DOMAINS as u16 + u16::from(id) + 1
    }

    /// Fills a free place of the fiber table; the registers are its caller's to set.
    pub(crate) fn new_fiber(&mut self, place: usize, domain: u8, parent: u8, name: &[u8; 32]) {
        self.next_id += 1;
        let fiber = &mut self.fibers[place];
        fiber.clear();
        fiber.id = self.next_id;
        fiber.state = state::READY;
        fiber.end = end::RUNS;
        fiber.domain = domain;
        fiber.parent = parent;
        fiber.timer = u64::MAX;
        fiber.name = *name;
        if self.floating == place as u8 {
            self.floating = NONE;
        }
    }

    /// A FIBER object for the fiber, and the parent's capability to it.
    pub(crate) fn name_fiber(&mut self, place: usize, own_slot: u8, parent: u8) {
        let body = Body::Fiber { place: place as u8 };
        // Room was counted before.
        let Ok(object) = self.new_object(Object::new(body, NONE, 0)) else { return };
        self.fibers[place].object = object;
        let cap = self.cap(Kind::FIBER, object, verb::ALL, 0);
        if let Some(parent) = self.fibers.get_mut(parent as usize) {
            // The slot was free when it was chosen.
            let _ = parent.caps.put(own_slot as usize, cap);
        }
    }

    /// A capability of depth 0 to `object` as it is now.
    pub(crate) fn cap(&self, kind: Kind, object: u32, verbs: u8, perms: u8) -> Cap {
        let epoch = self.objects[object as usize % crate::kernel::OBJECTS].epoch;
        Cap::new(kind, object, epoch, verbs, perms)
    }
}
