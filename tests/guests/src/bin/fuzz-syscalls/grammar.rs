//! Valid calls, and one field of them changed.
use abi::call::{
    Error, MapInfo, NO_SLOT, Range, SPAWN_FIBER, SPAWN_IMAGE, Spawn, Unveil, meta, number as n, op,
    pledge_op, prov_op, tick_op,
};
use abi::cap::{SLOTS, slot};
use abi::ring::{Slot, well_known};
use abi::vfs::{self, Request};

use crate::arena;
use crate::random::Random;

/// First slot that a child's channel gets; there are [`CHILDREN`].
pub const CHANNELS: u8 = 32;
/// Most children and fibers at a time.
pub const CHILDREN: usize = 6;
/// First slot that capabilities from children are taken into; there are [`TAKES`].
pub const TAKEN: u8 = 50;
/// Their number.
pub const TAKES: usize = 8;
/// Slot of the channel to the victim, whose capabilities are left alone.
pub const VICTIM: u8 = 60;
/// A slot that is never filled: `wait` answers at once that it is dead.
pub const NEVER_FILLED: u8 = 59;

/// A call to make.
#[derive(Clone, Copy, Debug)]
pub struct Case {
    /// Its number.
    pub number: usize,
    /// Its arguments.
    pub args: [usize; 6],
}

/// What the grammar knows about the program.
pub struct World {
    /// Addresses that a call must refuse, or that are not this domain's.
    pub hostile: [usize; 16],
    /// Entry of a fiber that ends at once.
    pub quick: u64,
    /// About now, ns since boot.
    pub now: u64,
    /// Which child is spawned next.
    pub child: usize,
    /// FIBER slots of children.
    pub fibers: [u8; CHILDREN],
}

const LENGTHS: [usize; 12] =
    [0, 1, 7, 15, 17, 63, 65, 255, 4096, 1 << 32, isize::MAX as usize, usize::MAX];
const NAMES: [&str; 3] = ["fuzz-child", "no-such-image", "../fuzz-child"];

/// The next case.
pub fn case(r: &mut Random, w: &mut World) -> Case {
    // One field at most: of the arguments, or of the record that they name.
    let (mutate, of_record) = (r.once_in(2), r.once_in(2));
    let (outside, mutate) = (mutate && !of_record, mutate && of_record);
    let mut case = match r.below(100) {
        0..20 => metas(r, mutate),
        20..24 => Case { number: n::YIELD, args: [0; 6] },
        24..34 => waits(r, w, mutate),
        34..37 => spawns(r, w, mutate),
        37..50 => sends(r, mutate),
        50..62 => receives(r),
        62..70 => maps(r),
        70..76 => masks(r),
        76..79 => grants(r, w),
        79..84 => pledges(r),
        84..94 => ticks(r, w),
        94..97 => {
            let len = r.of(&[64, 128, 256]);
            Case {
                number: n::PROV,
                args: [slots(r), r.below(prov_op::RESUMED + 1), out(r), len, 0, 0],
            }
        }
        _ => Case { number: n::SEND, args: [fiber(r, w), op::FIBER_KILL, 0, 0, 0, 0] },
    };
    if outside {
        change(r, w, &mut case);
    }
    case
}

/// Changes one field.
fn change(r: &mut Random, w: &World, case: &mut Case) {
    if r.once_in(10) {
        case.number = r.of(&[0, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 17, 20, usize::MAX]);
        return;
    }
    let field = r.below(5);
    let misaligned = case.args[field].wrapping_add(1 + r.below(7));
    case.args[field] = match r.below(4) {
        0 => r.of(&w.hostile),
        1 => misaligned,
        2 => r.of(&LENGTHS),
        _ => r.below(2 * SLOTS),
    };
}

fn input(r: &mut Random, bytes: &[u8]) -> usize {
    arena::put(64 + 8 * r.below(128), bytes)
}

fn out(r: &mut Random) -> usize {
    arena::base() + arena::LEN / 2 + 64 + 8 * r.below(256)
}

