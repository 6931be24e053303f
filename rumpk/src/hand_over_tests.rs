//! The direct path of a request, and that of a pair, give what the general one gives; and they are taken.
extern crate std;
use crate::Kernel;
use crate::host_tests::{boot, call, pc, spawn_rich};
use crate::pair::{ASKS, GOT};
use abi::PAGE;
use abi::call::{WaitEntry, number as n, op, want};
use abi::cap::{R, W, slot};
use abi::pledge;
use arch::host::Host;
use arch::{Frame, Machine, UserAddr};
use core::fmt::Write as _;
use std::boxed::Box;
use std::format;
use std::string::String;

/// Where subject zero has its end of the channel to its child.
const CHILD: u8 = 40;

fn entry(k: &mut Kernel<Host>, slot: u8, want: u8) -> usize {
    let at = pc(k) + PAGE as u64 + 512;
    let entry = WaitEntry { slot, want, got: 0, zero: 0 };
    k.machine.store(at, &entry.encode()).expect("own data");
    at as usize
}

/// Subject zero and a child with a channel that both have mapped; the child waits, subject zero runs.
fn pair(spectrum: u64, energy: u64) -> Box<Kernel<Host>> {
    let mut k = boot();
    let init = k.current;
    let mask = spectrum << pledge::SPECTRUM_SHIFT | pledge::STDIO;
    assert_eq!(spawn_rich(&mut k, CHILD, mask, energy).0, 0);
    let map = |slot: u8| [slot.into(), 0, 0, usize::from(R | W), 0, 0];
    assert_eq!(call(&mut k, n::MAP, map(CHILD)).0, 0);
    let list = entry(&mut k, CHILD, want::READABLE);
    k.generally(n::WAIT, list, 1, 0);
    let child = k.current;
    assert_eq!(call(&mut k, n::MAP, map(slot::PARENT)).0, 0);
    let list = entry(&mut k, slot::PARENT, want::READABLE | want::RING);
    k.generally(n::WAIT, list, 1, 0);
    assert_eq!((k.current, k.fibers[child as usize].state), (init, abi::stats::state::WAITING));
    k
}

/// Everything that either path may change.
fn picture(k: &mut Kernel<Host>) -> String {
    let mut text = format!(
        "{} {} {} {} {} {:?}",
        k.current, k.domain, k.charged_until, k.next_timer, k.counters.calls, k.counters.switches
    );
    for f in k.fibers.iter().filter(|f| f.is_alive()) {
        let w = &f.wait;
        let wait = format!("{} {:?} {} {}", w.active, w.list.0, w.timed_out, w.deadline);
        let _ = write!(
            text,
            "\n{} {:?} {} {wait} {:?}",
            f.state,
            // What a fiber that waits will be answered is not decided.
            (!w.active).then(|| f.frame.result()),
            f.time,
            w.entries[0]
        );
    }
    for d in k.domains.iter().filter(|d| !d.is_free()) {
        let _ = write!(text, "\n{} {} {}", d.ready, d.last, d.time);
    }
    for o in k.objects.iter().filter(|o| !o.is_free()) {
        let _ = write!(text, "\n{o:?}");
    }
    let mut word = [0; 4];
    let at = pc(k) + PAGE as u64 + 512;
    k.machine.load(at, &mut word).expect("own data");
    text + &format!("\n{word:?}\n{:?}", k.sched)
}

/// One step of a fiber: `wait` for the peer after ringing it, or a doorbell alone.
fn step(k: &mut Kernel<Host>, direct: bool, init: u8, doorbell: bool) {
    let slot = if k.current == init { CHILD } else { slot::PARENT };
    let list = entry(k, slot, want::READABLE | want::RING);
    let _ = match (direct, doorbell) {
        (true, false) => {
            // As the vectors do: entry and result are written before the kernel is asked.
            let word = u32::from(slot) | ASKS;
            k.machine.put_word(UserAddr(list as u64), word | GOT).expect("own data");
            k.fiber_mut().frame.set_result(0, 1);
            k.asked(list, word)
        }
        (false, false) => k.generally(n::WAIT, list, 1, 0),
        (true, true) => k.send_saved(slot.into(), op::DOORBELL, 0),
        (false, true) => k.generally(n::SEND, slot.into(), op::DOORBELL, 0),
    };
}

