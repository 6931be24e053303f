//! How a kernel ends: Boot Error Buffer, then PSCI SYSTEM_OFF.
use core::fmt::{self, Write};
use core::mem::offset_of;
use core::panic::PanicInfo;

use abi::boot::virt::{BEB, BEB_LEN};
use abi::boot::{BEB_MAGIC, Beb, beb};

use crate::hypercall::smc;
use crate::memory::{read32, write8, write32, write64};
use crate::mrs;

const SYSTEM_OFF: u64 = 0x8400_0008;
const TEXT: u64 = BEB + Beb::SIZE as u64;

/// Text of the buffer, appended to.
pub struct Text;

impl Write for Text {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let at = BEB + offset_of!(Beb, text_len) as u64;
        for byte in text.bytes() {
            let len = u64::from(read32(at));
            if Beb::SIZE as u64 + len < BEB_LEN {
                write8(TEXT + len, u32::from(byte));
                write32(at, len as u32 + 1);
            }
        }
        Ok(())
    }
}

/// Appends a line to the text.
#[macro_export]
macro_rules! line {
    ($($argument:tt)*) => {{
        use core::fmt::Write;
        // Writing to memory cannot fail.
        let _ = writeln!($crate::report::Text, $($argument)*);
    }};
}

/// Empties the buffer; call it first.
pub fn begin() {
    for offset in (0..Beb::SIZE as u64).step_by(8) {
        write64(BEB + offset, 0);
    }
    write32(BEB + offset_of!(Beb, state) as u64, beb::RUNNING);
    write32(BEB, BEB_MAGIC);
}

/// Stores a scratch word.
pub fn scratch(index: u64, value: u64) {
    write64(BEB + offset_of!(Beb, scratch) as u64 + 8 * index, value);
}

/// Ends with a state and a code.
fn end(state: u32, code: u32) -> ! {
    write64(BEB + offset_of!(Beb, time) as u64, mrs!("cntvct_el0"));
    write32(BEB + offset_of!(Beb, code) as u64, code);
    write32(BEB + offset_of!(Beb, state) as u64, state);
    crate::instruction!("dsb sy");
    smc([SYSTEM_OFF, 0, 0, 0]);
    loop {
        crate::instruction!("wfi");
    }
}

/// Everything was as it must be.
pub fn pass() -> ! {
    end(beb::OFF, 0)
}

/// Step `code` was not as it must be; the text says why.
pub fn fail(code: u32) -> ! {
    end(beb::OFF, code)
}

/// Fails with `code` and a line of text unless the condition holds.
#[macro_export]
macro_rules! expect {
    ($code:expr, $condition:expr, $($argument:tt)*) => {
        if !$condition {
            $crate::line!($($argument)*);
            $crate::report::fail($code);
        }
    };
}

#[panic_handler]
fn panic(info: &PanicInfo<'_>) -> ! {
    crate::line!("{info}");
    end(beb::PANIC, 1)
}

/// Ends with code 0 by something that ends the cell: writes the buffer, then does it.
pub fn end_by(last: impl FnOnce()) -> ! {
    write32(BEB + offset_of!(Beb, code) as u64, 0);
    write32(BEB + offset_of!(Beb, state) as u64, beb::OFF);
    crate::instruction!("dsb sy");
    last();
    crate::line!("the cell did not end");
    end(beb::OFF, 998)
}
