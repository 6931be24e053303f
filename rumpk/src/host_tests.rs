//! The kernel on the machine in memory: the tests play the fibers.
extern crate std;
use crate::Kernel;
use crate::kernel::NONE;
use abi::PAGE;
use abi::boot::{
    Beb, CellManifest, HANDOFF_MAGIC, Handoff, MANIFEST_MAGIC, SERVICE_INIT, Service, beb, virt,
};
use abi::call::{
    Error, NO_SLOT, SPAWN_FIBER, SPAWN_IMAGE, Spawn, Time, WaitEntry, meta, number as n, op,
    tick_op, want,
};
use abi::cap::{R, W, X, slot};
use abi::image::{ARCH_AARCH64, ImageHeader, ImageManifest, MAGIC, Segment, VERSION};
use abi::pledge;
use abi::stats::{Heap, end, state};
use arch::host::{Host, Stopped};
use arch::{Frame, Machine, Trap};
use std::boxed::Box;
use std::vec::Vec;

pub(crate) const P: usize = PAGE;
/// First instruction of the image, so that a fetch can be told from zeros.
const CODE: &[u8; 4] = b"code";

/// An image of a page of code and a page of data, with one relocation at the start of the data.
pub(crate) fn image(mask: u64) -> Vec<u8> {
    let segment = |addr, offset, perms| Segment {
        addr,
        mem_len: P as u64,
        offset,
        file_len: 16,
        perms,
        zero: 0,
    };
    let text = segment(0, 512, u32::from(R | X));
    let data = segment(P as u64, 528, u32::from(R | W));
    let mut manifest = ImageManifest::zeroed();
    (manifest.magic, manifest.pledge, manifest.stack) = (MAGIC, mask, P as u64);
    let mut head = ImageHeader::zeroed();
    (head.magic, head.version, head.arch) = (MAGIC, VERSION, ARCH_AARCH64);
    (head.file_len, head.mem_len) = (1024, 2 * P as u64);
    (head.segments, head.segment_count) = (96, 2);
    (head.manifest, head.manifest_len) = (160, 128);
    (head.relocations, head.relocation_count) = (288, 1);
    let mut file = Vec::new();
    file.extend(head.encode());
    file.extend(text.encode());
    file.extend(data.encode());
    file.extend(manifest.encode());
    file.extend((P as u32).to_le_bytes());
    file.resize(512, 0);
    file.extend(CODE);
    file.resize(528, 0);
    file.extend(8u64.to_le_bytes());
    file.resize(1024, 0);
    file
}

pub(crate) fn tar(files: &[(&str, Vec<u8>)]) -> Vec<u8> {
    let mut out = Vec::new();
    for (name, bytes) in files {
        let mut head = [0; 512];
        head[..name.len()].copy_from_slice(name.as_bytes());
        head[124..135].copy_from_slice(std::format!("{:011o}", bytes.len()).as_bytes());
        head[148..156].fill(b' ');
        head[156] = b'0';
        head[257..265].copy_from_slice(b"ustar\x0000");
        let sum: u32 = head.iter().map(|&b| u32::from(b)).sum();
        head[148..156].copy_from_slice(std::format!("{sum:06o}\0 ").as_bytes());
        out.extend(head);
        out.extend(bytes);
        out.resize(out.len().next_multiple_of(512), 0);
    }
    out.resize(out.len() + 1024, 0);
    out
}

pub(crate) fn cell_manifest() -> Vec<u8> {
    let service = Service {
        name: abi::name("init"),
        image: abi::name("Boot/bin/init"),
        pledge: 2 << pledge::SPECTRUM_SHIFT | pledge::STDIO | pledge::EXEC | pledge::RPATH,
        energy: 2000,
        flags: SERVICE_INIT,
        child_pages: 2000,
        child_places: 48,
        ..Service::zeroed()
    };
    let len = (CellManifest::SIZE + Service::SIZE) as u32;
    let head = CellManifest {
        magic: MANIFEST_MAGIC,
        version: 1,
        size: 32,
        total_len: len,
        services: 1,
        text: len,
        ..CellManifest::zeroed()
    };
    [&head.encode()[..], &service.encode()[..]].concat()
}

/// A machine with `ram` bytes where boot left a cell that runs subject zero, and the image `Boot/bin/child`.
pub(crate) fn prepare(ram: u64) -> (Host, Handoff) {
    let mask = 2 << pledge::SPECTRUM_SHIFT | pledge::BITS;
    let archive = tar(&[("Boot/bin/init", image(mask)), ("Boot/bin/child", image(mask))]);
    prepare_with(ram, &archive, &cell_manifest())
}