fn slots(r: &mut Random) -> usize {
    match r.below(4) {
        0 => r.below(SLOTS),
        1 => CHANNELS as usize + r.below(CHILDREN),
        _ => r.below(16),
    }
}

fn fiber(r: &mut Random, w: &World) -> usize {
    r.of(&w.fibers) as usize
}

fn channel(r: &mut Random) -> usize {
    CHANNELS as usize + r.below(CHILDREN)
}

fn metas(r: &mut Random, mutate: bool) -> Case {
    let to = out(r);
    let known = [well_known::CONSOLE_OUT, well_known::VFS];
    let (query, first, len) = match r.below(8) {
        0 => (meta::VERSION, 0, 0),
        1 | 2 => (meta::SELF, 0, 128),
        3 => (meta::SLOT, r.of(&known) as u64, 8),
        4 if mutate => (meta::SLOT, r.next(), 8),
        4 => (meta::BUS, r.below(SLOTS) as u64, 8),
        5 => (meta::RANDOM, 0, 1 + r.below(64)),
        _ => (
            meta::STATS,
            r.below(2) as u64 | (r.below(if mutate { 80 } else { 4 }) as u64) << 32,
            128,
        ),
    };
    arena::put(to - arena::base(), &first.to_le_bytes());
    Case { number: n::META, args: [query, to, len, 0, 0, 0] }
}

fn waits(r: &mut Random, w: &World, mutate: bool) -> Case {
    let mut list = [0; 32];
    let count = 1 + r.below(8);
    for entry in list.chunks_exact_mut(4).take(count) {
        entry[0] = slots(r) as u8;
        entry[1] = if mutate && r.once_in(8) { r.next() as u8 } else { r.below(8) as u8 };
    }
    let dead = r.once_in(2);
    if dead {
        (list[0], list[1]) = (NEVER_FILLED, 1);
    }
    let at = w.now + r.of(&[0, 0, 20_000]);
    let deadline = if dead { 0 } else { input(r, &at.to_le_bytes()) };
    let to = out(r);
    arena::put(to - arena::base(), &list[..4 * count]);
    Case { number: n::WAIT, args: [to, count, deadline, 0, 0, 0] }
}

fn spawns(r: &mut Random, w: &mut World, mutate: bool) -> Case {
    let mut spawn = Spawn::zeroed();
    w.child = (w.child + 1) % CHILDREN;
    spawn.channel_slot = CHANNELS + w.child as u8;
    (spawn.pledge, spawn.energy, spawn.entry) = (u64::MAX, 20, w.quick);
    spawn.name = abi::name(NAMES[0]);
    if r.once_in(3) {
        (spawn.op, spawn.channel_slot) = (SPAWN_FIBER, NO_SLOT);
    }
    if mutate {
        // Nothing else in the way.
        (spawn.op, spawn.channel_slot) = (SPAWN_IMAGE, NO_SLOT);
        match r.below(10) {
            0 => spawn.op = r.of(&[2, u32::MAX]),
            1 => spawn.channel_slot = r.of(&[0, 7, VICTIM, 64, 100, 254]),
            2 => spawn.pledge = abi::pledge::INET | 3 << 62,
            3 => spawn.energy = r.of(&[9_000, 10_001, u64::MAX]),
            4 => spawn.memory = r.of(&[64 << 20, 65 << 20, u64::MAX]),
            5 => (spawn.op, spawn.stack) = (SPAWN_FIBER, r.of(&[1 << 20, 2 << 20, u64::MAX])),
            6 => spawn.name = abi::name(r.of(&NAMES)),
            7 => spawn.name = [r.next() as u8; 64],
            8 => spawn.zero[0] = 1,
            _ => spawn.zero2[r.below(16)] = 1,
        }
    }
    let modes =
        ["exit 7", "idle", "narrow", "entry", "barter", "barter", "exit 18446744073709551615"];
    let mode = r.of(&modes).as_bytes();
    let mut block = [0; Spawn::SIZE + 32];
    block[..Spawn::SIZE].copy_from_slice(&spawn.encode());
    block[Spawn::SIZE..Spawn::SIZE + mode.len()].copy_from_slice(mode);
    let at = input(r, &block[..Spawn::SIZE + mode.len()]);
    let args = [slot::FACTORY as usize, at, Spawn::SIZE + mode.len(), 0, 0, 0];
    Case { number: n::SPAWN, args }
}

