//! The audit chain, whose home is core 0, for a fiber of another core.
use super::*;
use crate::cores::note::AUDITS;
use crate::seal::Seals;
use abi::call::{Append, prov_op};
use abi::cap::Kind;
use abi::prov::{Notice, ProvRecord, kind};
use arch::host::Stopped;
use prov::{BYTES, found};

/// Where the tests put AUDIT.
const AUDIT: u8 = 30;

/// Two cores, and on core 1 a child that may append and read.
fn with_audit() -> (Cores, usize) {
    let mut c = Cores::new(2);
    let (status, child) = c.spawn(0, NO_SLOT);
    assert_eq!(status, 0);
    give(&mut c, 1);
    (c, child)
}

fn give(c: &mut Cores, core: usize) {
    let kernel = &mut c.0[core];
    let domain = kernel.domain as usize;
    kernel.domains[domain].pledge |= abi::pledge::AUDIT;
    kernel.domains[domain].born |= abi::pledge::AUDIT;
    let cap = kernel.cap(Kind::AUDIT, crate::object::single::AUDIT, Kind::AUDIT.verbs(), 0);
    kernel.fiber_mut().caps.put(AUDIT as usize, cap).expect("free");
}

fn append(c: &mut Cores, object: u32) -> (isize, usize) {
    // Records cost more than the child is given, and what is asked here is not when it is throttled or struck.
    let domain = c.0[1].domain;
    c.0[1].sched.refund(domain, 1_000_000);
    let head = Append { kind: kind::APPLICATION, object, status: -3, ..Append::zeroed() };
    let at = c.store(1, 0, &head.encode());
    c.store(1, 16, b"from far");
    c.call(1, n::PROV, [AUDIT.into(), prov_op::APPEND, at, Append::SIZE + 8, 0, 0])
}

/// All records, as core 0 has them.
fn records(c: &mut Cores) -> Vec<ProvRecord> {
    let kernel = &mut c.0[0];
    kernel.chain.hash(kernel.machine.bytes_mut(virt::PROVCHAIN, BYTES), u64::MAX);
    let memory = kernel.machine.bytes(virt::PROVCHAIN, BYTES);
    found(memory).map(|r| ProvRecord::decode(r).expect("whole")).collect()
}

#[test]
fn a_record_of_another_core_is_in_the_chain() {
    let (mut c, _) = with_audit();
    let next = c.0[0].chain.next() as usize;
    assert_eq!(append(&mut c, 77), (0, next));
    let fiber = c.0[1].fiber().id;
    let last = *records(&mut c).last().expect("one");
    assert_eq!((last.seq as usize, last.kind, last.fiber), (next, kind::APPLICATION, fiber));
    assert_eq!((last.object, last.status, abi::text(&last.data)), (77, -3, "from far"));
    // As a message it has no number.
    let mut message = Slot { kind: kind::APPLICATION, len: 4, ..Slot::zeroed() };
    message.payload[..4].copy_from_slice(b"sent");
    let at = c.store(1, 256, &message.encode());
    assert_eq!(c.call(1, n::SEND, [AUDIT.into(), at, Slot::SIZE, 0, 0, 0]), (0, 0));
    assert_eq!(abi::text(&records(&mut c).last().expect("one").data), "sent");
    // The key is where the chain is.
    let head = Append { kind: kind::CHECKPOINT, ..Append::zeroed() };
    let at = c.store(1, 0, &head.encode());
    let args = [AUDIT.into(), prov_op::APPEND, at, Append::SIZE + 64, 0, 0];
    assert_eq!(c.call(1, n::PROV, args), (Error::Unsupported as isize, 0));
}

/// What a fiber's share has no room for is counted where it is, and the chain tells the number with the next record.
#[test]
fn the_share_of_a_fiber_holds_on_another_core() {
    let (mut c, child) = with_audit();
    // While the cores sleep, the time of the machine in memory goes on: this window does not end.
    c.0[1].fiber_mut().audit.window_end = u64::MAX;
    for n in 0..8 {
        assert_eq!(append(&mut c, n).0, 0);
    }
    for n in 0..5 {
        assert_eq!(append(&mut c, n), (Error::Full as isize, 0));
        assert_eq!(c.0[1].machine.take_calls(), 0, "it costs core 0 nothing");
    }
    assert_eq!(c.kill(0, child), (0, 0));
    c.ended(0, child);
    let all = records(&mut c);
    assert_eq!(all.iter().filter(|r| r.kind == kind::APPLICATION).count(), 8);
    let told = all.iter().find(|r| r.kind == kind::OVERRUN).expect("it is told");
    assert_eq!(told.data[0], 5);
}

