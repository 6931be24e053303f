//! Restarts and quarantine where parent, child and peer are on different cores.
use super::*;

/// Ends the instance that runs on `core` as a fault of its own, with this policy.
fn fault(c: &mut Cores, core: usize, policy: u8) {
    let (place, domain) = (c.0[core].current as usize, c.0[core].domain as usize);
    c.0[core].domains[domain].policy = policy;
    c.0[core].end_fiber(place, end::PAGE_FAULT, 8);
    c.run(core);
    c.settle();
}

/// The slot is dead until its event was taken, and lives then.
#[test]
fn a_restart_on_another_core_is_told_as_on_the_own_one() {
    let mut c = Cores::new(2);
    let before = c.free();
    let (_, child) = c.spawn(0, LINK);
    assert_eq!(c.send(0, LINK, 11).0, 0);
    fault(&mut c, 1, policy::RESTART);
    assert_eq!(c.send(0, LINK, 12), (Error::Gone as isize, 0));
    let message = c.recv(0, slot::EVENTS).expect("an event");
    let what = Event::decode(&message.payload).expect("whole");
    assert_eq!((what.kind, what.source, what.count), (event::RESTARTED, u32::from(LINK), 1));
    assert_eq!(what.generation, 1);
    assert_eq!(c.recv(0, slot::EVENTS), Err(Error::Empty as isize), "told once");
    assert_eq!(c.send(0, LINK, 12).0, 0);
    c.settle();
    for sent in [11, 12] {
        assert_eq!(c.recv(1, slot::PARENT).map(|m| m.arg), Ok(sent), "what was sent stays");
    }
    assert_eq!(c.send(1, slot::PARENT, 13).0, 0);
    c.settle();
    assert_eq!(c.recv(0, LINK).map(|m| m.arg), Ok(13));
    assert_eq!(c.call(0, n::SEND, [child, op::FIBER_BLINK, 0, 0, 0, 0]), (0, 0));
    c.run(1);
    c.settle();
    assert_eq!(c.send(0, LINK, 14), (Error::Gone as isize, 0), "asked for, it is the same");
    assert!(c.recv(0, slot::EVENTS).is_ok());
    let domain = c.0[1].domain as usize;
    c.0[1].domains[domain].policy = policy::NEVER;
    assert_eq!(c.kill(0, child), (0, 0));
    assert_eq!(c.ended(0, child).end, end::KILLED);
    assert_eq!(c.send(0, LINK, 15), (Error::Gone as isize, 0));
    assert_eq!(c.call(0, n::MASK, [LINK.into(), 0, 0, 0, 0, 0]), (0, 0));
    c.settle();
    assert_eq!(c.free(), before);
}

/// Quarantine on another core: the channel's memory is kept while the child may come back, and is free when it cannot.
#[test]
fn a_child_in_quarantine_on_another_core_is_released_or_ends() {
    for (keeps, released) in [(true, true), (false, true), (true, false), (false, false)] {
        let mut c = Cores::new(2);
        let before = c.free();
        let (_, child) = c.spawn(0, LINK);
        let place = c.0[1].current as usize;
        for _ in 0..5 {
            fault(&mut c, 1, policy::RESTART);
        }
        assert_eq!(c.0[1].fibers[place].state, state::QUARANTINED);
        let ask = |c: &mut Cores, operation| c.call(0, n::SEND, [child, operation, 0, 0, 0, 0]);
        assert_eq!(ask(&mut c, op::FIBER_BLINK), (Error::NotReady as isize, 0));
        while c.recv(0, slot::EVENTS).is_ok() {}
        assert_eq!(c.send(0, LINK, 1), (Error::Gone as isize, 0));
        if !keeps {
            assert_eq!(c.call(0, n::MASK, [LINK.into(), 0, 0, 0, 0, 0]), (0, 0));
            c.settle();
        }
        if released {
            assert_eq!(ask(&mut c, op::FIBER_RELEASE), (0, 0));
            c.run(1);
            c.settle();
            assert_eq!(c.0[1].current as usize, place, "it runs again");
            if keeps {
                assert!(c.recv(0, slot::EVENTS).is_ok(), "a restart");
                assert_eq!(c.send(0, LINK, 2).0, 0);
                c.settle();
                assert_eq!(c.recv(1, slot::PARENT).map(|m| m.arg), Ok(2));
            } else {
                assert_eq!(c.recv(1, slot::PARENT), Err(Error::BadSlot as isize));
            }
            c.0[1].call(n::EXIT, &[0; 6]);
            c.run(1);
            c.settle();
        } else {
            assert_eq!(c.kill(0, child), (0, 0));
        }
        c.ended(0, child);
        if keeps {
            assert_eq!(c.call(0, n::MASK, [LINK.into(), 0, 0, 0, 0, 0]), (0, 0));
            c.settle();
        }
        assert_eq!(c.free(), before, "{keeps} {released}");
    }
}

/// Children of an instance that is replaced end with it, on whatever core they are or are about to be.
#[test]
fn a_restart_ends_the_children_on_other_cores() {
    for pending in [false, true] {
        let mut c = Cores::new(4);
        let before = c.free();
        let (_, child) = c.spawn(0, NO_SLOT);
        let core = (1..4).find(|&core| c.0[core].current != NONE).expect("it runs");
        let (domain, budget) = (c.0[core].domain, c.0[core].sched.budget(c.0[core].domain));
        let account = c.0[core].accounts.left(domain);
        if pending {
            let mut wish = Spawn::zeroed();
            (wish.op, wish.channel_slot) = (SPAWN_IMAGE, NO_SLOT);
            (wish.pledge, wish.energy, wish.name) = (u64::MAX, 5, abi::name("child"));
            let at = c.store(core, 0, &wish.encode());
            let args = [slot::FACTORY.into(), at, Spawn::SIZE, 0, 0, 0];
            assert_eq!(c.0[core].call(n::SPAWN, &args).status, 1);
        } else {
            assert_eq!(c.spawn(core, LINK).0, 0);
        }
        fault(&mut c, core, policy::RESTART);
        for other in 1..4 {
            c.run(other);
        }
        c.settle();
        for other in (1..4).filter(|&other| other != core) {
            assert_eq!(c.free()[other], before[other], "core {other}, {pending}");
        }
        assert_eq!(
            c.0[core].sched.budget(domain),
            budget,
            "{pending}: its energy is its own again"
        );
        assert_eq!(c.0[core].accounts.left(domain), account);
        c.0[core].call(n::EXIT, &[0; 6]);
        c.run(core);
        c.settle();
        c.ended(0, child);
        assert_eq!(c.free(), before, "{pending}");
    }
}
