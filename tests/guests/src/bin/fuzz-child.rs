//! `fuzz-child MODE`: what the fuzzer lets others do, as it would end itself.
#![no_std]
#![no_main]

use core::sync::atomic::{AtomicU64, Ordering::Relaxed};

use abi::call::{NO_SLOT, SPAWN_FIBER, Spawn, want};
use abi::cap::slot;
use rt::channel::message;
use rt::{Channel, Clock, wait};

rt::entry!(main, kdl: r#"
name "fuzz-child"
kind "npk"
energy 100
pledge "STDIO" "RPATH" "EXEC"
stack "8K"
fibers 4
"#);

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
