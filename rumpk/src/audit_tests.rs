//! ProvChain in the kernel on the machine in memory: who is noted, who waits, who is refused.
extern crate std;
use crate::Kernel;
use crate::host_tests::{boot, boot_with, call, pc, spawn_with};
use crate::object::single;
use abi::PAGE;
use abi::boot::{BEB_KEPT, BEB_MAGIC, Beb, beb, virt};
use abi::call::{Append, Error, NO_SLOT, WaitEntry, number as n, op, prov_op, want};
use abi::cap::{Kind, verb};
use abi::pledge;
use abi::prov::{Notice, ProvRecord, boot as status, kind};
use abi::ring::Slot;
use abi::stats::{end, state};
use arch::host::{Host, Stopped};
use arch::{Machine, Trap};
use prov::{Anchor, BYTES, found, verify};
use std::vec::Vec;

/// Slot in which the tests put AUDIT.
const AUDIT: u8 = 30;

/// The current fiber may append and read.
fn give_audit(k: &mut Kernel<Host>) {
    k.domain_mut().pledge |= pledge::AUDIT;
    let cap = k.cap(Kind::AUDIT, single::AUDIT, Kind::AUDIT.verbs(), 0);
    k.fiber_mut().caps.put(AUDIT as usize, cap).expect("free");
}

/// All records, hashed.
fn records(k: &mut Kernel<Host>) -> Vec<ProvRecord> {
    k.chain.hash(k.machine.bytes_mut(virt::PROVCHAIN, BYTES), u64::MAX);
    let memory = k.machine.bytes(virt::PROVCHAIN, BYTES);
    let all: Vec<_> = found(memory).map(|r| ProvRecord::decode(r).expect("whole")).collect();
    let bytes: Vec<u8> = all.iter().flat_map(ProvRecord::encode).collect();
    let first = all.first().map_or(0, |r| r.seq);
    assert_eq!(verify(&bytes, first, Anchor::None, &|_, _| true).bad, None);
    all
}

/// The kinds of all records, oldest first.
pub(crate) fn kinds(k: &mut Kernel<Host>) -> Vec<u16> {
    records(k).iter().map(|r| r.kind).collect()
}

/// Address of the own data, `offset` bytes behind what the other helpers use.
fn data(k: &Kernel<Host>, offset: u64) -> usize {
    (pc(k) + PAGE as u64 + 2048 + offset) as usize
}

fn append(k: &mut Kernel<Host>, head: &Append, payload: &[u8]) -> (isize, usize) {
    let at = data(k, 0);
    k.machine.store(at as u64, &head.encode()).expect("own data");
    k.machine.store(at as u64 + 16, payload).expect("own data");
    let args = [AUDIT.into(), prov_op::APPEND, at, Append::SIZE + payload.len(), 0, 0];
    call(k, n::PROV, args)
}

fn note(k: &mut Kernel<Host>, object: u32) -> (isize, usize) {
    let head = Append { kind: kind::APPLICATION, object, status: -3, ..Append::zeroed() };
    append(k, &head, b"text")
}

fn read(k: &mut Kernel<Host>, seq: u64, len: usize) -> (isize, usize) {
    let at = data(k, 0);
    k.machine.store(at as u64, &seq.to_le_bytes()).expect("own data");
    call(k, n::PROV, [AUDIT.into(), prov_op::READ, at, len, 0, 0])
}

fn refused(error: Error) -> (isize, usize) {
    (error as isize, 0)
}

fn stopped(f: impl FnOnce()) -> Option<Stopped> {
    let payload = std::panic::catch_unwind(std::panic::AssertUnwindSafe(f)).err()?;
    payload.downcast_ref().copied()
}

/// A child that makes seals, as if the manifest had given it the secret; its place.
fn sealer(k: &mut Kernel<Host>) -> usize {
    const SERVICE: u16 = 5;
    k.call(n::YIELD, &[0; 6]);
    k.schedule();
    assert_eq!(spawn_with(k, NO_SLOT, u64::MAX).0, 0);
    let place = k.fibers.iter().position(|f| f.is_alive() && f.parent != 0xFF).expect("it lives");
    let id = k.fibers[place].domain as usize;
    k.domains[id].service = SERVICE;
    k.seals = crate::seal::Seals::of(SERVICE);
    place
}

