//! `metronome N`: wakes every 2 ms and a little, N times, and tells how late it ever was and what the cell did meanwhile; then
//! switches the cell off.
//!
//! The Photon fiber that the storms of `storm` must not disturb. It does what a fiber with a deadline does: it waits for an
//! absolute time, works a little and waits for the next one, so that being late once does not move what follows. The
//! little makes its beats wander through the windows of the others, of which it would else see one moment only.
#![no_std]
#![no_main]

use rt::{Clock, println};

rt::entry!(main, kdl: r#"
name "metronome"
kind "npk"
spectrum "photon"
energy 100
pledge "STDIO"
stack "16K"
channels 4
"#);

/// A Photon window and a 200th, ns: after 200 beats it has met every moment of the others' windows.
const PERIOD: u64 = 2_010_007;
/// How long the console may take, ns.
const PATIENCE: u64 = 500_000_000;

/// What all cores did since boot.
#[derive(Default)]
struct Work {
    calls: u64,
    devices: u64,
    timers: u64,
    idle_time: u64,
    domains: u32,
}

fn all_cores() -> rt::Result<Work> {
    let mut all = Work::default();
    for index in 0.. {
        let core = match rt::stats::core(index) {
            Ok(core) => core,
            Err(rt::Error::NotFound) => break,
            Err(error) => return Err(error),
        };
        all.calls += core.calls;
        all.devices += core.device_interrupts;
        all.timers += core.timer_interrupts;
        all.idle_time += core.idle_time;
        all.domains += core.domains;
    }
    Ok(all)
}

fn main() -> usize {
    let count = rt::args().next().and_then(|n| n.parse().ok()).unwrap_or(100u64);
    let clock = Clock::OWN;
    // Services start one after the other, and each spawn is a long call of another one.
    let start = clock.now() + 10 * PERIOD;
    let Ok(before) = all_cores() else { return 3 };
    let (mut worst, mut when) = (0, 0);
    for beat in 0..count {
        let due = start + beat * PERIOD;
        if clock.sleep_until(due).is_err() {
            return 2;
        }
        let late = clock.now().saturating_sub(due);
        if late > worst {
            (worst, when) = (late, beat);
        }
    }
    let (Ok(own), Ok(after)) = (rt::stats::own(), all_cores()) else { return 3 };
    let (missed, strikes) = (own.missed, own.strikes);
    println!("metronome: {worst} ns late at {when} of {count}, {missed} missed, {strikes} strikes");
    let calls = after.calls - before.calls;
    let interrupts = after.devices - before.devices;
    let idle = (after.idle_time - before.idle_time) / 1000;
    let domains = after.domains;
    println!(
        "meanwhile: {calls} calls, {interrupts} interrupts, {domains} domains, {idle} us idle"
    );
    println!("timer: {} interrupts", after.timers - before.timers);
    let _ = rt::console::sync(PATIENCE);
    rt::object::Power::off_by_any(abi::cap::slot::FIRST);
    4
}
