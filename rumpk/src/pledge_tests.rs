//! Narrowing: what a dropped bit takes away, what a veil hides, who ends for trying.
extern crate std;
use crate::Kernel;
use crate::host_tests::{P, boot, call, pc, refused, spawn_with, until_other};
use crate::object::single;
use abi::call::{CLOCK_SET, Error, NO_SLOT, Time, Unveil, number as n, op, pledge_op, tick_op};
use abi::cap::{Kind, R, W, X, slot, verb};
use abi::pledge::{self, AUDIT, BITS, EXEC, RPATH, STDIO, WPATH};
use abi::ring::Slot;
use abi::stats::{end, state};
use abi::vfs::{self, Request};
use arch::host::Host;
use std::boxed::Box;
use std::string::String;
use std::vec::Vec;

/// The current fiber narrows its domain.
fn narrow(k: &mut Kernel<Host>, mask: u64) -> (isize, usize) {
    let at = pc(k) + P as u64 + 512;
    k.machine.store(at, &mask.to_le_bytes()).expect("own data");
    call(k, n::PLEDGE, [pledge_op::NARROW, at as usize, 8, 0, 0, 0])
}

fn unveil(k: &mut Kernel<Host>, path: &str, perms: u8) -> (isize, usize) {
    let at = pc(k) + P as u64 + 512;
    let head = Unveil { perms: perms.into(), path_len: path.len() as u32 }.encode();
    let record = [&head[..], path.as_bytes()].concat();
    k.machine.store(at, &record).expect("own data");
    call(k, n::PLEDGE, [pledge_op::UNVEIL, at as usize, record.len(), 0, 0, 0])
}

/// A request of the current fiber and its answer: status and the record. `None`: it ended over it.
fn files(k: &mut Kernel<Host>, kind: u16, path: &str, r: &Request) -> Option<(i64, vfs::Answer)> {
    let data = pc(k) + P as u64;
    let caller = k.current as usize;
    k.machine.store(data + 1024, path.as_bytes()).expect("own data");
    let request = Request { path: data + 1024, path_len: path.len() as u32, ..*r };
    let message = Slot { kind, flags: 0, len: 48, arg: 0, payload: request.encode() };
    k.machine.store(data + 768, &message.encode()).expect("own data");
    let at = (data + 768) as usize;
    let sent = call(k, n::SEND, [slot::VFS.into(), at, 64, 0, 0, 0]);
    if k.fibers[caller].state == state::ENDED {
        return None;
    }
    assert_eq!(sent, (0, 0));
    assert_eq!(call(k, n::RECV, [slot::VFS.into(), at, 64, 0, 0, 0]).0, 0);
    let mut reply = [0; 64];
    k.machine.load(data + 768, &mut reply).expect("own data");
    let reply = Slot::decode(&reply).expect("whole");
    Some((reply.arg as i64, vfs::Answer::decode(&reply.payload).expect("whole")))
}

fn open(k: &mut Kernel<Host>, path: &str, perms: u8) -> Option<(i64, vfs::Answer)> {
    files(k, vfs::op::OPEN, path, &Request { perms: perms.into(), ..Request::zeroed() })
}

/// The status of an answer; `None`: the fiber ended over the request.
type Status = Option<i64>;

fn status(answer: Option<(i64, vfs::Answer)>) -> Status {
    answer.map(|(status, _)| status)
}

#[allow(clippy::unnecessary_wraps, reason = "the other side of a comparison with `status`")]
fn error(error: Error) -> Status {
    Some(error as i64)
}

/// Names in a directory as the current fiber sees them.
fn names(k: &mut Kernel<Host>, path: &str) -> Vec<String> {
    let data = pc(k) + P as u64 + 1536;
    let mut all = Vec::new();
    for offset in 0.. {
        let r = Request { offset, data, len: 100, ..Request::zeroed() };
        let (status, answer) = files(k, vfs::op::LIST, path, &r).expect("lives");
        if status != 0 {
            assert!([Error::Empty as i64, Error::NotFound as i64].contains(&status));
            break;
        }
        let mut name = std::vec![0; answer.value as usize];
        k.machine.load(data, &mut name).expect("own data");
        all.push(String::from_utf8(name).expect("text"));
    }
    all
}

/// A child with this mask runs; its place.
fn child(mask: u64) -> (Box<Kernel<Host>>, usize) {
    let mut k = boot();
    let init = k.current;
    assert_eq!(call(&mut k, n::YIELD, [0; 6]), (0, 0));
    assert_eq!(spawn_with(&mut k, NO_SLOT, mask).0, 0);
    let place = until_other(&mut k, init).into();
    enrich(&mut k);
    (k, place)
}

