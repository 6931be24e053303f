//! The kernel's state: tables of fixed size.
use crate::channel::Channel;
use crate::cores::{Lending, Loans, Shared};
use crate::domain::Domain;
use crate::fiber::Fiber;
use crate::mapping::{Lapses, Mappers};
use crate::memory::Extents;
use crate::object::{Object, Stop};
use crate::pair::Pair;
use crate::parked::Parked;
use crate::places::Places;
use crate::postmortem::Scene;
use crate::quota::Accounts;
use crate::seal::Seals;
use abi::call::Error;
use abi::stats::FiberPostMortem;
use arch::{CORES, Machine};
use cap::{Cap, next_epoch};
use prov::Chain;
use sched::Harmonic;
use veil::Veil;

/// Fibers of a core. Masks of fibers are one `u64`.
pub const FIBERS: usize = 64;
/// Domains of a core.
pub const DOMAINS: usize = 32;
/// Kernel objects.
pub const OBJECTS: usize = 512;
/// Channels.
pub const CHANNELS: usize = 128;
/// No fiber, no domain, no object.
pub const NONE: u8 = 0xFF;

/// Counters of the cell since boot.
#[derive(Default)]
pub struct Counters {
    pub timer: u64,
    pub device: u64,
    pub calls: u64,
    pub switches: u64,
    pub idles: u64,
    pub idle_time: u64,
    pub faults: u64,
    /// Audit records for which the way to core 0 had no place.
    pub audits_lost: u64,
    /// Application records that were refused on this core, and of which the chain's home was not told yet.
    pub audits_refused: u64,
    pub first_npl: u64,
    /// Requests and answers that a pair of fibers handed over without a look at the tables; among `calls`.
    pub passes: u64,
    /// The same by the direct way, which looks.
    pub direct: u64,
}

impl Counters {
    const ZERO: Self = Self {
        timer: 0,
        device: 0,
        calls: 0,
        switches: 0,
        idles: 0,
        idle_time: 0,
        faults: 0,
        audits_lost: 0,
        audits_refused: 0,
        first_npl: 0,
        passes: 0,
        direct: 0,
    };
}

/// One core's kernel.
pub struct Kernel<M: Machine> {
    pub(crate) machine: M,
    /// Which core: 0 is the one that booted.
    pub(crate) core: u8,
    pub(crate) pair: Pair<M>,
    /// What the cores share; `None` where there is one core.
    pub(crate) shared: Option<&'static Shared>,
    /// Our ends of the lanes, by the other core.
    pub(crate) senders: [lane::Sender; CORES],
    pub(crate) receivers: [lane::Receiver; CORES],
    pub(crate) sched: Harmonic,
    pub(crate) fibers: [Fiber<M>; FIBERS],
    pub(crate) domains: [Domain<M>; DOMAINS],
    pub(crate) objects: [Object; OBJECTS],
    pub(crate) channels: [Channel; CHANNELS],
    /// Who mapped each object, by its number.
    pub(crate) mappers: [Mappers; OBJECTS],
    pub(crate) lapses: Lapses,
    /// What other cores have of ours, and we of theirs.
    pub(crate) lending: Lending,
    pub(crate) loans: Loans,
    /// Capabilities on their way, by channel.
    pub(crate) parked: [Parked; CHANNELS],
    /// What each domain sees of the files, by its place.
    pub(crate) veils: [Veil; DOMAINS],
    pub(crate) memory: Extents,
    pub(crate) accounts: Accounts,
    pub(crate) places: Places,
    pub(crate) counters: Counters,
    /// Audit: the state of the chain, whose records lie at [`abi::boot::virt::PROVCHAIN`].
    pub(crate) chain: Chain,
    pub(crate) seals: Seals,
    /// The fiber whose registers the core holds; [`NONE`] if none.
    pub(crate) current: u8,
    /// Its domain; stays when the fiber waits, so that a switch back needs no change of space.
    pub(crate) domain: u8,
    /// Whose FP/SIMD registers the core holds.
    pub(crate) floating: u8,
    /// Something of a higher spectrum became ready, or energy ended: decide anew when the call is over.
    pub(crate) reconsider: bool,
    /// Domains that unmasked a line when they had no energy left, by place.
    pub(crate) shut: u64,
    /// Time up to which processor time is charged.
    pub(crate) charged_until: u64,
    /// No fiber's deadline or timer is earlier than this.
    pub(crate) next_timer: u64,
    /// What the timer is armed for; [`u64::MAX`] if it is not.
    pub(crate) armed: u64,
    /// Number of the next fiber.
    pub(crate) next_id: u32,
    /// State of the random number generator.
    pub(crate) random: [u8; 32],
    pub(crate) isolated: bool,
    /// Number of the last call.
    pub(crate) last_call: u8,
    /// The fiber whose fault is being handled; [`NONE`] if none is, and what was seen of it.
    pub(crate) culprit: u8,
    pub(crate) scene: Scene,
    /// By place: how the last fiber there ended.
    pub(crate) postmortems: [FiberPostMortem; FIBERS],
}