/// Fills the kernel's places until events that can wait have to.
fn fill(k: &mut Kernel<Host>) {
    while k.chain.has_room(3) {
        k.audit(kind::GRANT, 1, 2, 3, b"filler");
    }
}

/// Lets the machine run until the fiber in `place` does.
fn until(k: &mut Kernel<Host>, place: usize) {
    for _ in 0..200 {
        if k.current as usize == place {
            return;
        }
        k.machine.advance(2_000_000);
        k.call(n::YIELD, &[0; 6]);
        k.schedule();
    }
    panic!("it does not run");
}

/// The current fiber, the sealer, seals all there is.
fn seal_all(k: &mut Kernel<Host>) -> (isize, usize) {
    k.chain.hash(k.machine.bytes_mut(virt::PROVCHAIN, BYTES), u64::MAX);
    let last = k.chain.next() - 1;
    let head = Append { kind: kind::CHECKPOINT, object: last as u32, ..Append::zeroed() };
    append(k, &head, &[7; 64])
}

#[test]
fn a_life_is_noted_from_boot_to_fault() {
    let mut k = boot();
    assert_eq!(kinds(&mut k), [kind::BOOT, kind::IMAGE, kind::SPAWN]);
    let init = k.fiber().id;
    assert_eq!(call(&mut k, n::YIELD, [0; 6]).0, 0);
    assert_eq!(spawn_with(&mut k, NO_SLOT, u64::MAX).0, 0);
    let all = records(&mut k);
    let spawned = all.last().expect("a record");
    assert_eq!((spawned.kind, spawned.fiber, spawned.status), (kind::SPAWN, init, 0));
    assert_eq!(abi::text(&spawned.data), "child");
    let place = k.fibers.iter().position(|f| f.id == spawned.object).expect("it lives");
    until(&mut k, place);
    k.trap(&Trap::Fault { cause: end::ILLEGAL, address: 0x77, syndrome: 0 });
    let all = records(&mut k);
    let fault = all.last().expect("a record");
    assert_eq!((fault.kind, fault.fiber), (kind::FAULT, spawned.object));
    assert_eq!((fault.object, fault.data[8]), (u32::from(end::ILLEGAL), 0x77));
    assert_eq!(abi::text(&fault.data[16..]), "child");
}

#[test]
fn narrowing_is_noted_once_and_what_changes_nothing_is_not() {
    let mut k = boot();
    let before = records(&mut k).len();
    let at = data(&k, 0);
    let mask = k.domain().pledge & !pledge::RPATH;
    k.machine.store(at as u64, &mask.to_le_bytes()).expect("own data");
    for _ in 0..5 {
        assert_eq!(call(&mut k, n::PLEDGE, [0, at, 8, 0, 0, 0]), (0, 0));
    }
    let all = records(&mut k);
    assert_eq!((all.len(), all[before].kind), (before + 1, kind::PLEDGE));
    assert_eq!(all[before].data[8..16], mask.to_le_bytes());
}

#[test]
fn an_application_writes_eight_records_in_a_window_and_reads_them_back() {
    let mut k = boot();
    give_audit(&mut k);
    let first = k.chain.next();
    for object in 0..8 {
        assert_eq!(note(&mut k, object), (0, (first + u64::from(object)) as usize));
    }
    assert_eq!(note(&mut k, 8), refused(Error::Full));
    k.machine.advance(pledge::WINDOW_NS[2]);
    // What was dropped is told before the next one.
    assert_eq!(note(&mut k, 9), (0, first as usize + 9));
    assert_eq!(k.chain.overrun(), (1, 0));

    let at = data(&k, 0);
    let mut read_back = Vec::new();
    let mut seq = 0u64;
    loop {
        match read(&mut k, seq, 8 * 128 + 100) {
            (0, len) => {
                let mut bytes = [0; 8 * 128];
                k.machine.load(at as u64, &mut bytes).expect("own data");
                read_back.extend_from_slice(&bytes[..len]);
                seq += len as u64 / 128;
            }
            other => {
                assert_eq!(other, refused(Error::Empty));
                break;
            }
        }
    }
    assert_eq!(seq, k.chain.next());
    assert_eq!(verify(&read_back, 0, Anchor::None, &|_, _| true).bad, None);
    let last = ProvRecord::decode(&read_back[read_back.len() - 128..]).expect("whole");
    assert_eq!((last.kind, last.object, last.status), (kind::APPLICATION, 9, -3));
    assert_eq!((last.fiber, abi::text(&last.data)), (k.fiber().id, "text"));
}

