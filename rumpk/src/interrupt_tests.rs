//! Interrupts at their owner's expense, and storms that wait for its next window.
extern crate std;
use crate::Kernel;
use crate::host_tests::{boot, call, spawn_with, until_other};
use crate::object::{Body, Object};
use abi::call::{NO_SLOT, number as n, op};
use abi::cap::{Kind, verb};
use abi::pledge;
use arch::host::Host;
use arch::{Machine, Trap};
use std::boxed::Box;

const LINE: u32 = 40;
const SLOT: usize = 30;

/// Subject zero runs and owns a line, whose capability stands in [`SLOT`]; a child is ready, too. Their domains.
fn with_line() -> (Box<Kernel<Host>>, u8, u8) {
    let mut k = boot();
    let init = k.current;
    assert_eq!(call(&mut k, n::YIELD, [0; 6]), (0, 0));
    assert_eq!(spawn_with(&mut k, NO_SLOT, 2 << pledge::SPECTRUM_SHIFT).0, 0);
    let child = until_other(&mut k, init);
    let (owner, other) = (k.fibers[init as usize].domain, k.fibers[child as usize].domain);
    k.machine.prepare_interrupt(LINE, false);
    let object = Object::new(Body::Irq { intid: LINE }, owner, 0);
    let object = k.new_object(object).expect("room");
    let cap = k.cap(Kind::IRQ, object, verb::ALL, 0);
    k.fibers[init as usize].caps.put(SLOT, cap).expect("free");
    (k, owner, other)
}

/// An interrupt while the child runs: the owner pays, the child does not.
#[test]
fn the_owner_of_the_line_pays() {
    let (mut k, owner, other) = with_line();
    assert_eq!(k.domain, other);
    k.charged_until = k.machine.now();
    let before = [owner, other].map(|id| (k.sched.energy_left(id), k.domains[id as usize].time));
    // The host's clock stands still inside a call: the time of one interrupt is made by hand.
    let from = k.machine.now();
    k.machine.advance(7_000);
    let object = k.objects.iter().position(|o| o.body == Body::Irq { intid: LINE }).expect("made");
    assert_eq!(k.charge_owner(object as u32, from), from + 7_000);
    k.schedule();
    let after = [owner, other].map(|id| (k.sched.energy_left(id), k.domains[id as usize].time));
    assert_eq!(after[0], (before[0].0 - 7_000, before[0].1 + 7_000));
    assert_eq!(after[1], before[1]);
}

/// A device that never stops: masked at each interrupt, and after the last energy until the next window.
#[test]
fn a_storm_stays_masked_until_the_owners_next_window() {
    let (mut k, owner, _) = with_line();
    until_owner(&mut k, owner);
    k.machine.raise(LINE);
    let unmask = [SLOT, op::IRQ_UNMASK, 0, 0, 0, 0];
    assert_eq!(call(&mut k, n::SEND, unmask), (0, 0));
    assert_eq!(k.machine.is_masked(LINE), Some(false));
    k.trap(&Trap::Interrupt);
    assert_eq!((k.machine.is_masked(LINE), k.counters.device), (Some(true), 1));
    // Its last call unmasks: it is charged below zero, and the line stays as it is.
    until_owner(&mut k, owner);
    let left = k.sched.energy_left(owner);
    k.sched.spend(owner, left as u64 - 1_000);
    k.call(n::SEND, &unmask);
    assert!(k.sched.energy_left(owner) < 0);
    assert_eq!(k.machine.is_masked(LINE), Some(true), "the storm waits");
    let deadline = k.sched.deadline(owner);
    k.schedule();
    while k.domain != owner {
        assert_eq!(k.machine.is_masked(LINE), Some(true), "others run meanwhile");
        let current = k.current;
        until_other(&mut k, current);
    }
    assert!(k.machine.now() >= deadline);
    assert_eq!((k.machine.is_masked(LINE), k.shut), (Some(false), 0), "its next window");
    assert_eq!(k.machine.active_lines(), []);
}

fn until_owner(k: &mut Kernel<Host>, owner: u8) {
    while k.domain != owner {
        let current = k.current;
        until_other(k, current);
    }
}
