//! GRANT, TAKE, REVOKE and what they do to mappings, on the machine whose TLB never forgets by itself.
extern crate std;
use crate::Kernel;
use crate::host_tests::{boot, call, pc, spawn_with};
use crate::kernel::FIBERS;
use crate::object::{Body, Object};
use abi::PAGE;
use abi::call::{Error, Landed, REVOKE, WaitEntry, number as n, op, want};
use abi::cap::{Kind, PARKED, R, W, slot, verb};
use abi::pledge;
use abi::ring::Slot;
use abi::stats::{Event, end, event};
use arch::host::Host;
use arch::{Machine, Trap};
use std::boxed::Box;
use std::vec::Vec;

/// Where subject zero has its end of the channel to its child, and a MEMORY object of four pages.
pub(crate) const CHILD: u8 = 40;
pub(crate) const MEMORY: u8 = 41;
/// Where a child takes what it is granted.
pub(crate) const TAKEN: u8 = 20;
pub(crate) const LEN: u64 = 4 * PAGE as u64;
pub(crate) const ALL: usize = verb::ALL as usize;
pub(crate) const RW: usize = (R | W) as usize;

pub(crate) fn refused(error: Error) -> (isize, usize) {
    (error as isize, 0)
}

/// Time passes that nobody pays for.
pub(crate) fn pass(k: &mut Kernel<Host>, ns: u64) {
    k.machine.advance(ns);
    k.charged_until = k.machine.now();
}

/// Lets `place` run.
pub(crate) fn until(k: &mut Kernel<Host>, place: u8) {
    for _ in 0..500 {
        if k.current == place {
            return;
        }
        pass(k, 500_000);
        // Whoever runs pays a little, or the one whose window ends first would run for ever.
        k.machine.advance(5_000);
        k.call(n::YIELD, &[0; 6]);
        k.schedule();
    }
    panic!("fiber {place} does not run");
}

/// A call by `who`, once it runs. It may cost all of its energy, which is a strike for who does not yield.
pub(crate) fn by(k: &mut Kernel<Host>, who: u8, number: usize, args: [usize; 6]) -> (isize, usize) {
    until(k, who);
    k.call(n::YIELD, &[0; 6]);
    k.schedule();
    until(k, who);
    call(k, number, args)
}

/// The own data of `who`, 1 KB after its start.
pub(crate) fn data(k: &mut Kernel<Host>, who: u8) -> u64 {
    until(k, who);
    pc(k) + PAGE as u64 + 1024
}

pub(crate) fn store(k: &mut Kernel<Host>, who: u8, at: u64, bytes: &[u8]) -> bool {
    until(k, who);
    k.machine.store(at, bytes).is_ok()
}

pub(crate) fn load<const N: usize>(k: &mut Kernel<Host>, who: u8, at: u64) -> Option<[u8; N]> {
    until(k, who);
    let mut bytes = [0; N];
    k.machine.load(at, &mut bytes).ok().map(|()| bytes)
}

/// Gives `who` a MEMORY object of its own domain.
pub(crate) fn give_memory(k: &mut Kernel<Host>, who: u8, at: u8) -> u64 {
    let base = k.memory.take(LEN).expect("memory");
    k.machine.bytes_mut(base, LEN as usize).fill(0);
    let body = Body::Memory { base, len: LEN };
    let owner = k.fibers[who as usize].domain;
    let object = k.new_object(Object::new(body, owner, pledge::STDIO)).expect("a place");
    let cap = k.cap(Kind::MEMORY, object, verb::ALL, R | W).with_range(0, LEN);
    k.fibers[who as usize].caps.put(at, cap).expect("free");
    base
}

/// A child of `who` with a channel in `at`; its place.
pub(crate) fn child(k: &mut Kernel<Host>, who: u8, at: u8, mask: u64) -> u8 {
    by(k, who, n::META, [0; 6]);
    until(k, who);
    let before: Vec<u32> = k.fibers.iter().map(|f| f.id).collect();
    assert_eq!(spawn_with(k, at, mask).0, 0);
    let place = (0..FIBERS).find(|&p| k.fibers[p].is_alive() && k.fibers[p].id != before[p]);
    place.expect("born") as u8
}

/// Subject zero with a child and a MEMORY object: (kernel, subject zero, child, address of the memory).
pub(crate) fn family() -> (Box<Kernel<Host>>, u8, u8, u64) {
    let mut k = boot();
    let init = k.current;
    let child = child(&mut k, init, CHILD, u64::MAX);
    let base = give_memory(&mut k, init, MEMORY);
    (k, init, child, base)
}

