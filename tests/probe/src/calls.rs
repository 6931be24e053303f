//! Calls with valid and invalid arguments.
use abi::call::{
    NO_SLOT, SPAWN_FIBER, SPAWN_IMAGE, Spawn, meta, number, pledge_op, prov_op, tick_op,
};
use abi::cap::{R, W, slot, verb};
use rt::{println, sys};

use crate::{Hex, told};
use guests::trap;

/// Where nobody lets a program write: unmapped, kernel's half, wrapping, the SysTable, misaligned.
const BAD: [usize; 6] = [
    0,
    8,
    0xFFFF_FF80_0000_0000,
    usize::MAX - 7,
    abi::systable::ADDRESS_AARCH64 as usize,
    abi::boot::virt::UART as usize,
];

/// Who runs out of energy without having yielded in its window is struck: before what costs more than
/// a window's energy a fresh window, and in it a yield.
fn settle(n: usize) {
    if n == number::SPAWN {
        // Nothing to do where the clock refuses: the strikes will show it.
        let _ = rt::Clock::OWN.sleep_until(rt::Clock::OWN.now() + 60_000_000);
    }
    sys::yield_();
}

fn call(name: core::fmt::Arguments, n: usize, args: [usize; 6]) {
    settle(n);
    // SAFETY: every caller names memory that is refused, or a buffer that nothing else uses.
    told(name, unsafe { trap(n, args) });
}

/// What each slot answers to calls that change nothing.
pub fn slots(count: usize) {
    for s in 0..count {
        call(format_args!("slot.{s}.recv"), number::RECV, [s, 1, 64, 0, 0, 0]);
        call(format_args!("slot.{s}.recv.into"), number::RECV, [s, 1, 64, 2, 0, 0]);
        call(format_args!("slot.{s}.send"), number::SEND, [s, 1, 16, 0, 0, 0]);
        call(format_args!("slot.{s}.operate"), number::SEND, [s, 0xFFFF, 0, 0, 0, 0]);
        call(format_args!("slot.{s}.map"), number::MAP, [s, 0, 0, 1, 1, 0]);
        let all = verb::ALL.into();
        call(format_args!("slot.{s}.mask"), number::MASK, [s, all, 7, 1, 0, 0]);
        call(format_args!("slot.{s}.grant"), number::GRANT, [s, 63, all, 7, 0, 0]);
        call(format_args!("slot.{s}.spawn"), number::SPAWN, [s, 1, Spawn::SIZE, 0, 0, 0]);
        call(format_args!("slot.{s}.tick"), number::TICK, [s, 77, 0, 0, 0, 0]);
        call(format_args!("slot.{s}.prov"), number::PROV, [s, 77, 0, 0, 0, 0]);
    }
}

/// The fixed list.
pub fn script() {
    addresses();
    with_buffer();
    spawns();
    for n in [13, 14, 99, 1 << 32, usize::MAX] {
        call(format_args!("call.{n}"), n, [0; 6]);
        call(format_args!("call.{n}.ones"), n, [usize::MAX; 6]);
    }
}

/// Every call that takes an address, with those that are refused.
fn addresses() {
    let clock = slot::CLOCK as usize;
    for at in BAD {
        let calls: [(&str, usize, [usize; 6]); 12] = [
            ("self", number::META, [meta::SELF, at, 128, 0, 0, 0]),
            ("slot", number::META, [meta::SLOT, at, 8, 0, 0, 0]),
            ("random", number::META, [meta::RANDOM, at, 16, 0, 0, 0]),
            ("stats", number::META, [meta::STATS, at, 128, 0, 0, 0]),
            ("wait", number::WAIT, [at, 1, at, 0, 0, 0]),
            ("spawn", number::SPAWN, [slot::FACTORY.into(), at, 1152, 0, 0, 0]),
            ("recv", number::RECV, [slot::VFS.into(), at, 64, 0, 0, 0]),
            ("narrow", number::PLEDGE, [pledge_op::NARROW, at | 1, 8, 0, 0, 0]),
            ("time", number::TICK, [clock, tick_op::TIME, at, 0, 0, 0]),
            ("energy", number::TICK, [clock, tick_op::ENERGY, at, 0, 0, 0]),
            ("save", number::PROV, [0, prov_op::SAVE, at, 64, 0, 0]),
            ("load", number::PROV, [0, prov_op::LOAD, at, 64, 0, 0]),
        ];
        for (name, n, args) in calls {
            call(format_args!("bad.{at:#x}.{name}"), n, args);
        }
    }
}