/// The same with another archive and another cell manifest.
pub(crate) fn prepare_with(ram: u64, archive: &[u8], manifest: &[u8]) -> (Host, Handoff) {
    let mut host = Host::new(virt::CELL0, ram);
    host.bytes_mut(virt::ARCHIVE, archive.len()).copy_from_slice(archive);
    host.bytes_mut(virt::MANIFEST, manifest.len()).copy_from_slice(manifest);
    let handoff = Handoff {
        magic: HANDOFF_MAGIC,
        version: 1,
        archive: virt::ARCHIVE,
        archive_len: archive.len() as u64,
        manifest: virt::MANIFEST,
        manifest_len: manifest.len() as u64,
        beb: virt::BEB,
        beb_len: virt::BEB_LEN,
        ..Handoff::zeroed()
    };
    (host, handoff)
}

/// That cell, with subject zero running.
pub(crate) fn boot() -> Box<Kernel<Host>> {
    boot_with(|_| {})
}

/// The same, in memory that `before` left something in.
pub(crate) fn boot_with(before: impl FnOnce(&mut Host)) -> Box<Kernel<Host>> {
    let (mut host, handoff) = prepare(16 << 20);
    before(&mut host);
    let mut kernel = Box::new(Kernel::new(Host::OFF));
    kernel.boot(host, &handoff, None);
    kernel.schedule();
    kernel
}

pub(crate) fn pc(k: &Kernel<Host>) -> u64 {
    k.fiber().frame.pc()
}

/// A call of the current fiber; the result is its own only if it goes on at once.
pub(crate) fn call(k: &mut Kernel<Host>, number: usize, args: [usize; 6]) -> (isize, usize) {
    let caller = k.current as usize;
    let answer = k.call(number, &args);
    if answer.status <= 0 {
        return (answer.status, answer.value);
    }
    k.schedule();
    k.fibers[caller].frame.result()
}

pub(crate) fn refused(error: Error) -> (isize, usize) {
    (error as isize, 0)
}

/// How the machine stopped while `f` ran.
pub(crate) fn stopped(f: impl FnOnce()) -> Option<Stopped> {
    let payload = std::panic::catch_unwind(std::panic::AssertUnwindSafe(f)).err()?;
    payload.downcast_ref().copied()
}

fn fault(cause: u8) -> Trap {
    Trap::Fault { cause, address: 0x1234, syndrome: 0 }
}

#[test]
fn subject_zero_runs_at_its_entry_with_its_own_memory() {
    let mut k = boot();
    let at = pc(&k);
    let mut code = [0; 4];
    assert_eq!((k.machine.fetch(at, &mut code), &code), (Ok(()), CODE));
    let mut word = [0; 8];
    assert_eq!(k.machine.load(at + P as u64, &mut word), Ok(()));
    assert_eq!(u64::from_le_bytes(word), at + 8, "relocated");
    assert!(k.machine.store(at, b"x").is_err(), "its own text");
    let sp = k.fiber().frame.sp();
    assert_eq!(k.machine.store(sp - 16, b"stack"), Ok(()));
    assert!(k.machine.fetch(sp - 16, &mut code).is_err(), "its own stack");
    assert!(k.machine.store(sp.next_multiple_of(P as u64), b"x").is_err(), "guard page");
    assert!(k.machine.load(virt::KERNEL, &mut word).is_err());
    assert!(k.machine.load(virt::MANIFEST, &mut word).is_err(), "without DEVICE or AUDIT");
    assert_eq!(k.machine.load(virt::SYSTABLE, &mut word), Ok(()));
    assert!(k.machine.store(virt::SYSTABLE, &word).is_err());
    assert_eq!(k.machine.stale(), []);
}

#[test]
fn a_wait_sleeps_until_its_deadline_and_costs_one_timer() {
    let mut k = boot();
    let data = pc(&k) + P as u64;
    let list = WaitEntry { slot: slot::CLOCK, want: want::EVENT, got: 0, zero: 0 };
    k.machine.store(data + 64, &list.encode()).expect("own data");
    k.machine.store(data + 72, &70_000_000u64.to_le_bytes()).expect("own data");
    let args = [(data + 64) as usize, 1, (data + 72) as usize, 0, 0, 0];
    assert_eq!(call(&mut k, n::WAIT, args), refused(Error::TimedOut));
    assert_eq!((k.machine.now(), k.counters.timer, k.counters.idles), (70_000_000, 1, 1));
    let record = (data + 128) as usize;
    assert_eq!(call(&mut k, n::TICK, [slot::CLOCK.into(), tick_op::TIME, record, 0, 0, 0]), (0, 0));
    let mut time = [0; Time::SIZE];
    k.machine.load(record as u64, &mut time).expect("own data");
    assert_eq!(Time::decode(&time).map(|t| t.now), Some(70_000_000));
}

