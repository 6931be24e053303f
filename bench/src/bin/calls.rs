//! Null syscall, and a ring message on both sides.
#![no_std]
#![no_main]

use abi::call::{meta, number};
use abi::ring::Slot;
use bench::{counter, entry, median, overhead, timed};
use core::sync::atomic::{AtomicU32, AtomicU64};
use ring::{Consumer, Producer};
use rt::println;
use rt::shared::Shared;

const SLOTS: usize = 32;
/// Messages measured together, so that the look at the peer's index once per round is in.
const MESSAGES: u64 = 960;

/// A ring in this program's own memory, laid out as the contract says: both sides are here.
#[repr(C, align(64))]
struct Part {
    head: [AtomicU32; 16],
    slots: [[AtomicU64; 8]; SLOTS],
}
static P: Part = Part {
    head: [const { AtomicU32::new(0) }; 16],
    slots: [const { [const { AtomicU64::new(0) }; 8] }; SLOTS],
};
static C: Part = Part {
    head: [const { AtomicU32::new(0) }; 16],
    slots: [const { [const { AtomicU64::new(0) }; 8] }; SLOTS],
};

fn null_syscall() -> u64 {
    let meta_entry = entry(number::META);
    let mut samples = [0; 101];
    for sample in &mut samples {
        // SAFETY: VERSION touches no memory.
        let t = unsafe { timed(meta_entry, [meta::VERSION, 0, 0]) };
        *sample = t.after - t.before - overhead();
    }
    median(&mut samples)
}

/// Instructions per message, both sides, rounded up. `slot` without payload goes by the short form.
fn message(slot: &Slot) -> u64 {
    // SAFETY: both parts are statics of atomics, of the ring's layout and aligned to 64.
    let memory = unsafe { Shared::at(&raw const P as u64, &raw const C as u64, SLOTS as u32) };
    let Some(memory) = memory else { return 0 };
    let both = (Producer::resume(&memory, SLOTS as u32), Consumer::resume(&memory, SLOTS as u32));
    let (Ok(mut producer), Ok(mut consumer)) = both else { return 0 };
    let mut good = 0;
    let before = counter();
    if slot.len == 0 {
        for i in 0..MESSAGES {
            let sent = producer.push_word(&memory, 7, i);
            let got = consumer.pop_header(&memory);
            good += u64::from(sent.is_ok() && got.is_ok_and(|p| p.header.arg == i));
        }
    } else {
        let mut payload = [0; 48];
        for i in 0..MESSAGES {
            let sent = producer.push_inline(&memory, 7, i, 48, &slot.payload);
            let got = consumer.pop_inline(&memory, &mut payload);
            // All of it is wanted: else the compiler leaves out where it would go.
            core::hint::black_box(&payload);
            good += u64::from(sent.is_ok() && got.is_ok_and(|p| p.header.arg == i));
        }
    }
    let spent = counter() - before;
    if good == MESSAGES { spent.div_ceil(MESSAGES) } else { 0 }
}

fn main() -> usize {
    println!("figure null-syscall {} instructions", null_syscall());
    let mut slot = Slot::zeroed();
    println!("figure ring-message {} instructions", message(&slot));
    slot.len = 48;
    println!("figure ring-message-full {} instructions", message(&slot));
    let Ok(system) = rt::stats::system() else { return 1 };
    println!("figure boot-to-first-npl {} us", system.first_npl.div_ceil(1000));
    0
}

rt::entry!(main, kdl: "name \"bench-calls\"\nversion 1\nkind \"npk\"\nspectrum \"matter\"\nenergy 5000\npledge \"STDIO\"\npolicy \"never\"\nstack \"16K\"\nheap \"0\"\nfibers 1\ndevices 0\nchannels 1\n");
