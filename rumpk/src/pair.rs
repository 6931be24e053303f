//! Two fibers that pass the core to and fro: a client that asks and a server that answers, each with one `wait` that rings
//! the other and waits for its doorbell.
//!
//! The first such call goes the direct way of [`crate::call`], which looks at everything that could make the general path do
//! anything else. What it found is kept here, and holds as long as nothing but these two calls (and `meta(VERSION)`)
//! reaches the kernel: then the next call has only the clock and two energies to look at. Everything else that comes in, an
//! interrupt, a fault or any other call, begins with [`Kernel::part`], which writes down what was left out meanwhile: the
//! scheduler's sets, who waits for what, the counters. So nobody else ever sees a table that is behind, and nobody has to
//! know what would make this wrong: whoever changes a right, an end, a promise or a timer has parted the two before.
use crate::kernel::{DOMAINS, FIBERS, Kernel, OBJECTS};
use abi::call::{COST_J, number, want};
use abi::cap::{Kind, verb};
use abi::stats::state;
use arch::{Machine, UserAddr};
use sched::Terms;

/// Wants of an entry that rings and waits for the answer, in their place in the entry.
pub const ASKS: u32 = ((want::READABLE | want::RING) as u32) << 8;
/// What such an entry gets, in its place.
pub const GOT: u32 = (want::READABLE as u32) << 16;
/// The bits of an entry below what it got.
pub const ENTRY: u32 = 0xFFFF;
pub(crate) const PRICE_NS: u64 = COST_J[number::SEND] as u64 * 1000;

/// One of the two.
pub(crate) struct Side<M: Machine> {
    /// The entry by which it rings the other, without what it got; 0, which no asking entry is, while there is no pair.
    entry: u32,
    place: u8,
    domain: u8,
    /// It owns the FP/SIMD registers.
    floats: bool,
    /// Object of its end.
    own: u32,
    /// Where its entry stands while it waits.
    list: UserAddr,
    /// ns of processor time that it is still to be charged for as a fiber; its domain was.
    time: u64,
    terms: Terms,
    space: Option<M::Space>,
}

/// The pair of a core.
pub struct Pair<M: Machine> {
    live: bool,
    /// Which side has the core.
    turn: u8,
    /// So many times it was passed since the tables were right.
    passes: u64,
    /// From this time on nothing here holds: the first timer of a fiber, the end of a window.
    limit: u64,
    sides: [Side<M>; 2],
}

impl<M: Machine> Side<M> {
    const NONE: Self = Self {
        entry: 0,
        place: 0,
        domain: 0,
        floats: false,
        own: 0,
        list: UserAddr(0),
        time: 0,
        terms: Terms::NONE,
        space: None,
    };
}

impl<M: Machine> Pair<M> {
    #[cfg(test)]
    pub(crate) fn is_live(&self) -> bool {
        self.live
    }
    /// No pair.
    pub const NONE: Self =
        Self { live: false, turn: 0, passes: 0, limit: 0, sides: [Side::NONE, Side::NONE] };
}

/// Who the direct way found at the other end.
pub(crate) struct Peer {
    pub place: usize,
    pub domain: usize,
    /// Objects of the caller's end and of the peer's.
    pub own: usize,
    pub other: usize,
}

impl<M: Machine> Kernel<M> {
    /// The current fiber's `wait` with the one `entry` at `list`, which asks: the place of the other one, which runs now.
    /// `None`: nothing changed.
    ///
    /// What the other one's own `wait` answers was written to its frame and its entry when it called (`arch`, `arch_wait`):
    /// nothing else can have come of it, and if something else comes, the general path writes that.
    #[inline(always)]
    pub(crate) fn pass(&mut self, list: UserAddr, entry: u32) -> Option<usize> {
        let pair = &mut self.pair;
        let turn = usize::from(pair.turn & 1);
        let (me, you) = (&pair.sides[turn], &pair.sides[turn ^ 1]);
        if me.entry != entry {
            return None;
        }
        let now = self.machine.now();
        if now >= pair.limit {
            return None;
        }
        // Time does not go back; if it did, this is no energy that anybody has.
        let spent = now.wrapping_sub(self.charged_until);
        let cost = spent.wrapping_add(PRICE_NS);
        let until = self.sched.pass((me.domain, cost), (you.domain, &you.terms), now)?;
        let (place, domain, floats) = (you.place, you.domain, you.floats);
        let leaves = &mut pair.sides[turn];
        leaves.list = list;
        leaves.time += spent;
        pair.passes += 1;
        pair.turn ^= 1;
        self.charged_until = now;
        (self.current, self.domain) = (place, domain);
        if until < self.armed {
            self.arm(now, until);
        }
        if let Some(space) = &self.pair.sides[turn ^ 1].space {
            self.machine.activate(space);
        }
        self.machine.allow_floating(floats);
        let place = usize::from(place) % FIBERS;
        self.machine.enter(&mut self.fibers[place].frame);
        Some(place)
    }

