//! The rules by hand: windows, debts, strikes, order, timers.
use sched::{Charged, Choice, Harmonic, Params};

const MS: u64 = 1_000_000;
const US: u64 = 1_000;
const VOID: u8 = 0;
const GRAVITY: u8 = 1;
const MATTER: u8 = 2;
const PHOTON: u8 = 3;

fn core(set: &[(u8, u64)]) -> Harmonic {
    let mut core = Harmonic::new();
    for (id, &(spectrum, budget_ns)) in (0..).zip(set) {
        core.add(id, Params { spectrum, budget_ns }).expect("fits");
    }
    core
}

fn pick(core: &mut Harmonic, now: u64) -> Option<u8> {
    core.pick(now).map(|choice| choice.id)
}

const GOES_ON: Charged = Charged { exhausted: false, strike: None };

#[test]
fn the_first_wake_begins_a_window() {
    let mut c = core(&[(MATTER, 500 * US)]);
    assert_eq!(c.pick(0), None);
    c.wake(0, 7 * MS);
    assert_eq!((c.energy_left(0), c.deadline(0)), (500_000, 17 * MS));
    assert_eq!(c.pick(7 * MS), Some(Choice { id: 0, until: 7_500_000 }));
    // Further fibers that wake change nothing.
    c.wake(0, 8 * MS);
    assert_eq!((c.energy_left(0), c.deadline(0)), (500_000, 17 * MS));
}

/// Keeps (q, d) if q / (d - r) <= Q / T, else q = Q and d = r + T.
#[test]
fn constant_bandwidth_on_wake() {
    for (used, at, energy, deadline) in [
        // 250 us in 5 ms is exactly the bandwidth: kept.
        (250 * US, 5 * MS, 250_000, 10 * MS),
        // 1 ns more: a new window.
        (250 * US - 1, 5 * MS, 500_000, 15 * MS),
        (250 * US, 5 * MS + 1, 500_000, 15 * MS + 1),
        (400 * US, 6 * MS, 100_000, 10 * MS),
        // At and after the deadline: a new window.
        (400 * US, 10 * MS, 500_000, 20 * MS),
        (400 * US, 70 * MS + 3, 500_000, 80 * MS + 3),
    ] {
        let mut c = core(&[(MATTER, 500 * US)]);
        c.wake(0, 0);
        assert_eq!(pick(&mut c, 0), Some(0));
        assert_eq!(c.charge(0, used, used), GOES_ON);
        c.sleep(0, used);
        assert_eq!(c.pick(used), None);
        c.wake(0, at);
        assert_eq!((c.energy_left(0), c.deadline(0)), (energy, deadline), "{used} {at}");
        assert_eq!(pick(&mut c, at), Some(0));
    }
}

#[test]
fn the_exhausted_sleeps_until_its_deadline() {
    let mut c = core(&[(PHOTON, 100 * US)]);
    c.wake(0, 0);
    assert_eq!(c.pick(0), Some(Choice { id: 0, until: 100_000 }));
    c.cooperated(0);
    let spent = Charged { exhausted: true, strike: None };
    assert_eq!(c.charge(0, 100 * US, 100 * US), spent);
    assert!(c.is_throttled(0));
    assert_eq!(c.pick(100 * US), None);
    assert_eq!(c.next_event(100 * US), 2 * MS);
    // Going to sleep and waking does not help.
    c.sleep(0, 200 * US);
    assert_eq!(c.next_event(200 * US), u64::MAX);
    c.wake(0, 300 * US);
    assert_eq!((c.pick(300 * US), c.next_event(300 * US)), (None, 2 * MS));
    assert_eq!(c.pick(2 * MS - 1), None);
    assert_eq!(c.pick(2 * MS), Some(Choice { id: 0, until: 2 * MS + 100_000 }));
    assert_eq!((c.deadline(0), c.missed(0)), (4 * MS, 0));
}