#[test]
fn prov_refuses_what_is_not_its_form() {
    let mut k = boot();
    let at = data(&k, 0);
    // No AUDIT: another object, an empty slot, and the Blink operations are not these.
    assert_eq!(call(&mut k, n::PROV, [2, prov_op::READ, at, 128, 0, 0]), refused(Error::BadCall));
    assert_eq!(
        call(&mut k, n::PROV, [AUDIT.into(), prov_op::READ, at, 128, 0, 0]),
        refused(Error::BadSlot)
    );
    give_audit(&mut k);
    assert_eq!(read(&mut k, 0, 127), refused(Error::BadCall));
    assert_eq!(read(&mut k, 1 << 40, 128), refused(Error::Empty));
    let good = Append { kind: kind::APPLICATION, ..Append::zeroed() };
    assert_eq!(append(&mut k, &good, &[0; 33]), refused(Error::BadCall));
    assert_eq!(append(&mut k, &Append { zero: 1, ..good }, &[]), refused(Error::BadCall));
    for forged in [kind::BOOT, kind::FAULT, kind::OVERRUN, 15, u16::MAX] {
        let head = Append { kind: forged, ..good };
        assert_eq!(append(&mut k, &head, b"x"), refused(Error::BadCall), "kind {forged}");
    }
    // A seal by somebody who does not hold the key would free the ring for a flood.
    let seal = Append { kind: kind::CHECKPOINT, object: 1, ..good };
    assert_eq!(append(&mut k, &seal, &[1; 64]), refused(Error::Denied));
    let args = [AUDIT.into(), prov_op::APPEND, at, Append::SIZE - 1, 0, 0];
    assert_eq!(call(&mut k, n::PROV, args), refused(Error::BadCall));
    let args = [AUDIT.into(), prov_op::APPEND, at, Append::SIZE + 65, 0, 0];
    assert_eq!(call(&mut k, n::PROV, args), refused(Error::TooBig));
    assert_eq!(call(&mut k, n::PROV, [AUDIT.into(), 4, at, 16, 0, 0]), refused(Error::BadCall));
    // Narrowed to reading.
    let mask = [AUDIT.into(), verb::RECV.into(), 7, 0, 0, 0];
    assert_eq!(call(&mut k, n::MASK, mask), (0, 0));
    assert_eq!(append(&mut k, &good, &[]), refused(Error::Denied));
    assert!(kinds(&mut k).iter().all(|kind| *kind <= kind::SPAWN || *kind == kind::PLEDGE));
}

#[test]
fn messages_on_audit_append_and_notice() {
    let mut k = boot();
    give_audit(&mut k);
    let at = data(&k, 0);
    let mut payload = [0; 48];
    payload[..5].copy_from_slice(b"hello");
    let arg = 7 | (-9i32 as u32 as u64) << 32;
    let message = Slot { kind: kind::APPLICATION, flags: 0, len: 5, arg, payload };
    k.machine.store(at as u64, &message.encode()).expect("own data");
    assert_eq!(call(&mut k, n::SEND, [AUDIT.into(), at, 64, 0, 0, 0]), (0, 0));
    let other = Slot { kind: kind::FAULT, ..message };
    k.machine.store(at as u64, &other.encode()).expect("own data");
    assert_eq!(call(&mut k, n::SEND, [AUDIT.into(), at, 64, 0, 0, 0]), refused(Error::BadCall));
    let written = k.chain.next();
    for seq in 0..written {
        assert_eq!(call(&mut k, n::RECV, [AUDIT.into(), at, 64, 0, 0, 0]), (0, 64));
        let mut bytes = [0; 64];
        k.machine.load(at as u64, &mut bytes).expect("own data");
        let got = Slot::decode(&bytes).expect("whole");
        assert_eq!(got.arg as u32, seq as u32);
        if seq + 1 == written {
            let notice = Notice::decode(&got.payload).expect("whole");
            assert_eq!((got.kind, got.arg >> 32, notice.status), (kind::APPLICATION, 7, -9));
            assert_eq!(abi::text(&notice.data), "hello");
        }
    }
    assert_eq!(call(&mut k, n::RECV, [AUDIT.into(), at, 64, 0, 0, 0]), refused(Error::Empty));
}