#[test]
fn a_fault_of_subject_zero_stops_the_cell_and_says_so() {
    let mut k = boot();
    let how = stopped(|| {
        k.trap(&fault(end::PAGE_FAULT));
    });
    assert_eq!(how, Some(Stopped::Off));
    let beb = Beb::decode(k.machine.bytes(virt::BEB, Beb::SIZE)).expect("whole");
    assert_eq!((beb.state, beb.code), (beb::NO_SUBJECT, 1));
    assert!(abi::text(k.machine.bytes(virt::BEB + 64, 60)).contains("page fault"));
}

/// Spawns `Boot/bin/child` from subject zero's data; the status and value of the call.
fn spawn(k: &mut Kernel<Host>) -> (isize, usize) {
    spawn_with(k, NO_SLOT, u64::MAX)
}

/// The same with a channel to the child in `channel_slot`, and the child's mask.
pub(crate) fn spawn_with(k: &mut Kernel<Host>, channel_slot: u8, mask: u64) -> (isize, usize) {
    spawn_rich(k, channel_slot, mask, 10)
}

/// The same with `energy` J per window.
pub(crate) fn spawn_rich(
    k: &mut Kernel<Host>,
    channel_slot: u8,
    mask: u64,
    energy: u64,
) -> (isize, usize) {
    let data = pc(k) + P as u64;
    let wish = Spawn {
        op: SPAWN_IMAGE,
        channel_slot,
        pledge: mask,
        energy,
        name: abi::name("child"),
        ..Spawn::zeroed()
    };
    k.machine.store(data + 256, &wish.encode()).expect("own data");
    let args = [slot::FACTORY.into(), (data + 256) as usize, Spawn::SIZE, 0, 0, 0];
    call(k, n::SPAWN, args)
}

/// Lets the current fiber yield until another one runs; its place.
pub(crate) fn until_other(k: &mut Kernel<Host>, than: u8) -> u8 {
    for _ in 0..100 {
        if k.current != than {
            return k.current;
        }
        k.machine.advance(2_000_000);
        k.call(n::YIELD, &[0; 6]);
        k.schedule();
    }
    panic!("nobody else runs");
}

/// Lets the current fiber yield until the kernel took another one apart.
fn until_ended(k: &mut Kernel<Host>, place: u8) {
    for _ in 0..100 {
        if k.fibers[place as usize].state == state::ENDED {
            return;
        }
        // A dead one is taken apart at its own expense, and pays its debts first.
        k.machine.advance(50_000_000);
        assert_eq!(call(k, n::YIELD, [0; 6]), (0, 0));
    }
    panic!("it does not end");
}

/// Children come and go under the same few tags and in the same memory: nothing of a dead one is ever seen, nothing leaks.
#[test]
fn the_dead_leave_nothing_behind() {
    let mut k = boot();
    let init = k.current;
    let free = k.memory.free();
    let budget = k.sched.budget(k.domain);
    for round in 0..200u64 {
        // Spawning costs more than a window's energy: without a yield in it this would be a strike.
        assert_eq!(call(&mut k, n::YIELD, [0; 6]), (0, 0));
        let (status, child_slot) = spawn(&mut k);
        assert_eq!(status, 0, "round {round}");
        let child = until_other(&mut k, init);
        let at = pc(&k) + P as u64;
        let mut secret = [0; 8];
        assert_eq!(k.machine.load(at + 1024, &mut secret), Ok(()));
        assert_eq!(secret, [0; 8], "round {round}: memory of a dead one");
        k.machine.store(at + 1024, &round.to_le_bytes()).expect("own data");
        k.trap(&fault(end::ILLEGAL));
        assert_eq!(k.machine.stale(), [], "round {round}");
        assert_eq!(until_other(&mut k, child), init);
        assert_eq!(k.fibers[child as usize].state, state::ENDED);
        let buffer = (pc(&k) + 2048 + P as u64) as usize;
        for from in [slot::EVENTS.into(), child_slot] {
            assert_eq!(call(&mut k, n::RECV, [from, buffer, 64, 0, 0, 0]).0, 0, "slot {from}");
        }
        call(&mut k, n::MASK, [child_slot, 0, 0, 0, 0, 0]);
        assert_eq!((k.memory.free(), k.sched.budget(k.domain)), (free, budget), "round {round}");
    }
    assert_eq!(k.machine.active_lines(), []);
    assert_ne!(k.current, NONE);
}

