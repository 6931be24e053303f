//! Crashes a victim in every way, at random moments, and measures how soon it is back.
use abi::call::{Error, want};
use abi::cap::Kind;
use abi::ring::Slot;
use abi::stats::state;
use rt::channel::{Channel, message, payload};
use rt::object::next_event;
use rt::{Clock, Fiber, println, stats};

use crate::victim::CAUSES;
use crate::{Random, TICKER, VICTIM, say};

/// A client makes progress within this time after its server died, ns.
const PROGRESS_NS: u64 = 10_000_000;
/// Figures that are kept.
const KEPT: usize = 4096;

static mut TIMES: [u32; KEPT] = [0; KEPT];

struct Storm {
    victim: Fiber,
    channel: Channel,
    random: Random,
    /// Longest from a death to the first answer, ns.
    slowest: u64,
    /// Answers that were not to be expected.
    wrong: u64,
}

impl Storm {
    /// The next message; `Gone` is what a restart looks like until its event was taken.
    fn recv(&mut self) -> Option<Slot> {
        let patience = Clock::OWN.now() + 1_000_000_000;
        loop {
            match self.channel.recv_until(Some(patience)) {
                Ok(got) => return Some(got),
                Err(Error::Gone) => while next_event().is_ok() {},
                Err(_) => return None,
            }
        }
    }

    fn send(&mut self, kind: u16, arg: u64, bytes: &[u8]) {
        let Ok(slot) = message(kind, arg, bytes) else { return };
        while let Err(error) = self.channel.send(&slot) {
            if error != Error::Gone || next_event().is_err() {
                return;
            }
        }
    }

    /// Waits until the victim says that it began; when, and what it found.
    fn born(&mut self) -> Option<Slot> {
        loop {
            let got = self.recv()?;
            if got.kind == say::BORN {
                return Some(got);
            }
        }
    }

    /// The victim answers.
    fn alive(&mut self, died: u64) {
        let arg = self.random.below(u64::MAX);
        self.send(say::PING, arg, &[]);
        loop {
            match self.recv() {
                Some(got) if got.kind == say::PING && got.arg == arg => {
                    self.slowest = self.slowest.max(Clock::OWN.now() - died);
                    return;
                }
                // What was asked before the death is answered, too: unread requests stay.
                Some(got) if got.kind == say::PING && got.arg == 0 => {}
                _ => {
                    self.wrong += 1;
                    return;
                }
            }
        }
    }

    /// One death, and ns from it to the first instruction that tells the time.
    fn round(&mut self, round: u64) -> u64 {
        let died;
        if round.is_multiple_of(2) {
            let cause = self.random.below(CAUSES);
            self.send(say::CRASH, cause, &[]);
            died = match self.recv() {
                Some(got) if got.kind == say::DYING => got.arg,
                _ => {
                    self.wrong += 1;
                    Clock::OWN.now()
                }
            };
        } else {
            // At a counted instruction: one is a nanosecond.
            let when = Clock::OWN.now() + self.random.below(200_000);
            self.send(say::PING, 0, &[]);
            let _ = Clock::OWN.sleep_until(when);
            died = Clock::OWN.now();
            if self.victim.blink().is_err() {
                self.wrong += 1;
            }
        }
        let Some(born) = self.born() else {
            self.wrong += 1;
            return 0;
        };
        let ended = Self::ended();
        self.alive(died);
        // Its own faults are held against it only until it is released.
        if round.is_multiple_of(4) && self.victim.release().is_err() {
            self.wrong += 1;
        }
        born.arg - ended.min(born.arg)
    }

    /// When the kernel ended the victim's last instance, ns. What it said before is earlier: it may have had no energy left to
    /// fault with.
    fn ended() -> u64 {
        stats::postmortems().find(|p| abi::text(&p.name) == "victim").map_or(0, |p| p.time)
    }

    /// Garbage as a checkpoint comes back as it was, after a Blink that was asked for.
    fn checkpoint(&mut self) {
        let mut garbage = [0; 48];
        for byte in &mut garbage {
            *byte = self.random.below(256) as u8;
        }
        let len = self.random.below(49) as usize;
        self.send(say::SAVE, 0, &garbage[..len]);
        let saved = self.recv().is_some_and(|got| got.kind == say::SAVE);
        let asked = self.victim.blink();
        let found = self.born();
        let same = found.is_some_and(|got| payload(&got) == &garbage[..len]);
        self.wrong += u64::from(!(saved && asked.is_ok() && same));
    }

