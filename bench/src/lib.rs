//! What the programs that measure share: the counter, and a call between two readings of it.
//!
//! With `-icount shift=0` and a counter of 1 GHz a tick is one instruction of the guest. All figures are differences of two
//! readings, less what two adjacent readings differ by.
#![no_std]

pub mod mate;

use core::arch::asm;
use rt::sys;

/// The counter, in ticks.
#[inline]
pub fn counter() -> u64 {
    let now: u64;
    // SAFETY: EL0 may read the virtual counter (CNTKCTL_EL1.EL0VCTEN).
    unsafe { asm!("mrs {}, CNTVCT_EL0", out(reg) now, options(nostack)) };
    now
}

/// What two adjacent readings differ by.
#[must_use]
pub fn overhead() -> u64 {
    let (a, b): (u64, u64);
    // SAFETY: as in `counter`.
    unsafe { asm!("mrs {}, CNTVCT_EL0", "mrs {}, CNTVCT_EL0", out(reg) a, out(reg) b) };
    b - a
}

/// Counter before the call, after it, and the call's status.
#[derive(Clone, Copy, Debug)]
pub struct Timed {
    /// Before the branch to the entry.
    pub before: u64,
    /// After the return.
    pub after: u64,
    /// What the call returned.
    pub status: isize,
    /// Its value.
    pub value: usize,
}

/// Address of entry `number`.
#[must_use]
pub fn entry(number: usize) -> usize {
    sys::table().map_or(0, |t| t.entries[number] as usize)
}

/// Calls an entry between two readings, with nothing else between them.
///
/// # Safety
/// `entry` is one of the SysTable's, and memory that the arguments let the kernel write is not in use.
#[must_use]
pub unsafe fn timed(entry: usize, args: [usize; 3]) -> Timed {
    let [a, b, c] = args;
    // SAFETY: the caller's promise is this function's own.
    unsafe { timed5(entry, [a, b, c, 0, 0]) }
}

/// As [`timed`], with five arguments.
///
/// # Safety
/// As for [`timed`].
#[must_use]
pub unsafe fn timed5(entry: usize, args: [usize; 5]) -> Timed {
    let (before, after, status, value): (u64, u64, isize, usize);
    // SAFETY: a call by the C convention; the caller answers for the arguments.
    unsafe {
        asm!(
            "mrs x20, CNTVCT_EL0",
            "blr x21",
            "mrs x22, CNTVCT_EL0",
            in("x21") entry,
            inout("x0") args[0] => status,
            inout("x1") args[1] => value,
            inout("x2") args[2] => _,
            inout("x3") args[3] => _,
            inout("x4") args[4] => _,
            out("x20") before,
            out("x22") after,
            clobber_abi("C"),
        );
    }
    Timed { before, after, status, value }
}

/// Calls an entry, and nothing else: the call's status.
///
/// # Safety
/// As for [`timed`].
#[inline]
#[must_use]
pub unsafe fn call(entry: usize, args: [usize; 3]) -> isize {
    let status;
    // SAFETY: a call by the C convention; the caller answers for the arguments. FP/SIMD registers are kept by the
    // contract, and so is what the convention lets a function change: it comes back zero.
    unsafe {
        asm!(
            "blr {}",
            in(reg) entry,
            inout("x0") args[0] => status,
            inout("x1") args[1] => _,
            inout("x2") args[2] => _,
            out("x3") _, out("x4") _, out("x5") _, out("x6") _, out("x7") _, out("x8") _,
            out("x9") _, out("x10") _, out("x11") _, out("x12") _, out("x13") _, out("x14") _,
            out("x15") _, out("x16") _, out("x17") _, out("x18") _, out("x30") _,
        );
    }
    status
}

/// As [`timed`], and FP/SIMD registers are in use on both sides of the call.
///
/// # Safety
/// As for [`timed`].
#[must_use]
pub unsafe fn timed_floating(entry: usize, args: [usize; 3]) -> Timed {
    let (before, after, status): (u64, u64, isize);
    // SAFETY: as in `timed`; d8 is changed and declared.
    unsafe {
        asm!(
            "fmov d8, #1.0",
            "mrs x20, CNTVCT_EL0",
            "blr x21",
            "fadd d8, d8, d8",
            "mrs x22, CNTVCT_EL0",
            in("x21") entry,
            inout("x0") args[0] => status,
            inout("x1") args[1] => _,
            inout("x2") args[2] => _,
            out("x20") before,
            out("x22") after,
            out("d8") _,
            clobber_abi("C"),
        );
    }
    Timed { before, after, status, value: 0 }
}

/// The median, which is the figure; the list is sorted.
pub fn median(samples: &mut [u64]) -> u64 {
    samples.sort_unstable();
    samples.get(samples.len() / 2).copied().unwrap_or(0)
}

/// The counter and the kernel's clock (ns) at about one time: the counter is the earlier, by at most what a call of `tick` takes.
/// `None`: the clock cannot be read.
#[must_use]
pub fn offset() -> Option<(u64, u64)> {
    let from = counter();
    Some((from, rt::Clock::OWN.time().ok()?.now))
}

/// Most samples of a figure.
const SAMPLES: usize = 1000;

/// A figure's samples: least, median, greatest.
pub struct Spread {
    samples: [u64; SAMPLES],
    count: usize,
}

impl Default for Spread {
    fn default() -> Self {
        Self::new()
    }
}

impl Spread {
    /// None yet.
    #[must_use]
    pub const fn new() -> Self {
        Self { samples: [0; SAMPLES], count: 0 }
    }

    /// One more; further ones than there is room for are left out.
    pub fn add(&mut self, sample: u64) {
        if let Some(place) = self.samples.get_mut(self.count) {
            *place = sample;
            self.count += 1;
        }
    }

    /// Names the three figures.
    pub fn show(&mut self, name: &str) {
        let samples = &mut self.samples[..self.count];
        let middle = median(samples);
        let (least, greatest) = (samples.first().unwrap_or(&0), samples.last().unwrap_or(&0));
        rt::println!("figure {name}-min {least} instructions");
        rt::println!("figure {name} {middle} instructions");
        rt::println!("figure {name}-max {greatest} instructions");
    }
}
