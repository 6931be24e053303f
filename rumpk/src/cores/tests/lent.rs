//! What is lent to another core: taken back before a REVOKE returns, and not counted for ever.
use super::{Cores, LINK};
use crate::fiber::Fiber;
use crate::grant_tests::{ALL, LEN, MEMORY, RW, TAKEN, give_memory};
use crate::kernel::NONE;
use crate::object::{Body, Object};
use abi::call::{Error, Landed, REVOKE, number as n};
use abi::cap::{Kind, R, W, slot, verb};
use abi::image::policy;
use abi::stats::{end, state};

/// A MEMORY object of subject zero on core 0, taken by its child on core 1.
fn lent(c: &mut Cores) -> usize {
    let (status, child) = c.spawn(0, LINK);
    assert_eq!(status, 0);
    let owner = c.0[0].current;
    give_memory(&mut c.0[0], owner, MEMORY);
    assert_eq!(c.call(0, n::GRANT, [MEMORY.into(), LINK.into(), ALL, RW, 0, 0]), (0, 0));
    let at = c.store(1, 0, &[0; Landed::SIZE]);
    let take = [slot::PARENT.into(), at, Landed::SIZE, TAKEN.into(), 0, 0];
    assert_eq!(c.call(1, n::RECV, take), (0, Landed::SIZE));
    child
}

#[test]
fn a_revoke_returns_when_the_other_core_has_unmapped() {
    let mut c = Cores::new(2);
    lent(&mut c);
    let used = c.free()[1].1;
    let map = [TAKEN.into(), 0, 0, RW, 0, 0];
    let (status, at) = c.call(1, n::MAP, map);
    assert_eq!(status, 0);
    let at = at as u64;
    c.0[1].machine.store(at, &[7; 8]).expect("it is mapped");
    let revoke = [MEMORY.into(), REVOKE, 0, 0, 0, 0];
    assert_eq!(c.0[0].call(n::GRANT, &revoke).status, 1, "it waits for core 1");
    c.run(0);
    assert_eq!(c.0[0].current, NONE);
    c.0[1].machine.store(at, &[8; 8]).expect("core 1 did not look yet");
    c.settle();
    assert_ne!(c.0[0].current, NONE, "it returned");
    assert!(c.0[1].machine.store(at, &[9; 8]).is_err(), "and nobody writes any more");
    assert!(c.0.iter().all(|k| k.machine.stale().is_empty()));
    assert_eq!(c.call(1, n::MAP, map), (Error::Revoked as isize, 0));
    assert_eq!(c.free()[1].1[2], used[2] - 1, "what stood for it on core 1 is gone");
}

#[test]
fn who_ends_while_it_asks_to_map_leaves_no_mapping() {
    let mut c = Cores::new(2);
    let child = lent(&mut c);
    let place = c.0[1].current;
    assert_eq!(c.0[1].call(n::MAP, &[TAKEN.into(), 0, 0, RW, 0, 0]).status, 1, "it asks core 0");
    let object = c.0[0].fiber().caps.get(MEMORY).expect("the memory").object;
    c.0[1].end_fiber(place as usize, end::KILLED, 0);
    c.run(1);
    c.settle();
    assert_eq!(c.0[0].far_mappers(object), 0);
    assert_eq!(c.ended(0, child).end, end::KILLED);
    assert_eq!(c.call(0, n::GRANT, [MEMORY.into(), REVOKE, 0, 0, 0, 0]), (0, 0));
    assert!(
        c.0[1].objects.iter().skip(6).all(crate::object::Object::is_free),
        "nothing is left on core 1"
    );
}

/// Gives the fiber that has `core` a MEMORY object in the last pages of its own extent; their address.
fn give_own(c: &mut Cores, core: usize) -> u64 {
    let kernel = &mut c.0[core];
    let (base, len) = kernel.domain().extent;
    let base = base + len - LEN;
    let body = Body::Memory { base, len: LEN };
    let object = kernel.new_object(Object::new(body, kernel.domain, 0)).expect("a place");
    let cap = kernel.cap(Kind::MEMORY, object, verb::ALL, R | W).with_range(0, LEN);
    kernel.fiber_mut().caps.put(MEMORY, cap).expect("free");
    base
}

/// What `from` has in `MEMORY` goes to the other of the two, who maps it.
fn lend_and_map(c: &mut Cores, from: usize) {
    let to = 1 - from;
    let vias = [LINK, slot::PARENT];
    assert_eq!(c.call(from, n::GRANT, [MEMORY.into(), vias[from].into(), ALL, RW, 0, 0]), (0, 0));
    let at = c.store(to, 0, &[0; Landed::SIZE]);
    let take = [vias[to].into(), at, Landed::SIZE, TAKEN.into(), 0, 0];
    assert_eq!(c.call(to, n::RECV, take), (0, Landed::SIZE));
    assert_eq!(c.call(to, n::MAP, [TAKEN.into(), 0, 0, RW, 0, 0]).0, 0);
}

const REVOKES: [usize; 6] = [MEMORY as usize, REVOKE, 0, 0, 0, 0];
const UNMAPS: [usize; 6] = [TAKEN as usize, 0, 0, 0, 0, 0];