fn message(r: &mut Random, kind: u16, payload: [u8; 48], len: u32) -> usize {
    let message = Slot { kind, flags: 0, len, arg: r.next(), payload };
    input(r, &message.encode())
}

fn sends(r: &mut Random, mutate: bool) -> Case {
    match r.below(4) {
        0 => {
            let len = r.below(49);
            let at = message(r, 0x77, [0x5A; 48], len as u32);
            Case { number: n::SEND, args: [channel(r), at, 16 + len, 0, 0, 0] }
        }
        1 => Case { number: n::SEND, args: [channel(r), op::DOORBELL, 0, 0, 0, 0] },
        _ => {
            let (kind, request) = request(r, mutate);
            let at = message(r, kind, request.encode(), 48);
            Case { number: n::SEND, args: [slot::VFS as usize, at, 64, 0, 0, 0] }
        }
    }
}

fn request(r: &mut Random, mutate: bool) -> (u16, Request) {
    let paths = ["/Boot", "/Boot/motd", "/Boot/bin", "/", "/nothing"];
    let path = r.of(if mutate { &paths } else { &paths[..4] });
    let mut request = Request::zeroed();
    request.path = input_low(r, path.as_bytes()) as u64;
    request.path_len = path.len() as u32;
    request.handle = r.below(4) as u32;
    request.offset = r.below(3) as u64;
    request.perms = 1;
    (request.data, request.len) = (out(r) as u64, r.below(200) as u32);
    let kind = 1 + r.below(5) as u16;
    if mutate {
        let hostile = r.of(&[0, 0xFFFF_FF80_5008_0000, 0x5008_0000, u64::MAX, u64::MAX - 7]);
        match r.below(6) {
            0 => request.path = hostile,
            1 => request.data = hostile,
            2 => request.path_len = r.of(&[0, 256, u32::MAX]),
            3 => request.handle = r.of(&[15, 16, u32::MAX]),
            4 => request.offset = r.of(&[1 << 20, u64::MAX]),
            _ => request.perms = r.next() as u32,
        }
    }
    (if mutate && r.once_in(8) { r.next() as u16 } else { kind }, request)
}

/// Paths have a place of their own, so that the message does not overwrite them.
fn input_low(r: &mut Random, bytes: &[u8]) -> usize {
    arena::put(2048 + 64 + 8 * r.below(128), bytes)
}

fn receives(r: &mut Random) -> Case {
    let from = match r.below(4) {
        0 => slots(r),
        1 => channel(r),
        _ => slot::VFS as usize,
    };
    let into = if r.once_in(3) { into(r) } else { 0 };
    let from = if into != 0 { channel(r) } else { from };
    Case { number: n::RECV, args: [from, out(r), 64, into, 0, 0] }
}

/// A slot for a capability that a child gave: mostly one that is kept free for that.
fn into(r: &mut Random) -> usize {
    if r.once_in(8) { slots(r) } else { TAKEN as usize + r.below(TAKES) }
}

fn maps(r: &mut Random) -> Case {
    let record = if r.once_in(2) { out(r) } else { 0 };
    let perms = r.of(&[0, 0, 3, 3, 3]);
    let slot = if r.once_in(4) { TAKEN as usize + r.below(TAKES) } else { channel(r) };
    Case { number: n::MAP, args: [slot, 0, 0, perms, record, 0] }
}