#[test]
fn a_debt_is_paid_window_by_window() {
    let mut c = core(&[(PHOTON, 100 * US)]);
    c.wake(0, 0);
    assert_eq!(pick(&mut c, 0), Some(0));
    // A spawn, 500 J, is charged when it starts; the call is finished.
    assert!(c.spend(0, 99 * US));
    assert!(!c.spend(0, 500 * US));
    c.cooperated(0);
    assert_eq!(c.charge(0, 0, 50 * US), Charged { exhausted: true, strike: None });
    assert_eq!(c.energy_left(0), -499_000);
    // 5 windows pay 500: one J is left then.
    assert_eq!(c.next_event(0), 10 * MS);
    assert_eq!(c.pick(10 * MS - 1), None);
    assert_eq!(c.pick(10 * MS), Some(Choice { id: 0, until: 10 * MS + 1000 }));
    assert_eq!(c.deadline(0), 12 * MS);
    // Asleep meanwhile, it is paid the same; a debt of exactly some windows leaves nothing: one more.
    for (debt, from) in [(400 * US, 10 * MS), (399 * US, 8 * MS)] {
        let mut c = core(&[(PHOTON, 100 * US)]);
        c.wake(0, 0);
        assert_eq!(pick(&mut c, 0), Some(0));
        c.cooperated(0);
        assert!(c.charge(0, 100 * US + debt, 50 * US).exhausted);
        c.sleep(0, 50 * US);
        c.wake(0, 7 * MS);
        assert_eq!(c.pick(7 * MS), None);
        assert_eq!(c.next_event(7 * MS), from);
        assert_eq!(pick(&mut c, from), Some(0));
    }
}

#[test]
fn a_missed_deadline_is_counted() {
    let mut c = core(&[(PHOTON, 900 * US), (GRAVITY, MS)]);
    c.wake(0, 0);
    c.wake(1, 0);
    assert_eq!(pick(&mut c, 0), Some(0));
    // Nobody ran for two windows and a half (more than what was promised happened in the kernel).
    assert_eq!(c.charge(0, 100, 5 * MS), GOES_ON);
    assert_eq!((c.missed(0), c.energy_left(0), c.deadline(0)), (2, 900_000, 7 * MS));
    c.sleep(0, 5 * MS);
    // Starved past its deadline, it is counted when its turn comes.
    assert_eq!(pick(&mut c, 151 * MS), Some(1));
    assert_eq!((c.missed(1), c.deadline(1)), (3, 201 * MS));
    // Done exactly at the deadline is in time.
    assert_eq!(c.charge(1, 100, 201 * MS), GOES_ON);
    assert_eq!(c.missed(1), 3);
    c.sleep(1, 201 * MS);
    assert_eq!(c.missed(1), 3);
    // Late, and asleep before it was charged.
    c.wake(1, 300 * MS);
    assert_eq!(pick(&mut c, 300 * MS), Some(1));
    c.sleep(1, 350 * MS + 1);
    assert_eq!(c.charge(1, 100, 350 * MS + 1), GOES_ON);
    assert_eq!(c.missed(1), 4);
    // Asleep past its deadline is no miss.
    c.sleep(1, 900 * MS);
    assert_eq!(c.missed(1), 4);
}

#[test]
fn order_is_strict_by_spectrum_and_earliest_deadline_first() {
    let set = [(VOID, 0), (GRAVITY, MS), (MATTER, 200 * US), (MATTER, 200 * US), (PHOTON, 99 * US)];
    let mut c = core(&set);
    c.wake(3, 0);
    for id in [0, 1, 2, 4] {
        c.wake(id, 10);
    }
    for want in [4, 3, 2, 1, 0] {
        assert_eq!(pick(&mut c, 20), Some(want));
        assert_eq!(c.pick(20).map(|x| x.until == u64::MAX), Some(want == 0));
        for other in 0..5 {
            let above = c.spectrum(want) > c.spectrum(other);
            assert_eq!(c.preempts(want, other), above, "{want} {other}");
        }
        c.sleep(want, 20);
        assert!(!c.preempts(want, 0), "asleep");
    }
    assert_eq!(c.pick(20), None);
}

