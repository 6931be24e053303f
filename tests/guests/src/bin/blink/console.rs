//! The console while its driver dies.
use abi::cap::{Kind, R, W, slot};
use abi::stats::state;
use rt::{Channel, Clock, Fiber, console, println, stats};

use crate::Random;

/// What the killer says, so that the driver has something to do when it dies; nobody types it.
const NOISE: u8 = b'~';
/// Bytes that it says before each kill: one message.
const SAID: usize = 48;
/// Longest from the message to the kill, ns: more than the driver needs for the message.
const WITHIN: u64 = 6_000;

/// The console's driver: Blinks so far, and whether it is there and waits.
fn driver() -> (u32, bool) {
    let driver = stats::fibers().find(|s| abi::text(&s.name) == "uart");
    driver.map_or((0, false), |s| (s.blinks, s.state == state::WAITING))
}

/// Waits until the driver is as it should be; the Blinks then.
fn until(done: impl Fn(u32, bool) -> bool) -> u32 {
    loop {
        let (blinks, waits) = driver();
        if done(blinks, waits) {
            return blinks;
        }
        let _ = Clock::OWN.sleep_until(Clock::OWN.now() + 200_000);
    }
}

/// Gives `count` bytes back as they come and waits for `kills` of the driver; then what happened meanwhile.
pub fn echo(count: usize, kills: u32) -> usize {
    println!("echo: ready");
    let mut buf = [0; console::READ_MAX];
    let (mut got, mut last, mut gap) = (0, 0, 0);
    while got < count {
        let Ok(len) = console::read(&mut buf) else { return 3 };
        let now = Clock::OWN.now();
        if last != 0 {
            gap = gap.max(now - last);
        }
        last = now;
        if console::write(&buf[..len]).is_err() {
            return 4;
        }
        got += len;
        // A program that takes its time: the driver dies while bytes wait in every place where they can.
        let _ = Clock::OWN.sleep_until(now + 450_000);
    }
    let blinks = until(|blinks, _| blinks >= kills);
    let _ = console::sync(1_000_000_000);
    println!();
    println!("echo: worst gap {gap} ns, blinks {blinks}");
    let _ = console::sync(1_000_000_000);
    let _ = rt::object::Power::off_by_any(slot::FIRST);
    0
}

/// Restarts the driver `times` times, each at an instruction of its own in the midst of its work, which it ranks above; and
/// each time waits for the next instance, so that every one is a restart.
pub fn kill(times: u64, seed: u64) -> usize {
    let Some(grant) = rt::manifest::own_grants(Kind::FIBER).next() else { return 3 };
    let mut random = Random(seed);
    for _ in 0..times {
        let _ = Clock::OWN.sleep_until(Clock::OWN.now() + 300_000 + random.below(1_500_000));
        // Who is made anew already would not be made anew once more.
        let before = until(|_, waits| waits);
        if console::write(&[NOISE; SAID]).is_err() {
            return 4;
        }
        let _ = Clock::OWN.sleep_until(Clock::OWN.now() + random.below(WITHIN));
        if Fiber(grant.slot).blink().is_err() {
            return 5;
        }
        until(|blinks, _| blinks != before);
    }
    for_ever()
}

/// Says nothing more: subject zero would tell of an end in the midst of what comes back.
fn for_ever() -> usize {
    loop {
        let _ = Clock::OWN.sleep_until(Clock::OWN.now() + 3_600_000_000_000);
    }
}

/// Breaks its own ring to the driver and rings, again and again: the driver must drop this client, and nothing else happens.
pub fn accuse() -> usize {
    let out = Channel(slot::CONSOLE_OUT);
    let Ok((address, _)) = rt::sys::map(out.0, 0, 0, R | W) else { return 3 };
    let write = core::ptr::with_exposed_provenance_mut::<u32>(address);
    for lie in [u32::MAX, 1 << 31, 12345, 7] {
        // SAFETY: the own index in the part P that the kernel just mapped for writing.
        unsafe { write.write_volatile(lie) };
        let _ = out.ring();
        let _ = Clock::OWN.sleep_until(Clock::OWN.now() + 1_000_000);
    }
    // Nothing that it holds ends or restarts a fiber: every slot refuses.
    for slot in 0..64 {
        for operation in [1, 2, 3] {
            if slot != slot::CONSOLE_OUT && rt::sys::operate(slot, operation).is_ok() {
                return 5;
            }
            rt::sys::yield_();
        }
    }
    for_ever()
}