/// Prices are not the subject here: the current domain has energy for a second.
fn enrich(k: &mut Kernel<Host>) {
    k.sched.refund(k.domain, 1_000_000_000);
}

fn ended(k: &Kernel<Host>, place: usize) -> u8 {
    assert_eq!(k.fibers[place].state, state::ENDED);
    k.fibers[place].end
}

const SPECTRUM: u64 = 2 << pledge::SPECTRUM_SHIFT;

/// Rights without a slot: `Denied` for who never had them, the end for who gave them up.
#[test]
fn who_never_had_a_bit_is_told_and_who_gave_it_up_ends() {
    type Use = fn(&mut Kernel<Host>) -> (isize, usize);
    let spawn: Use = |k| spawn_with(k, NO_SLOT, SPECTRUM);
    let stats: Use = |k| {
        let at = pc(k) + P as u64 + 64;
        k.machine.store(at, &1u64.to_le_bytes()).expect("own data");
        call(k, n::META, [abi::call::meta::STATS, at as usize, 128, 0, 0, 0])
    };
    for (bit, act) in [(EXEC, spawn), (AUDIT, stats)] {
        let (mut k, place) = child(SPECTRUM | STDIO | RPATH);
        assert_eq!(act(&mut k), refused(Error::Denied), "{bit}");
        assert_ne!(k.fibers[place].state, state::ENDED);
        // What subject zero has not, no child gets: the mask at birth stands for it.
        let (mut k, place) = child(SPECTRUM | STDIO | EXEC);
        k.domain_mut().born |= bit;
        k.domain_mut().pledge |= bit;
        assert_eq!(narrow(&mut k, !bit), (0, 0));
        act(&mut k);
        assert_eq!(ended(&k, place), end::PLEDGE, "{bit}");
    }
}

#[test]
fn files_need_one_bit_for_reading_and_one_for_writing() {
    let both = RPATH | WPATH;
    let path = "/Boot/bin/init";
    // Born with RPATH alone: W is denied. With WPATH too: denied as the archive is, and the end after giving it up.
    let (mut k, _) = child(SPECTRUM | RPATH);
    assert_eq!(status(open(&mut k, path, W)), error(Error::Denied));
    assert_eq!(status(open(&mut k, path, R)), Some(0));
    let (mut k, place) = child(SPECTRUM | STDIO | RPATH);
    (k.domain_mut().born, k.domain_mut().pledge) = (SPECTRUM | both, SPECTRUM | both);
    let (opened, handle) = open(&mut k, path, R).expect("lives");
    assert_eq!((opened, status(open(&mut k, path, W))), (0, error(Error::Denied)));
    assert_eq!(narrow(&mut k, !WPATH), (0, 0));
    let read = Request { handle: handle.value as u32, ..Request::zeroed() };
    assert_eq!(status(files(&mut k, vfs::op::READ, "", &read)), Some(0), "R keeps its files");
    assert_eq!(status(open(&mut k, path, W)), None);
    assert_eq!(ended(&k, place), end::PLEDGE);
    // RPATH given up closes what it allowed; the channel stays for WPATH, and reading is the end.
    let (mut k, place) = child(SPECTRUM | RPATH);
    (k.domain_mut().born, k.domain_mut().pledge) = (SPECTRUM | both, SPECTRUM | both);
    assert_eq!(status(open(&mut k, path, R)), Some(0));
    assert_eq!(narrow(&mut k, !RPATH), (0, 0));
    assert!(k.domain().handles.iter().all(|h| h.address == 0));
    assert_eq!(status(files(&mut k, vfs::op::CLOSE, "", &read)), error(Error::NotFound));
    assert_eq!(status(files(&mut k, vfs::op::READ, "", &read)), None);
    assert_eq!(ended(&k, place), end::PLEDGE);
}

/// Dropping voids what others own: the console inherited from a parent, an end that was mapped, the singles.
#[test]
fn slots_of_objects_that_others_own_are_void_too() {
    let (mut k, place) = child(SPECTRUM | STDIO);
    let channel = k.new_channel(9, abi::ring::DEFAULT_SLOTS, 0).expect("room");
    // Belongs to nobody here, as an end that was granted does not.
    let end = k.attach_end(channel, 0, crate::kernel::NONE, STDIO).expect("room");
    let cap = k.cap(Kind::CHANNEL, end, verb::ALL, R | W);
    k.fibers[place].caps.put(30usize, cap).expect("free");
    let (status, ring) = call(&mut k, n::MAP, [30, 0, 0, (R | W).into(), 0, 0]);
    assert_eq!((status, k.machine.store(ring as u64, &[1])), (0, Ok(())));
    assert_eq!(narrow(&mut k, !STDIO), (0, 0));
    assert!(k.machine.load(ring as u64, &mut [0]).is_err(), "still mapped");
    assert_eq!(k.machine.stale(), []);
    let at = pc(&k) as usize + P + 64;
    call(&mut k, n::TICK, [slot::CLOCK.into(), tick_op::TIME, at, 0, 0, 0]);
    assert_eq!(ended(&k, place), end::PLEDGE);
}

