//! The fiber's memory, reached with the fiber's rights (LDTR and STTR, C6.2).
//!
//! The loops below are the only instructions of the kernel that may fault. The vectors know their range and let a fault
//! in it return 1 instead of a panic, so that any address may be tried. Such a fault overwrites ELR_EL1 and SPSR_EL1,
//! by which the call that is being handled will return: each loop keeps them in x5 and x6, and a fault puts them back.
use crate::contract::BadAddress;
use core::arch::global_asm;

/// One loop: doublewords while source and destination allow, then bytes. x0 from, x1 to, x2 length; x0 = 0 when done.
macro_rules! copy {
    ($name:literal, $load8:literal, $store8:literal, $load1:literal, $store1:literal) => {
        global_asm!(
            concat!(".global ", $name),
            concat!($name, ":"),
            "mrs x5, ELR_EL1",
            "mrs x6, SPSR_EL1",
            "orr x3, x0, x1",
            "tst x3, #7",
            "b.ne 2f",
            "1: cmp x2, #8",
            "b.lo 2f",
            concat!($load8, " x4, [x0]"),
            concat!($store8, " x4, [x1]"),
            "add x0, x0, #8",
            "add x1, x1, #8",
            "sub x2, x2, #8",
            "b 1b",
            "2: cbz x2, 3f",
            concat!($load1, " w4, [x0]"),
            concat!($store1, " w4, [x1]"),
            "add x0, x0, #1",
            "add x1, x1, #1",
            "sub x2, x2, #1",
            "b 2b",
            "3: mov x0, #0",
            "ret",
        );
    };
}
global_asm!(".balign 4", ".global arch_user_start", "arch_user_start:");
copy!("arch_copy_in", "ldtr", "str", "ldtrb", "strb");
copy!("arch_copy_out", "ldr", "sttr", "ldrb", "sttrb");
copy!("arch_copy_flat", "ldr", "str", "ldrb", "strb");
// One word, with the fiber's rights: read and written back, and written. Only for calls whose registers are saved, so that
// ELR_EL1 and SPSR_EL1 come from the frame, whatever a fault leaves in them.
global_asm!(
    ".global arch_own_word",
    "arch_own_word:",
    "ldtr w1, [x0]",
    "sttr w1, [x0]",
    "mov x0, #0",
    "ret",
    ".global arch_put_word",
    "arch_put_word:",
    "sttr w1, [x0]",
    "mov x0, #0",
    "ret",
);
global_asm!(
    ".global arch_user_end",
    "arch_user_end:",
    // The vector sends a fault between the two labels here.
    ".global arch_user_fault",
    "arch_user_fault:",
    "msr ELR_EL1, x5",
    "msr SPSR_EL1, x6",
    "mov x0, #1",
    "ret",
);

/// x0 and x1 of `arch_own_word`.
#[repr(C)]
struct Word {
    failed: u64,
    word: u64,
}

unsafe extern "C" {
    fn arch_own_word(at: u64) -> Word;
    fn arch_put_word(at: u64, word: u32) -> u64;
    fn arch_copy_in(from: u64, to: *mut u8, len: usize) -> u64;
    fn arch_copy_out(from: *const u8, to: u64, len: usize) -> u64;
    fn arch_copy_flat(from: u64, to: u64, len: usize) -> u64;
}

/// Reads `to.len()` bytes at `from`. In a unikernel (`isolated` false) with the kernel's own rights.
pub fn copy_in(from: u64, to: &mut [u8], isolated: bool) -> Result<(), BadAddress> {
    from.checked_add(to.len() as u64).ok_or(BadAddress)?;
    let failed = if isolated {
        // SAFETY: writes `to` only; any `from` may be tried, as a fault returns 1.
        unsafe { arch_copy_in(from, to.as_mut_ptr(), to.len()) }
    } else {
        // SAFETY: as above; the application of a unikernel is part of the kernel and trusted as it.
        unsafe { arch_copy_flat(from, to.as_mut_ptr() as u64, to.len()) }
    };
    if failed == 0 { Ok(()) } else { Err(BadAddress) }
}

/// Writes `from` to `to`.
pub fn copy_out(to: u64, from: &[u8], isolated: bool) -> Result<(), BadAddress> {
    to.checked_add(from.len() as u64).ok_or(BadAddress)?;
    let failed = if isolated {
        // SAFETY: STTR writes with the fiber's rights, so never the kernel's memory; a fault returns 1.
        unsafe { arch_copy_out(from.as_ptr(), to, from.len()) }
    } else {
        // SAFETY: as in `copy_in`.
        unsafe { arch_copy_flat(from.as_ptr() as u64, to, from.len()) }
    };
    if failed == 0 { Ok(()) } else { Err(BadAddress) }
}

/// Reads the aligned word at `at` and writes it back.
#[inline(always)]
pub fn own_word(at: u64, isolated: bool) -> Result<u32, BadAddress> {
    if !isolated {
        let mut bytes = [0; 4];
        copy_in(at, &mut bytes, isolated)?;
        copy_out(at, &bytes, isolated)?;
        return Ok(u32::from_le_bytes(bytes));
    }
    // SAFETY: LDTR and STTR reach what the fiber may reach; a fault returns 1.
    let found = unsafe { arch_own_word(at) };
    if found.failed == 0 { Ok(found.word as u32) } else { Err(BadAddress) }
}

/// Writes the aligned word at `at`.
#[inline(always)]
pub fn put_word(at: u64, word: u32, isolated: bool) -> Result<(), BadAddress> {
    if !isolated {
        return copy_out(at, &word.to_le_bytes(), isolated);
    }
    // SAFETY: as in `own_word`.
    let failed = unsafe { arch_put_word(at, word) };
    if failed == 0 { Ok(()) } else { Err(BadAddress) }
}