/// Calls with a good buffer and arguments on and past their bounds.
fn with_buffer() {
    let mut buf = sys::Aligned::<512>::ZERO;
    let at = buf.as_mut_ptr().expose_provenance();
    let (clock, parent, vfs) = (slot::CLOCK as usize, slot::PARENT as usize, slot::VFS as usize);
    let events = slot::EVENTS as usize;
    let all = verb::ALL as usize;
    let calls: [(&str, usize, [usize; 6]); 34] = [
        ("meta.6", number::META, [6, at, 128, 0, 0, 0]),
        ("meta.max", number::META, [usize::MAX, at, 128, 0, 0, 0]),
        ("meta.short", number::META, [meta::SLOT, at, 7, 0, 0, 0]),
        ("meta.misaligned", number::META, [meta::SELF, at + 4, 128, 0, 0, 0]),
        ("meta.cut", number::META, [meta::SELF, at, 16, 0, 0, 0]),
        ("random.257", number::META, [meta::RANDOM, at, 257, 0, 0, 0]),
        ("random.0", number::META, [meta::RANDOM, at, 0, 0, 0, 0]),
        ("yield", number::YIELD, [usize::MAX; 6]),
        ("wait.0", number::WAIT, [at, 0, at, 0, 0, 0]),
        ("wait.65", number::WAIT, [at, 65, at, 0, 0, 0]),
        ("send.15", number::SEND, [vfs, at, 15, 0, 0, 0]),
        ("send.65", number::SEND, [vfs, at, 65, 0, 0, 0]),
        ("send.events", number::SEND, [events, at, 16, 0, 0, 0]),
        ("send.vfs.0", number::SEND, [vfs, at, 64, 0, 0, 0]),
        ("recv.vfs.short", number::RECV, [vfs, at, 8, 0, 0, 0]),
        ("recv.vfs", number::RECV, [vfs, at, 64, 0, 0, 0]),
        ("recv.vfs.empty", number::RECV, [vfs, at, 64, 0, 0, 0]),
        ("recv.events", number::RECV, [events, at, 64, 0, 0, 0]),
        ("recv.parent", number::RECV, [parent, at, 64, 0, 0, 0]),
        ("recv.into", number::RECV, [parent, at, 64, 40, 0, 0]),
        ("recv.taken", number::RECV, [parent, at, 64, vfs, 0, 0]),
        ("map.clock", number::MAP, [clock, 0, 0, R.into(), at, 0]),
        ("map.parent", number::MAP, [parent, 0, 0, (R | W).into(), at, 0]),
        ("map.parent.part", number::MAP, [parent, 4096, 1 << 40, R.into(), at, 0]),
        ("map.parent.execute", number::MAP, [parent, 0, 0, 7, at, 0]),
        ("map.parent.not", number::MAP, [parent, 0, 0, 0, at, 0]),
        ("mask.range", number::MASK, [clock, all, 7, at, 0, 0]),
        ("mask.verbs", number::MASK, [clock, 0x1FF, 7, 0, 0, 0]),
        ("grant.clock", number::GRANT, [clock, clock, all, 7, 0, 0]),
        ("revoke.self", number::GRANT, [0, usize::MAX, 0, 0, 0, 0]),
        ("pledge.3", number::PLEDGE, [3, at, 8, 0, 0, 0]),
        ("pledge.short", number::PLEDGE, [pledge_op::NARROW, at, 7, 0, 0, 0]),
        ("pledge.unveil", number::PLEDGE, [pledge_op::UNVEIL, at, 8, 0, 0, 0]),
        ("pledge.lock", number::PLEDGE, [pledge_op::LOCK, 0, 0, 0, 0, 0]),
    ];
    for (name, n, args) in calls {
        call(format_args!("call.{name}"), n, args);
    }
    // What the mapping told stands there.
    println!("call.left = {}", Hex(&buf[..64]));
    println!("narrow.nothing = {:?}", sys::pledge(pledge_op::NARROW, &*sys::Aligned([0xFF; 8])));
}

/// Nothing that a program without EXEC and with one fiber may have.
fn spawns() {
    let names: [(&str, u32, &[u8]); 4] = [
        ("service", SPAWN_IMAGE, b"shell"),
        ("image", SPAWN_IMAGE, b"probe"),
        ("none", SPAWN_IMAGE, b"nothing"),
        ("fiber", SPAWN_FIBER, b""),
    ];
    for (name, op, image) in names {
        let mut desc = Spawn::zeroed();
        (desc.op, desc.channel_slot, desc.pledge) = (op, NO_SLOT, u64::MAX);
        desc.name[..image.len()].copy_from_slice(image);
        let bytes = sys::Aligned(desc.encode());
        settle(number::SPAWN);
        // SAFETY: the entry of the fiber is refused.
        let answer = unsafe { sys::spawn(slot::FACTORY, &*bytes) };
        println!("spawn.{name} = {answer:?}");
    }
}
