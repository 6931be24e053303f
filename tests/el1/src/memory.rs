//! Loads and stores by address.

/// Declares a load and a store of one width.
///
/// They are instructions with a plain address register: for a volatile access the compiler may
/// choose a pair or write-back, and such an access to a mediated frame has no syndrome and ends the
/// cell.
macro_rules! access {
    ($read:ident $load:literal, $write:ident $store:literal,
     $type:ty, $bits:literal, $operand:literal) => {
        #[doc = concat!("Reads ", $bits, " bits.")]
        #[inline(always)]
        pub fn $read(at: u64) -> $type {
            let value: $type;
            // SAFETY: a test kernel reads what the test is about; a fault is an answer.
            unsafe {
                core::arch::asm!(
                    concat!($load, " ", $operand, ", [{at}]"),
                    at = in(reg) at, value = out(reg) value,
                    options(nostack, preserves_flags)
                );
            }
            value
        }

        #[doc = concat!("Writes ", $bits, " bits.")]
        #[inline(always)]
        pub fn $write(at: u64, value: $type) {
            // SAFETY: a test kernel writes what the test is about and nothing of its own image.
            unsafe {
                core::arch::asm!(
                    concat!($store, " ", $operand, ", [{at}]"),
                    at = in(reg) at, value = in(reg) value,
                    options(nostack, preserves_flags)
                );
            }
        }
    };
}

access!(read8 "ldrb", write8 "strb", u32, "8", "{value:w}");
access!(read32 "ldr", write32 "str", u32, "32", "{value:w}");
access!(read64 "ldr", write64 "str", u64, "64", "{value:x}");

/// Calls what lies at an address.
#[inline(always)]
pub fn call(at: u64) {
    // SAFETY: a test kernel calls what the test is about; everything that a function may change is
    // declared changed.
    unsafe {
        core::arch::asm!("blr {}", in(reg) at, clobber_abi("C"), options(nostack));
    }
}
