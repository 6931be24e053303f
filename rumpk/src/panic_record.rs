//! The Boot Error Buffer: what the kernel leaves behind for the next boot or the host.
use abi::boot::{BEB_MAGIC, Beb};
use arch::Machine;
use core::fmt::{self, Write};

struct Text<'a> {
    to: &'a mut [u8],
    len: usize,
}

impl Write for Text<'_> {
    fn write_str(&mut self, s: &str) -> fmt::Result {
        let room = &mut self.to[self.len..];
        let taken = s.len().min(room.len());
        room[..taken].copy_from_slice(&s.as_bytes()[..taken]);
        self.len += taken;
        Ok(())
    }
}

/// Writes head and text to the buffer `beb` (physical address and bytes); text that does not fit is cut.
pub fn record<M: Machine>(machine: &mut M, beb: (u64, u64), head: Beb, text: fmt::Arguments) {
    let bytes = machine.bytes_mut(beb.0, beb.1 as usize);
    let Some((first, rest)) = bytes.split_at_mut_checked(Beb::SIZE) else { return };
    let mut out = Text { to: rest, len: 0 };
    // `Text` cuts and never fails.
    let _ = out.write_fmt(text);
    let head = Beb { magic: BEB_MAGIC, text_len: out.len as u32, ..head };
    first.copy_from_slice(&head.encode());
}
