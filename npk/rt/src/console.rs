//! The console: what a fiber reads and prints.
//!
//! Through the channels in slots 4 and 5. They stay unmapped: a child inherits copies of the same
//! ends, and the kernel copies for all of them. A unikernel has no driver; where there is no
//! console channel, the PL011 in [`pl011::WINDOW_SLOT`] and [`pl011::IRQ_SLOT`] is used directly.
use core::fmt;
use core::sync::atomic::{AtomicU8, AtomicUsize, Ordering};

use abi::call::want;
use abi::cap::slot;
use abi::ring::INLINE_MAX;
use abi::stats::event::RESTARTED;
use abi::vfs::{CONSOLE_DATA, CONSOLE_SYNC};

use crate::channel::{Channel, message, payload};
use crate::object::next_event;
use crate::pl011::{self, Pl011};
use crate::{Clock, Error, Irq, Result, sys, wait};

/// Most bytes that one read gives.
pub const READ_MAX: usize = INLINE_MAX;

/// Address of the device's registers; [`UNKNOWN`] before the first use, [`CHANNELS`] where there is
/// none.
static DEVICE: AtomicUsize = AtomicUsize::new(UNKNOWN);
const UNKNOWN: usize = 0;
const CHANNELS: usize = 1;

/// What the device had received before it was set up, for the first read.
static EARLY: [AtomicU8; pl011::EARLY_MAX] = [const { AtomicU8::new(0) }; pl011::EARLY_MAX];
static EARLY_LEN: AtomicUsize = AtomicUsize::new(0);

fn device() -> Option<Pl011> {
    match DEVICE.load(Ordering::Relaxed) {
        UNKNOWN => find_device(),
        CHANNELS => None,
        // SAFETY: `find_device` stored it.
        address => Some(unsafe { Pl011::at(address) }),
    }
}

/// Whether the console is a device of the program's own: there is no driver, and no shell before
/// it.
pub fn is_device() -> bool {
    device().is_some()
}

#[cold]
fn find_device() -> Option<Pl011> {
    // The doorbell only tells whether there is a capability.
    let found = match Channel(slot::CONSOLE_OUT).ring() {
        Err(Error::BadSlot) => Pl011::map(pl011::WINDOW_SLOT).ok(),
        _ => None,
    };
    if let Some(device) = &found {
        let mut early = [0; pl011::EARLY_MAX];
        let len = device.start(&mut early);
        for (place, byte) in EARLY.iter().zip(&early[..len]) {
            place.store(*byte, Ordering::Relaxed);
        }
        EARLY_LEN.store(len, Ordering::Relaxed);
    }
    DEVICE.store(found.as_ref().map_or(CHANNELS, Pl011::address), Ordering::Relaxed);
    found
}

/// Waits until the device interrupts for one of the two reasons. The line is masked before: from
/// the start, and since the last interrupt.
fn wait_device(device: &Pl011, receive: bool, transmit: bool) -> Result<()> {
    let irq = Irq(pl011::IRQ_SLOT);
    device.interrupts(receive, transmit);
    let waited = irq.unmask().and_then(|()| irq.wait());
    device.interrupts(false, false);
    waited
}

fn write_device(device: &Pl011, bytes: &[u8]) -> Result<()> {
    device.clear_transmit();
    for &byte in bytes {
        while !device.put(byte) {
            wait_device(device, false, true)?;
            device.clear_transmit();
        }
    }
    Ok(())
}

fn read_device(device: &Pl011, buf: &mut [u8; READ_MAX]) -> Result {
    let early = EARLY_LEN.swap(0, Ordering::Relaxed);
    for (to, from) in buf.iter_mut().zip(&EARLY[..early]) {
        *to = from.load(Ordering::Relaxed);
    }
    let mut len = early;
    loop {
        while let Some(place) = buf.get_mut(len)
            && let Some(byte) = device.get()
        {
            *place = byte;
            len += 1;
        }
        if len > 0 {
            return Ok(len);
        }
        wait_device(device, true, false)?;
    }
}

/// Takes the events of restarted channels until that of `slot`, which is valid again then. `false`: nothing is to be expected.
///
/// Only where the capability itself is void: a peer that merely went leaves no such event, and the others are not ours to
/// take. The kernel gives restarts out first.
fn revive(slot: u8) -> bool {
    let void = wait::found(slot, want::READABLE | want::WRITABLE, Some(0)) == Err(Error::Gone);
    while void && let Ok(event) = next_event() {
        if event.kind == RESTARTED && event.source == u32::from(slot) {
            return true;
        }
    }
    false
}