#[test]
fn the_chain_is_read_whole_from_another_core() {
    let (mut c, _) = with_audit();
    append(&mut c, 1);
    // The first ones are hashed already: an answer brings several, and is copied in pieces.
    let kernel = &mut c.0[0];
    kernel.chain.hash(kernel.machine.bytes_mut(virt::PROVCHAIN, BYTES), 4);
    let (mut seq, mut got) = (0u64, Vec::new());
    // Each question hashes at most one record, and then has none or those that are hashed.
    for _ in 0..100 {
        let at = c.store(1, 512, &seq.to_le_bytes());
        let (status, len) = c.call(1, n::PROV, [AUDIT.into(), prov_op::READ, at, 1024, 0, 0]);
        if status != 0 {
            assert_eq!(status, Error::Empty as isize);
            break;
        }
        let bytes = c.load::<1024>(1, 512);
        let some = bytes[..len].as_chunks::<{ ProvRecord::SIZE }>().0.iter();
        got.extend(some.map(|r| ProvRecord::decode(r).expect("whole")));
        seq += (len / ProvRecord::SIZE) as u64;
    }
    let wanted = records(&mut c);
    assert!(wanted.len() > 3);
    assert_eq!(got, wanted);
}

#[test]
fn who_waits_for_a_record_on_another_core_gets_each_once() {
    let (mut c, _) = with_audit();
    let wanted = records(&mut c).len();
    assert!(!c.wait(1, AUDIT, want::READABLE), "core 0 is asked");
    c.settle();
    assert_ne!(c.0[1].current, NONE, "and says that there are some");
    for seq in 0..wanted {
        let message = c.recv(1, AUDIT).expect("a record");
        assert_eq!(message.arg as u32 as usize, seq);
    }
    assert_eq!(c.recv(1, AUDIT), Err(Error::Empty as isize));
    for n in 0..3 {
        assert!(!c.wait(1, AUDIT, want::READABLE));
        c.settle();
        assert_eq!(c.0[1].current, NONE, "there is no news");
        c.0[0].audit(kind::SPAWN, 9, n, 0, b"news");
        c.settle();
        assert_ne!(c.0[1].current, NONE, "news {n}");
        let message = c.recv(1, AUDIT).expect("a record");
        let notice = Notice::decode(&message.payload).expect("whole");
        assert_eq!((message.arg >> 32, abi::text(&notice.data)), (n.into(), "news"));
    }
}

/// Who panics is not there to wait for an answer: its words go as the kernel's own records do.
#[test]
fn last_words_of_another_core_are_in_the_chain() {
    let (mut c, child) = with_audit();
    let words = "a text that takes two records of the audit chain";
    let at = c.store(1, 0, words.as_bytes());
    let fiber = c.0[1].fiber().id;
    c.0[1].fiber_mut().frame.set_result(at as isize, words.len());
    let trap = Trap::Fault { cause: end::PANIC, address: 0, syndrome: 0 };
    stopped(|| {
        c.0[1].trap(&trap);
    });
    c.settle();
    assert_eq!(c.ended(0, child).end, end::PANIC);
    let all = records(&mut c);
    let said = |r: &&ProvRecord| r.kind == kind::APPLICATION && r.fiber == fiber;
    let said: Vec<u8> = all.iter().filter(said).flat_map(|r| r.data).collect();
    assert_eq!(abi::text(&said), words);
}

