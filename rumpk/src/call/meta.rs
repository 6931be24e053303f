//! `meta(query, buf, len)`: the meta-slot.
use crate::cores::{Asked, Note, Use};
use crate::kernel::{DOMAINS, FIBERS, Kernel, OBJECTS};
use crate::object::{Answer, Body};
use abi::call::{Error, meta};
use abi::stats::{
    CLASS_FIBER, CLASS_HEAP, CLASS_POSTMORTEM, CLASS_SYSTEM, FiberStats, Heap, SystemStats, state,
};
use abi::{cap::Kind, pledge};
use arch::{Machine, UserAddr};
use cap::Cap;

impl<M: Machine> Kernel<M> {
    /// Every query but VERSION ([`Kernel::version`]).
    #[inline(never)]
    pub(super) fn meta(&mut self, query: usize, buf: UserAddr, len: usize) -> Answer {
        match query {
            meta::SELF => {
                let stats = self.fiber_stats(self.current as usize);
                self.answer_with(buf, len, &stats.encode())
            }
            meta::SLOT => self.find_slot(buf, len),
            meta::BUS => {
                let slot = self.input(buf, len)?;
                let cap = self.lookup(usize::try_from(slot).map_err(|_| Error::BadSlot)?)?;
                // Nothing gives DMA objects yet, so any slot is of another kind.
                debug_assert!(cap.kind != Kind::DMA);
                Err(Error::Denied.into())
            }
            meta::RANDOM => self.fill_random(buf, len),
            meta::STATS => self.stats(buf, len),
            _ => Err(Error::BadCall.into()),
        }
    }

    /// A query's input: the first 8 bytes of the buffer.
    fn input(&mut self, buf: UserAddr, len: usize) -> Result<u64, crate::object::Stop> {
        if len < 8 {
            return Err(Error::BadCall.into());
        }
        let mut input = [0; 8];
        self.copy_in_words(buf, &mut input)?;
        Ok(u64::from_le_bytes(input))
    }

    /// Fills as much of a record as the buffer takes; value = its whole length.
    fn answer_with(&mut self, buf: UserAddr, len: usize, record: &[u8]) -> Answer {
        self.copy_out_words(buf, &record[..record.len().min(len)])?;
        Ok(record.len())
    }

    fn find_slot(&mut self, buf: UserAddr, len: usize) -> Answer {
        let input = self.input(buf, len)?;
        let (number, which) = (input as u32, (input >> 32) as usize);
        let holds = |object: u32| match self.body(object) {
            Body::End { channel, .. } => self.channels[channel as usize].number == number,
            Body::Vfs { .. } => number == abi::ring::well_known::VFS,
            _ => false,
        };
        // The object of a void one may be another's by now.
        let lives = |cap: &Cap| cap.epoch == self.objects[cap.object as usize % OBJECTS].epoch;
        let mut found = self.fiber().caps.iter().filter(|(_, cap)| lives(cap) && holds(cap.object));
        let slot = found.nth(which).map(|(slot, _)| slot as usize);
        // Number 0 is that of channels between a parent and its child, which nobody can ask for.
        slot.filter(|_| number != 0).ok_or(Error::NotFound.into())
    }

    fn stats(&mut self, buf: UserAddr, len: usize) -> Answer {
        let input = self.input(buf, len)?;
        let (class, index) = (input as u32, (input >> 32) as usize);
        let core = if class == CLASS_SYSTEM { index } else { index / FIBERS };
        let there = core != self.core as usize && core < self.places.cores as usize;
        if there && matches!(class, CLASS_SYSTEM | CLASS_FIBER | CLASS_POSTMORTEM) {
            return self.far_stats(core as u8, class, index, (buf, len));
        }
        if core != self.core as usize && matches!(class, CLASS_FIBER | CLASS_POSTMORTEM) {
            return Err(Error::NotFound.into());
        }
        match class {
            CLASS_SYSTEM => {
                let mut record = [0; 256];
                let whole = self.stats_record(class, index, &mut record)?;
                self.answer_with(buf, len, &record[..whole])
            }
            CLASS_HEAP if index == 0 => {
                let heap = self.domain().heap;
                self.answer_with(buf, len, &Heap { base: heap.0, len: heap.1 }.encode())
            }
            CLASS_FIBER => {
                let fiber = &self.fibers[index % FIBERS];
                if fiber.is_free() || fiber.domain != self.domain {
                    self.need(pledge::AUDIT)?;
                }
                let mut record = [0; 256];
                let whole = self.stats_record(class, index, &mut record)?;
                self.answer_with(buf, len, &record[..whole])
            }
            CLASS_POSTMORTEM => {
                if !self.is_kin(index % FIBERS) && self.domain().pledge & pledge::AUDIT == 0 {
                    return Err(Error::Denied.into());
                }
                let mut record = [0; 256];
                let whole = self.stats_record(class, index, &mut record)?;
                self.answer_with(buf, len, &record[..whole])
            }
            _ => Err(Error::NotFound.into()),
        }
    }