    /// Five faults in a row: quarantine. Blink is refused there, release ends it.
    fn quarantine(&mut self) -> bool {
        let _ = self.victim.release();
        for _ in 0..4 {
            self.send(say::CRASH, 1, &[]);
            if self.born().is_none() {
                return false;
            }
        }
        self.send(say::CRASH, 1, &[]);
        let _ = self.recv();
        let _ = Clock::OWN.sleep_until(Clock::OWN.now() + 50_000_000);
        let parked = stats::fibers()
            .any(|s| abi::text(&s.name) == "victim" && s.state == state::QUARANTINED);
        let refused = self.victim.blink() == Err(Error::NotReady);
        while next_event().is_ok() {}
        let gone = message(say::PING, 0, &[]).and_then(|m| self.channel.try_send(&m));
        let released = self.victim.release().is_ok() && self.born().is_some();
        parked && refused && gone == Err(Error::Gone) && released
    }
}

/// Crashes the victim `rounds` times; what was measured is printed, and whether all went as it must.
pub fn main(rounds: u64, seed: u64) -> usize {
    let Ok(channel) = Channel::find(VICTIM, 0) else { return 3 };
    let Some(grant) = rt::manifest::own_grants(Kind::FIBER).next() else { return 3 };
    let random = Random(seed);
    let mut storm = Storm { victim: Fiber(grant.slot), channel, random, slowest: 0, wrong: 0 };
    println!("storm: seed {seed}, {rounds} rounds");
    let started = storm.born().is_some();
    storm.alive(Clock::OWN.now());
    storm.slowest = 0;
    let before = stats::system().ok();
    let times = &raw mut TIMES;
    // SAFETY: one fiber, and this is the only reference.
    let times = unsafe { &mut *times };
    for round in 0..rounds {
        times[round as usize % KEPT] = storm.round(round).min(u32::MAX.into()) as u32;
        if round % 16 == 15 {
            storm.checkpoint();
        }
    }
    let kept = &mut times[..KEPT.min(rounds as usize)];
    kept.sort_unstable();
    // Nearest rank: so many of a thousand are not above it.
    let at = |permille: usize| kept.get((kept.len() * permille).div_ceil(1000).max(1) - 1);
    let (p50, p999, max) = (at(500), at(999), kept.last());
    let quarantined = storm.quarantine();
    let _ = Clock::OWN.sleep_until(Clock::OWN.now() + 20_000_000);
    let after = stats::system().ok();
    let leak = match (before, after) {
        (Some(b), Some(a)) => {
            (b.free, b.objects, b.channels, b.fibers) != (a.free, a.objects, a.channels, a.fibers)
        }
        _ => true,
    };
    let worst = ask_ticker();
    let (p50, p999, max) = (p50.unwrap_or(&0), p999.unwrap_or(&0), max.unwrap_or(&0));
    println!("storm: blink p50 {p50} p99.9 {p999} max {max} ns");
    println!("storm: slowest client {} ns, worst wake beside it {worst} ns", storm.slowest);
    // For `./nexus bench`.
    println!("figure blink-p50 {p50} ns");
    println!("figure blink-p99.9 {p999} ns");
    println!("figure blink-max {max} ns");
    println!("figure blink-client-max {} ns", storm.slowest);
    println!("figure blink-wake-beside-max {worst} ns");
    let late = storm.slowest > PROGRESS_NS;
    println!(
        "storm: started {started}, wrong {}, late {late}, leak {leak}, quarantine {quarantined}",
        storm.wrong
    );
    // The others serve for ever.
    let _ = rt::console::sync(1_000_000_000);
    let _ = rt::object::Power::off_by_any(abi::cap::slot::FIRST);
    0
}

/// The worst lateness of the Photon fiber, ns.
fn ask_ticker() -> u64 {
    let Ok(channel) = Channel::find(TICKER, 0) else { return u64::MAX };
    let asked = message(say::WORST, 0, &[]).and_then(|m| channel.send(&m));
    if asked.is_err() {
        return u64::MAX;
    }
    let _ = rt::wait::one(channel.0, want::READABLE, Some(Clock::OWN.now() + 1_000_000_000));
    channel.try_recv().map_or(u64::MAX, |got| got.arg)
}