/// Without DEVICE and AUDIT nobody sees what the SysTable points to.
#[test]
fn the_facts_go_with_the_last_bit_that_shows_them() {
    let (mut k, place) = child(SPECTRUM | STDIO);
    let at = k.places.manifest.0;
    let mask = SPECTRUM | pledge::DEVICE | AUDIT;
    (k.domain_mut().born, k.domain_mut().pledge) = (mask, mask);
    k.map_pages(at, P as u64, R, arch::Memory::Normal).expect("room");
    assert_eq!(narrow(&mut k, !pledge::DEVICE), (0, 0));
    assert_eq!(k.machine.load(at, &mut [0]), Ok(()));
    assert_eq!(narrow(&mut k, !AUDIT), (0, 0));
    assert!(k.machine.load(at, &mut [0]).is_err());
    assert_eq!((k.machine.stale(), k.fibers[place].end), (Vec::new(), end::RUNS));
}

#[test]
fn the_spectrum_only_sinks() {
    let (mut k, _) = child(SPECTRUM | STDIO);
    let id = k.domain;
    for (asked, left) in [(3, 2), (1, 1), (2, 1), (0, 0), (3, 0)] {
        assert_eq!(narrow(&mut k, asked << pledge::SPECTRUM_SHIFT | BITS), (0, 0));
        assert_eq!(
            (k.sched.spectrum(id), pledge::spectrum(k.domains[id as usize].pledge)),
            (left, left)
        );
    }
}

/// A child that would have more than its parent.
#[test]
fn a_spawn_beyond_the_parent_answers_pledge() {
    let (mut k, _) = child(SPECTRUM | STDIO | EXEC);
    assert_eq!(spawn_with(&mut k, NO_SLOT, SPECTRUM | STDIO | RPATH), refused(Error::Pledge));
    assert_eq!(call(&mut k, n::YIELD, [0; 6]), (0, 0));
    assert_eq!(
        spawn_with(&mut k, NO_SLOT, SPECTRUM | STDIO),
        refused(Error::NoEnergy),
        "10 of its 10 J"
    );
}

#[test]
fn what_is_not_unveiled_is_not_there() {
    let (mut k, _) = child(SPECTRUM | STDIO | RPATH);
    let path = "/Boot/bin/init";
    assert_eq!(names(&mut k, "/Boot/bin"), ["init", "child"]);
    let (opened, first) = open(&mut k, path, R).expect("lives");
    assert_eq!((opened, status(open(&mut k, "/Boot/bin/child", R))), (0, Some(0)));
    assert_eq!(unveil(&mut k, path, R), (0, 0));
    // The handle to what is hidden now is closed, the other one is not.
    let closed: Vec<bool> = k.domain().handles[..2].iter().map(|h| h.address == 0).collect();
    assert_eq!((first.value, closed), (0, [false, true].to_vec()));
    assert_eq!(names(&mut k, "/"), ["Boot"]);
    assert_eq!(names(&mut k, "/Boot/bin"), ["init"]);
    for hidden in ["/Boot/bin/child", "/Boot/bin/none", "/Boot/motd"] {
        assert_eq!(status(open(&mut k, hidden, R)), error(Error::NotFound), "{hidden}");
        let stat = files(&mut k, vfs::op::STAT, hidden, &Request::zeroed());
        assert_eq!(status(stat), error(Error::NotFound), "{hidden}");
    }
    let stat = |k: &mut Kernel<Host>, path| files(k, vfs::op::STAT, path, &Request::zeroed());
    assert_eq!((status(stat(&mut k, "/Boot")), status(stat(&mut k, path))), (Some(0), Some(0)));
    // Another permission than the one asked for.
    assert_eq!(unveil(&mut k, path, X), (0, 0));
    assert_eq!(status(open(&mut k, path, R)), error(Error::Denied));
    assert!(k.domain().handles.iter().all(|h| h.address == 0));
    assert_eq!(call(&mut k, n::PLEDGE, [pledge_op::LOCK, 0, 0, 0, 0, 0]), (0, 0));
    assert_eq!(unveil(&mut k, "/Boot", R), refused(Error::Denied));
    assert_eq!(unveil(&mut k, "Boot", R), refused(Error::BadCall));
    assert_eq!(unveil(&mut k, "/Boot/..", R), refused(Error::BadCall));
    assert_eq!(unveil(&mut k, "/Boot", 8), refused(Error::BadCall));
}