#[test]
fn equal_deadlines_and_void_take_turns() {
    for spectrum in [VOID, PHOTON] {
        let mut c = core(&[(spectrum, 50 * US), (spectrum, 50 * US), (spectrum, 50 * US)]);
        (0..3).for_each(|id| c.wake(id, 0));
        let order: Vec<_> = (0..6).filter_map(|_| pick(&mut c, 0)).collect();
        assert_eq!(order, [1, 2, 0, 1, 2, 0]);
    }
}

#[test]
fn only_a_better_refill_arms_the_timer() {
    let mut c = core(&[(VOID, 0), (GRAVITY, MS), (MATTER, 200 * US), (PHOTON, 99 * US)]);
    (0..4).for_each(|id| c.wake(id, 0));
    for (id, used) in [(3, 99 * US), (2, 200 * US)] {
        assert_eq!(pick(&mut c, 0), Some(id));
        c.cooperated(id);
        assert!(c.charge(id, used, 0).exhausted);
    }
    assert_eq!(pick(&mut c, 0), Some(1));
    assert_eq!(c.next_event(0), 2 * MS);
    c.remove(3);
    assert_eq!(c.next_event(0), 10 * MS);
    assert!(c.charge(1, MS, MS).exhausted);
    assert_eq!(pick(&mut c, MS), Some(0));
    assert_eq!(c.next_event(MS), 10 * MS);
    c.sleep(2, MS);
    assert_eq!(c.next_event(MS), 50 * MS);
    c.sleep(1, MS);
    assert_eq!(c.next_event(MS), u64::MAX, "no tick");
    // A refill that is due is seen before the next pick.
    c.wake(2, 2 * MS);
    assert!(!c.preempts(2, 0));
    c.refill_due(10 * MS);
    assert!(c.preempts(2, 0));
    assert_eq!(pick(&mut c, 10 * MS), Some(2));
    c.wake(1, 10 * MS);
    assert!(c.is_throttled(1));
    assert_eq!(c.next_event(10 * MS), u64::MAX, "a lower one's refill changes nothing now");
}

/// Lets domain 0, a Photon with 100 us, use up its window; `polite` yields in it.
fn burn(c: &mut Harmonic, polite: bool) -> Option<u8> {
    let now = c.deadline(0);
    c.wake(0, now);
    assert_eq!(pick(c, now), Some(0), "in the window that begins at {now}");
    if polite {
        c.cooperated(0);
    }
    let charged = c.charge(0, 100 * US, now + 100 * US);
    assert!(charged.exhausted);
    // More of the same window is no second strike.
    assert_eq!(c.charge(0, 0, now + 110 * US).strike, None);
    charged.strike
}

#[test]
fn three_strikes_and_forgiveness() {
    let mut c = core(&[(PHOTON, 100 * US)]);
    assert_eq!([(); 4].map(|()| burn(&mut c, false)), [Some(1), Some(2), Some(3), Some(3)]);
    c.forgive(0);
    assert_eq!(burn(&mut c, false), Some(1));
    // 63 clean windows are not enough.
    (0..63).for_each(|_| assert_eq!(burn(&mut c, true), None));
    assert_eq!((c.strikes(0), burn(&mut c, false)), (1, Some(1)));
    (0..64).for_each(|_| assert_eq!(burn(&mut c, true), None));
    assert_eq!(burn(&mut c, false), Some(1));
    assert_eq!(c.strikes(0), 1);
    // Short sleeps begin many windows; it is the time that counts.
    for _ in 0..200 {
        let now = c.deadline(0) - MS;
        c.sleep(0, now);
        c.wake(0, now + 1);
    }
    assert_eq!(c.strikes(0), 1);
}

