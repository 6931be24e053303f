//! What the test programs share.
#![no_std]

use core::arch::asm;

/// What a call left in the registers.
#[derive(Clone, Copy, Debug)]
pub struct Left {
    /// x0: 0 or a negative error.
    pub status: isize,
    /// x1.
    pub value: usize,
    /// All bits of x2 to x18 that are not zero: the contract says that they come back zero.
    pub rest: usize,
}

/// A call by the trap itself, so that numbers without an entry can be tried, too.
///
/// # Safety
/// Memory that the arguments let the kernel write to is in use by nothing else.
pub unsafe fn trap(number: usize, args: [usize; 6]) -> Left {
    let (status, value, rest): (isize, usize, usize);
    // SAFETY: the trap is the contract's; what it writes to is the caller's promise.
    unsafe {
        asm!(
            "svc #0",
            "orr x2, x2, x3",
            "orr x4, x4, x5",
            "orr x6, x6, x7",
            "orr x8, x8, x9",
            "orr x10, x10, x11",
            "orr x12, x12, x13",
            "orr x14, x14, x15",
            "orr x16, x16, x17",
            "orr x2, x2, x4",
            "orr x6, x6, x8",
            "orr x10, x10, x12",
            "orr x14, x14, x16",
            "orr x2, x2, x6",
            "orr x10, x10, x14",
            "orr x2, x2, x18",
            "orr x2, x2, x10",
            inlateout("x0") args[0] => status,
            inlateout("x1") args[1] => value,
            inlateout("x2") args[2] => rest,
            inlateout("x3") args[3] => _,
            inlateout("x4") args[4] => _,
            inlateout("x5") args[5] => _,
            inlateout("x8") number => _,
            out("x6") _, out("x7") _, out("x9") _, out("x10") _, out("x11") _, out("x12") _,
            out("x13") _, out("x14") _, out("x15") _, out("x16") _, out("x17") _, out("x18") _,
            options(nostack),
        );
    }
    Left { status, value, rest }
}

/// A number: decimal, or hexadecimal after `0x`.
#[must_use]
pub fn number(word: &str) -> Option<usize> {
    match word.strip_prefix("0x") {
        Some(digits) => usize::from_str_radix(digits, 16).ok(),
        None => word.parse().ok(),
    }
}

/// What the program `puppet` is told, by the kind of a message.
pub mod order {
    /// A call: `arg` its number, the payload its six arguments.
    pub const CALL: u16 = 1;
    /// Read the u64 at `arg`.
    pub const PEEK: u16 = 2;
    /// Write the payload's first u64 to `arg`.
    pub const POKE: u16 = 3;
    /// Read at `arg` again and again, without a call, until that ends the program.
    pub const STARE: u16 = 4;
    /// Say where the buffer is that calls may use.
    pub const WHERE: u16 = 5;
    /// The answer: `arg` the status or what was read, the payload's first u64 the value.
    pub const ANSWER: u16 = 6;
}
