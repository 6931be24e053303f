//! Kernels side by side on machines that share RAM: every message between them is passed on by the test, one at a time.
extern crate std;
mod audit;
mod restarts;

use super::Shared;
use crate::Kernel;
use crate::host_tests::{prepare, stopped};
use crate::kernel::{FIBERS, NONE};
use crate::schedule::places;
use abi::PAGE;
use abi::boot::virt;
use abi::call::{Error, NO_SLOT, SPAWN_IMAGE, Spawn, WaitEntry, meta, number as n, op, want};
use abi::cap::slot;
use abi::image::policy;
use abi::ring::Slot;
use abi::stats::{
    CLASS_FIBER, CLASS_SYSTEM, Event, FiberEnd, FiberStats, SystemStats, end, event, state,
};
use arch::host::Host;
use arch::{Frame, Machine, Trap};
use std::boxed::Box;
use std::vec::Vec;

mod lent;
mod reach;
mod why;

/// Where a parent has its end of the channel to its child.
const LINK: u8 = 40;

struct Cores(Vec<Box<Kernel<Host>>>);

impl Cores {
    fn new(count: u32) -> Self {
        let (mut host, mut handoff) = prepare(virt::CELL0_LEN);
        host.set_random(None);
        handoff.cores = count;
        let shared: &'static Shared = Box::leak(Box::new(Shared::new()));
        let others: Vec<Host> = (1..count).map(|_| host.beside()).collect();
        let mut first = Box::new(Kernel::new(Host::OFF));
        first.take_over(host, &handoff, None);
        let mut kernels = Vec::new();
        for (core, machine) in (1..).zip(others) {
            let mut kernel = Box::new(Kernel::new(Host::OFF));
            first.found(&mut kernel, core, shared);
            kernel.machine = machine;
            kernels.push(kernel);
        }
        first.start_first();
        kernels.insert(0, first);
        let mut cores = Self(kernels);
        cores.run(0);
        cores
    }

    /// Lets a core go on until a fiber has it or it sleeps for good.
    fn run(&mut self, core: usize) {
        let kernel = &mut self.0[core];
        stopped(|| {
            kernel.schedule();
        });
    }

    /// Passes calls on, one after the other, until there are none.
    fn settle(&mut self) {
        for _ in 0..10_000 {
            let calls: Vec<u8> = self.0.iter_mut().map(|k| k.machine.take_calls()).collect();
            if calls.iter().all(|&to| to == 0) {
                return;
            }
            for to in calls.into_iter().flat_map(|calls| places(calls.into())) {
                self.0[to].machine.be_called();
                if self.0[to].current == NONE {
                    self.run(to);
                } else {
                    let kernel = &mut self.0[to];
                    stopped(|| {
                        kernel.trap(&Trap::Interrupt);
                    });
                }
            }
        }
        panic!("the cores never stop calling each other");
    }

    /// A call of the fiber that has the core, to its result.
    fn call(&mut self, core: usize, number: usize, args: [usize; 6]) -> (isize, usize) {
        let caller = self.0[core].current as usize;
        assert!(caller < FIBERS, "nobody has core {core}");
        let answer = self.0[core].call(number, &args);
        if answer.status <= 0 {
            return (answer.status, answer.value);
        }
        for _ in 0..100 {
            self.run(core);
            self.settle();
            if self.0[core].current as usize == caller {
                break;
            }
        }
        self.0[core].fibers[caller].frame.result()
    }

    /// Own data of the fiber that has the core.
    fn data(&self, core: usize) -> u64 {
        self.0[core].fiber().frame.pc() + PAGE as u64 + 512
    }

    fn store(&mut self, core: usize, offset: u64, bytes: &[u8]) -> usize {
        let at = self.data(core) + offset;
        self.0[core].machine.store(at, bytes).expect("own data");
        at as usize
    }

    fn load<const N: usize>(&mut self, core: usize, offset: u64) -> [u8; N] {
        let (at, mut bytes) = (self.data(core) + offset, [0; N]);
        self.0[core].machine.load(at, &mut bytes).expect("own data");
        bytes
    }

