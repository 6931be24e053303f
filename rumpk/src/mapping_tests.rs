//! What REVOKE, an expiry and an end do to mappings, on the machine whose TLB never forgets by itself.
extern crate std;
use crate::Kernel;
use crate::grant_tests::{
    ALL, CHILD, MEMORY, RW, TAKEN, by, child, data, die, drop_slot, family, give_memory, grant,
    grant_until, map, pass, refused, revoke, store, take, until,
};
use crate::host_tests::boot;
use crate::job::Step;
use crate::object::{Body, Object};
use abi::call::{Error, number as n, op};
use abi::cap::{MAX_MAPPERS, R, slot};
use arch::host::Host;
use arch::{Machine, Trap};
use std::vec::Vec;

#[test]
fn revoke_takes_all_that_the_owner_may_not_itself() {
    let (mut k, init, child, base) = family();
    assert_eq!(grant(&mut k, init, MEMORY, CHILD), (0, 0));
    take(&mut k, child, slot::PARENT, TAKEN).expect("parked");
    assert_eq!(map(&mut k, child, TAKEN, RW), (0, base as usize));
    assert_eq!(revoke(&mut k, init, MEMORY), (0, 0));
    assert!(!store(&mut k, child, base, b"x"), "the owner maps nothing");
    assert_eq!(grant(&mut k, init, MEMORY, CHILD), (0, 0));
    take(&mut k, child, slot::PARENT, TAKEN + 1).expect("parked");
    assert_eq!(grant(&mut k, child, TAKEN + 1, slot::PARENT), (0, 0));
    take(&mut k, init, CHILD, TAKEN).expect("parked");
    let reads = [MEMORY.into(), ALL, R.into(), 0, 0, 0];
    assert_eq!(by(&mut k, init, n::MASK, reads), (0, 0));
    assert_eq!(map(&mut k, init, TAKEN, RW), (0, base as usize));
    assert_eq!(revoke(&mut k, init, MEMORY), (0, 0));
    assert!(!store(&mut k, init, base, b"x"), "what is left may only read");
    assert_eq!(map(&mut k, init, MEMORY, R.into()), (0, base as usize));
    assert_eq!(k.machine.stale(), []);
}

#[test]
fn an_expiry_ends_slot_and_mapping_and_is_never_put_off() {
    let (mut k, init, child, base) = family();
    let soon = k.machine.now() + 3_000_000_000;
    assert_eq!(grant_until(&mut k, init, (MEMORY, CHILD), soon), (0, 0));
    assert_eq!(take(&mut k, child, slot::PARENT, TAKEN).expect("parked").expiry, soon);
    assert_eq!(map(&mut k, child, TAKEN, RW), (0, base as usize));
    assert!(store(&mut k, child, base, b"before"));
    // Passed on, it cannot live longer.
    assert_eq!(grant_until(&mut k, child, (TAKEN, slot::PARENT), u64::MAX - 1), (0, 0));
    assert_eq!(take(&mut k, init, CHILD, TAKEN).expect("parked").expiry, soon);
    assert_eq!(map(&mut k, init, MEMORY, RW), (0, base as usize));
    until(&mut k, child);
    let now = k.machine.now();
    assert!(now < soon, "the test took too long: {now}");
    pass(&mut k, soon - now);
    // Nobody used the slot: the timer alone takes the mapping.
    k.trap(&Trap::Interrupt);
    assert!(!store(&mut k, child, base, b"after"));
    assert_eq!(map(&mut k, child, TAKEN, RW), refused(Error::Revoked));
    assert!(store(&mut k, init, base, b"owner"), "the owner's stays");
    assert_eq!(k.machine.stale(), []);
}

#[test]
fn eight_domains_map_an_object_and_revoke_reaches_them_all() {
    let mut k = boot();
    let init = k.current;
    let base = give_memory(&mut k, init, MEMORY);
    let mut children = Vec::new();
    for i in 0..=MAX_MAPPERS as u8 {
        let place = child(&mut k, init, 44 + i, u64::MAX);
        for into in [TAKEN, TAKEN + 1] {
            assert_eq!(grant(&mut k, init, MEMORY, 44 + i), (0, 0));
            take(&mut k, place, slot::PARENT, into).expect("parked");
        }
        let full = i as usize == MAX_MAPPERS;
        let expected = if full { refused(Error::Full) } else { (0, base as usize) };
        assert_eq!(map(&mut k, place, TAKEN, RW), expected, "child {i}");
        assert_eq!(store(&mut k, place, base, b"x"), !full);
        children.push(place);
    }
    let own = map(&mut k, init, MEMORY, RW);
    assert_eq!(own, refused(Error::Full), "the owner is one of the eight");
    // Who unmaps makes room, who dies, too.
    assert_eq!(map(&mut k, children[0], TAKEN, 0), (0, 0));
    assert_eq!(map(&mut k, init, MEMORY, RW), (0, base as usize));
    die(&mut k, children[1]);
    assert_eq!(map(&mut k, children[8], TAKEN, RW), (0, base as usize));
    assert_eq!(revoke(&mut k, init, MEMORY), (0, 0));
    assert_eq!(k.machine.stale(), []);
    for (i, &place) in children.iter().enumerate().filter(|&(i, _)| i != 1) {
        assert!(!store(&mut k, place, base, b"x"), "child {i}");
        assert_eq!(map(&mut k, place, TAKEN, RW), refused(Error::Revoked));
        assert_eq!(map(&mut k, place, TAKEN + 1, RW), refused(Error::Revoked));
    }
}

