//! `probe WORD...`: prints everything that a program can observe, one line `name = value` each.
#![no_std]
#![no_main]

mod calls;
mod files;
mod registers;

use abi::call::{Energy, Error, Time, number, tick_op};
use abi::cap::{SLOTS, slot};
use abi::record::FieldInfo;
use abi::ring::well_known;
use abi::stats::{CLASS_FIBER, CLASS_SYSTEM, FiberStats, SystemStats};
use abi::systable::SysTable;
use abi::{call::meta, call::want};
use guests::{Left, trap};
use rt::{Clock, println, sys};

rt::entry!(main, "../manifest.kdl");

/// How long the timed wait lasts, ns.
const NAP_NS: u64 = 1_000_000;
/// Places of fibers that are asked for; more than a kernel has.
const PLACES: u32 = 40;
/// Bytes of random that are shown.
const RANDOM_LEN: usize = 16;

unsafe extern "C" {
    static __image_end: u8;
}

fn main() -> usize {
    table();
    meta_slot();
    calls::slots(SLOTS + 2);
    calls::script();
    times();
    registers::all();
    own_addresses();
    arguments();
    files::walk("/Boot");
    println!("end = 1");
    0
}

/// Bytes as hexadecimal digits, first byte first.
pub struct Hex<'a>(pub &'a [u8]);

impl core::fmt::Display for Hex<'_> {
    fn fmt(&self, f: &mut core::fmt::Formatter) -> core::fmt::Result {
        self.0.iter().try_for_each(|b| write!(f, "{b:02x}"))
    }
}

/// Every field of a record; no byte is left out.
fn record(name: &str, fields: &[FieldInfo], bytes: &[u8]) {
    for f in fields {
        let value = Hex(&bytes[f.offset..][..f.len]);
        println!("{name}.{} = {value}", f.name);
    }
}

fn table() {
    let Some(table) = sys::table() else { return };
    println!("systable.address = {:#x}", core::ptr::from_ref(table).addr());
    record("systable", SysTable::FIELDS, &table.encode());
}

/// A call's status and value as the registers had them.
fn told(name: core::fmt::Arguments, left: Left) {
    let Left { status, value, rest } = left;
    println!("{name} = {status} {value:#x} rest {rest:#x}");
}

/// `meta` with the first 8 bytes of its buffer set.
fn ask(query: usize, input: u64, buf: &mut sys::Aligned<128>) -> Left {
    *buf = sys::Aligned::ZERO;
    buf[..8].copy_from_slice(&input.to_le_bytes());
    let at = buf.as_mut_ptr().expose_provenance();
    // SAFETY: the kernel writes only to `buf`, which is borrowed exclusively.
    unsafe { trap(number::META, [query, at, buf.len(), 0, 0, 0]) }
}

fn meta_slot() {
    let mut buf = sys::Aligned::ZERO;
    told(format_args!("meta.version"), ask(meta::VERSION, 0, &mut buf));
    told(format_args!("meta.self"), ask(meta::SELF, 0, &mut buf));
    record("self", FiberStats::FIELDS, &*buf);
    let channels = [
        ("net_rx", well_known::NET_RX),
        ("net_tx", well_known::NET_TX),
        ("console_in", well_known::CONSOLE_IN),
        ("console_out", well_known::CONSOLE_OUT),
        ("vfs", well_known::VFS),
        ("block", well_known::BLOCK),
        ("none", 0),
    ];
    for (name, channel) in channels {
        for which in 0..2 {
            let input = u64::from(channel) | which << 32;
            told(format_args!("meta.slot.{name}.{which}"), ask(meta::SLOT, input, &mut buf));
        }
    }
    for slot in [0, 2, 8, 63, 64, u64::MAX] {
        told(format_args!("meta.bus.{slot}"), ask(meta::BUS, slot, &mut buf));
    }
    let mut random = [0; RANDOM_LEN];
    println!("random.status = {:?}", rt::random(&mut random));
    println!("random = {}", Hex(&random));
    told(format_args!("meta.stats.system"), ask(meta::STATS, CLASS_SYSTEM.into(), &mut buf));
    record("system", SystemStats::FIELDS, &*buf);
    for place in 0..PLACES {
        let input = u64::from(CLASS_FIBER) | u64::from(place) << 32;
        told(format_args!("meta.stats.fiber.{place}"), ask(meta::STATS, input, &mut buf));
    }
}

fn times() {
    let mut buf = sys::Aligned::ZERO;
    println!("tick.time = {:?}", sys::tick(slot::CLOCK, tick_op::TIME, &mut buf));
    record("time", Time::FIELDS, &*buf);
    println!("tick.energy = {:?}", sys::tick(slot::CLOCK, tick_op::ENERGY, &mut buf));
    record("energy", Energy::FIELDS, &*buf);
    let until = Clock::OWN.now() + NAP_NS;
    let waited = rt::wait::found(slot::EVENTS, want::READABLE, Some(until));
    println!("nap.status = {waited:?}");
    println!("nap.timed_out = {}", waited == Err(Error::TimedOut));
    let now = Clock::OWN.now();
    println!("nap.early = {}", now < until);
    println!("nap.late = {}", now.saturating_sub(until));
}

fn own_addresses() {
    let local = 0u8;
    println!("address.start = {:#x}", _start as *const () as usize);
    println!("address.image_end = {:#x}", (&raw const __image_end).addr());
    println!("address.stack = {:#x}", (&raw const local).addr());
    println!("address.arguments = {:#x}", rt::start::raw_args().as_ptr().addr());
}

fn arguments() {
    println!("arguments = {}", Hex(rt::start::raw_args()));
    for (index, word) in rt::args().enumerate() {
        println!("argument.{index} = {word}");
    }
}
