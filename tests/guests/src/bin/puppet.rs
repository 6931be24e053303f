//! `puppet`: does what its parent says: makes calls, looks at memory, and tells what came of it.
//!
//! It keeps no state, so that what a test finds is the kernel's doing. A message's kind is an order of [`guests::order`]; the
//! answer's `arg` is the status or what was read, the first 8 bytes of its payload the call's value.
#![no_std]
#![no_main]

use core::ptr::{read_volatile, with_exposed_provenance, with_exposed_provenance_mut};
use core::sync::atomic::AtomicU64;

use abi::cap::slot;
use abi::ring::Slot;
use guests::order;
use rt::Channel;
use rt::channel::message;

rt::entry!(main, kdl: r#"
name "puppet"
kind "npk"
energy 100
pledge "STDIO" "RPATH"
stack "16K"
"#);

/// What calls read and write.
static BUFFER: [AtomicU64; 64] = [const { AtomicU64::new(0) }; 64];

fn word(payload: &[u8], index: usize) -> usize {
    let bytes = payload.get(index * 8..index * 8 + 8).and_then(|b| b.try_into().ok());
    bytes.map_or(0, u64::from_le_bytes) as usize
}

fn obey(asked: &Slot) -> (u64, u64) {
    let (at, value) = (asked.arg as usize, word(&asked.payload, 0));
    match asked.kind {
        order::CALL => {
            let args = core::array::from_fn(|i| word(&asked.payload, i));
            // SAFETY: what it may write to is the buffer, made of atomics, or the parent's test of the kernel.
            let left = unsafe { guests::trap(at, args) };
            (left.status as u64, left.value as u64)
        }
        order::PEEK => {
            // SAFETY: none; the parent wants to know whether the kernel lets it.
            (unsafe { read_volatile(with_exposed_provenance::<u64>(at)) }, 0)
        }
        order::POKE => {
            // SAFETY: as above.
            unsafe { with_exposed_provenance_mut::<u64>(at).write_volatile(value as u64) };
            (0, 0)
        }
        order::STARE => loop {
            // SAFETY: as above. Without a call: nothing but an interrupt can end it.
            let _ = unsafe { read_volatile(with_exposed_provenance::<u64>(at)) };
        },
        _ => (BUFFER.as_ptr().expose_provenance() as u64, 0),
    }
}

fn main() -> usize {
    let parent = Channel(slot::PARENT);
    while let Ok(asked) = parent.recv() {
        let (arg, value) = obey(&asked);
        let answered = message(order::ANSWER, arg, &value.to_le_bytes());
        if answered.and_then(|m| parent.send(&m)).is_err() {
            return 1;
        }
    }
    0
}
