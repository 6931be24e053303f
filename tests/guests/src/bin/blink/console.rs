//! The console while its driver dies.
use abi::cap::{Kind, R, W, slot};
use rt::{Channel, Clock, Fiber, console, println, stats};

use crate::Random;

/// Gives `count` bytes back as they come, then what happened meanwhile.
pub fn echo(count: usize) -> usize {
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
    let driver = stats::fibers().find(|s| abi::text(&s.name) == "uart");
    let blinks = driver.map_or(0, |s| s.blinks);
    println!();
    println!("echo: worst gap {gap} ns, blinks {blinks}");
    let _ = console::sync(1_000_000_000);
    let _ = rt::object::Power::off_by_any(slot::FIRST);
    0
}

/// Restarts the driver `times` times, at moments of its own.
pub fn kill(times: u64, seed: u64) -> usize {
    let Some(grant) = rt::manifest::own_grants(Kind::FIBER).next() else { return 3 };
    let mut random = Random(seed);
    for _ in 0..times {
        let _ = Clock::OWN.sleep_until(Clock::OWN.now() + 2_100_000 + random.below(1_500_000));
        if Fiber(grant.slot).blink().is_err() {
            return 4;
        }
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