    /// `spawn` of `Boot/bin/child` by the fiber on `core`: status, and slot of the FIBER capability.
    fn spawn(&mut self, core: usize, channel_slot: u8) -> (isize, usize) {
        let mut wish = Spawn::zeroed();
        (wish.op, wish.channel_slot) = (SPAWN_IMAGE, channel_slot);
        // Of what is left for children of its own, a child of subject zero gives half.
        let energy = if core == 0 { 10 } else { 5 };
        (wish.pledge, wish.energy, wish.name) = (u64::MAX, energy, abi::name("child"));
        let at = self.store(core, 0, &wish.encode());
        self.call(core, n::SPAWN, [slot::FACTORY.into(), at, Spawn::SIZE, 0, 0, 0])
    }

    fn send(&mut self, core: usize, slot: u8, arg: u64) -> (isize, usize) {
        let message = Slot { kind: 7, arg, ..Slot::zeroed() };
        let at = self.store(core, 256, &message.encode());
        self.call(core, n::SEND, [slot.into(), at, Slot::SIZE, 0, 0, 0])
    }

    fn recv(&mut self, core: usize, slot: u8) -> Result<Slot, isize> {
        let at = self.store(core, 320, &[0; 64]);
        let (status, _) = self.call(core, n::RECV, [slot.into(), at, 64, 0, 0, 0]);
        let bytes = self.load::<64>(core, 320);
        if status == 0 { Ok(Slot::decode(&bytes).expect("whole")) } else { Err(status) }
    }

    /// Begins a wait for one slot; whether it is over already.
    fn wait(&mut self, core: usize, slot: u8, wants: u8) -> bool {
        let entry = WaitEntry { slot, want: wants, got: 0, zero: 0 };
        let at = self.store(core, 400, &entry.encode());
        let caller = self.0[core].current;
        let answer = self.0[core].call(n::WAIT, &[at, 1, 0, 0, 0, 0]);
        if answer.status > 0 {
            self.run(core);
        }
        self.0[core].current == caller
    }

    fn kill(&mut self, core: usize, fiber: usize) -> (isize, usize) {
        self.call(core, n::SEND, [fiber, op::FIBER_KILL, 0, 0, 0, 0])
    }

    /// How the child in `slot` ended, once it did.
    fn ended(&mut self, core: usize, slot: usize) -> FiberEnd {
        for _ in 0..100 {
            if let Ok(message) = self.recv(core, slot as u8) {
                return FiberEnd::decode(&message.payload).expect("whole");
            }
            for other in 0..self.0.len() {
                if other != core {
                    self.run(other);
                }
            }
            self.settle();
        }
        panic!("the child does not end");
    }

    /// What must be as before when everybody who came has gone: free memory, and places in use.
    fn free(&self) -> Vec<(u64, [usize; 6])> {
        let of = |k: &Kernel<Host>| {
            let used = [
                k.fibers.iter().filter(|f| !f.is_free()).count(),
                k.domains.iter().filter(|d| !d.is_free()).count(),
                k.objects.iter().filter(|o| !o.is_free()).count(),
                k.channels.iter().filter(|c| c.base != 0).count(),
                k.lending.used(),
                k.loans.used(),
            ];
            (k.memory.free().0, used)
        };
        self.0.iter().map(|k| of(k)).collect()
    }
}

#[test]
fn a_thousand_children_on_another_core_leave_nothing() {
    let mut c = Cores::new(2);
    let before = c.free();
    for round in 0..1000 {
        let link = if round % 2 == 0 { LINK } else { NO_SLOT };
        let (status, child) = c.spawn(0, link);
        assert_eq!(status, 0, "round {round}");
        assert_eq!(c.free()[1].1[..2], [1, 1], "it is on the core with less load");
        if round % 3 == 0 {
            assert_ne!(c.0[1].current, NONE);
            c.0[1].call(n::EXIT, &[5, 0, 0, 0, 0, 0]);
            c.run(1);
            c.settle();
        } else {
            assert_eq!(c.kill(0, child), (0, 0));
        }
        let how = c.ended(0, child);
        let wanted = if round % 3 == 0 { (end::EXIT, 5) } else { (end::KILLED, 0) };
        assert_eq!((how.end, how.code), wanted);
        if link == LINK {
            assert_eq!(c.call(0, n::MASK, [LINK.into(), 0, 0, 0, 0, 0]), (0, 0));
            c.settle();
        }
        assert_eq!(c.free(), before, "round {round}");
    }
    assert!(c.0.iter().all(|k| k.machine.stale().is_empty()));
}

