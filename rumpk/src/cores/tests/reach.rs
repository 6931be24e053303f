//! Lines, device windows and ends of channels of core 0, used by a fiber of core 1: what works there works, and what is
//! refused is refused with the contract's error.
use super::*;
use crate::grant_tests::{ALL, RW, TAKEN};
use crate::object::{Body, Object};
use abi::call::{Landed, REVOKE};
use abi::cap::{Kind, R, W, X};

/// Where subject zero has what it lends, and its end of the channel to a second child.
const OWN: u8 = 42;
const SECOND: u8 = 43;
const LINE: u32 = 40;
/// Bytes of a device's registers.
const PAGES: u64 = 2 * PAGE as u64;

fn refused(error: Error) -> (isize, usize) {
    (error as isize, 0)
}

/// Subject zero on core 0 with a child on core 1, on so many cores.
fn on(cores: u32) -> Cores {
    let mut c = Cores::new(cores);
    assert_eq!(c.spawn(0, LINK).0, 0);
    c
}

/// Gives subject zero an object of its own.
fn give(c: &mut Cores, kind: Kind, body: Body, len: u64) {
    let kernel = &mut c.0[0];
    let object = kernel.new_object(Object::new(body, kernel.domain, 0)).expect("a place");
    let cap = kernel.cap(kind, object, kind.verbs(), R | W).with_range(0, len);
    kernel.fiber_mut().caps.put(OWN, cap).expect("free");
}

/// What subject zero has in `from` is taken by its child.
fn lend(c: &mut Cores, from: u8) {
    assert_eq!(c.call(0, n::GRANT, [from.into(), LINK.into(), ALL, RW, 0, 0]), (0, 0));
    let at = c.store(1, 0, &[0; Landed::SIZE]);
    let take = [slot::PARENT.into(), at, Landed::SIZE, TAKEN.into(), 0, 0];
    assert_eq!(c.call(1, n::RECV, take), (0, Landed::SIZE));
}

fn revoke(c: &mut Cores, what: u8) {
    assert_eq!(c.call(0, n::GRANT, [what.into(), REVOKE, 0, 0, 0, 0]), (0, 0));
}

/// `map` of what was lent.
fn map(c: &mut Cores, offset: u64, len: u64, perms: u8) -> (isize, usize) {
    // More is asked here than the child's energy pays for.
    let domain = c.0[1].domain;
    c.0[1].sched.refund(domain, 1_000_000);
    c.call(1, n::MAP, [TAKEN.into(), offset as usize, len as usize, perms.into(), 0, 0])
}

/// The device behind the line interrupts core 0.
fn interrupt(c: &mut Cores) {
    c.0[0].machine.raise(LINE);
    let kernel = &mut c.0[0];
    stopped(|| {
        kernel.trap(&Trap::Interrupt);
    });
    c.settle();
}

#[test]
fn a_line_is_waited_for_and_unmasked_from_another_core() {
    let mut c = on(2);
    c.0[0].machine.prepare_interrupt(LINE, true);
    give(&mut c, Kind::IRQ, Body::Irq { intid: LINE }, 0);
    lend(&mut c, OWN);
    let unmask = [TAKEN.into(), op::IRQ_UNMASK, 0, 0, 0, 0];
    assert_eq!(c.recv(1, TAKEN), Err(Error::Empty as isize));
    for round in 0..3 {
        assert_eq!(c.call(1, n::SEND, unmask), (0, 0));
        assert_eq!(c.0[0].machine.is_masked(LINE), Some(false), "round {round}");
        assert!(!c.wait(1, TAKEN, want::READABLE), "nothing happened yet");
        c.settle();
        interrupt(&mut c);
        assert_ne!(c.0[1].current, NONE, "round {round}: it wakes");
        assert_eq!(c.0[0].machine.is_masked(LINE), Some(true), "until it has looked after it");
    }
    // One that nobody waits for is latched, and received once.
    assert_eq!(c.call(1, n::SEND, unmask), (0, 0));
    interrupt(&mut c);
    assert!(c.recv(1, TAKEN).is_ok());
    assert_eq!(c.recv(1, TAKEN), Err(Error::Empty as isize));
    // It is no window, no channel, and has one operation.
    assert_eq!(map(&mut c, 0, 0, R), refused(Error::Denied));
    assert_eq!(c.send(1, TAKEN, 1), refused(Error::BadCall));
    assert_eq!(c.call(1, n::SEND, [TAKEN.into(), 7, 0, 0, 0, 0]), refused(Error::BadCall));
    assert_eq!(c.call(1, n::GRANT, [TAKEN.into(), REVOKE, 0, 0, 0, 0]), refused(Error::Denied));
    revoke(&mut c, OWN);
    assert_eq!(c.recv(1, TAKEN), Err(Error::Revoked as isize));
    assert_eq!(c.call(1, n::SEND, unmask), refused(Error::Revoked));
}

