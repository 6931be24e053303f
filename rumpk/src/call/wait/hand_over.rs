//! A request or an answer: ring the peer, wait for it, and let it run. The common case of `wait`, decided without loops.
//!
//! Everything that the general path in [`super::wait`] and [`Kernel::schedule`] would find is looked at first. If one look
//! says that it would do anything else than hand the core to the peer, nothing happened yet and the general path runs.
//! What was found is kept for the next time ([`crate::pair`]).
use crate::kernel::{CHANNELS, DOMAINS, FIBERS, Kernel, NONE, OBJECTS};
use crate::object::Body;
use crate::pair::{ASKS, PRICE_NS, Peer};
use abi::call::{number, op, want};
use abi::cap::{Kind, NEVER, verb};
use abi::stats::state;
use arch::{Frame, Machine, UserAddr};

/// Bits of an entry that have to be [`ASKS`]; the others are its slot and what it got last time.
const FIXED: u32 = 0xFF00_FF00;

impl<M: Machine> Kernel<M> {
    /// `wait` with the caller's registers saved, its one entry being such that it asks: without what it got. The entry in the
    /// caller's memory got what it asks for and its frame the result already. The frame to resume.
    #[inline(always)]
    pub fn asked(&mut self, list: usize, entry: u32) -> &mut M::Frame {
        match self.pass(UserAddr(list as u64), entry) {
            Some(place) => &mut self.fibers[place % FIBERS].frame,
            None => self.wait_saved(list, 1, 0),
        }
    }

    /// `wait` with the caller's registers saved. The frame to resume, with the result in it.
    #[inline(never)]
    pub fn wait_saved(&mut self, list: usize, count: usize, deadline: usize) -> &mut M::Frame {
        self.part();
        if count == 1 && deadline == 0 && list.is_multiple_of(4) {
            let list = UserAddr(list as u64);
            if let Some(place) = self.ask(list) {
                return &mut self.fibers[place].frame;
            }
        }
        self.generally(number::WAIT, list, count, deadline)
    }

    /// `send` with the caller's registers saved: a doorbell may let the peer run at once.
    pub fn send_saved(&mut self, slot: usize, buf: usize, len: usize) -> &mut M::Frame {
        self.part();
        if len == 0
            && buf == op::DOORBELL
            && let Some(place) = self.ring(slot)
        {
            return &mut self.fibers[place].frame;
        }
        self.generally(number::SEND, slot, buf, len)
    }

    /// The same call by the general path.
    #[inline(never)]
    pub(crate) fn generally(
        &mut self,
        number: usize,
        a: usize,
        b: usize,
        c: usize,
    ) -> &mut M::Frame {
        let answer = self.call(number, &[a, b, c, 0, 0, 0]);
        if answer.status > 0 {
            return self.schedule();
        }
        let frame = &mut self.fiber_mut().frame;
        frame.set_result(answer.status, answer.value);
        frame
    }

    /// Rings and waits. The place of the peer, which runs now; `None`: nothing changed.
    #[inline(always)]
    fn ask(&mut self, list: UserAddr) -> Option<usize> {
        let entry = self.machine.own_word(list).ok()?;
        if entry & FIXED != ASKS {
            return None;
        }
        let peer = self.peer_of(usize::from(entry as u8), true)?;
        let caller = self.current as usize % FIBERS;
        let now = self.hand_over(&peer, true)?;
        self.goes_to_wait(caller, list, entry, peer.own);
        self.arrive(&peer, now);
        self.pair_up(caller, &peer);
        Some(peer.place)
    }

    /// Rings. The place of the peer, which runs now; `None`: nothing changed.
    #[inline(always)]
    fn ring(&mut self, slot: usize) -> Option<usize> {
        let peer = self.peer_of(slot, false)?;
        let caller = self.current as usize % FIBERS;
        let now = self.hand_over(&peer, false)?;
        let fiber = &mut self.fibers[caller];
        fiber.state = state::READY;
        fiber.frame.set_result(0, 0);
        self.arrive(&peer, now);
        Some(peer.place)
    }