/// The place of a channel is used again: an end of the one before, which its holder itself broke, reaches nothing there.
#[test]
fn an_end_of_a_broken_channel_does_not_reach_the_next_one() {
    let mut k = boot();
    let init = k.current;
    assert_eq!(call(&mut k, n::YIELD, [0; 6]), (0, 0));
    let (status, fiber) = spawn_with(&mut k, 40, u64::MAX);
    assert_eq!(status, 0);
    let child = until_other(&mut k, init);
    let (status, ring) = call(&mut k, n::MAP, [slot::PARENT.into(), 0, 0, (R | W).into(), 0, 0]);
    assert_eq!((status, until_other(&mut k, init)), (0, child));
    k.machine.store(ring as u64, &u32::MAX.to_le_bytes()).expect("the own index");
    assert_eq!(until_other(&mut k, child), init);
    let buffer = (pc(&k) + 2048 + P as u64) as usize;
    assert_eq!(call(&mut k, n::RECV, [40, buffer, 64, 0, 0, 0]), refused(Error::Gone));
    assert_eq!(call(&mut k, n::SEND, [fiber, op::FIBER_KILL, 0, 0, 0, 0]), (0, 0));
    until_ended(&mut k, child);
    assert_eq!(spawn_with(&mut k, 41, u64::MAX).0, 0, "takes the place of the first channel");
    let map = [40, 0, 0, (R | W).into(), 0, 0];
    assert_eq!(call(&mut k, n::MAP, map), refused(Error::Revoked));
}

/// The image says how many fibers its domain may have: this one says nothing, so there is the first.
#[test]
fn a_domain_has_no_more_fibers_than_its_image_says() {
    let mut k = boot();
    let data = pc(&k) + P as u64;
    let wish = Spawn { op: SPAWN_FIBER, entry: pc(&k), ..Spawn::zeroed() };
    k.machine.store(data + 256, &wish.encode()).expect("own data");
    let args = [slot::FACTORY.into(), (data + 256) as usize, Spawn::SIZE, 0, 0, 0];
    assert_eq!(call(&mut k, n::SPAWN, args), refused(Error::Full));
    k.domain_mut().fibers_max = 2;
    assert_eq!(call(&mut k, n::YIELD, [0; 6]), (0, 0));
    assert_eq!(call(&mut k, n::SPAWN, args).0, 0);
    assert_eq!(call(&mut k, n::SPAWN, args), refused(Error::Full));
}

/// A channel that cannot be had is no child: the parent does not wait for one that it cannot speak to.
#[test]
fn a_child_without_its_channel_is_not_started() {
    let mut k = boot();
    while k.new_channel(1, abi::ring::DEFAULT_SLOTS, 0).is_ok() {}
    let (free, budget) = (k.memory.free(), k.sched.budget(k.domain));
    assert_eq!(call(&mut k, n::YIELD, [0; 6]), (0, 0));
    assert_eq!(spawn_with(&mut k, 40, u64::MAX), refused(Error::Full));
    assert_eq!((k.memory.free(), k.sched.budget(k.domain)), (free, budget));
}

/// A child with two pages of heap is told where they are, and has no byte more.
#[test]
fn a_heap_is_where_its_owner_is_told() {
    let mut k = boot();
    let init = k.current;
    let class = u64::from(abi::stats::CLASS_HEAP).to_le_bytes();
    let ask = |k: &mut Kernel<Host>| {
        let buffer = pc(k) + P as u64 + 2048;
        k.machine.store(buffer, &class).expect("own data");
        let args = [meta::STATS, buffer as usize, Heap::SIZE, 0, 0, 0];
        assert_eq!(call(k, n::META, args), (0, Heap::SIZE));
        let mut heap = [0; Heap::SIZE];
        k.machine.load(buffer, &mut heap).expect("own data");
        Heap::decode(&heap).expect("whole")
    };
    assert_eq!(ask(&mut k), Heap { base: 0, len: 0 });
    let wish = Spawn {
        op: SPAWN_IMAGE,
        channel_slot: NO_SLOT,
        pledge: u64::MAX,
        energy: 10,
        memory: 2 * P as u64,
        name: abi::name("child"),
        ..Spawn::zeroed()
    };
    let data = pc(&k) + P as u64 + 256;
    k.machine.store(data, &wish.encode()).expect("own data");
    assert_eq!(call(&mut k, n::YIELD, [0; 6]), (0, 0));
    let args = [slot::FACTORY.into(), data as usize, Spawn::SIZE, 0, 0, 0];
    assert_eq!(call(&mut k, n::SPAWN, args).0, 0);
    until_other(&mut k, init);
    let heap = ask(&mut k);
    assert_eq!(heap.len, 2 * P as u64);
    assert_eq!(k.machine.store(heap.base, b"first"), Ok(()));
    assert_eq!(k.machine.store(heap.base + heap.len - 1, b"x"), Ok(()));
    assert!(k.machine.store(heap.base + heap.len, b"x").is_err(), "guard page");
}