    /// Notes that `caller` asked `peer`, which runs now, if the answer can come back the same way.
    pub(crate) fn pair_up(&mut self, caller: usize, peer: &Peer) {
        let (asks, answers) = (&self.fibers[caller], &self.fibers[peer.place % FIBERS]);
        let slot = answers.wait.entries[0][0];
        let Ok(cap) = answers.caps.get(slot) else { return };
        let back = self.domains[peer.domain].pledge;
        let pledged = self.objects[peer.other % OBJECTS].pledge & !back == 0;
        let may = cap.kind == Kind::CHANNEL && cap.verbs & verb::SEND != 0 && pledged;
        let floats = |place: usize| usize::from(self.floating) == place;
        // Who gets the FP/SIMD registers with the core, for a while after a trap for them, takes them from the other one.
        let takes = |place: usize| self.fibers[place].eager != 0 && !floats(place);
        if !may || takes(caller) || takes(peer.place % FIBERS) {
            return;
        }
        let Some(terms) = self.sched.terms(asks.domain, answers.domain) else { return };
        let limit = terms.iter().map(Terms::deadline).min().unwrap_or(0);
        let [asking, answering] = terms;
        let slot = u32::from(slot);
        let side = |place: usize, slot: u32, own: usize, list: UserAddr, terms: Terms| Side {
            entry: slot | ASKS,
            place: place as u8,
            domain: self.fibers[place].domain,
            floats: floats(place),
            own: own as u32,
            list,
            time: 0,
            terms,
            space: self.domains[self.fibers[place].domain as usize % DOMAINS].space,
        };
        let asked = u32::from(asks.wait.entries[0][0]);
        let sides = [
            side(caller, asked, peer.own, asks.wait.list, asking),
            side(peer.place % FIBERS, slot, peer.other, UserAddr(0), answering),
        ];
        let limit = limit.min(self.next_timer);
        self.pair = Pair { live: true, turn: 1, passes: 0, limit, sides };
    }

    /// Ends the pair, if there is one: all tables are right afterwards. The first thing that everything else does.
    #[inline(always)]
    pub(crate) fn part(&mut self) {
        if self.pair.live {
            self.separate();
        }
    }

    #[inline(never)]
    fn separate(&mut self) {
        let Pair { turn, passes, sides, .. } = core::mem::replace(&mut self.pair, Pair::NONE);
        if passes == 0 {
            return;
        }
        self.counters.calls += passes;
        self.counters.switches += passes;
        self.counters.passes += passes;
        for side in &sides {
            self.fibers[usize::from(side.place) % FIBERS].time += side.time;
            self.domains[usize::from(side.domain) % DOMAINS].time += side.time;
        }
        let (runs, waits) = (&sides[usize::from(turn & 1)], &sides[usize::from(!turn & 1)]);
        self.sched.passed(waits.domain, runs.domain);
        self.goes_to_wait(waits.place.into(), waits.list, waits.entry, waits.own as usize);
        let place = usize::from(runs.place) % FIBERS;
        self.objects[runs.own as usize % OBJECTS].waiters = 0;
        let domain = &mut self.domains[usize::from(runs.domain) % DOMAINS];
        (domain.ready, domain.last) = (1 << place, runs.place);
        let fiber = &mut self.fibers[place];
        fiber.state = state::RUNNING;
        fiber.wait.active = false;
        fiber.wait.entries[0] = (runs.entry | GOT).to_le_bytes();
    }

    /// A fiber, the only ready one of its domain, waits from now on for the answer at its one entry.
    #[inline(always)]
    pub(crate) fn goes_to_wait(&mut self, place: usize, list: UserAddr, entry: u32, own: usize) {
        let place = place % FIBERS;
        self.objects[own % OBJECTS].waiters |= 1 << place;
        let fiber = &mut self.fibers[place];
        self.domains[fiber.domain as usize % DOMAINS].ready = 0;
        fiber.state = state::WAITING;
        let wait = &mut fiber.wait;
        (wait.count, wait.active, wait.timed_out) = (1, true, false);
        (wait.list, wait.deadline, wait.lapse) = (list, u64::MAX, 0);
        wait.entries[0] = (entry & ENTRY).to_le_bytes();
    }
}