#[test]
fn the_direct_path_gives_what_the_general_one_gives() {
    for (spectrum, energy) in [(0, 0), (1, 1000), (2, 1000), (2, 10)] {
        let (mut a, mut b) = (pair(spectrum, energy), pair(spectrum, energy));
        let init = a.current;
        let mut switched = 0;
        for round in 0..12_000u64 {
            // Through windows, their ends, debt and strikes; every now and then the peer is not there.
            let time = match round % 64 {
                0 => round * round % 7919 * 1000,
                1..32 => round * round % 7919 * 3,
                _ => 400 + round * round % 500,
            };
            a.machine.advance(time);
            b.machine.advance(time);
            let (doorbell, before) = (round % 37 == 3, a.current);
            step(&mut a, true, init, doorbell);
            step(&mut b, false, init, doorbell);
            assert_eq!(a.current, b.current, "round {round}, spectrum {spectrum}");
            // Only what ends a pair sees tables that are right, so that pairs of every length are looked at.
            if round % 16 < 7 {
                a.part();
                assert_eq!(picture(&mut a), picture(&mut b), "round {round}, spectrum {spectrum}");
            }
            switched += u64::from(a.current != before);
        }
        let (direct, passes) = (a.counters.direct, a.counters.passes);
        assert!(switched > 3000, "{switched}");
        assert_eq!((b.counters.direct, b.counters.passes), (0, 0));
        if spectrum == 0 {
            // Void is promised nothing, so that nobody hands it the core.
            assert_eq!(passes, 0);
        } else if energy > 10 {
            assert!(direct > 300 && passes > 500, "{direct} direct, {passes} passes of {switched}");
        }
    }
}

/// Two that pass the core to and fro, and whose turn it is.
fn passing() -> (Box<Kernel<Host>>, u8) {
    let mut k = pair(2, 1000);
    let init = k.current;
    for _ in 0..6 {
        k.machine.advance(500);
        step(&mut k, true, init, false);
    }
    assert!(k.pair.is_live() && k.current == init);
    (k, init)
}

#[test]
fn whatever_else_comes_in_parts_a_pair() {
    let calls: [(usize, [usize; 6]); 6] = [
        (n::META, [abi::call::meta::SELF, 8, 8, 0, 0, 0]),
        (n::MASK, [CHILD.into(), 0, 0, 0, 0, 0]),
        (n::MAP, [CHILD.into(), 0, 0, 0, 0, 0]),
        (n::RECV, [slot::EVENTS.into(), 8, 64, 0, 0, 0]),
        (n::PLEDGE, [0; 6]),
        (n::TICK, [slot::CLOCK.into(), 99, 0, 0, 0, 0]),
    ];
    for (number, args) in calls {
        let (mut k, _) = passing();
        let _ = k.call(number, &args);
        assert!(!k.pair.is_live(), "call {number}");
    }
    let (mut k, _) = passing();
    let _ = k.trap(&arch::Trap::Interrupt);
    assert!(!k.pair.is_live(), "interrupt");
    // What needs nothing of the tables does not.
    let (mut k, _) = passing();
    let _ = k.call(n::META, &[abi::call::meta::VERSION, 0, 0, 0, 0, 0]);
    assert!(k.pair.is_live());
}

#[test]
fn a_pair_sleeps_through_no_timer() {
    let mut k = pair(2, 1000);
    let init = k.current;
    let at = k.machine.now() + 10_000;
    k.fiber_mut().timer = at;
    k.note_timer(at);
    for _ in 0..30 {
        k.machine.advance(500);
        step(&mut k, true, init, false);
    }
    k.part();
    assert!(k.fibers[init as usize].timer_fired, "{} passes", k.counters.passes);
    assert!(k.counters.passes > 20, "{}", k.counters.passes);
}

#[test]
fn who_gave_up_its_end_asks_nobody() {
    let (mut k, init) = passing();
    assert_eq!(call(&mut k, n::MASK, [CHILD.into(), 0, 0, 0, 0, 0]).0, 0);
    let list = entry(&mut k, CHILD, want::READABLE | want::RING);
    k.asked(list, u32::from(CHILD) | ASKS);
    assert_eq!(k.current, init);
    assert_eq!(k.fiber().frame.result().0, abi::call::Error::BadSlot as isize);
    assert_eq!((k.counters.direct, k.counters.passes), (1, 5), "those of before");
}