/// Only windows beside each other make a row; what is shown is the longest one that is remembered.
#[test]
fn a_clean_window_ends_a_row_and_a_debt_does_not() {
    let mut c = core(&[(PHOTON, 100 * US)]);
    for _ in 0..100 {
        assert_eq!(burn(&mut c, false), Some(1));
        assert_eq!(burn(&mut c, true), None);
    }
    assert_eq!(burn(&mut c, false), Some(1));
    assert_eq!(burn(&mut c, false), Some(2));
    assert_eq!((burn(&mut c, true), c.strikes(0)), (None, 2), "remembered");
    assert_eq!((burn(&mut c, false), c.strikes(0)), (Some(1), 2));
    // A call charged below zero: five windows pay for it, and the sixth is the next of the row.
    assert!(!c.spend(0, 500 * US));
    let from = c.deadline(0) + 5 * 2 * MS;
    for now in (c.deadline(0)..from).step_by(MS as usize) {
        assert_eq!(c.pick(now), None, "{now}");
    }
    assert_eq!(pick(&mut c, from), Some(0));
    assert_eq!(c.charge(0, 100 * US, from + 100 * US).strike, Some(2));
    // A window with energy left at its end is clean, and so is one that slept.
    let now = c.deadline(0);
    assert_eq!(pick(&mut c, now), Some(0));
    assert_eq!(c.charge(0, 10 * US, now + 2 * MS), GOES_ON);
    assert_eq!(c.charge(0, 1, now + 2 * MS + 1), GOES_ON);
    let now = c.deadline(0) - 1;
    assert_eq!(c.charge(0, 100 * US, now).strike, Some(1));
}

#[test]
fn who_cooperates_or_does_not_run_is_never_struck() {
    let mut c = core(&[(PHOTON, 100 * US), (PHOTON, 100 * US)]);
    (0..100).for_each(|_| assert_eq!(burn(&mut c, true), None));
    assert_eq!(c.strikes(0), 0);
    // Interrupts charged to one that sleeps, or waits for its turn.
    assert_eq!(c.charge(1, 200 * US, 0).strike, None);
    let now = c.deadline(0);
    c.wake(0, now);
    c.wake(1, now);
    let runs = pick(&mut c, now).expect("two are ready");
    let other = 1 - runs;
    assert_eq!(c.charge(other, 200 * US, now), Charged { exhausted: true, strike: None });
    assert_eq!(pick(&mut c, now), Some(runs));
    assert_eq!(c.strikes(1), 0);
}

#[test]
fn void_is_never_throttled() {
    let mut c = core(&[(VOID, 12345)]);
    c.wake(0, 5);
    assert_eq!(c.pick(5), Some(Choice { id: 0, until: u64::MAX }));
    assert_eq!(c.charge(0, 1000 * MS, 1000 * MS), GOES_ON);
    assert!(c.spend(0, 500 * US));
    assert_eq!((c.strikes(0), c.missed(0), c.budget(0), c.deadline(0)), (0, 0, 0, u64::MAX));
    c.sleep(0, 6);
    c.wake(0, u64::MAX - 1);
    assert_eq!(pick(&mut c, u64::MAX - 1), Some(0));
}

/// Who starts anew over and over has the energy of one restart as soon as its share of the time comes to it, and no more
/// than its share.
#[test]
fn a_restart_is_paid_for_when_its_share_is_due() {
    const B: u64 = sched::RESTART_NS;
    let (budget, window) = (400 * US, 2 * MS);
    let mut core = core(&[(VOID, 0), (PHOTON, budget)]);
    core.wake(1, 0);
    // All is spent at once; the core's advance, too.
    core.charge(1, budget, budget);
    core.advance(1, budget);
    let mut now = budget + B;
    core.charge(1, B, now);
    let mut spent = budget + B;
    for _ in 0..20 {
        assert!(core.is_throttled(1));
        core.advance(1, now);
        let due = core.next_event(now);
        assert!(due > now && due - now <= B * window / budget, "{due} after {now}");
        // Asked for twice, it comes no sooner.
        core.advance(1, now);
        assert_eq!((core.next_event(now), core.pick(due - 1)), (due, None));
        core.pick(due).expect("it has been paid");
        assert_eq!(core.energy_left(1), B as i64);
        now = due + B;
        core.charge(1, B, now);
        spent += B;
        // Its share of the time, one budget, and what it had in advance.
        assert!(spent <= now * budget / window + budget + B, "{spent} by {now}");
    }
}