#[test]
fn parent_and_child_talk_and_learn_of_each_others_end() {
    let mut c = Cores::new(2);
    let (status, child) = c.spawn(0, LINK);
    assert_eq!(status, 0);
    assert_eq!(c.recv(1, slot::PARENT), Err(Error::Empty as isize));
    assert!(!c.wait(1, slot::PARENT, want::READABLE), "nothing was sent");
    assert_eq!(c.send(0, LINK, 11).0, 0);
    c.settle();
    assert_ne!(c.0[1].current, NONE, "the doorbell wakes it across cores");
    assert_eq!(c.recv(1, slot::PARENT).map(|m| m.arg), Ok(11));
    assert!(!c.wait(0, LINK, want::READABLE));
    assert_eq!(c.send(1, slot::PARENT, 12).0, 0);
    c.settle();
    assert_eq!(c.recv(0, LINK).map(|m| m.arg), Ok(12));
    assert!(!c.wait(0, slot::EVENTS, want::READABLE), "no event yet");
    c.0[1].call(n::EXIT, &[3, 0, 0, 0, 0, 0]);
    c.run(1);
    c.settle();
    let message = c.recv(0, slot::EVENTS).expect("an event");
    let what = Event::decode(&message.payload).expect("whole");
    assert_eq!((what.kind, what.source >> 24), (event::CHILD_ENDED, 1));
    assert_eq!(c.recv(0, slot::EVENTS), Err(Error::Empty as isize), "told once");
    assert_eq!(c.send(0, LINK, 13), (Error::Gone as isize, 0));
    assert_eq!(c.ended(0, child).code, 3);
    assert_eq!(c.recv(0, child as u8), Err(Error::BadSlot as isize), "its slot is free again");
}

#[test]
fn a_child_outlives_a_parent_on_another_core_and_leaves_nothing() {
    let mut c = Cores::new(4);
    let before = c.free();
    let (status, child) = c.spawn(0, NO_SLOT);
    assert_eq!(status, 0);
    let core = (1..4).find(|&core| c.0[core].current != NONE).expect("it runs");
    let (status, _) = c.spawn(core, LINK);
    assert_eq!(status, 0);
    let below = (1..4).find(|&b| b != core && c.0[b].current != NONE).expect("a core of its own");
    assert_eq!(c.kill(0, child), (0, 0));
    assert_eq!(c.ended(0, child).end, end::KILLED);
    assert_eq!(c.recv(below, slot::PARENT), Err(Error::Gone as isize));
    c.0[below].call(n::EXIT, &[0; 6]);
    c.run(below);
    c.settle();
    assert_eq!(c.free(), before);
}

#[test]
fn a_fiber_that_is_killed_while_another_core_starts_its_child_leaves_nothing() {
    let mut c = Cores::new(4);
    let before = c.free();
    let (_, child) = c.spawn(0, NO_SLOT);
    let core = (1..4).find(|&core| c.0[core].current != NONE).expect("it runs");
    let mut wish = Spawn::zeroed();
    (wish.op, wish.channel_slot) = (SPAWN_IMAGE, LINK);
    (wish.pledge, wish.energy, wish.name) = (u64::MAX, 5, abi::name("child"));
    let at = c.store(core, 0, &wish.encode());
    let place = c.0[core].current;
    let args = [slot::FACTORY.into(), at, Spawn::SIZE, 0, 0, 0];
    assert_eq!(c.0[core].call(n::SPAWN, &args).status, 1, "it waits for the other core");
    c.0[core].end_fiber(place as usize, end::KILLED, 0);
    c.run(core);
    assert_eq!(c.0[core].fibers[place as usize].state, state::ENDED, "its place waits");
    c.settle();
    let below = (1..4).find(|&b| b != core && c.0[b].current != NONE).expect("it runs");
    c.0[below].call(n::EXIT, &[0; 6]);
    c.run(below);
    c.settle();
    assert_eq!(c.ended(0, child).end, end::KILLED);
    assert_eq!(c.free(), before);
}