#[test]
fn a_window_is_mapped_on_another_core_within_its_range_until_it_is_revoked() {
    let mut c = on(2);
    // RAM that nobody has stands for the device: the host has no other addresses.
    let window = c.0[0].memory.take(PAGES).expect("free");
    give(&mut c, Kind::DEVICE, Body::Device { base: window, len: PAGES }, PAGES);
    lend(&mut c, OWN);
    let page = PAGE as u64;
    assert_eq!(map(&mut c, 0, 0, R | W | X), refused(Error::Denied), "nobody has X of it");
    assert_eq!(map(&mut c, 1, page, R), refused(Error::BadAddress), "no whole page");
    let beyond = map(&mut c, page, 2 * page, R);
    assert!(beyond.0 < 0, "beyond its end: {beyond:?}");
    assert_eq!(map(&mut c, page, page, R | W), (0, (window + page) as usize));
    let maps = |c: &mut Cores, at: u64| c.0[1].machine.load(at, &mut [0; 4]).is_ok();
    assert!(maps(&mut c, window + page) && !maps(&mut c, window), "that page and no other");
    assert_eq!(c.recv(1, TAKEN), Err(Error::Denied as isize), "it is read, not received");
    // Narrowed, it maps less.
    assert_eq!(c.call(1, n::MASK, [TAKEN.into(), ALL, R.into(), 0, 0, 0]), (0, 0));
    assert_eq!(map(&mut c, 0, page, R | W), refused(Error::Denied));
    assert_eq!(map(&mut c, page, page, R), (0, (window + page) as usize));
    assert!(maps(&mut c, window + page));
    revoke(&mut c, OWN);
    assert!(!maps(&mut c, window + page), "gone before REVOKE returned");
    assert_eq!(map(&mut c, 0, page, R), refused(Error::Revoked));
    assert!(c.0.iter().all(|k| k.machine.stale().is_empty()));
}

/// Subject zero lends its end of a channel to a second child, on core 2: one domain at a time is that side, wherever it is.
#[test]
fn an_end_is_mapped_on_another_core_and_nobody_else_is_that_side() {
    let mut c = on(4);
    assert_eq!(c.spawn(0, SECOND).0, 0);
    assert_ne!(c.0[2].current, NONE, "it is on a core of its own");
    lend(&mut c, SECOND);
    assert_eq!(map(&mut c, 0, 0, R), refused(Error::Denied), "both directions or none");
    assert_eq!(map(&mut c, 0, PAGE as u64, R | W), refused(Error::BadCall), "all or nothing");
    let (status, ring) = map(&mut c, 0, 0, R | W);
    assert_eq!(status, 0);
    c.0[1].machine.store(ring as u64, &[0; 4]).expect("its own part of the ring");
    assert_eq!(c.send(1, TAKEN, 1), refused(Error::BadCall), "who mapped it is that side");
    let own = [SECOND.into(), 0, 0, RW, 0, 0];
    assert_eq!(c.call(0, n::MAP, own), refused(Error::Exists));
    assert_eq!(c.send(0, SECOND, 1), refused(Error::BadCall), "nor is the kernel");
    // Capabilities do not travel through an end of another core.
    assert_eq!(
        c.call(1, n::GRANT, [TAKEN.into(), TAKEN.into(), ALL, RW, 0, 0]).0,
        Error::Unsupported as isize
    );
    let at = c.store(1, 0, &[0; Landed::SIZE]);
    let take = [TAKEN.into(), at, Landed::SIZE, usize::from(TAKEN) + 1, 0, 0];
    assert_eq!(c.call(1, n::RECV, take), refused(Error::Unsupported));
    assert_eq!(map(&mut c, 0, 0, 0), (0, 0));
    c.settle();
    assert!(c.0[1].machine.store(ring as u64, &[0; 4]).is_err());
    assert_eq!(c.call(0, n::MAP, own), (0, ring), "the owner is that side again");
    assert_eq!(map(&mut c, 0, 0, R | W), refused(Error::Exists));
    assert_eq!(c.call(0, n::MAP, [SECOND.into(), 0, 0, 0, 0, 0]), (0, 0));
    assert_eq!(map(&mut c, 0, 0, R | W), (0, ring));
    revoke(&mut c, SECOND);
    assert!(c.0[1].machine.store(ring as u64, &[0; 4]).is_err(), "gone before REVOKE returned");
    assert_eq!(map(&mut c, 0, 0, R | W), refused(Error::Revoked));
    assert_eq!(c.send(0, SECOND, 2), (0, 0), "and the kernel is that side");
    assert!(c.0.iter().all(|k| k.machine.stale().is_empty()));
}
