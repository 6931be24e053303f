//! The protocol by hand, against a queue as model, and with a hostile peer.
mod memory;

use abi::call::Error;
use abi::ring::{Descriptor, FLAG_DESCRIPTOR, Slot};
use memory::Plain;
use proptest::prelude::*;
use ring::{Consumer, Header, Producer, Word, descriptor};
use std::collections::VecDeque;

fn slot(kind: u16, payload: &[u8]) -> Slot {
    let mut bytes = [0; 48];
    bytes[..payload.len()].copy_from_slice(payload);
    Slot { kind, flags: 0, len: payload.len() as u32, arg: 7, payload: bytes }
}

fn pair(slots: u32) -> (Plain, Producer, Consumer) {
    let producer = Producer::new(slots).expect("power of two");
    (Plain::new(slots), producer, Consumer::new(slots).expect("power of two"))
}

#[test]
fn geometry_is_a_power_of_two() {
    for slots in [0, 3, 5, 6, 1000, u32::MAX] {
        assert_eq!(Producer::new(slots), Err(Error::BadCall));
        assert_eq!(Consumer::new(slots), Err(Error::BadCall));
    }
    assert!(Producer::new(1 << 31).is_ok());
}

#[test]
fn layout_is_that_of_the_contract() {
    let (m, mut p, _) = pair(2);
    let sent = Slot { kind: 0x1234, arg: 0x1122_3344_5566_7788, ..slot(0, b"payload") };
    assert!(!p.push(&m, &sent).expect("room").must_ring);
    let mut bytes = [0; 64];
    let header = ring::Memory::read_header(&m, 0);
    bytes[..8].copy_from_slice(&header[0].to_le_bytes());
    bytes[8..16].copy_from_slice(&header[1].to_le_bytes());
    let mut payload = [0; 48];
    ring::Memory::read_payload(&m, 0, &mut payload);
    bytes[16..].copy_from_slice(&payload);
    assert_eq!(Slot::decode(&bytes), Some(sent));
    assert!(Word::Write.in_p() && Word::ProducerAsleep.in_p());
    assert!(!Word::Read.in_p() && !Word::ConsumerAsleep.in_p());
    assert_eq!((Word::Write.offset(), Word::ProducerAsleep.offset()), (0, 4));
    assert_eq!((Word::Read.offset(), Word::ConsumerAsleep.offset()), (0, 4));
}

#[test]
fn a_sleeper_is_rung_and_each_message_passes_one_fence_on_each_side() {
    let (m, mut p, mut c) = pair(2);
    assert!(c.prepare_sleep(&m));
    assert!(p.push_word(&m, 1, 2).expect("room").must_ring);
    c.awake(&m);
    let before = m.fences.get();
    assert!(!p.push_word(&m, 3, 4).expect("room").must_ring);
    assert_eq!(p.push_word(&m, 5, 6), Err(Error::Full));
    assert!(p.prepare_sleep(&m));
    let first = c.pop_header(&m).expect("message");
    assert_eq!((first.header.kind, first.header.arg, first.must_ring), (1, 2, true));
    p.awake(&m);
    let second = c.pop(&m).expect("message");
    assert_eq!((second.slot.kind, second.slot.arg, second.must_ring), (3, 4, false));
    // Push, sleep, pop, pop.
    assert_eq!(m.fences.get() - before, 4);
    assert_eq!(c.pop(&m), Err(Error::Empty));
    // Nothing to sleep for: there is a message, there is room.
    assert!(!p.prepare_sleep(&m));
    assert!(!p.push_word(&m, 1, 1).expect("room").must_ring);
    assert!(!c.prepare_sleep(&m));
    assert_eq!((m.word(Word::ConsumerAsleep), m.word(Word::ProducerAsleep)), (0, 0));
}

#[test]
fn the_peers_index_is_loaded_only_when_needed() {
    let (m, mut p, mut c) = pair(8);
    for arg in 0..8 {
        assert!(!p.push_word(&m, 0, arg).expect("room").must_ring);
    }
    assert_eq!(m.index_loads.get(), 0);
    for arg in 0..8 {
        assert_eq!(c.pop_header(&m).expect("message").header.arg, arg);
    }
    assert_eq!(m.index_loads.get(), 1);
}

#[test]
fn a_message_stays_until_it_is_freed() {
    let (m, mut p, mut c) = pair(4);
    assert!(!p.push(&m, &slot(9, b"request")).expect("room").must_ring);
    assert_eq!(c.peek(&m), Ok(slot(9, b"request")));
    assert_eq!(m.word(Word::Read), 0);
    // The server dies here; the next instance goes on with the same request.
    let mut again = Consumer::resume(&m, 4).expect("whole ring");
    assert_eq!(again.peek(&m), Ok(slot(9, b"request")));
    assert!(!again.advance(&m));
    assert_eq!(again.pop(&m), Err(Error::Empty));
    assert!(!again.advance(&m), "nothing to free");
    assert_eq!(m.word(Word::Read), 1);
    let mut next = Producer::resume(&m, 4).expect("whole ring");
    assert_eq!((p.room(&m), next.room(&m)), (Ok(4), Ok(4)));
    m.force(Word::Read, 2);
    assert_eq!(Producer::resume(&m, 4), Err(Error::Gone));
    assert_eq!(Consumer::resume(&m, 4), Err(Error::Gone));
}

