//! Who crashes, and who must not notice.
use abi::call::prov_op;
use abi::cap::slot;
use core::arch::asm;
use core::ptr::{read_volatile, with_exposed_provenance};
use rt::channel::{Channel, message, payload};
use rt::{Clock, Error, sys};

use crate::{TICKER, VICTIM, say};

/// Ways to fault.
pub const CAUSES: u64 = 6;

/// Serves the storm until it is told to fault.
pub fn main() -> usize {
    let born = Clock::OWN.now();
    let Ok(channel) = Channel::find(VICTIM, 0) else { return 3 };
    // What an instance before saved is whatever it liked: its length is looked at, and it is shown as it is.
    let mut found = sys::Aligned::<48>::ZERO;
    let len = sys::prov(slot::SELF, prov_op::LOAD, &mut *found).unwrap_or(0).min(found.len());
    let Ok(hello) = message(say::BORN, born, &found[..len]) else { return 3 };
    if channel.send(&hello).is_err() {
        return 3;
    }
    loop {
        let got = match channel.recv() {
            Ok(got) => got,
            // The storm restarted: its event makes the slot valid again.
            Err(Error::Gone) if rt::object::next_event().is_ok() => continue,
            Err(_) => return 4,
        };
        match got.kind {
            say::CRASH => {
                if let Ok(last) = message(say::DYING, Clock::OWN.now(), &[]) {
                    let _ = channel.try_send(&last);
                }
                crash(got.arg);
            }
            say::SAVE => {
                let mut bytes = sys::Aligned::<48>::ZERO;
                let text = payload(&got);
                bytes[..text.len()].copy_from_slice(text);
                let _ = sys::prov(slot::SELF, prov_op::SAVE, &mut bytes[..text.len()]);
                let _ = channel.send(&got);
            }
            _ => {
                let _ = channel.send(&got);
            }
        }
    }
}

/// Faults in one of [`CAUSES`] ways.
fn crash(cause: u64) {
    match cause {
        0 => {
            // SAFETY: none; the kernel must end the domain at the access.
            let _ = unsafe { read_volatile(with_exposed_provenance::<u64>(16)) };
        }
        // SAFETY: none; the kernel must end the domain at the instruction.
        1 => unsafe { asm!("udf #0") },
        // SAFETY: none; the kernel must end the domain at the misaligned access.
        2 => unsafe { asm!("ldaxr {}, [{}]", out(reg) _, in(reg) born_odd()) },
        3 => panic!("as it was told"),
        4 => overflow(0),
        // SAFETY: none; the branch leaves the image.
        _ => unsafe { asm!("br {}", in(reg) 0u64) },
    }
}

/// An address on the own stack that no exclusive access can have: with FEAT_LSE2 (D8.4.3) those that stay inside of 16 bytes
/// need not be aligned.
fn born_odd() -> u64 {
    #[repr(align(16))]
    struct Words([u64; 4]);
    let words = Words([0; 4]);
    core::ptr::from_ref(&words.0).expose_provenance() as u64 + 9
}

#[inline(never)]
#[expect(unconditional_recursion, reason = "the guard page below the stack ends it")]
fn overflow(depth: u64) {
    let deep = [depth; 64];
    core::hint::black_box(&deep);
    overflow(depth + 1);
    core::hint::black_box(&deep);
}

/// Wakes every 2 ms and keeps the worst lateness, which it tells when it is asked.
pub fn tick() -> usize {
    const PERIOD: u64 = 2_000_000;
    let Ok(channel) = Channel::find(TICKER, 0) else { return 3 };
    let mut worst = 0;
    let mut next = Clock::OWN.now() + PERIOD;
    loop {
        let found = rt::wait::found(channel.0, abi::call::want::READABLE, Some(next));
        if let Err(Error::TimedOut) = found {
            let now = Clock::OWN.now();
            worst = worst.max(now - next.min(now));
            next += PERIOD;
            if next < now {
                next = now + PERIOD;
            }
            continue;
        }
        let Ok(got) = channel.try_recv() else { continue };
        if let Ok(answer) = message(got.kind, worst, &[]) {
            let _ = channel.try_send(&answer);
        }
    }
}
