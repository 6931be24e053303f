//! What is lent to another core: taken back before a REVOKE returns, and not counted for ever.
use super::{Cores, LINK};
use crate::grant_tests::{ALL, MEMORY, RW, TAKEN, give_memory};
use crate::kernel::NONE;
use abi::call::{Error, Landed, REVOKE, number as n};
use abi::cap::slot;
use abi::stats::end;

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