#[test]
fn what_no_consumer_would_take_is_not_sent() {
    let (m, mut p, _) = pair(2);
    assert_eq!(p.push(&m, &Slot { len: 49, ..slot(0, b"") }), Err(Error::TooBig));
    assert_eq!(p.push(&m, &Slot { flags: 2, ..slot(0, b"") }), Err(Error::BadCall));
    assert_eq!(p.push_inline(&m, 0, 0, 49, &[0; 48]), Err(Error::TooBig));
    assert_eq!(m.word(Word::Write), 0);
}

#[test]
fn a_bad_slot_breaks_the_ring_for_good() {
    for (flags, len) in [(2, 0), (0x8000, 0), (3, 0), (0, 49), (0, u32::MAX), (1, 0x8000_0000)] {
        let (m, mut p, mut c) = pair(2);
        assert!(!p.push_word(&m, 0, 0).expect("room").must_ring);
        m.force_slot(0, Slot { flags, len, ..slot(0, b"") }.encode());
        let mut other = c.clone();
        assert_eq!(other.pop_header(&m), Err(Error::Gone), "flags {flags:#x} len {len}");
        let mut other = c.clone();
        assert_eq!(other.pop_inline(&m, &mut [0; 48]), Err(Error::Gone));
        assert_eq!(c.pop(&m), Err(Error::Gone), "flags {flags:#x} len {len}");
        m.force_slot(0, slot(0, b"").encode());
        assert_eq!(c.pop(&m), Err(Error::Gone), "repaired too late");
        assert!(!c.prepare_sleep(&m));
        assert!(!c.advance(&m));
        assert_eq!(c.available(&m), Err(Error::Gone));
    }
}

#[test]
fn an_index_out_of_range_breaks_the_ring_for_good() {
    let (m, mut p, mut c) = pair(4);
    m.force(Word::Write, 5);
    assert_eq!(c.pop(&m), Err(Error::Gone));
    m.force(Word::Write, 1);
    assert_eq!(c.pop(&m), Err(Error::Gone));
    for _ in 0..4 {
        assert!(p.push_word(&m, 0, 0).is_ok());
    }
    m.force(Word::Read, 5);
    assert_eq!(p.push_word(&m, 0, 0), Err(Error::Gone));
    assert!(!p.prepare_sleep(&m));
    m.force(Word::Read, 4);
    assert_eq!(p.push_word(&m, 0, 0), Err(Error::Gone));
    assert_eq!(p.room(&m), Err(Error::Gone));
}

#[test]
fn indices_wrap() {
    let m = Plain::new(4);
    m.force(Word::Write, u32::MAX - 1);
    m.force(Word::Read, u32::MAX - 1);
    let mut p = Producer::resume(&m, 4).expect("whole ring");
    let mut c = Consumer::resume(&m, 4).expect("whole ring");
    for arg in 0..4 {
        assert!(p.push_word(&m, 0, arg).is_ok());
    }
    assert_eq!(p.push_word(&m, 0, 4), Err(Error::Full));
    assert_eq!(m.word(Word::Write), 2);
    for arg in 0..4 {
        assert_eq!(c.pop(&m).expect("message").slot.arg, arg);
    }
    assert_eq!(c.pop(&m), Err(Error::Empty));
}

#[test]
fn a_descriptor_lies_in_the_area() {
    let with = |offset, len, zero| {
        let mut s = slot(0, &Descriptor { offset, len, zero }.encode());
        s.flags = FLAG_DESCRIPTOR;
        s
    };
    assert_eq!(descriptor(&slot(0, b"x"), 100), Ok(None));
    assert_eq!(descriptor(&with(0, 100, 0), 100), Ok(Some((0, 100))));
    assert_eq!(descriptor(&with(100, 0, 0), 100), Ok(Some((100, 0))));
    let short = Slot { len: 12, ..with(0, 1, 0) };
    for bad in [with(1, 100, 0), with(u64::MAX, 1, 0), with(0, 101, 0), with(0, 1, 1), short] {
        assert_eq!(descriptor(&bad, 100), Err(Error::BadAddress));
    }
}

#[derive(Clone, Debug)]
enum Step {
    Push(u16, Vec<u8>),
    Word(u16, u64),
    Pop,
    Header,
    Inline,
    ProducerSleeps,
    ConsumerSleeps,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        (any::<u16>(), proptest::collection::vec(any::<u8>(), 0..=48))
            .prop_map(|(kind, payload)| Step::Push(kind, payload)),
        (any::<u16>(), any::<u64>()).prop_map(|(kind, arg)| Step::Word(kind, arg)),
        Just(Step::Pop),
        Just(Step::Header),
        Just(Step::Inline),
        Just(Step::ProducerSleeps),
        Just(Step::ConsumerSleeps),
    ]
}

