//! Large copies and zeroing, 64 bytes a turn. The compiler's own routines take words of 8 bytes, four times the
//! instructions, and a domain's memory is what a spawn and a Blink take longest for.
use core::arch::asm;

/// Bytes of one turn of the loops.
const TURN: usize = 64;

/// Copies `len` bytes. Both ranges are RAM that the caller checked, and do not overlap.
pub fn copy(from: *const u8, to: *mut u8, len: usize) {
    let whole = len & !(TURN - 1);
    if whole != 0 {
        // SAFETY: `whole` bytes of two ranges in RAM that the caller checked; unaligned accesses to normal memory are
        // allowed, as SCTLR_EL1.A is 0.
        unsafe {
            asm!(
                "2: ldp {a}, {b}, [{from}], #16",
                "ldp {c}, {d}, [{from}], #16",
                "stp {a}, {b}, [{to}], #16",
                "stp {c}, {d}, [{to}], #16",
                "ldp {a}, {b}, [{from}], #16",
                "ldp {c}, {d}, [{from}], #16",
                "stp {a}, {b}, [{to}], #16",
                "stp {c}, {d}, [{to}], #16",
                "cmp {to}, {end}",
                "b.ne 2b",
                a = out(reg) _, b = out(reg) _, c = out(reg) _, d = out(reg) _,
                from = inout(reg) from => _,
                to = inout(reg) to => _,
                end = in(reg) to.wrapping_add(whole),
                options(nostack),
            );
        }
    }
    let (from, to) = (from.wrapping_add(whole), to.wrapping_add(whole));
    // SAFETY: the rest of the same two ranges.
    unsafe { core::ptr::copy_nonoverlapping(from, to, len - whole) };
}

/// Zeroes `len` bytes of RAM that the caller checked.
pub fn zero(to: *mut u8, len: usize) {
    let whole = len & !(TURN - 1);
    if whole != 0 {
        // SAFETY: as in `copy`.
        unsafe {
            asm!(
                "2: stp xzr, xzr, [{to}], #16",
                "stp xzr, xzr, [{to}], #16",
                "stp xzr, xzr, [{to}], #16",
                "stp xzr, xzr, [{to}], #16",
                "cmp {to}, {end}",
                "b.ne 2b",
                to = inout(reg) to => _,
                end = in(reg) to.wrapping_add(whole),
                options(nostack),
            );
        }
    }
    // SAFETY: the rest of the same range.
    unsafe { to.wrapping_add(whole).write_bytes(0, len - whole) };
}
