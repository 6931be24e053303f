//! `promise WHAT`: checks what the contract promises to every fiber and what no other program looks at. Exit code 0: it holds.
//!
//! | word | sentence |
//! |---|---|
//! | `entry` | a fiber gets the SysTable's address at its entry, the one that the contract names |
//! | `registers SEED` | a call keeps what it must and clears the rest, with another domain's registers in between |
//! | `doorbell` | ringing a latched bit costs 1 J, one that is not latched 5 J |
//! | `turns` | a fiber that is ready waits until its sibling gives way |
#![no_std]
#![no_main]

mod registers;

use core::sync::atomic::{AtomicU64, Ordering::Relaxed};

use abi::boot::virt;
use abi::cap::slot;
use abi::systable::SysTable;
use rt::{Channel, Clock, Factory, println};

rt::entry!(main, kdl: r#"
name "promise"
kind "npk"
energy 500
pledge "STDIO"
stack "16K"
fibers 2
channels 2
"#);

fn main() -> usize {
    let mut words = rt::args();
    let what = words.next().unwrap_or_default();
    let held = match what {
        "entry" => entry(),
        "registers" => registers::kept(words.next().and_then(guests::number).unwrap_or(1) as u64),
        "doorbell" => doorbell(),
        "turns" => turns(),
        // Who never waits for a doorbell: the peer of the one that rings.
        "deaf" => Clock::OWN.sleep_until(Clock::OWN.now() + 1_000_000_000).map_err(|_| "no sleep"),
        _ => Err("no such promise"),
    };
    match held {
        Ok(()) => {
            println!("promise: {what} holds");
            0
        }
        Err(why) => {
            println!("promise: {what}: {why}");
            1
        }
    }
}

type Held = Result<(), &'static str>;

/// `held`, or what does not hold.
fn hold(held: bool, otherwise: &'static str) -> Held {
    held.then_some(()).ok_or(otherwise)
}

/// The table that `_start` was given, and that a second fiber of this domain is given.
fn entry() -> Held {
    static SECOND: AtomicU64 = AtomicU64::new(0);
    extern "C" fn second(_: *const u8, _: usize, table: *const SysTable) -> ! {
        SECOND.store(table.expose_provenance() as u64, Relaxed);
        rt::sys::exit(0)
    }
    let table = rt::sys::table().ok_or("entered without a SysTable")?;
    hold(core::ptr::from_ref(table).expose_provenance() as u64 == virt::SYSTABLE, "elsewhere")?;
    let fiber = Factory(slot::FACTORY).fiber(second, 0, &[]).map_err(|_| "no second fiber")?;
    fiber.end().map_err(|_| "the second fiber has no end")?;
    hold(SECOND.load(Relaxed) == virt::SYSTABLE, "the second fiber was given another address")
}

/// Price of rings beyond the time that they take, J, off by at most this much: energy and time are told in whole J.
const TOLERANCE: u64 = 3;

fn doorbell() -> Held {
    const MANY: u64 = 50;
    let channel = Channel::find(0x1_0001, 0).map_err(|_| "no channel")?;
    // The peer never waits: the bit stays latched from the first time on.
    let (none, first, next) = (price(channel, 0)?, price(channel, 1)?, price(channel, MANY)?);
    println!("promise: no ring {none} J, the first {first} J, {MANY} more {next} J");
    hold((first - none).abs_diff(5) < TOLERANCE, "the first ring does not cost 5 J")?;
    hold((next - none).abs_diff(MANY) < TOLERANCE, "a ring of a latched bit does not cost 1 J")
}

/// What `rings` doorbells and the reading of energy and clock cost beyond their time, J.
fn price(channel: Channel, rings: u64) -> Result<u64, &'static str> {
    let left = || {
        // Time is charged when the domain gives way.
        rt::sys::yield_();
        Clock::OWN.energy().map(|e| e.left).map_err(|_| "no clock")
    };
    // A window of its own, so that no refill falls in between.
    Clock::OWN.sleep_until(Clock::OWN.now() + 20_000_000).map_err(|_| "no sleep")?;
    let (before, start) = (left()?, Clock::OWN.now());
    for _ in 0..rings {
        channel.ring().map_err(|_| "no doorbell")?;
    }
    let (end, after) = (Clock::OWN.now(), left()?);
    let spent = u64::try_from(before - after).map_err(|_| "a refill in between")?;
    Ok(spent.saturating_sub((end - start) / 1000))
}

/// The sibling's deadline passes while this fiber computes, and a timer interrupt says so.
fn turns() -> Held {
    static DUE: AtomicU64 = AtomicU64::new(0);
    static RAN: AtomicU64 = AtomicU64::new(0);
    extern "C" fn sibling(_: *const u8, _: usize, _: *const SysTable) -> ! {
        DUE.store(Clock::OWN.now() + 40_000_000, Relaxed);
        let _ = Clock::OWN.sleep_until(DUE.load(Relaxed));
        RAN.store(1, Relaxed);
        rt::sys::exit(0)
    }
    let fiber = Factory(slot::FACTORY).fiber(sibling, 0, &[]).map_err(|_| "no sibling")?;
    rt::sys::yield_();
    let due = DUE.load(Relaxed);
    Clock::OWN.sleep_until(due - 50_000).map_err(|_| "no sleep")?;
    let timers = || rt::stats::system().map(|s| s.timer_interrupts).map_err(|_| "no statistics");
    let before = timers()?;
    hold(Clock::OWN.now() < due, "woken too late to try anything")?;
    while Clock::OWN.now() < due + 100_000 {
        // Some microseconds without a call: each costs energy, and without energy the turn would be over.
        for n in 0..5_000 {
            core::hint::black_box(n);
        }
        hold(RAN.load(Relaxed) == 0, "the sibling ran in between")?;
    }
    hold(timers()? > before, "no timer interrupt: nothing was tried")?;
    hold(RAN.load(Relaxed) == 0, "the sibling ran in between")?;
    fiber.end().map_err(|_| "the sibling has no end")?;
    hold(RAN.load(Relaxed) == 1, "the sibling never ran")
}