pub(crate) fn grant_as(
    k: &mut Kernel<Host>,
    who: u8,
    (from, via): (u8, u8),
    verbs: usize,
    perms: usize,
) -> (isize, usize) {
    by(k, who, n::GRANT, [from.into(), via.into(), verbs, perms, 0, 0])
}

pub(crate) fn grant(k: &mut Kernel<Host>, who: u8, from: u8, via: u8) -> (isize, usize) {
    grant_as(k, who, (from, via), ALL, RW)
}

pub(crate) fn grant_until(
    k: &mut Kernel<Host>,
    who: u8,
    (from, via): (u8, u8),
    expiry: u64,
) -> (isize, usize) {
    let at = data(k, who);
    assert!(store(k, who, at, &expiry.to_le_bytes()));
    by(k, who, n::GRANT, [from.into(), via.into(), ALL, RW, at as usize, 0])
}

pub(crate) fn take(
    k: &mut Kernel<Host>,
    who: u8,
    via: u8,
    into: u8,
) -> Result<Landed, (isize, usize)> {
    let at = data(k, who);
    match by(k, who, n::RECV, [via.into(), at as usize, Landed::SIZE, into.into(), 0, 0]) {
        (0, Landed::SIZE) => {
            let bytes: [u8; Landed::SIZE] = load(k, who, at).expect("own data");
            Ok(Landed::decode(&bytes).expect("whole"))
        }
        other => Err(other),
    }
}

pub(crate) fn map(k: &mut Kernel<Host>, who: u8, at: u8, perms: usize) -> (isize, usize) {
    by(k, who, n::MAP, [at.into(), 0, 0, perms, 0, 0])
}

pub(crate) fn revoke(k: &mut Kernel<Host>, who: u8, at: u8) -> (isize, usize) {
    by(k, who, n::GRANT, [at.into(), REVOKE, 0, 0, 0, 0])
}

pub(crate) fn drop_slot(k: &mut Kernel<Host>, who: u8, at: u8) -> (isize, usize) {
    by(k, who, n::MASK, [at.into(), 0, 0, 0, 0, 0])
}

pub(crate) fn wait_entry(k: &mut Kernel<Host>, who: u8, slot: u8, want: u8) -> u64 {
    let at = data(k, who);
    assert!(store(k, who, at, &WaitEntry { slot, want, got: 0, zero: 0 }.encode()));
    at
}

pub(crate) fn die(k: &mut Kernel<Host>, who: u8) {
    until(k, who);
    k.trap(&Trap::Fault { cause: end::ILLEGAL, address: 0, syndrome: 0 });
}

#[test]
fn a_grant_lands_narrowed_and_deeper_and_tells_the_receiver() {
    let (mut k, init, child, base) = family();
    let less = (verb::MAP | verb::GRANT).into();
    assert_eq!(grant_as(&mut k, init, (MEMORY, CHILD), less, R.into()), (0, 0));
    let at = wait_entry(&mut k, child, slot::EVENTS, want::EVENT);
    assert_eq!(by(&mut k, child, n::WAIT, [at as usize, 1, 0, 0, 0, 0]), (0, 1));
    let events = [slot::EVENTS.into(), at as usize, 64, 0, 0, 0];
    assert_eq!(by(&mut k, child, n::RECV, events).0, 0);
    let message: [u8; Slot::SIZE] = load(&mut k, child, at).expect("own data");
    let what = Event::decode(&message[16..]).expect("whole");
    let told = (what.kind, what.source, what.count);
    assert_eq!(told, (event::CAPABILITY, slot::PARENT.into(), 1));
    assert_eq!(by(&mut k, child, n::RECV, events), refused(Error::Empty));
    let landed = take(&mut k, child, slot::PARENT, TAKEN).expect("parked");
    assert_eq!((landed.kind, landed.verbs), (Kind::MEMORY.0, verb::MAP | verb::GRANT));
    assert_eq!((landed.perms, landed.depth, landed.len), (R, 1, LEN));
    assert_eq!(take(&mut k, child, slot::PARENT, TAKEN + 1), Err(refused(Error::Empty)));
    assert_eq!(map(&mut k, child, TAKEN, RW), refused(Error::Denied), "W was not given");
    assert_eq!(map(&mut k, child, TAKEN, R.into()), (0, base as usize));
    assert_eq!(load(&mut k, child, base), Some([0; 8]));
    assert!(!store(&mut k, child, base, b"x"));
    assert_eq!(revoke(&mut k, child, TAKEN), refused(Error::Denied), "not at depth 1");
    assert_eq!(map(&mut k, init, MEMORY, RW), (0, base as usize));
    assert_eq!(revoke(&mut k, init, MEMORY), (0, 0));
    assert!(store(&mut k, init, base, b"x"), "its own mapping stays");
    assert_eq!(map(&mut k, init, MEMORY, RW), (0, base as usize), "re-stamped");
    assert_eq!(load::<8>(&mut k, child, base), None, "read after REVOKE");
    assert_eq!(map(&mut k, child, TAKEN, R.into()), refused(Error::Revoked));
    assert_eq!(k.machine.stale(), []);
    assert_eq!(drop_slot(&mut k, child, TAKEN), (0, 0), "a void slot can be freed");
    assert_eq!(drop_slot(&mut k, child, TAKEN), refused(Error::BadSlot));
}