    /// The last look, and the charge. The time, and when the peer's energy ends.
    #[inline(always)]
    fn hand_over(&mut self, peer: &Peer, blocks: bool) -> Option<(u64, u64)> {
        let now = self.machine.now();
        if now >= self.next_timer || now < self.charged_until {
            return None;
        }
        let spent = now - self.charged_until;
        let (from, to) = (self.domain, peer.domain as u8);
        let until = self.sched.hand_over(from, to, spent, PRICE_NS, blocks, now)?;
        self.charged_until = now;
        self.counters.calls += 1;
        self.counters.direct += 1;
        self.domain_mut().time += spent;
        self.fiber_mut().time += spent;
        Some((now, until))
    }

    /// The fiber at the other end of the channel in `slot`, if it waits for this doorbell alone and the caller may ring
    /// it; where the caller `blocks`, if it would find nothing and nobody else of its domain is ready.
    #[inline(always)]
    fn peer_of(&self, slot: usize, blocks: bool) -> Option<Peer> {
        let (fiber, domain) = (self.fiber(), self.domain());
        let cap = fiber.caps.get(slot).ok()?;
        let own = cap.object as usize % OBJECTS;
        let object = &self.objects[own];
        let Body::End { channel, side } = object.body else { return None };
        let may = cap.kind == Kind::CHANNEL && cap.verbs & verb::SEND != 0;
        let lives = cap.epoch == object.epoch && cap.expiry == NEVER;
        let pledged = object.pledge & !domain.pledge == 0;
        if !(may && lives && pledged) {
            return None;
        }
        if blocks && (object.latched || domain.ready != 1 << (self.current as usize % FIBERS)) {
            return None;
        }
        let ends = &self.channels[channel as usize % CHANNELS].ends;
        let (end, far) = (&ends[side as usize & 1], &ends[1 - (side as usize & 1)]);
        if !end.is_direct() || !far.is_direct() {
            return None;
        }
        let other = far.object as usize % OBJECTS;
        let object = &self.objects[other];
        if object.latched || !object.waiters.is_power_of_two() {
            return None;
        }
        let place = object.waiters.trailing_zeros() as usize % FIBERS;
        let fiber = &self.fibers[place];
        if fiber.state != state::WAITING || fiber.wait.count != 1 {
            return None;
        }
        let cap = fiber.caps.get(fiber.wait.entries[0][0]).ok()?;
        let names = cap.object == far.object && cap.epoch == object.epoch && cap.expiry == NEVER;
        names.then_some(Peer { place, domain: fiber.domain as usize % DOMAINS, own, other })
    }

    /// The peer runs, and its wait is over: it got what it wanted, as its doorbell was rung.
    #[inline(always)]
    fn arrive(&mut self, peer: &Peer, (now, until): (u64, u64)) {
        self.objects[peer.other].waiters = 0;
        self.domains[peer.domain].ready = 1 << peer.place;
        self.arm(now, until);
        self.dispatch(peer.place);
        let fiber = &mut self.fibers[peer.place];
        fiber.state = state::RUNNING;
        fiber.wait.active = false;
        let wants = fiber.wait.entries[0][1] & !want::RING;
        fiber.wait.entries[0][2] = wants;
        let written =
            self.machine.put_word(fiber.wait.list, u32::from_le_bytes(fiber.wait.entries[0]));
        match written {
            Ok(()) => fiber.frame.set_result(0, 1),
            // Unmapped by another fiber of the domain meanwhile.
            Err(_) => fiber.frame.set_result(abi::call::Error::BadAddress as isize, 0),
        }
        self.machine.enter(&mut fiber.frame);
    }
}

impl crate::channel::End {
    /// Somebody has it mapped and it is whole: the kernel only passes its doorbell on.
    #[inline(always)]
    fn is_direct(&self) -> bool {
        self.mapped != NONE && !self.gone && !self.broken
    }
}