    /// The same about another core, and a fiber there.
    fn far_stats(
        &mut self,
        core: u8,
        class: u32,
        index: usize,
        (buf, len): (UserAddr, usize),
    ) -> Answer {
        if class == CLASS_FIBER {
            self.need(pledge::AUDIT)?;
        }
        let asked = Asked { how: Use::Copy, buf, len: len as u32, ..Asked::NONE };
        let sees = self.domain().pledge & pledge::AUDIT != 0;
        self.ask_core(core, Note::stats(class, index, sees), asked)
    }

    /// A record of statistics of this core; its length.
    pub(crate) fn stats_record(
        &self,
        class: u32,
        index: usize,
        to: &mut [u8; 256],
    ) -> Result<usize, Error> {
        match class {
            CLASS_SYSTEM if index == self.core as usize => {
                let stats = self.system_stats();
                to[..SystemStats::SIZE].copy_from_slice(&stats.encode());
                Ok(SystemStats::SIZE)
            }
            CLASS_FIBER if self.fibers[index % FIBERS].is_free() => Err(Error::Empty),
            CLASS_FIBER => {
                let stats = self.fiber_stats(index % FIBERS);
                to[..FiberStats::SIZE].copy_from_slice(&stats.encode());
                Ok(FiberStats::SIZE)
            }
            CLASS_POSTMORTEM if self.postmortems[index % FIBERS].fiber == 0 => Err(Error::Empty),
            CLASS_POSTMORTEM => {
                *to = self.postmortems[index % FIBERS].encode();
                Ok(to.len())
            }
            _ => Err(Error::NotFound),
        }
    }

    /// What is known about the fiber in `place`.
    fn fiber_stats(&self, place: usize) -> FiberStats {
        let fiber = &self.fibers[place % FIBERS];
        let id = fiber.domain;
        let mut stats = FiberStats::zeroed();
        stats.fiber = fiber.id;
        let far = fiber.far_parent.map_or(u32::MAX, |_| fiber.far_parent_id);
        stats.parent = self.fibers.get(fiber.parent as usize).map_or(far, |p| p.id);
        (stats.state, stats.end) = (fiber.state, fiber.end);
        (stats.code, stats.pc) = (fiber.code, fiber.pc);
        (stats.time, stats.name) = (fiber.time, fiber.name);
        stats.slots = fiber.caps.used();
        if fiber.is_alive() {
            let domain = &self.domains[id as usize % DOMAINS];
            stats.domain = u32::from(self.core) * DOMAINS as u32 + u32::from(id);
            stats.spectrum = self.sched.spectrum(id);
            stats.policy = domain.policy;
            stats.pledge = domain.pledge;
            stats.energy_left = self.sched.energy_left(id) / 1000;
            stats.energy_budget = self.sched.budget(id) / 1000;
            stats.memory = domain.extent.1;
            stats.missed = self.sched.missed(id);
            stats.strikes = self.sched.strikes(id) as u32;
            stats.blinks = domain.history.blinks;
            if fiber.state == state::READY && self.sched.is_throttled(id) {
                stats.state = state::THROTTLED;
            }
        }
        stats
    }

    fn system_stats(&self) -> SystemStats {
        let (free, largest) = self.memory.free();
        let alive = self.fibers.iter().filter(|f| f.is_alive()).count();
        SystemStats {
            ram: self.machine.ram().1,
            free,
            largest,
            kernel: self.places.reserved,
            fibers: alive as u32,
            domains: self.domains.iter().filter(|d| !d.is_free()).count() as u32,
            timer_interrupts: self.counters.timer,
            device_interrupts: self.counters.device,
            calls: self.counters.calls,
            switches: self.counters.switches,
            tlb_maintenance: self.machine.tlb_maintenance(),
            idles: self.counters.idles,
            idle_time: self.counters.idle_time,
            faults: self.counters.faults,
            first_npl: self.counters.first_npl,
            objects: self.objects.iter().filter(|o| !o.is_free()).count() as u32,
            channels: self.channels.iter().filter(|c| c.base != 0).count() as u32,
            audits_lost: self.counters.audits_lost,
        }
    }

    /// Random bytes: BLAKE3 over the state, the counter and what the hardware gives, in output-and-ratchet form: half
    /// of each hash becomes the next state, so that earlier output cannot be found from it.
    fn fill_random(&mut self, buf: UserAddr, len: usize) -> Answer {
        if len > meta::RANDOM_MAX {
            return Err(Error::TooBig.into());
        }
        let mut out = [0; meta::RANDOM_MAX];
        self.stir();
        let mut reader = blake3::Hasher::new_keyed(&self.random).update(b"out").finalize_xof();
        reader.fill(&mut out[..len]);
        self.random =
            *blake3::Hasher::new_keyed(&self.random).update(b"next").finalize().as_bytes();
        self.machine.copy_out(buf, &out[..len])?;
        Ok(len)
    }

    fn stir(&mut self) {
        let mut hasher = blake3::Hasher::new_keyed(&self.random);
        hasher.update(&self.machine.now().to_le_bytes());
        for _ in 0..4 {
            if let Some(word) = self.machine.random() {
                hasher.update(&word.to_le_bytes());
            }
        }
        self.random = *hasher.finalize().as_bytes();
    }
}