#[test]
fn an_end_takes_what_was_owned_and_nothing_that_was_borrowed() {
    let (mut k, init, owner, _) = family();
    let base = give_memory(&mut k, owner, MEMORY);
    assert_eq!(grant(&mut k, owner, MEMORY, slot::PARENT), (0, 0));
    take(&mut k, init, CHILD, TAKEN).expect("parked");
    assert_eq!(map(&mut k, init, TAKEN, RW), (0, base as usize));
    let borrower = child(&mut k, init, CHILD + 2, u64::MAX);
    // The borrower maps an end that subject zero owns, and dies.
    assert_eq!(grant(&mut k, init, CHILD, CHILD + 2), (0, 0));
    take(&mut k, borrower, slot::PARENT, TAKEN).expect("parked");
    assert_eq!(map(&mut k, borrower, TAKEN, RW).0, 0);
    die(&mut k, borrower);
    let message = data(&mut k, init);
    assert!(store(&mut k, init, message, &[0; 16]));
    let sent = by(&mut k, init, n::SEND, [CHILD.into(), message as usize, 16, 0, 0, 0]);
    assert_eq!(sent, (0, 0), "the end is whole, and the kernel's again");
    die(&mut k, owner);
    assert!(!store(&mut k, init, base, b"x"), "memory of the dead");
    assert_eq!(map(&mut k, init, TAKEN, RW), refused(Error::Revoked));
    assert_eq!(take(&mut k, init, CHILD, TAKEN + 1), Err(refused(Error::Gone)));
    assert_eq!(k.machine.stale(), []);
    assert!(k.mappers.iter().all(|m| m.iter().next().is_none()), "somebody is still listed");
}

#[test]
fn who_drops_an_end_takes_it_from_who_borrowed_it() {
    let (mut k, init, first, _) = family();
    let second = child(&mut k, init, CHILD + 2, u64::MAX);
    let borrow = |k: &mut Kernel<Host>| {
        assert_eq!(grant(k, init, CHILD, CHILD + 2), (0, 0));
        take(k, second, slot::PARENT, TAKEN).expect("parked");
        let (status, ring) = map(k, second, TAKEN, RW);
        assert!(status == 0 && store(k, second, ring as u64, &[0]));
        ring as u64
    };
    let ring = borrow(&mut k);
    // A copy that goes takes nothing along but its own mapping.
    assert_eq!(drop_slot(&mut k, second, TAKEN), (0, 0));
    assert!(!store(&mut k, second, ring, b"x"));
    assert_eq!(borrow(&mut k), ring);
    assert_eq!(map(&mut k, init, CHILD, RW), refused(Error::Exists), "an end has one side");
    assert_eq!(drop_slot(&mut k, init, CHILD), (0, 0));
    assert!(!store(&mut k, second, ring, b"x"), "the end is gone");
    let bell = [slot::PARENT.into(), op::DOORBELL, 0, 0, 0, 0];
    assert_eq!(by(&mut k, first, n::SEND, bell), refused(Error::Gone));
    assert_eq!(k.machine.stale(), []);
}

#[test]
fn an_end_releases_large_memory_a_piece_at_a_time() {
    let (mut k, _, owner, base) = family();
    let id = k.fibers[owner as usize].domain;
    let large = |k: &Kernel<Host>| {
        let large = |o: &&Object| matches!(o.body, Body::Memory { len, .. } if len == 8 << 20);
        k.objects.iter().filter(large).count()
    };
    for _ in 0..3 {
        k.new_object(Object::new(Body::Memory { base, len: 8 << 20 }, id, 0)).expect("a place");
    }
    let mut at = 0;
    let mut seen = Vec::new();
    while let Step::More(next) = k.release_some(id, at) {
        at = next;
        seen.push(large(&k));
    }
    seen.dedup();
    assert_eq!(seen, [2, 1, 0], "one in a step");
}
