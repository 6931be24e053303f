//! Registers over a call that lets other domains run: which are kept, which come back zero.
use core::arch::global_asm;
use core::mem::offset_of;

use abi::call::number;
use rt::Clock;

use crate::{Held, hold};

/// All registers that a program has, but the stack pointer and x30, which the call itself needs.
#[repr(C, align(16))]
#[derive(Clone, Copy)]
struct Registers {
    /// v0 to v31.
    q: [u128; 32],
    /// x0 to x29.
    x: [u64; 30],
}

impl Registers {
    /// Each another number, none zero.
    fn filled(seed: u64) -> Self {
        let number = |n: usize| (seed << 32 | (n as u64 + 1)).wrapping_mul(0x9E37_79B9_7F4A_7C15);
        let q = |n| u128::from(number(n)) << 64 | u128::from(number(n + 100));
        Self { q: core::array::from_fn(q), x: core::array::from_fn(|n| number(n + 200)) }
    }
}

unsafe extern "C" {
    /// Loads all registers from `before` but x8, which the entry sets, and x16, which holds its address; calls `entry`; stores all
    /// to `after`.
    fn promise_cross(entry: usize, before: *const Registers, after: *mut Registers);
}

// By hand from the first to the last instruction: no compiler may use a register in between. The frame holds x19 to x30,
// d8 to d15, and `after`.
global_asm!(
    ".global promise_cross",
    "promise_cross:",
    "stp x29, x30, [sp, #-192]!",
    "stp x19, x20, [sp, #16]",
    "stp x21, x22, [sp, #32]",
    "stp x23, x24, [sp, #48]",
    "stp x25, x26, [sp, #64]",
    "stp x27, x28, [sp, #80]",
    "stp d8, d9, [sp, #96]",
    "stp d10, d11, [sp, #112]",
    "stp d12, d13, [sp, #128]",
    "stp d14, d15, [sp, #144]",
    "str x2, [sp, #160]",
    "mov x16, x0",
    "mov x30, x1",
    ".irp n, 0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30",
    "ldr q\\n, [x30, #(16 * \\n)]",
    ".endr",
    ".irp n, 1, 3, 5, 7, 9, 11, 13, 15, 17, 19, 21, 23, 25, 27, 29, 31",
    "ldr q\\n, [x30, #(16 * \\n)]",
    ".endr",
    ".irp n, 0, 1, 2, 3, 4, 5, 6, 7, 9, 10, 11, 12, 13, 14, 15",
    "ldr x\\n, [x30, #({x} + 8 * \\n)]",
    ".endr",
    ".irp n, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29",
    "ldr x\\n, [x30, #({x} + 8 * \\n)]",
    ".endr",
    "blr x16",
    "ldr x30, [sp, #160]",
    ".irp n, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29",
    "str x\\n, [x30, #({x} + 8 * \\n)]",
    ".endr",
    ".irp n, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31",
    "str q\\n, [x30, #(16 * \\n)]",
    ".endr",
    "ldp x19, x20, [sp, #16]",
    "ldp x21, x22, [sp, #32]",
    "ldp x23, x24, [sp, #48]",
    "ldp x25, x26, [sp, #64]",
    "ldp x27, x28, [sp, #80]",
    "ldp d8, d9, [sp, #96]",
    "ldp d10, d11, [sp, #112]",
    "ldp d12, d13, [sp, #128]",
    "ldp d14, d15, [sp, #144]",
    "ldp x29, x30, [sp], #192",
    "ret",
    x = const offset_of!(Registers, x),
);

/// Calls of each kind.
const ROUNDS: u64 = 500;

/// Yields, and waits until a time: another `promise registers` with other numbers runs in between.
pub fn kept(seed: u64) -> Held {
    let entries = &rt::sys::table().ok_or("entered without a SysTable")?.entries;
    for round in 0..ROUNDS {
        let mut before = Registers::filled(seed * ROUNDS + round);
        cross(entries[number::YIELD] as usize, &before)?;
        // A wait for nothing with a deadline: (list, n, &deadline).
        let deadline = Clock::OWN.now() + 20_000;
        (before.x[0], before.x[1]) = (0, 0);
        before.x[2] = (&raw const deadline).expose_provenance() as u64;
        cross(entries[number::WAIT] as usize, &before)?;
    }
    Ok(())
}

fn cross(entry: usize, before: &Registers) -> Held {
    let mut after = Registers::filled(u64::MAX);
    // SAFETY: the entry is the SysTable's; the call writes to `after` and to no memory of this program otherwise.
    unsafe { promise_cross(entry, before, &raw mut after) };
    hold(after.q == before.q, "a FP or SIMD register changed")?;
    hold(after.x[19..] == before.x[19..], "a callee-saved register changed")?;
    hold(after.x[2..19] == [0; 17], "a register came back with something in it")
}
