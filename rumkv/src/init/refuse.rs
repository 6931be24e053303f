//! A refusal to boot: the reason on the console and in the Boot Error Buffer, then power off.
use core::arch::global_asm;
use core::cell::Cell;
use core::fmt::{self, Write};
use core::mem::offset_of;
use core::panic::PanicInfo;

use abi::boot::{BEB_MAGIC, Beb, beb};
use cells::Span;

use crate::memory::Block;
use crate::mrs;
use crate::system::power_off;

/// Where a refusal may write. Filled as soon as the table names the places; before that only the
/// machine stops.
pub(super) struct Places {
    console: Cell<Option<u64>>,
    beb: Cell<Option<(u64, u64)>>,
}

// SAFETY: the first core fills it before it starts the others.
unsafe impl Sync for Places {}

pub(super) static PLACES: Places = Places { console: Cell::new(None), beb: Cell::new(None) };

impl Places {
    /// The PL011 that the reason is printed on.
    pub(super) fn console(&self, base: u64) {
        self.console.set(Some(base));
    }

    /// The Boot Error Buffer that the reason is left in.
    pub(super) fn beb(&self, span: Span) {
        self.beb.set(Some((span.base, span.len)));
    }
}

/// Writes to both places; text that does not fit into the buffer is cut there.
struct Report {
    uart: Option<Block>,
    buffer: Option<(Block, u64)>,
    written: u64,
}

/// PL011 (Arm DDI 0183): data register, flag register with transmit FIFO full.
const UARTDR: u64 = 0x0;
const UARTFR: u64 = 0x18;
const TXFF: u32 = 1 << 5;

impl Write for Report {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for byte in text.bytes() {
            if let Some(uart) = self.uart {
                // A dead console must not keep the machine from stopping.
                let _ = (0..1_000_000).find(|_| uart.read32(UARTFR) & TXFF == 0);
                uart.write32(UARTDR, u32::from(byte));
            }
            match self.buffer {
                Some((buffer, len)) if Beb::SIZE as u64 + self.written < len => {
                    buffer.write8(Beb::SIZE as u64 + self.written, byte);
                    self.written += 1;
                }
                _ => {}
            }
        }
        Ok(())
    }
}

/// Refuses to boot.
pub(super) fn refuse(reason: fmt::Arguments<'_>) -> ! {
    // SAFETY: the table was checked to name a device page of the machine here.
    let uart = PLACES.console.get().map(|base| unsafe { Block::at(base) });
    // SAFETY: the table was checked to name RAM of cell 0, which does not run.
    let buffer = PLACES.beb.get().map(|(base, len)| (unsafe { Block::at(base) }, len));
    let mut report = Report { uart, buffer, written: 0 };
    // Writing to a Report cannot fail.
    let _ = write!(report, "rumkv: refused: {reason}");
    if let Some((buffer, _)) = report.buffer.take() {
        head(buffer, report.written);
    }
    let _ = report.write_str("\n");
    power_off()
}

/// Says on the console what is wrong without stopping the machine: cell 0, whose console it is,
/// does not run yet.
pub(super) fn complain(what: fmt::Arguments<'_>) {
    // SAFETY: as in `refuse`.
    let uart = PLACES.console.get().map(|base| unsafe { Block::at(base) });
    let mut report = Report { uart, buffer: None, written: 0 };
    // Writing to a Report cannot fail.
    let _ = writeln!(report, "rumkv: {what}");
}

fn head(buffer: Block, written: u64) {
    for offset in (0..Beb::SIZE as u64).step_by(8) {
        buffer.write64(offset, 0);
    }
    buffer.write32(offset_of!(Beb, state) as u64, beb::REFUSED);
    buffer.write32(offset_of!(Beb, text_len) as u64, written as u32);
    buffer.write32(offset_of!(Beb, code) as u64, 1);
    buffer.write64(offset_of!(Beb, time) as u64, mrs!("cntpct_el0"));
    buffer.write32(offset_of!(Beb, magic) as u64, BEB_MAGIC);
}

#[panic_handler]
fn panic(info: &PanicInfo<'_>) -> ! {
    refuse(format_args!("init panicked: {info}"))
}

global_asm!(
    ".section .init.vectors, \"ax\"",
    ".balign 2048",
    ".global init_vectors",
    "init_vectors:",
    ".rept 16",
    "b init_exception",
    ".balign 128",
    ".endr",
);

/// Any exception while init runs.
#[unsafe(no_mangle)]
extern "C" fn init_exception() -> ! {
    refuse(format_args!(
        "exception in init: syndrome {:#x}, pc {:#x}, address {:#x}",
        mrs!("esr_el2"),
        mrs!("elr_el2"),
        mrs!("far_el2")
    ))
}