fn masks(r: &mut Random) -> Case {
    let (verbs, perms) = if r.once_in(8) { (r.below(128), r.below(8)) } else { (127, 7) };
    let range = Range { offset: 0, len: r.below(2) as u64 * 4096 };
    let range = if r.once_in(4) { input(r, &range.encode()) } else { 0 };
    Case { number: n::MASK, args: [slots(r), verbs, perms, range, 0, 0] }
}

/// To children that barter, of what came from other ones or belongs here; REVOKE now and then.
fn grants(r: &mut Random, w: &World) -> Case {
    let what = match r.below(4) {
        0 => slots(r),
        1 => TAKEN as usize + r.below(TAKES),
        _ => channel(r),
    };
    if r.once_in(6) {
        return Case { number: n::GRANT, args: [what, usize::MAX, 0, 0, 0, 0] };
    }
    let verbs = r.of(&[127, 127, 127, 2, 8 | 64, 0]);
    let until = w.now + r.of(&[0, 100_000, 10_000_000]);
    let until = if r.once_in(3) { input(r, &until.to_le_bytes()) } else { 0 };
    Case { number: n::GRANT, args: [what, channel(r), verbs, 7, until, 0] }
}

fn pledges(r: &mut Random) -> Case {
    let operation =
        r.of(&[pledge_op::NARROW, pledge_op::NARROW, pledge_op::UNVEIL, pledge_op::LOCK]);
    if operation == pledge_op::UNVEIL {
        let mut record = [0; 16];
        record[..8].copy_from_slice(&Unveil { perms: 5, path_len: 5 }.encode());
        record[8..13].copy_from_slice(b"/Boot");
        let at = input(r, &record);
        return Case { number: n::PLEDGE, args: [operation, at, 13, 0, 0, 0] };
    }
    let at = input(r, &u64::MAX.to_le_bytes());
    Case { number: n::PLEDGE, args: [operation, at, 8, 0, 0, 0] }
}

fn ticks(r: &mut Random, w: &World) -> Case {
    let operation = r.below(tick_op::CANCEL + 1);
    let at = match operation {
        tick_op::ARM => {
            let at = w.now + r.below(1 << 20) as u64;
            input(r, &at.to_le_bytes())
        }
        _ => out(r),
    };
    Case { number: n::TICK, args: [slot::CLOCK as usize, operation, at, 0, 0, 0] }
}

/// What a call may write by the contract: (address, bytes).
pub fn writes(case: &Case) -> Option<(usize, usize)> {
    let a = &case.args;
    match case.number {
        n::META if matches!(a[0], meta::SELF | meta::STATS) => Some((a[1], a[2].min(128))),
        n::META if a[0] == meta::RANDOM && a[2] <= meta::RANDOM_MAX => Some((a[1], a[2])),
        n::WAIT if a[1] <= abi::call::WAIT_MAX => Some((a[0], a[1] * 4)),
        n::RECV => Some((a[1], a[2].min(Slot::SIZE))),
        n::PROV if matches!(a[1], prov_op::READ | prov_op::LOAD | prov_op::LEFT_OFF) => {
            Some((a[2], a[3].min(arena::LEN)))
        }
        n::MAP if a[4] != 0 => Some((a[4], MapInfo::SIZE)),
        n::TICK if a[1] == tick_op::TIME => Some((a[2], 16)),
        n::TICK if a[1] == tick_op::ENERGY => Some((a[2], 32)),
        n::SEND if a[0] == slot::VFS as usize && a[2] == 64 => {
            let kind = arena::word(a[1])? as u16;
            let reads = matches!(kind, vfs::op::READ | vfs::op::LIST);
            let (data, len) = (arena::word(a[1] + 16 + 24)?, arena::word(a[1] + 16 + 32)? as u32);
            reads.then_some((data as usize, len as usize))
        }
        _ => None,
    }
}

/// Errors by their place in the tally: 0 is success.
pub fn place(status: isize) -> Option<usize> {
    if status == 0 { Some(0) } else { Error::from_status(status).map(|e| -(e as isize) as usize) }
}