/// Prints all bytes; waits while the ring is full.
pub fn write(bytes: &[u8]) -> Result<()> {
    if let Some(device) = device() {
        return write_device(&device, bytes);
    }
    for part in bytes.chunks(INLINE_MAX) {
        let part = message(CONSOLE_DATA, 0, part)?;
        while let Err(error) = Channel(slot::CONSOLE_OUT).send(&part) {
            if error != Error::Gone || !revive(slot::CONSOLE_OUT) {
                return Err(error);
            }
        }
        // Who prints faster than its energy lasts is throttled for it, not struck.
        sys::yield_();
    }
    Ok(())
}

/// Reads what there is, and waits until there is something: 1 to [`READ_MAX`] bytes.
pub fn read(buf: &mut [u8; READ_MAX]) -> Result {
    if let Some(device) = device() {
        return read_device(&device, buf);
    }
    loop {
        match try_read(buf) {
            Err(Error::Empty) => match wait::one(slot::CONSOLE_IN, want::READABLE, None) {
                Err(Error::Gone) if revive(slot::CONSOLE_IN) => {}
                other => other?,
            },
            other => return other,
        }
    }
}

/// Reads what there is in the console channel: 1 to [`READ_MAX`] bytes, or [`Error::Empty`].
pub fn try_read(buf: &mut [u8; READ_MAX]) -> Result {
    loop {
        let got = match Channel(slot::CONSOLE_IN).try_recv() {
            Err(Error::Gone) if revive(slot::CONSOLE_IN) => continue,
            other => other?,
        };
        let bytes = payload(&got);
        if got.kind == CONSOLE_DATA && !bytes.is_empty() {
            buf[..bytes.len()].copy_from_slice(bytes);
            return Ok(bytes.len());
        }
    }
}

/// Waits until all that was printed has left the machine, at most `patience` ns: before `poweroff`.
pub fn sync(patience: u64) -> Result<()> {
    let now = Clock::OWN.now();
    if let Some(device) = device() {
        let end = now + patience;
        while !device.idle() && Clock::OWN.now() < end {
            Clock::OWN.sleep_until(Clock::OWN.now() + pl011::DRAIN_NS)?;
        }
        return Ok(());
    }
    let out = Channel(slot::CONSOLE_OUT);
    out.send(&message(CONSOLE_SYNC, now, &[])?)?;
    loop {
        let got = out.recv_until(Some(now + patience))?;
        if got.kind == CONSOLE_SYNC && got.arg == now {
            return Ok(());
        }
    }
}

/// Collects what is formatted into messages of [`INLINE_MAX`] bytes; sends the rest when it goes.
pub struct Out {
    buf: [u8; INLINE_MAX],
    len: usize,
}

impl Out {
    /// An empty one.
    pub const fn new() -> Self {
        Self { buf: [0; INLINE_MAX], len: 0 }
    }

    /// Sends what was collected.
    pub fn flush(&mut self) -> Result<()> {
        let len = core::mem::take(&mut self.len);
        write(&self.buf[..len])
    }
}

impl Default for Out {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Write for Out {
    fn write_str(&mut self, s: &str) -> fmt::Result {
        for &byte in s.as_bytes() {
            self.buf[self.len] = byte;
            self.len += 1;
            if self.len == self.buf.len() {
                self.flush().map_err(|_| fmt::Error)?;
            }
        }
        Ok(())
    }
}

impl Drop for Out {
    fn drop(&mut self) {
        // A console that is gone has nobody to tell.
        let _ = self.flush();
    }
}

/// What `print!` does.
pub fn print(text: fmt::Arguments) {
    // As above.
    let _ = fmt::Write::write_fmt(&mut Out::new(), text);
}

/// What `println!` does.
pub fn print_line(text: fmt::Arguments) {
    // As above.
    let _ = fmt::Write::write_fmt(&mut Out::new(), format_args!("{text}\n"));
}

/// Prints to the console; waits while it is full, gives up where it is gone.
#[macro_export]
macro_rules! print {
    ($($text:tt)*) => { $crate::console::print(format_args!($($text)*)) };
}

/// As [`print!`], with a line end.
#[macro_export]
macro_rules! println {
    () => { $crate::print!("\n") };
    ($($text:tt)*) => { $crate::console::print_line(format_args!($($text)*)) };
}
