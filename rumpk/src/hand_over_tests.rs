//! The direct path of a request gives what the general one gives.
extern crate std;
use crate::Kernel;
use crate::host_tests::{boot, call, pc, spawn_with};
use abi::PAGE;
use abi::call::{WaitEntry, number as n, op, want};
use abi::cap::{R, W, slot};
use abi::pledge;
use arch::host::Host;
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
fn pair(spectrum: u64) -> Box<Kernel<Host>> {
    let mut k = boot();
    let init = k.current;
    assert_eq!(spawn_with(&mut k, CHILD, spectrum << pledge::SPECTRUM_SHIFT | pledge::STDIO).0, 0);
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
            f.frame.result(),
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
        (true, false) => k.wait_saved(list, 1, 0),
        (false, false) => k.generally(n::WAIT, list, 1, 0),
        (true, true) => k.send_saved(slot.into(), op::DOORBELL, 0),
        (false, true) => k.generally(n::SEND, slot.into(), op::DOORBELL, 0),
    };
}

#[test]
fn the_direct_path_gives_what_the_general_one_gives() {
    for spectrum in [0, 1, 2] {
        let (mut a, mut b) = (pair(spectrum), pair(spectrum));
        let init = a.current;
        let mut switched = 0;
        for round in 0..4000u64 {
            // Through windows, their ends, debt and strikes; every now and then the peer is not there.
            let time = round * round % 7919 * if round % 64 == 0 { 1000 } else { 3 };
            a.machine.advance(time);
            b.machine.advance(time);
            let (doorbell, before) = (round % 5 == 3, a.current);
            step(&mut a, true, init, doorbell);
            step(&mut b, false, init, doorbell);
            assert_eq!(picture(&mut a), picture(&mut b), "round {round}, spectrum {spectrum}");
            switched += u32::from(a.current != before);
        }
        assert!(switched > 1000, "{switched}");
    }
}