#[test]
fn statistics_of_another_core_want_audit_only_for_fibers() {
    let mut c = Cores::new(2);
    let ask = |c: &mut Cores, class: u32, index: u32| {
        let input = u64::from(class) | u64::from(index) << 32;
        let at = c.store(0, 0, &input.to_le_bytes());
        c.call(0, n::META, [meta::STATS, at, 128, 0, 0, 0])
    };
    assert_eq!(ask(&mut c, CLASS_SYSTEM, 1), (0, SystemStats::SIZE));
    let about = SystemStats::decode(&c.load::<128>(0, 0)).expect("whole");
    assert_eq!((about.fibers, about.domains), (0, 0));
    assert_eq!(ask(&mut c, CLASS_SYSTEM, 2), (Error::NotFound as isize, 0), "no such core");
    assert_eq!(ask(&mut c, CLASS_FIBER, 64), (Error::Denied as isize, 0), "without AUDIT");
    c.spawn(0, NO_SLOT);
    let domain = c.0[0].domain as usize;
    c.0[0].domains[domain].pledge |= abi::pledge::AUDIT;
    c.0[0].domains[domain].born |= abi::pledge::AUDIT;
    assert_eq!(ask(&mut c, CLASS_FIBER, 64), (0, FiberStats::SIZE));
    let about = FiberStats::decode(&c.load::<128>(0, 0)).expect("whole");
    assert_eq!((about.fiber >> 24, abi::text(&about.name)), (1, "child"));
    assert_eq!(ask(&mut c, CLASS_FIBER, 128), (Error::NotFound as isize, 0));
}

/// The instance that asked is dead before the other core looks: what that core then says is nobody's, and the next instance's
/// own question gets its own answer.
#[test]
fn a_late_answer_is_not_the_next_instances() {
    let mut c = Cores::new(2);
    let (_, child) = c.spawn(0, NO_SLOT);
    let place = c.0[1].current;
    let domain = c.0[1].domain as usize;
    c.0[1].domains[domain].policy = policy::RESTART;
    c.0[1].domains[domain].pledge |= abi::pledge::AUDIT;
    let question = |c: &mut Cores, class: u32, index: u32| {
        let input = u64::from(class) | u64::from(index) << 32;
        [meta::STATS, c.store(1, 0, &input.to_le_bytes()), 128, 0, 0, 0]
    };
    let nobody = question(&mut c, CLASS_FIBER, FIBERS as u32 - 1);
    assert_eq!(c.0[1].call(n::META, &nobody).status, 1, "it waits for core 0");
    c.0[1].end_fiber(place as usize, end::KILLED, 0);
    c.run(1);
    assert_eq!(c.0[1].current, NONE, "the next instance waits for what is owed to the dead one");
    c.settle();
    assert_eq!(c.0[1].current, place, "it runs");
    assert_eq!(c.0[1].domains[domain].history.blinks, 1);
    let whole = question(&mut c, CLASS_SYSTEM, 0);
    assert_eq!(c.call(1, n::META, whole), (0, SystemStats::SIZE));
    // Not even where it waits in quarantine meanwhile, or ends.
    let nobody = question(&mut c, CLASS_SYSTEM, 0);
    assert_eq!(c.0[1].call(n::META, &nobody).status, 1);
    c.0[1].domains[domain].policy = policy::NEVER;
    c.0[1].end_fiber(place as usize, end::KILLED, 0);
    c.run(1);
    c.settle();
    assert_eq!(c.ended(0, child).end, end::KILLED);
    assert!(c.0[1].fibers.iter().all(crate::fiber::Fiber::is_free));
}

/// The wall clock is the machine's: set on any core, it is set on all.
#[test]
fn a_clock_that_is_set_is_set_on_every_core() {
    let mut c = Cores::new(2);
    c.spawn(0, NO_SLOT);
    for (core, year) in [(0, 1_700_000_000_000_000_000), (1, 1_800_000_000_000_000_000)] {
        let message = Slot { kind: abi::call::CLOCK_SET, arg: year, ..Slot::zeroed() };
        c.0[core].set_wall(&message).expect("a time after the boot");
        for reader in [0, 1] {
            let at = c.store(reader, 0, &[0; 16]);
            let args = [slot::CLOCK.into(), abi::call::tick_op::TIME, at, 0, 0, 0];
            assert_eq!(c.call(reader, n::TICK, args), (0, 0));
            let time = abi::call::Time::decode(&c.load::<16>(reader, 0)).expect("whole");
            assert_eq!(time.wall / 1_000_000_000, year / 1_000_000_000, "core {reader}");
        }
    }
}