/// While core 0 does not look, what its lane has no room for is lost, counted, and told to whoever asks; what fits keeps its
/// order, and the lane works on.
#[test]
fn records_that_find_the_lane_full_are_lost_and_counted() {
    const MORE: u32 = 40;
    let (mut c, _) = with_audit();
    let fits = lane::PLACES - AUDITS + 1;
    let next = c.0[0].chain.next();
    for n in 0..fits + MORE {
        c.0[1].audit(kind::PLEDGE, 9, n, 0, b"much");
    }
    assert_eq!(c.0[0].chain.next(), next, "core 0 did not look");
    c.settle();
    c.0[1].audit(kind::PLEDGE, 9, u32::MAX, 0, b"again");
    c.settle();
    let of = |r: &ProvRecord| (r.fiber == 9).then_some(r.object);
    let seen: Vec<u32> = records(&mut c).iter().filter_map(of).collect();
    let wanted: Vec<u32> = (0..fits).chain([u32::MAX]).collect();
    assert!(wanted.ends_with(&seen) && seen.len() > 700, "{} of {fits}", seen.len());
    let lost = |c: &mut Cores, core: u64| {
        let input = u64::from(CLASS_SYSTEM) | core << 32;
        let at = c.store(0, 0, &input.to_le_bytes());
        assert_eq!(c.call(0, n::META, [meta::STATS, at, 128, 0, 0, 0]), (0, SystemStats::SIZE));
        SystemStats::decode(&c.load::<128>(0, 0)).expect("whole").audits_lost
    };
    assert_eq!((lost(&mut c, 0), lost(&mut c, 1)), (0, MORE.into()));
}

/// Subject zero, on core 0, is the one that seals; a child on core 1 has POWER and asks.
fn asked_for_power(operation: usize) -> Cores {
    let (mut c, _) = with_audit();
    give(&mut c, 0);
    let kernel = &mut c.0[1];
    let single = crate::object::single::POWER;
    let cap = kernel.cap(Kind::POWER, single, Kind::POWER.verbs(), 0);
    kernel.fiber_mut().caps.put(31usize, cap).expect("free");
    assert_eq!(c.0[1].call(n::SEND, &[31, operation, 0, 0, 0, 0]).status, 1, "it waits");
    c.run(1);
    c
}

/// Core 0 looks at what it was sent; how the machine stopped, if it did.
fn look(c: &mut Cores) -> Option<Stopped> {
    assert_eq!(c.0[1].machine.take_calls(), 1);
    c.0[0].machine.be_called();
    let kernel = &mut c.0[0];
    stopped(|| {
        kernel.trap(&Trap::Interrupt);
    })
}

/// The sealer may be what core 0 is running: it has sealed nothing yet all the same.
#[test]
fn power_asked_for_on_another_core_waits_for_the_last_seal() {
    let mut c = asked_for_power(op::POWER_OFF);
    c.0[0].seals = Seals::of(c.0[0].domain().service);
    assert_eq!(look(&mut c), None, "it waits for the seal");
    c.settle();
    assert_eq!(c.0[1].current, NONE, "who asked does not go on");
    let kernel = &mut c.0[0];
    kernel.chain.hash(kernel.machine.bytes_mut(virt::PROVCHAIN, BYTES), u64::MAX);
    let object = kernel.chain.next() as u32 - 1;
    let head = Append { kind: kind::CHECKPOINT, object, ..Append::zeroed() };
    let at = c.store(0, 0, &head.encode());
    let len = Append::SIZE + prov::SEAL_LEN;
    let args = [AUDIT.into(), prov_op::APPEND, at, len, 0, 0];
    let kernel = &mut c.0[0];
    let how = stopped(|| {
        kernel.call(n::PROV, &args);
    });
    assert_eq!(how, Some(Stopped::Off));
    let kinds: Vec<u16> = records(&mut c).iter().map(|r| r.kind).collect();
    assert!(kinds.ends_with(&[kind::CHECKPOINT; 2]), "{kinds:?}");
}

/// Without a sealer nothing is waited for; one that does nothing has 200 ms.
#[test]
fn power_asked_for_on_another_core_does_not_wait_for_ever() {
    let mut c = asked_for_power(op::POWER_RESET);
    assert_eq!(look(&mut c), Some(Stopped::Reset));
    let mut c = asked_for_power(op::POWER_RESET);
    c.0[0].seals = Seals::of(c.0[0].domain().service);
    assert_eq!(look(&mut c), None);
    let asked = c.0[0].machine.now();
    let kernel = &mut c.0[0];
    let how = stopped(|| {
        for _ in 0..1000 {
            kernel.schedule();
            kernel.machine.advance(1_000_000);
            kernel.call(n::YIELD, &[0; 6]);
        }
    });
    assert_eq!(how, Some(Stopped::Reset));
    let waited = c.0[0].machine.now() - asked;
    assert!((200_000_000..210_000_000).contains(&waited), "{waited}");
}