impl<M: Machine> Kernel<M> {
    /// A kernel without a machine and without fibers, to fill a static.
    #[must_use]
    #[allow(clippy::large_stack_arrays, reason = "evaluated by the compiler into a static")]
    pub const fn new(machine: M) -> Self {
        Self {
            machine,
            core: 0,
            pair: Pair::<M>::NONE,
            shared: None,
            senders: [const { lane::Sender::new() }; CORES],
            receivers: [const { lane::Receiver::new() }; CORES],
            sched: Harmonic::new(),
            fibers: [Fiber::<M>::FREE; FIBERS],
            domains: [Domain::<M>::FREE; DOMAINS],
            objects: [Object::FREE; OBJECTS],
            channels: [Channel::FREE; CHANNELS],
            mappers: [Mappers::NONE; OBJECTS],
            lapses: Lapses::NONE,
            lending: Lending::NONE,
            loans: Loans::NONE,
            parked: [Parked::NONE; CHANNELS],
            veils: [const { Veil::new() }; DOMAINS],
            memory: Extents::NONE,
            accounts: Accounts::NONE,
            places: Places::NONE,
            counters: Counters::ZERO,
            chain: Chain::new(),
            seals: Seals::NONE,
            current: 0,
            domain: 0,
            floating: 0,
            reconsider: false,
            shut: 0,
            charged_until: 0,
            next_timer: 0,
            armed: 0,
            next_id: 0,
            random: [0; 32],
            isolated: false,
            last_call: 0,
            culprit: 0,
            scene: Scene::NONE,
            postmortems: [crate::postmortem::NOBODY; FIBERS],
        }
    }

    /// The machine stands so far behind the kernel's address: who has the one finds the other.
    pub const MACHINE: usize = core::mem::offset_of!(Self, machine);

    pub(crate) fn fiber(&self) -> &Fiber<M> {
        &self.fibers[self.current as usize % FIBERS]
    }
    pub(crate) fn fiber_mut(&mut self) -> &mut Fiber<M> {
        &mut self.fibers[self.current as usize % FIBERS]
    }
    pub(crate) fn domain(&self) -> &Domain<M> {
        &self.domains[self.domain as usize % DOMAINS]
    }
    pub(crate) fn domain_mut(&mut self) -> &mut Domain<M> {
        &mut self.domains[self.domain as usize % DOMAINS]
    }

    /// The live capability in the current fiber's `slot`. Using what a pledge gave up ends the domain.
    #[inline(never)]
    pub(crate) fn lookup(&self, slot: usize) -> Result<&Cap, Stop> {
        let cap = self.fiber().caps.get(slot)?;
        let object = &self.objects[cap.object as usize % OBJECTS];
        let now = if cap.expiry == abi::cap::NEVER { 0 } else { self.machine.now() };
        cap.check(object.epoch, now).map_err(|error| self.void(slot, error))?;
        if object.pledge & !self.domain().pledge != 0 {
            return Err(Stop::Violation);
        }
        Ok(cap)
    }

    /// [`Self::lookup`], and the capability must carry `verb`.
    #[inline(always)]
    pub(crate) fn lookup_for(&self, slot: usize, verb: u8) -> Result<Cap, Stop> {
        let cap = self.lookup(slot)?;
        cap.allows(verb)?;
        // A copy: most callers want the object's number only, and the rest of it is then never made.
        Ok(*cap)
    }

    /// Takes a free object and gives it a new epoch.
    pub(crate) fn new_object(&mut self, object: Object) -> Result<u32, Error> {
        let index = self.objects.iter().position(|o| o.is_free_for(object.owner));
        let index = index.ok_or(Error::Full)?;
        let epoch = next_epoch(self.objects[index].epoch);
        self.objects[index] = Object { epoch, ..object };
        Ok(index as u32)
    }

    /// Frees an object that nobody has mapped: every capability to it is void from now on, and who waits for it
    /// finds that out.
    pub(crate) fn free_object(&mut self, index: u32) {
        if self.lending.has(index) {
            self.call_back(index);
        }
        let object = &mut self.objects[index as usize % OBJECTS];
        let waiters = object.waiters;
        *object = Object { epoch: next_epoch(object.epoch), ..Object::FREE };
        self.mappers[index as usize % OBJECTS] = Mappers::NONE;
        self.wake_all(waiters);
    }

    /// Voids every capability to an object that stays; the new epoch. Who waits for it looks again.
    pub(crate) fn raise_epoch(&mut self, index: u32) -> u32 {
        if self.lending.has(index) {
            self.call_back(index);
        }
        let object = &mut self.objects[index as usize % OBJECTS];
        object.epoch = next_epoch(object.epoch);
        let (epoch, waiters) = (object.epoch, core::mem::take(&mut object.waiters));
        self.wake_all(waiters);
        epoch
    }
}