/// Where the owner maps nothing, and where it maps more than it may: through a copy that came back to it.

#[test]
fn what_a_grant_may_not() {
    let (mut k, init, child, _) = family();
    for (from, via, error) in [
        (63, CHILD, Error::BadSlot),
        (200, CHILD, Error::BadSlot),
        (MEMORY, 63, Error::BadSlot),
        (MEMORY, 77, Error::BadSlot),
        (MEMORY, MEMORY, Error::Denied),
        (MEMORY, slot::VFS, Error::BadCall),
        (slot::SELF, CHILD, Error::Denied),
        (slot::EVENTS, CHILD, Error::Denied),
        (slot::CLOCK, CHILD, Error::Denied),
        (slot::FACTORY, CHILD, Error::Denied),
        (slot::VFS, CHILD, Error::Denied),
    ] {
        assert_eq!(grant(&mut k, init, from, via), refused(error), "{from} via {via}");
    }
    let way = (MEMORY, CHILD);
    assert_eq!(grant_as(&mut k, init, way, 128, RW), refused(Error::BadCall));
    assert_eq!(grant_as(&mut k, init, way, ALL, 8), refused(Error::BadCall));
    assert_eq!(grant_as(&mut k, init, way, verb::TICK.into(), RW), refused(Error::Denied));
    pass(&mut k, 1000);
    let past = k.machine.now();
    assert_eq!(grant_until(&mut k, init, way, past), refused(Error::Revoked));
    let odd = data(&mut k, init) as usize + 1;
    let args = [MEMORY.into(), CHILD.into(), ALL, RW, odd, 0];
    assert_eq!(by(&mut k, init, n::GRANT, args), refused(Error::BadAddress));
    for _ in 0..PARKED {
        assert_eq!(grant(&mut k, init, MEMORY, CHILD), (0, 0));
    }
    assert_eq!(grant(&mut k, init, MEMORY, CHILD), refused(Error::Full));
    // REVOKE voids the parked ones, and their places are free again.
    assert_eq!(revoke(&mut k, init, MEMORY), (0, 0));
    assert_eq!(grant(&mut k, init, MEMORY, CHILD), (0, 0));
    assert!(take(&mut k, child, slot::PARENT, TAKEN).is_ok());
    let next = take(&mut k, child, slot::PARENT, TAKEN + 1);
    assert_eq!(next, Err(refused(Error::Empty)), "the void ones");
}

#[test]
fn what_a_take_may_not() {
    let (mut k, init, child, _) = family();
    assert_eq!(grant(&mut k, init, MEMORY, CHILD), (0, 0));
    let caps = &k.fibers[child as usize].caps;
    let taken: Vec<u8> = (1..=slot::FACTORY).filter(|&s| caps.get(s).is_ok()).collect();
    assert!(taken.len() >= 5, "{taken:?}");
    for into in taken {
        assert_eq!(take(&mut k, child, slot::PARENT, into), Err(refused(Error::Exists)));
    }
    let at = data(&mut k, child) as usize;
    let parent = usize::from(slot::PARENT);
    let short = [parent, at, Landed::SIZE - 1, TAKEN.into(), 0, 0];
    assert_eq!(by(&mut k, child, n::RECV, short), refused(Error::BadCall));
    let nowhere = [parent, 64, Landed::SIZE, TAKEN.into(), 0, 0];
    assert_eq!(by(&mut k, child, n::RECV, nowhere), refused(Error::BadAddress));
    assert_eq!(take(&mut k, child, slot::PARENT, 64), Err(refused(Error::BadSlot)));
    assert_eq!(take(&mut k, child, slot::EVENTS, TAKEN), Err(refused(Error::BadCall)));
    assert!(take(&mut k, child, slot::PARENT, TAKEN).is_ok(), "none of these took it");
}

