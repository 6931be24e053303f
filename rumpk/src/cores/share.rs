//! What the cores share: words with one writer each, and who is where.
use super::lend::LENT;
use super::note::{AUDITS, kind};
use super::parcel::Parcel;
use crate::kernel::{CHANNELS, FIBERS, Kernel, OBJECTS};
use abi::boot::Service;
use abi::cap::Kind;
use abi::pledge::WINDOW_NS;
use arch::{CORES, Machine};
use core::sync::atomic::{AtomicU8, AtomicU32, AtomicU64, Ordering};
use lane::Message;
use prov::Entry;

/// Services of the manifest that can be found from another core.
const SERVICES: usize = 128;
/// What a domain without energy counts for when a core is chosen, in millionths of a core.
const DOMAIN_LOAD: u64 = 1;

/// One for all cores. All zeros at first.
pub struct Shared {
    /// By sender, then receiver.
    pub(crate) lanes: [[lane::Shared; CORES]; CORES],
    pub(crate) desks: [lane::Attention; CORES],
    /// By the core and place of the fiber that asks.
    pub(crate) parcels: [[Parcel; FIBERS]; CORES],
    /// By core and number of a channel there: the state of its ends as that core has them ([`super::ends`]).
    pub(crate) ends: [[[AtomicU32; 2]; CHANNELS]; CORES],
    /// Wall clock at boot as it was set last, by whatever core; 0: it was not.
    wall: AtomicU64,
    /// Admitted energy in millionths of the core.
    loads: [AtomicU64; CORES],
    /// Mappings of lent objects that ended, modulo 256: by the core that had them, which writes it, the object's home, and
    /// its place in the home's list.
    pub(crate) ended: [[[AtomicU8; LENT]; CORES]; CORES],
    /// By service: where its first fiber is. Written by the core that it runs on.
    services: [AtomicU64; SERVICES],
}

/// An object of another core.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Home {
    pub core: u8,
    pub object: u16,
    pub epoch: u32,
}

impl Home {
    /// Not known yet.
    pub(super) fn none(core: u8) -> Self {
        Self { core, object: 0, epoch: 0 }
    }
    pub(super) fn encode(self) -> u64 {
        1 << 63 | u64::from(self.core) << 48 | u64::from(self.object) << 32 | u64::from(self.epoch)
    }
    pub(super) fn decode(word: u64) -> Option<Self> {
        let home =
            Self { core: (word >> 48) as u8 & 3, object: (word >> 32) as u16, epoch: word as u32 };
        (word != 0).then_some(home)
    }
}

impl Shared {
    /// Nothing happened yet.
    #[must_use]
    #[allow(clippy::new_without_default, reason = "evaluated by the compiler into a static")]
    #[allow(clippy::large_stack_arrays, reason = "evaluated by the compiler into a static")]
    pub const fn new() -> Self {
        Self {
            lanes: [const { [const { lane::Shared::new() }; CORES] }; CORES],
            desks: [const { lane::Attention::new() }; CORES],
            parcels: [const { [const { Parcel::new() }; FIBERS] }; CORES],
            ends: [const { [const { [const { AtomicU32::new(0) }; 2] }; CHANNELS] }; CORES],
            wall: AtomicU64::new(0),
            loads: [const { AtomicU64::new(0) }; CORES],
            ended: [const { [const { [const { AtomicU8::new(0) }; LENT] }; CORES] }; CORES],
            services: [const { AtomicU64::new(0) }; SERVICES],
        }
    }
}