/// Who waits for a record sleeps until there is one.
#[test]
fn a_reader_is_woken_by_the_next_record() {
    let mut k = boot();
    give_audit(&mut k);
    k.fiber_mut().audit.next = k.chain.next();
    let reader = k.current as usize;
    let at = data(&k, 0);
    let list = WaitEntry { slot: AUDIT, want: want::READABLE, got: 0, zero: 0 };
    k.machine.store(at as u64, &list.encode()).expect("own data");
    assert_eq!(k.call(n::WAIT, &[at, 1, 0, 0, 0, 0]).status, 1);
    assert_eq!(k.fibers[reader].state, state::WAITING);
    k.audit(kind::GRANT, 0, 0, 0, &[]);
    assert_eq!(k.fibers[reader].state, state::READY);
    k.schedule();
    let mut got = [0; 4];
    k.machine.load(at as u64, &mut got).expect("own data");
    assert_eq!(got[2], want::READABLE);
}

#[test]
fn a_call_waits_for_room_while_a_sealer_lives_and_goes_on_after_a_seal() {
    let mut k = boot();
    let sealer = sealer(&mut k);
    let init = k.current as usize;
    fill(&mut k);
    k.machine.advance(20_000_000);
    let children = |k: &Kernel<Host>| k.fibers.iter().filter(|f| f.is_alive()).count();
    let before = children(&k);
    // The spawn does not come back; the sealer runs.
    spawn_with(&mut k, NO_SLOT, u64::MAX);
    assert!(k.fibers[init].wait.active, "held");
    assert_eq!((k.fibers[init].state, children(&k)), (state::WAITING, before));
    until(&mut k, sealer);
    give_audit(&mut k);
    assert_eq!(seal_all(&mut k), (0, 0));
    assert_eq!(k.chain.overrun(), (0, 0));
    until(&mut k, init);
    assert_eq!(children(&k), before + 1, "the spawn was made");
    assert_eq!(k.fibers[init].frame.result().0, 0);
}

#[test]
fn without_a_sealer_nobody_waits_and_the_loss_is_counted() {
    let mut k = boot();
    fill(&mut k);
    for _ in 0..80 {
        k.audit(kind::GRANT, 1, 2, 3, &[]);
    }
    k.machine.advance(20_000_000);
    assert_eq!(call(&mut k, n::YIELD, [0; 6]).0, 0);
    assert_eq!(spawn_with(&mut k, NO_SLOT, u64::MAX).0, 0);
    assert!(k.chain.overrun().1 > 0);
    assert!(kinds(&mut k).contains(&kind::OVERRUN));
}

#[test]
fn power_waits_for_the_last_seal() {
    let mut k = boot();
    let sealer = sealer(&mut k);
    let cap = k.cap(Kind::POWER, single::POWER, verb::SEND, 0);
    k.fiber_mut().caps.put(31usize, cap).expect("free");
    let init = k.current as usize;
    k.call(n::SEND, &[31, op::POWER_OFF, 0, 0, 0, 0]);
    k.schedule();
    until(&mut k, sealer);
    give_audit(&mut k);
    assert_eq!(k.fibers[init].state, state::WAITING, "it asked and does not go on");
    // A seal that leaves something out is not the last one.
    k.chain.hash(k.machine.bytes_mut(virt::PROVCHAIN, BYTES), u64::MAX);
    let head = Append { kind: kind::CHECKPOINT, object: 1, ..Append::zeroed() };
    assert_eq!(append(&mut k, &head, &[1; 64]), (0, 0));
    assert_eq!(stopped(|| assert_eq!(seal_all(&mut k), (0, 0))), Some(Stopped::Off));
    let head = Beb::decode(k.machine.bytes(virt::BEB, Beb::SIZE)).expect("whole");
    assert_eq!(head.state, beb::OFF);
    let all = records(&mut k);
    let halves: Vec<_> = all[all.len() - 2..].iter().map(|r| (r.kind, r.status)).collect();
    assert_eq!(halves, [(kind::CHECKPOINT, 0), (kind::CHECKPOINT, 1)]);
}

