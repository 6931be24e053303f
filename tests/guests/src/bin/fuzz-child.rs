//! `fuzz-child MODE`: what the fuzzer lets others do, as it would end itself.
#![no_std]
#![no_main]

use core::sync::atomic::{AtomicU64, Ordering::Relaxed};

use abi::call::{NO_SLOT, SPAWN_FIBER, Spawn, want};
use abi::cap::slot;
use rt::channel::message;
use rt::object::{self, Less};
use rt::sys::yield_;
use rt::{Channel, Clock, wait};

rt::entry!(main, kdl: r#"
name "fuzz-child"
kind "npk"
energy 100
pledge "STDIO" "RPATH" "EXEC"
stack "8K"
fibers 4
"#);

/// First slot that it takes something into.
const TAKEN: u8 = 30;
/// What nobody else may change.
static KEPT: [AtomicU64; 512] = [const { AtomicU64::new(0) }; 512];

fn main() -> usize {
    let mut words = rt::args();
    match words.next().unwrap_or_default() {
        "exit" => return words.next().and_then(guests::number).unwrap_or(0),
        "idle" => {
            let _ = wait::one(slot::PARENT, want::EVENT, None);
        }
        "narrow" => narrow(),
        "entry" => entry(),
        "barter" => barter(),
        "victim" => victim(),
        _ => {}
    }
    0
}

/// Drops rights by the time of day, then uses what may be gone.
fn narrow() {
    let now = Clock::OWN.now();
    let _ = rt::pledge::narrow(now ^ now << 60);
    let _ = rt::fs::stat("/Boot");
    let _ = Channel(slot::CONSOLE_OUT).ring();
}

/// A fiber at an address of nobody's choice.
fn entry() {
    let mut spawn = Spawn::zeroed();
    (spawn.op, spawn.channel_slot) = (SPAWN_FIBER, NO_SLOT);
    let now = Clock::OWN.now();
    let far = [0, 8, 0xFFFF_FF80_5008_0000, 0x5000_0000, u64::MAX, now << 32];
    spawn.entry = far[now as usize / 64 % far.len()];
    // SAFETY: no Rust function runs there: the fetch, or what it finds, ends this domain, as is the purpose.
    let _ = unsafe { rt::sys::spawn(slot::FACTORY, &*rt::sys::Aligned(spawn.encode())) };
    let _ = wait::one(slot::CLOCK, want::EVENT, None);
}

/// Takes what is granted, maps it, gives it and its own end back, and revokes: each by the time of day.
fn barter() {
    for round in 0..64u64 {
        let by = Clock::OWN.now().wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 40;
        let slot = TAKEN + (by % 8) as u8;
        let until = (by & 64 != 0).then(|| Clock::OWN.now() + 50_000);
        let given = Less { until, ..Less::ALL };
        // Each may be refused: there may be nothing, no room, or no right. Each may cost a whole window's energy, which is a
        // strike for who never yields.
        let _ = object::take_parked(slot::PARENT, slot);
        yield_();
        let _ = rt::sys::map(slot, 0, 0, abi::cap::R | abi::cap::W);
        yield_();
        let _ = object::grant(if by & 8 != 0 { slot } else { slot::PARENT }, slot::PARENT, given);
        yield_();
        if by & 0x30 == 0 {
            let _ = object::revoke(slot::PARENT);
            yield_();
            let _ = rt::sys::mask(slot, 0, 0, None);
        }
        if round % 4 == 3 {
            let _ = wait::one(slot::PARENT, want::EVENT, Some(Clock::OWN.now() + 200_000));
        }
    }
}

fn pattern(i: usize) -> u64 {
    (i as u64 + 1).wrapping_mul(0xA076_1D64_78BD_642F)
}

/// Answers each message with the address of its memory, or 0 if that changed.
fn victim() {
    for (i, word) in KEPT.iter().enumerate() {
        word.store(pattern(i), Relaxed);
    }
    let parent = Channel(slot::PARENT);
    while parent.recv().is_ok() {
        let intact = KEPT.iter().enumerate().all(|(i, word)| word.load(Relaxed) == pattern(i));
        let at = if intact { KEPT.as_ptr().expose_provenance() as u64 } else { 0 };
        if message(2, at, &[]).and_then(|m| parent.send(&m)).is_err() {
            return;
        }
    }
}