proptest! {
    #[test]
    fn behaves_like_a_bounded_queue(
        steps in proptest::collection::vec(step(), 0..200),
        order in 0u32..5,
        start: u32,
    ) {
        let slots = 1 << order;
        let m = Plain::new(slots);
        m.force(Word::Write, start);
        m.force(Word::Read, start);
        let mut p = Producer::resume(&m, slots).expect("empty ring");
        let mut c = Consumer::resume(&m, slots).expect("empty ring");
        let mut queue = VecDeque::new();
        for step in steps {
            let full = queue.len() == slots as usize;
            match step {
                Step::Push(..) | Step::Word(..) => {
                    let sent = match step {
                        Step::Push(kind, ref payload) => slot(kind, payload),
                        Step::Word(kind, arg) => Slot { arg, ..slot(kind, b"") },
                        _ => unreachable!(),
                    };
                    let asleep = m.word(Word::ConsumerAsleep) == 1;
                    let got = match step {
                        Step::Word(kind, arg) => p.push_word(&m, kind, arg),
                        Step::Push(kind, ref payload) if payload.len() > 24 => {
                            p.push_inline(&m, kind, 7, sent.len, &sent.payload)
                        }
                        _ => p.push(&m, &sent),
                    };
                    if full {
                        prop_assert_eq!(got, Err(Error::Full));
                    } else {
                        prop_assert_eq!(got.map(|pushed| pushed.must_ring), Ok(asleep));
                        queue.push_back(sent);
                        c.awake(&m);
                    }
                }
                Step::Pop | Step::Header | Step::Inline => {
                    let asleep = m.word(Word::ProducerAsleep) == 1;
                    let want = queue.pop_front().ok_or(Error::Empty);
                    if matches!(step, Step::Pop) {
                        let want = want.map(|slot| (slot, asleep));
                        prop_assert_eq!(c.pop(&m).map(|x| (x.slot, x.must_ring)), want);
                    } else if matches!(step, Step::Inline) {
                        let mut payload = [0; 48];
                        let got = c.pop_inline(&m, &mut payload);
                        prop_assert_eq!(got.map(|x| x.must_ring), want.map(|_| asleep));
                        if let Ok(want) = want {
                            prop_assert_eq!(got.map(|x| x.header), Ok(Header::of(&want)));
                            let len = want.len as usize;
                            prop_assert_eq!(&payload[..len], &want.payload[..len]);
                        }
                    } else {
                        let want = want.map(|slot| (Header::of(&slot), asleep));
                        prop_assert_eq!(c.pop_header(&m).map(|x| (x.header, x.must_ring)), want);
                    }
                    p.awake(&m);
                }
                Step::ProducerSleeps => prop_assert_eq!(p.prepare_sleep(&m), full),
                Step::ConsumerSleeps => {
                    prop_assert_eq!(c.prepare_sleep(&m), queue.is_empty());
                }
            }
            prop_assert_eq!(c.available(&m), Ok(queue.len() as u32));
            prop_assert_eq!(p.room(&m), Ok(slots - queue.len() as u32));
        }
    }

    /// `Plain` panics on a slot out of range, so that getting through is the proof.
    #[test]
    fn a_hostile_peer_is_harmless(
        attacks in proptest::collection::vec((0usize..4, any::<u32>(), 0usize..8, any::<[u8; 32]>()), 0..100),
        near in any::<bool>(),
    ) {
        let (m, mut p, mut c) = pair(8);
        let (mut sent, mut got) = (0u32, 0u32);
        let (mut p_gone, mut c_gone) = (false, false);
        for (word, value, slot_number, raw) in attacks {
            let word = [Word::Read, Word::ConsumerAsleep, Word::Write, Word::ProducerAsleep][word];
            // The producer's peer writes C, the consumer's writes P; small steps get past the first check.
            let value = if near { m.word(word).wrapping_add(value % 4) } else { value };
            m.force(word, value);
            let mut bytes = [0; 64];
            bytes[..32].copy_from_slice(&raw);
            if near {
                (bytes[2], bytes[3], bytes[4]) = (raw[2] & 1, 0, raw[4] % 50);
                bytes[5..8].fill(0);
            }
            m.force_slot(slot_number, bytes);
            let pushed = p.push_word(&m, 1, 1);
            prop_assert!(!p_gone || pushed == Err(Error::Gone));
            p_gone |= pushed == Err(Error::Gone);
            sent += u32::from(pushed.is_ok());
            let popped = c.pop(&m);
            prop_assert!(!c_gone || popped == Err(Error::Gone));
            c_gone |= popped == Err(Error::Gone);
            if let Ok(popped) = popped {
                got += 1;
                prop_assert!(popped.slot.len <= 48 && popped.slot.flags <= 1);
                let _ = descriptor(&popped.slot, 4096);
            }
            let _ = p.prepare_sleep(&m) || c.prepare_sleep(&m);
        }
        prop_assert!(sent <= 100 && got <= 100);
    }
}