#[test]
fn power_does_not_wait_for_a_sealer_that_does_nothing() {
    let mut k = boot();
    sealer(&mut k);
    let cap = k.cap(Kind::POWER, single::POWER, verb::SEND, 0);
    k.fiber_mut().caps.put(31usize, cap).expect("free");
    let asked = k.machine.now();
    k.call(n::SEND, &[31, op::POWER_RESET, 0, 0, 0, 0]);
    let how = stopped(|| {
        for _ in 0..1000 {
            k.schedule();
            k.machine.advance(1_000_000);
            k.call(n::YIELD, &[0; 6]);
        }
    });
    assert_eq!(how, Some(Stopped::Reset));
    let waited = k.machine.now() - asked;
    assert!((200_000_000..210_000_000).contains(&waited), "{waited}");
}

/// What RAM kept over a reset: the head of the chain, and how the boot before ended.
#[test]
fn a_boot_notes_how_the_one_before_ended() {
    let mut old = boot();
    let last = records(&mut old).pop().expect("a record");
    let ring = old.machine.bytes(virt::PROVCHAIN, BYTES).to_vec();
    let text = "panicked at rumpk/src/somewhere.rs:1: something that takes more than one record";
    let mut k = boot_with(|host| {
        host.bytes_mut(virt::PROVCHAIN, BYTES).copy_from_slice(&ring);
        let mut head = Beb::zeroed();
        (head.magic, head.state, head.code) = (BEB_MAGIC, beb::PANIC, 1);
        (head.pc, head.address, head.text_len) = (0x1122, 0x3344, text.len() as u32);
        let kept = host.bytes_mut(virt::BEB + BEB_KEPT, Beb::SIZE + text.len());
        kept[..Beb::SIZE].copy_from_slice(&head.encode());
        kept[Beb::SIZE..].copy_from_slice(text.as_bytes());
    });
    let all = records(&mut k);
    assert_eq!((all[0].seq, all[0].status), (0, status::MACHINE));
    assert_eq!((all[1].kind, all[1].status, all[1].data), (kind::BOOT, status::HEAD, last.hash));
    let end = &all[2];
    assert_eq!((end.status, end.data[0], end.data[8], end.data[24]), (status::END, 0x22, 0x44, 5));
    let pieces: Vec<&ProvRecord> = all.iter().filter(|r| r.status == status::TEXT).collect();
    let whole: Vec<u8> = pieces.iter().flat_map(|r| r.data).collect();
    assert_eq!(abi::text(&whole), text);
    assert_eq!(pieces.iter().map(|r| r.object).collect::<Vec<_>>(), [0, 1, 2]);
}

#[test]
fn a_pledge_violation_is_noted() {
    let mut k = boot();
    let child = sealer(&mut k);
    until(&mut k, child);
    give_audit(&mut k);
    k.domain_mut().born |= pledge::AUDIT;
    k.domain_mut().pledge &= !pledge::AUDIT;
    let id = k.fiber().id;
    let at = data(&k, 0);
    k.call(n::PROV, &[AUDIT.into(), prov_op::READ, at, 128, 0, 0]);
    let all = records(&mut k);
    let last = all.last().expect("a record");
    assert_eq!((last.kind, last.fiber), (kind::PLEDGE_VIOLATION, id));
    assert_eq!(abi::text(&last.data[16..]), "child");
}

#[test]
fn a_seal_is_due_every_256_records() {
    let mut k = boot();
    let child = sealer(&mut k);
    until(&mut k, child);
    give_audit(&mut k);
    assert_eq!(seal_all(&mut k), (0, 0));
    let at = data(&k, 0);
    let list = WaitEntry { slot: AUDIT, want: want::EVENT, got: 0, zero: 0 };
    k.machine.store(at as u64, &list.encode()).expect("own data");
    assert_eq!(k.call(n::WAIT, &[at, 1, 0, 0, 0, 0]).status, 1);
    while k.chain.unsealed() < 255 {
        k.audit(kind::GRANT, 1, 2, 3, &[]);
        assert_eq!(k.fibers[child].state, state::WAITING, "{}", k.chain.unsealed());
    }
    k.audit(kind::GRANT, 1, 2, 3, &[]);
    assert_eq!(k.fibers[child].state, state::READY);
}