/// Empties a slot of the fiber that has the core, if there is something in it.
fn empty(c: &mut Cores, core: usize, slot: u8) {
    if c.0[core].fiber().caps.get(slot as usize).is_ok() {
        assert_eq!(c.call(core, n::MASK, [slot.into(), 0, 0, 0, 0, 0]), (0, 0));
    }
}

/// Its memory is nobody else's before the other core has unmapped it; then it is free, nobody is stuck, and no place is lost.
#[test]
fn a_revoker_that_is_killed_while_it_waits_leaves_nothing() {
    for policy in [policy::NEVER, policy::RESTART] {
        let mut c = Cores::new(2);
        let before = c.free();
        let (_, child) = c.spawn(0, LINK);
        let base = give_own(&mut c, 1);
        lend_and_map(&mut c, 1);
        let (place, domain) = (c.0[1].current, c.0[1].domain as usize);
        c.0[1].domains[domain].policy = policy;
        assert_eq!(c.0[1].call(n::GRANT, &REVOKES).status, 1, "it waits for core 0");
        c.0[1].end_fiber(place as usize, end::KILLED, 0);
        for _ in 0..3 {
            c.run(1);
        }
        assert_eq!(c.0[1].current, NONE, "neither its end nor its next instance goes on");
        c.0[0].machine.store(base, &[7; 8]).expect("core 0 did not look yet");
        assert_eq!(c.free()[1].0 + c.0[1].domains[domain].extent.1, before[1].0, "still its own");
        c.settle();
        c.run(1);
        c.settle();
        assert!(c.0[0].machine.store(base, &[8; 8]).is_err(), "core 0 reaches it no more");
        let again = c.call(0, n::MAP, [TAKEN.into(), 0, 0, RW, 0, 0]);
        assert_eq!(again, (Error::Revoked as isize, 0));
        assert_eq!((c.0[1].lending.used(), c.0[0].loans.used()), (0, 0));
        if policy == policy::RESTART {
            assert_eq!(c.0[1].current, place, "the next instance runs");
            assert_eq!(c.recv(1, slot::PARENT), Err(Error::Empty as isize), "by its own calls");
            c.0[1].call(n::EXIT, &[0; 6]);
            c.run(1);
            c.settle();
        }
        c.ended(0, child);
        while c.recv(0, slot::EVENTS).is_ok() {}
        empty(&mut c, 0, LINK);
        empty(&mut c, 0, TAKEN);
        c.settle();
        assert_eq!(c.free(), before, "policy {policy}");
        assert!(c.0.iter().all(|k| k.machine.stale().is_empty()));
    }
}

/// What ends the life of what is lent: by turns, in both directions, with the child's exit and its death.
#[test]
fn a_thousand_grants_revokes_and_deaths_between_cores_leave_nothing() {
    let mut c = Cores::new(2);
    let base = give_own(&mut c, 0);
    let before = c.free();
    for round in 0..1000 {
        let (status, child) = c.spawn(0, LINK);
        assert_eq!(status, 0, "round {round}");
        let owner = round % 2;
        let base = if owner == 0 { base } else { give_own(&mut c, 1) };
        lend_and_map(&mut c, owner);
        match round / 2 % 5 {
            0 => assert_eq!(c.call(owner, n::GRANT, REVOKES), (0, 0)),
            1 => assert_eq!(c.call(1 - owner, n::MAP, UNMAPS), (0, 0)),
            2 => empty(&mut c, 1 - owner, TAKEN),
            // Parked a second time, and never taken.
            3 => {
                let via = [LINK, slot::PARENT][owner];
                let again = [MEMORY.into(), via.into(), ALL, RW, 0, 0];
                assert_eq!(c.call(owner, n::GRANT, again), (0, 0));
            }
            // The child ends while it waits for its own REVOKE, or asks to map again.
            _ if owner == 1 => assert_eq!(c.0[1].call(n::GRANT, &REVOKES).status, 1),
            _ => {
                assert_eq!(c.call(1, n::MAP, UNMAPS), (0, 0));
                assert_eq!(c.0[1].call(n::MAP, &[TAKEN.into(), 0, 0, RW, 0, 0]).status, 1);
            }
        }
        let place = c.0[1].fibers.iter().position(Fiber::is_alive).expect("the child");
        if c.0[1].fibers[place].state == state::RUNNING && round % 3 == 0 {
            c.0[1].call(n::EXIT, &[0; 6]);
        } else {
            c.0[1].end_fiber(place, end::KILLED, 0);
        }
        let extent = c.0[1].domains[c.0[1].fibers[place].domain as usize].extent.1;
        c.run(1);
        if c.0[1].lending.used() != 0 {
            assert_eq!(c.free()[1].0 + extent, before[1].0, "round {round}: core 0 may have it");
        }
        c.settle();
        c.ended(0, child);
        if owner == 0 {
            assert_eq!(c.call(0, n::GRANT, REVOKES), (0, 0), "round {round}");
        }
        empty(&mut c, 0, TAKEN);
        empty(&mut c, 0, LINK);
        c.settle();
        assert!(c.0[1].machine.store(base, &[1; 8]).is_err(), "round {round}");
        assert_eq!(c.free(), before, "round {round}");
    }
    assert!(c.0.iter().all(|k| k.machine.stale().is_empty()));
}
