//! Idles for as many seconds as its argument says: one wake is armed, nothing else runs. The host
//! counts what the processor takes meanwhile.
#![no_std]
#![no_main]
#![forbid(unsafe_code)]

use rt::{Clock, println};

/// ns in a second.
const SECOND: u64 = 1_000_000_000;

fn main() -> usize {
    let Some(seconds) = rt::args().next().and_then(|a| a.parse::<u64>().ok()) else { return 2 };
    // Windows of what ran at boot end before the measurement begins.
    if Clock::OWN.sleep_until(Clock::OWN.now() + SECOND).is_err() {
        return 4;
    }
    let Ok(before) = rt::stats::system() else { return 3 };
    let deadline = Clock::OWN.now() + seconds * SECOND;
    if Clock::OWN.sleep_until(deadline).is_err() || Clock::OWN.now() < deadline {
        return 4;
    }
    let Ok(after) = rt::stats::system() else { return 5 };
    // Its own wake is the one timer interrupt.
    let more = (after.timer_interrupts - before.timer_interrupts).saturating_sub(1);
    println!("figure idle-timer-interrupts {more} interrupts");
    0
}

rt::entry!(main, kdl: "name \"bench-idle\"\nversion 1\nkind \"npk\"\nspectrum \"void\"\nenergy 5000\npledge \"STDIO\"\npolicy \"never\"\nstack \"16K\"\nheap \"0\"\nfibers 1\ndevices 0\nchannels 1\n");