#[test]
fn an_image_is_spawned_by_a_name_that_is_unveiled_with_x() {
    let (mut k, _) = child(SPECTRUM | STDIO | RPATH | EXEC);
    assert_eq!(unveil(&mut k, "/Boot", R), (0, 0));
    assert_eq!(spawn_with(&mut k, NO_SLOT, SPECTRUM), refused(Error::NotFound));
    assert_eq!(unveil(&mut k, "/Boot/bin/child", X), (0, 0));
    assert_eq!(call(&mut k, n::YIELD, [0; 6]), (0, 0));
    assert_eq!(spawn_with(&mut k, NO_SLOT, SPECTRUM), refused(Error::NoEnergy), "found");
}

/// A child of a veiled domain: it sees the same, and cannot unveil more.
#[test]
fn a_veil_is_inherited() {
    let mut k = boot();
    let init = k.current;
    assert_eq!(unveil(&mut k, "/Boot/bin/child", R | X), (0, 0));
    assert_eq!(call(&mut k, n::PLEDGE, [pledge_op::LOCK, 0, 0, 0, 0, 0]), (0, 0));
    assert_eq!(call(&mut k, n::YIELD, [0; 6]), (0, 0));
    assert_eq!(spawn_with(&mut k, NO_SLOT, SPECTRUM | RPATH | STDIO).0, 0);
    until_other(&mut k, init);
    enrich(&mut k);
    assert_eq!(names(&mut k, "/Boot/bin"), ["child"]);
    assert_eq!(unveil(&mut k, "/Boot", R), (0, 0), "its own list is open");
    assert_eq!(names(&mut k, "/Boot/bin"), ["child"]);
    assert_eq!(status(open(&mut k, "/Boot/bin/init", R)), error(Error::NotFound));
    assert_eq!(status(open(&mut k, "/Boot/bin/child", R)), Some(0));
}

#[test]
fn a_read_answers_a_bounded_piece() {
    let mut k = boot();
    let (opened, file) = open(&mut k, "/Boot/bin/init", R).expect("lives");
    assert_eq!((opened, file.size), (0, 1024));
    k.domain_mut().handles[0].len = 9000;
    let room = k.memory.take(16 << 10).expect("room");
    k.map_pages(room, 16 << 10, R | W, arch::Memory::Normal).expect("room");
    for (offset, len, answers) in
        [(0, 20_000, 8192), (0, 100, 100), (8900, 20_000, 100), (9001, 9, 0)]
    {
        let r = Request { offset, data: room, len, ..Request::zeroed() };
        let (read, answer) = files(&mut k, vfs::op::READ, "", &r).expect("lives");
        assert_eq!((read, answer.value), (0, answers), "{len} at {offset}");
    }
}

/// Only the manifest's CLOCK carries SEND; what it sets is what everybody is told.
#[test]
fn the_wall_clock_is_set_by_who_may() {
    let mut k = boot();
    let (data, place) = (pc(&k) + P as u64, k.current as usize);
    let set = |k: &mut Kernel<Host>, slot: usize, kind: u16, arg: u64| {
        let message = Slot { kind, arg, ..Slot::zeroed() };
        k.machine.store(data + 64, &message.encode()).expect("own data");
        call(k, n::SEND, [slot, (data + 64) as usize, 16, 0, 0, 0])
    };
    let own = usize::from(slot::CLOCK);
    assert_eq!(set(&mut k, own, CLOCK_SET, 1 << 60), refused(Error::Denied));
    let cap = k.cap(Kind::CLOCK, single::CLOCK, verb::ALL, 0);
    k.fibers[place].caps.put(20usize, cap).expect("free");
    k.machine.advance(5_000_000);
    assert_eq!(set(&mut k, 20, 0, 1 << 60), refused(Error::BadCall));
    assert_eq!(set(&mut k, 20, CLOCK_SET, 4_000_000), refused(Error::BadCall), "before the boot");
    assert_eq!(call(&mut k, n::SEND, [20, op::DOORBELL, 0, 0, 0, 0]), refused(Error::BadCall));
    assert_eq!(set(&mut k, 20, CLOCK_SET, 1 << 60), (0, 0));
    k.machine.advance(1_000);
    let at = (data + 128) as usize;
    assert_eq!(call(&mut k, n::TICK, [own, tick_op::TIME, at, 0, 0, 0]), (0, 0));
    let mut time = [0; Time::SIZE];
    k.machine.load(at as u64, &mut time).expect("own data");
    assert_eq!(Time::decode(&time), Some(Time { now: 5_001_000, wall: (1 << 60) + 1_000 }));
}
