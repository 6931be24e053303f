//! `storm KIND`: takes as much of the machine as it is let have. What it disturbs, `metronome` says.
#![no_std]
#![no_main]

use core::arch::asm;

use abi::call::{meta, want};
use abi::cap::{R, W, slot};
use rt::object::{Irq, Wanted};
use rt::sys::yield_;
use rt::{Channel, Clock, Factory, Result, println, wait};

rt::entry!(main, kdl: r#"
name "storm"
kind "npk"
spectrum "photon"
energy 700
pledge "STDIO" "EXEC" "DEVICE" "RPATH"
stack "16K"
devices 2
channels 4
"#);

/// Number of the channel between two of these.
const NUMBER: u32 = 0x1_0001;
/// Calls between two yields, few enough for the smallest budget.
const BURST: usize = 20;

fn main() -> usize {
    match rt::args().next().unwrap_or_default() {
        "spin" => spin(),
        "calls" => calls(),
        "bell" => Channel::find(NUMBER, 0).map_or(2, bell),
        "flood" => Channel::find(NUMBER, 0).and_then(flood).map_or(3, |()| 0),
        "sink" => Channel::find(NUMBER, 0).and_then(sink).map_or(4, |()| 0),
        "interrupts" => interrupts().map_or(5, |()| 0),
        "fork" => fork(),
        "maps" => maps().map_or(6, |()| 0),
        "work" => work(),
        "tick" => tick(),
        _ => 1,
    }
}

/// Never gives way.
fn spin() -> ! {
    // SAFETY: touches nothing.
    unsafe { asm!("1: b 1b", options(noreturn)) };
}

/// Calls that answer at once, those that read and write its memory among them.
fn calls() -> ! {
    let mut buf = rt::sys::Aligned::<256>::ZERO;
    loop {
        for _ in 0..BURST {
            let _ = rt::sys::meta(meta::VERSION, &mut []);
            let _ = rt::sys::meta(meta::RANDOM, &mut *buf);
            let _ = rt::sys::recv(60, &mut buf[..64]);
            let _ = wait::one(slot::EVENTS, want::READABLE, Some(0));
        }
        yield_();
    }
}

/// Rings a doorbell whose owner is awake all the time because of it.
fn bell(channel: Channel) -> usize {
    loop {
        for _ in 0..BURST {
            if channel.ring().is_err() {
                return 6;
            }
        }
        yield_();
    }
}

/// Keeps a ring full, and its consumer awake.
fn flood(channel: Channel) -> Result<()> {
    let mut ends = channel.map()?;
    loop {
        while ends.push_word(1, 2).is_ok() {}
        ends.ring()?;
        yield_();
    }
}

/// Takes what comes, one message at a time, and waits for the next one.
fn sink(channel: Channel) -> Result<()> {
    let mut ends = channel.map()?;
    loop {
        while ends.pop_word().is_ok() {}
        wait::one(ends.slot(), want::READABLE, None)?;
    }
}

/// PL031 (Arm DDI 0224, table 3-1), words of its window: the counter of seconds, the match register, the interrupt mask. It
/// raises its line when counter and match are equal, and holds it until told otherwise, which nobody does here.
const DATA: usize = 0;
const MATCH: usize = 1;
const MASK: usize = 4;

/// Unmasks a line that is never quiet, again and again.
fn interrupts() -> Result<()> {
    let (address, _) = rt::sys::map(slot::FIRST, 0, 0x1000, R | W)?;
    let word =
        |index: usize| core::ptr::with_exposed_provenance_mut::<u32>(address).wrapping_add(index);
    // SAFETY: a register in the mapped window.
    let now = unsafe { word(DATA).read_volatile() };
    // SAFETY: as above.
    unsafe { word(MATCH).write_volatile(now) };
    // SAFETY: as above.
    unsafe { word(MASK).write_volatile(1) };
    let line = Irq(slot::FIRST + 1);
    let mut count = 0u64;
    loop {
        line.unmask()?;
        line.wait()?;
        count += 1;
        if count == 100 {
            println!("storm: {count} interrupts");
        }
    }
}

/// Maps and unmaps the largest memory that there is, and the largest channel.
fn maps() -> Result<()> {
    loop {
        for large in [slot::FIRST, slot::FIRST + 1] {
            rt::sys::map(large, 0, 0, R | W)?;
            rt::sys::map(large, 0, 0, 0)?;
        }
        yield_();
    }
}

/// A child that does the same, and another one, until there is no energy, no memory and no place.
fn fork() -> ! {
    let mut energy = Clock::OWN.energy().map_or(0, |e| e.budget);
    loop {
        energy = (energy / 2).max(1);
        let wanted = Wanted { energy, ..Wanted::default() };
        match Factory::OWN.image("storm", b"fork\0", wanted) {
            Ok(child) => {
                // Nobody will ever ask for its end.
                let _ = child.release_slot();
            }
            Err(_) => yield_(),
        }
    }
}

/// Sleeps for so many ns at a time. No storm: under QEMU's counted clock cores run in turn, each until the next timer of any
/// of them, so that a timer that is always armed bounds how long a core waits for its turn.
fn tick() -> usize {
    let period = rt::args().nth(1).and_then(|n| n.parse::<u64>().ok()).unwrap_or(100_000);
    loop {
        // Ours is the next one, and none that passed.
        let _ = Clock::OWN.sleep_until(Clock::OWN.now() + period);
    }
}

/// Ten seconds of honest work, or as many ms as it is told: takes all it gets, and yields.
fn work() -> usize {
    let ms = rt::args().nth(1).and_then(|n| n.parse::<u64>().ok()).unwrap_or(10_000);
    let end = Clock::OWN.now() + ms * 1_000_000;
    while Clock::OWN.now() < end {
        for i in 0..10_000u32 {
            core::hint::black_box(i);
        }
        yield_();
    }
    let Ok(own) = rt::stats::own() else { return 7 };
    let (used, strikes, missed) = (own.time / 1_000_000, own.strikes, own.missed);
    println!("storm: worked {used} of {ms} ms, {strikes} strikes, {missed} missed");
    0
}