impl<M: Machine> Kernel<M> {
    /// The parcel of the fiber in `place` of core `core`.
    pub(crate) fn parcel(&self, core: u8, place: u8) -> Option<&'static Parcel> {
        let shared = self.shared?;
        Some(&shared.parcels[core as usize % CORES][place as usize % FIBERS])
    }

    /// Wall clock at boot, ns since the Unix epoch; 0: unknown. The one word that more than one core writes: each write is
    /// whole, and the last one counts.
    pub(crate) fn wall(&self) -> u64 {
        let set = self.shared.map_or(0, |shared| shared.wall.load(Ordering::Relaxed));
        if set == 0 { self.places.wall } else { set }
    }

    /// It was set here: it is so for all.
    pub(crate) fn share_wall(&self) {
        if let Some(shared) = self.shared {
            shared.wall.store(self.places.wall, Ordering::Relaxed);
        }
    }

    /// An object of this core, as others name it.
    pub(crate) fn home_of(&self, object: u32) -> Home {
        let epoch = self.objects[object as usize % OBJECTS].epoch;
        Home { core: self.core, object: object as u16, epoch }
    }

    /// Says where service `index` runs; `None`: nowhere.
    pub(crate) fn service_is_at(&self, index: u16, home: Option<Home>) {
        if let Some(shared) = self.shared
            && let Some(word) = shared.services.get(index as usize)
        {
            word.store(home.map_or(0, Home::encode), Ordering::Release);
        }
    }

    /// Where service `index` runs, on whatever core.
    pub(crate) fn service_at(&self, index: u16) -> Option<Home> {
        let word = self.shared?.services.get(index as usize)?;
        Home::decode(word.load(Ordering::Acquire))
    }

    /// Says how loaded this core is: after each admission and each end.
    pub(crate) fn publish_load(&self) {
        let Some(shared) = self.shared else { return };
        let mut load = 0;
        for (id, domain) in self.domains.iter().enumerate() {
            if !domain.is_free() {
                let id = id as u8;
                let window = WINDOW_NS[self.sched.spectrum(id) as usize & 3].max(1);
                load += DOMAIN_LOAD + self.sched.budget(id) * 1_000_000 / window;
            }
        }
        shared.loads[self.core as usize % CORES].store(load, Ordering::Relaxed);
    }

    /// Whether a service gets the AUDIT object: unless it is placed it runs where the chain is, where its calls cost least.
    fn audits(&self, service: &Service) -> bool {
        let Some(manifest) = self.manifest() else { return false };
        (0..service.grant_count)
            .any(|n| manifest.grant(service, n).is_some_and(|g| Kind(g.kind) == Kind::AUDIT))
    }

    /// The core for a new domain: the manifest's, for who audits the chain's, else the least loaded one, our own first among equals.
    pub(crate) fn core_for(&self, service: Option<&Service>) -> u8 {
        let Some(shared) = self.shared else { return self.core };
        if let Some(service) = service {
            if service.core != 0 {
                return (service.core as u8 - 1).min(self.places.cores - 1);
            }
            if self.audits(service) {
                return 0;
            }
        }
        let load = |core: &u8| {
            let load = shared.loads[*core as usize % CORES].load(Ordering::Relaxed);
            (load, *core != self.core)
        };
        (0..self.places.cores).min_by_key(load).unwrap_or(self.core)
    }

    /// Sends an audit record to core 0, which alone writes the chain.
    pub(crate) fn audit_to_first(&mut self, entry: &Entry) {
        let Some(shared) = self.shared else { return };
        let lane = &shared.lanes[self.core as usize % CORES][0];
        if self.senders[0].under_way(lane) > lane::PLACES - AUDITS {
            self.counters.audits_lost += 1;
            return;
        }
        let mut message: Message = [0; lane::WORDS];
        let status = entry.status as u32;
        message[0] = u64::from(kind::AUDIT) | u64::from(entry.kind) << 16 | u64::from(status) << 32;
        message[1] = u64::from(entry.fiber) | u64::from(entry.object) << 32;
        message[2] = entry.time;
        for (word, part) in message[3..7].iter_mut().zip(entry.data.chunks_exact(8)) {
            *word = u64::from_le_bytes(part.try_into().unwrap_or_default());
        }
        message[7] = self.refused_here();
        if self.senders[0].send(lane, &message).is_ok() {
            self.call_core(0);
        }
    }

    /// A record from another core.
    pub(super) fn audit_far(&mut self, message: &Message) {
        let mut data = [0; 32];
        for (part, word) in data.chunks_exact_mut(8).zip(&message[3..7]) {
            part.copy_from_slice(&word.to_le_bytes());
        }
        self.chain.drop_many(message[7]);
        let entry = Entry {
            time: message[2],
            kind: (message[0] >> 16) as u16,
            cell: 0,
            fiber: message[1] as u32,
            object: (message[1] >> 32) as u32,
            status: (message[0] >> 32) as u32 as i32,
            data,
        };
        if entry.kind == abi::prov::kind::APPLICATION {
            // The last words of one that panicked: nobody is there to be told that they found no room.
            let _ = self.audit_application(&entry);
        } else {
            self.audit_append(&entry);
        }
    }
}
