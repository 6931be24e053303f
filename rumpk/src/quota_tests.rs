//! Accounts: whatever happens, what was given is what is left, what was spent and what the domain costs.
extern crate std;
use super::{Accounts, Quota};
use crate::kernel::{CHANNELS, DOMAINS, FIBERS};
use abi::call::Error;
use std::vec::Vec;

const ALL: Quota = Quota { bytes: 1 << 20, places: 40 };
const COST: Quota = Quota { bytes: 16 << 10, places: 2 };

fn spent(a: &Accounts, payer: u8) -> Quota {
    let children = a.list.iter().filter(|c| c.payer == payer).map(|c| c.given);
    let channels = a.channels.iter().filter(|c| c.0 == payer).map(|c| Quota::channel(c.1));
    let unasked = a.unasked.iter().filter(|p| **p == payer).map(|_| Quota::PLACE);
    children.chain(channels).chain(unasked).fold(Quota::NONE, Quota::more)
}

fn root() -> Accounts {
    let mut a = Accounts::NONE;
    a.begin(8 * ALL.bytes);
    a.open_service(0, 0, ALL.places as u16);
    a
}

#[test]
fn a_child_costs_its_parent_and_gives_it_back() {
    let mut a = root();
    assert_eq!(a.of(0).left, ALL, "an eighth of what is free");
    assert_eq!(a.open_child(0, 1, COST, false), Ok(()));
    assert_eq!(a.of(0).left, ALL.less(COST).expect("more"));
    assert_eq!(a.of(1).left, Quota::NONE);
    assert_eq!(a.open_child(1, 2, COST, false), Err(Error::NoMemory));
    a.close(1, Some(7));
    let but_one = ALL.less(Quota::PLACE).expect("more");
    assert_eq!(a.of(0).left, but_one, "until its end was asked for");
    a.asked(7);
    assert_eq!(a.of(0).left, ALL);
    let dear = Quota { bytes: ALL.bytes + 1, places: 1 };
    assert_eq!(a.open_child(0, 1, dear, false), Err(Error::NoMemory));
    let wide = Quota { bytes: 0, places: ALL.places + 1 };
    assert_eq!(a.open_child(0, 1, wide, false), Err(Error::Full));
    assert_eq!(a.of(0).left, ALL, "what is refused costs nothing");
}

#[test]
fn orphans_are_paid_by_who_paid_for_their_parent() {
    let mut a = root();
    a.open_child(0, 1, COST, true).expect("room");
    a.open_child(1, 2, COST, false).expect("room");
    a.take_channel(1, 9, 8192).expect("room");
    a.close(1, None);
    let held = COST.more(Quota::channel(8192));
    assert_eq!(a.of(0).left, ALL.less(held).expect("more"));
    a.give_channel(9);
    a.close(2, None);
    assert_eq!(a.of(0).left, ALL);
}

/// A fork bomb with every trick: its root's neighbour has what it had, and nothing is lost when all are gone.
#[test]
fn no_sequence_makes_or_loses_anything() {
    for seed in 1..=64u64 {
        let mut a = root();
        a.open_service(1, 100, 9);
        let other = (a.of(1).given, a.of(1).left);
        let mut r = seed;
        let mut random = |below: usize| {
            r ^= r << 13;
            r ^= r >> 7;
            r ^= r << 17;
            r as usize % below
        };
        let mut alive: Vec<u8> = std::vec![0];
        for _ in 0..3000 {
            let who = alive[random(alive.len())];
            match random(8) {
                0..=3 => {
                    let free = (2..DOMAINS as u8).find(|d| !alive.contains(d));
                    let cost = Quota { bytes: 4096 * random(8) as u64, places: random(4) as u32 };
                    let Some(id) = free else { continue };
                    let cost = Quota { places: cost.places + 1, ..cost };
                    if a.open_child(who, id, cost, random(2) == 0).is_ok() {
                        alive.push(id);
                    }
                }
                4 if who != 0 => {
                    let place = (0..FIBERS).find(|&p| a.unasked[p] == 0);
                    a.close(who, place);
                    alive.retain(|&id| id != who);
                }
                5 => a.asked(random(FIBERS)),
                6 => {
                    let free = (0..CHANNELS as u8).find(|&c| a.channels[c as usize].0 == 0);
                    let _ = free.map(|c| a.take_channel(who, c, 8192));
                }
                _ => a.give_channel(random(CHANNELS) as u8),
            }
            let root = *a.of(0);
            assert_eq!(root.left.more(spent(&a, 1)), ALL, "seed {seed}");
            assert_eq!((a.of(1).given, a.of(1).left), other, "seed {seed}");
        }
        alive.iter().filter(|&&id| id != 0).for_each(|&id| a.close(id, None));
        (0..CHANNELS as u8).for_each(|c| a.give_channel(c));
        (0..FIBERS).for_each(|p| a.asked(p));
        assert_eq!(a.of(0).left, ALL, "seed {seed}");
    }
}

/// A child that ends before its own child gives back what the grandchild does not hold; that comes when the grandchild ends, and
/// with a restart of who pays the grandchild ends. On every step what is promised in all is what it was at first.
#[test]
fn energy_of_orphans_is_given_back_once() {
    use crate::host_tests::{boot, spawn_rich, until_other};
    use abi::call::{NO_SLOT, number as n};
    for restarts in [false, true] {
        let mut k = boot();
        let (init, own) = (k.current, k.domain);
        let all = k.sched.budget(own);
        assert_eq!(spawn_rich(&mut k, NO_SLOT, u64::MAX, 500).0, 0);
        until_other(&mut k, init);
        let below = k.domain;
        assert_eq!(k.sched.budget(own), all - 500_000);
        assert_eq!(spawn_rich(&mut k, NO_SLOT, u64::MAX, 100).0, 0);
        assert_eq!(k.sched.budget(below), 400_000);
        let domain = k
            .domains
            .iter()
            .enumerate()
            .position(|(id, d)| !d.is_free() && id != own as usize && id != below as usize);
        let domain = domain.expect("the grandchild") as u8;
        // Whoever has the core goes on until the domain in this place is gone.
        let gone = |k: &mut crate::Kernel<arch::host::Host>, id: u8| {
            for _ in 0..1000 {
                if k.domains[id as usize].is_free() {
                    return;
                }
                k.machine.advance(2_000_000);
                k.call(n::YIELD, &[0; 6]);
                k.schedule();
            }
            panic!("domain {id} does not end");
        };
        k.end_domain(below, abi::stats::end::KILLED, 0);
        k.schedule();
        gone(&mut k, below);
        assert_eq!(k.sched.budget(domain), 100_000);
        assert_eq!(k.sched.budget(own), all - 100_000, "{restarts}: not handed back twice");
        if restarts {
            k.domains[own as usize].policy = abi::image::policy::RESTART;
            k.end_domain(own, abi::stats::end::KILLED, 0);
        } else {
            k.end_domain(domain, abi::stats::end::KILLED, 0);
        }
        k.schedule();
        gone(&mut k, domain);
        assert_eq!(k.sched.budget(own), all, "{restarts}");
    }
}