#[test]
fn a_receiver_gets_nothing_that_its_mask_forbids() {
    let mut k = boot();
    let init = k.current;
    let mask = 2 << pledge::SPECTRUM_SHIFT | pledge::EXEC;
    let narrow = child(&mut k, init, CHILD, mask);
    give_memory(&mut k, init, MEMORY);
    assert_eq!(grant(&mut k, init, MEMORY, CHILD), refused(Error::Pledge));
    // Who narrows after the grant does not get it either.
    let domain = k.fibers[narrow as usize].domain as usize;
    k.domains[domain].pledge |= pledge::STDIO;
    assert_eq!(grant(&mut k, init, MEMORY, CHILD), (0, 0));
    k.domains[domain].pledge &= !pledge::STDIO;
    assert_eq!(take(&mut k, narrow, slot::PARENT, TAKEN), Err(refused(Error::Empty)));
}

#[test]
fn a_chain_of_grants_ends_at_the_greatest_depth() {
    let (mut k, init, child, _) = family();
    let ends = [(init, CHILD, child, slot::PARENT), (child, slot::PARENT, init, CHILD)];
    let mut from = MEMORY;
    for depth in 0..abi::cap::MAX_DEPTH {
        let (giver, via, taker, other) = ends[depth as usize % 2];
        assert_eq!(grant(&mut k, giver, from, via), (0, 0), "depth {depth}");
        from = TAKEN + depth;
        let landed = take(&mut k, taker, other, from).expect("parked");
        assert_eq!(landed.depth, depth + 1);
        let has = landed.verbs & verb::GRANT != 0;
        assert_eq!(has, landed.depth < abi::cap::MAX_DEPTH);
    }
    assert_eq!(grant(&mut k, init, from, CHILD), refused(Error::Denied), "GRANT is gone");
}

#[test]
fn who_waits_on_a_slot_wakes_when_it_expires_or_is_revoked() {
    for by_revoke in [false, true] {
        let (mut k, init, first, _) = family();
        let other = CHILD + 10;
        child(&mut k, init, other, u64::MAX);
        let soon = k.machine.now() + 3_000_000_000;
        // An end of the second child's channel goes to the first.
        assert_eq!(grant_until(&mut k, init, (other, CHILD), soon), (0, 0));
        take(&mut k, first, slot::PARENT, TAKEN).expect("parked");
        let at = wait_entry(&mut k, first, TAKEN, want::READABLE);
        until(&mut k, first);
        k.call(n::WAIT, &[at as usize, 1, 0, 0, 0, 0]);
        k.schedule();
        assert_ne!(k.current, first);
        if by_revoke {
            assert_eq!(revoke(&mut k, init, other), (0, 0));
        } else {
            until(&mut k, init);
            let now = k.machine.now();
            pass(&mut k, soon - now);
        }
        let entry: [u8; 4] = load(&mut k, first, at).expect("own data");
        assert_eq!(entry[2], want::DEAD, "by_revoke {by_revoke}");
        let ring = [other.into(), op::DOORBELL, 0, 0, 0, 0];
        assert_eq!(by(&mut k, init, n::SEND, ring), (0, 0), "the owner's end and its peer stay");
    }
}

/// Who borrowed and mapped an end of a channel has nothing of it any more after its owner dropped it.

#[test]
fn waiting_for_what_a_pledge_gave_up_ends_the_domain() {
    let (mut k, init, child, _) = family();
    let at = data(&mut k, child);
    let mask = (2 << pledge::SPECTRUM_SHIFT | pledge::BITS) & !pledge::STDIO;
    assert!(store(&mut k, child, at, &u64::to_le_bytes(mask)));
    assert_eq!(by(&mut k, child, n::PLEDGE, [0, at as usize, 8, 0, 0, 0]), (0, 0));
    let at = wait_entry(&mut k, child, slot::CLOCK, want::EVENT);
    until(&mut k, child);
    k.call(n::WAIT, &[at as usize, 1, 0, 0, 0, 0]);
    k.schedule();
    assert_eq!(k.fibers[child as usize].end, end::PLEDGE);
    until(&mut k, init);
}
