//! The ring: who may push out whom, what is counted, and what an overrun leaves behind.
use abi::prov::{ProvRecord, kind};
use proptest::prelude::*;
use prov::{Anchor, BYTES, Chain, Entry, Full, RECORDS, RESERVED, verify};

fn entry(kind: u16, object: u32) -> Entry {
    Entry { time: u64::from(object) * 7, kind, cell: 0, fiber: 3, object, status: 0, data: [9; 32] }
}

struct Ring {
    chain: Chain,
    memory: Vec<u8>,
}

impl Ring {
    fn new() -> Self {
        Self { chain: Chain::new(), memory: vec![0; BYTES] }
    }
    fn kernel(&mut self, object: u32) -> u64 {
        self.chain.append(&mut self.memory, &entry(kind::SPAWN, object))
    }
    fn application(&mut self, object: u32) -> Result<u64, Full> {
        self.chain.append_application(&mut self.memory, &entry(kind::APPLICATION, object))
    }
    fn seal(&mut self) {
        self.chain.hash(&mut self.memory, u64::MAX);
        let until = self.chain.head().0;
        self.chain.seal(&self.memory, until);
    }
    /// All records that are there, in order, hashed.
    fn records(&mut self) -> Vec<ProvRecord> {
        self.chain.hash(&mut self.memory, u64::MAX);
        let all = self.chain.oldest()..self.chain.next();
        all.map(|seq| ProvRecord::decode(self.chain.record(&self.memory, seq).unwrap()).unwrap())
            .collect()
    }
    fn of(&mut self, kind: u16) -> Vec<ProvRecord> {
        self.records().into_iter().filter(|r| r.kind == kind).collect()
    }
    fn bytes(&mut self) -> Vec<u8> {
        self.records().iter().flat_map(ProvRecord::encode).collect()
    }
}

fn told(record: &ProvRecord) -> (u64, u64) {
    let number = |at: usize| u64::from_le_bytes(record.data[at..at + 8].try_into().unwrap());
    (number(0), number(8))
}

#[test]
fn an_empty_chain_is_all_zeros() {
    let chain = format!("{:?}", Chain::new());
    assert!(
        chain.split(|c: char| !c.is_ascii_digit()).all(|n| n.is_empty() || n == "0"),
        "{chain}"
    );
}

#[test]
fn records_are_numbered_linked_and_hashed_in_order() {
    let mut ring = Ring::new();
    for n in 0..200 {
        assert_eq!(ring.kernel(n), u64::from(n));
    }
    // Only so many wait for their hash.
    assert_eq!(ring.chain.pending(), 64);
    assert!(ring.chain.record(&ring.memory, 135).is_some());
    assert!(ring.chain.record(&ring.memory, 136).is_none(), "read before it is hashed");
    let report = verify(&ring.bytes(), 0, Anchor::None, &|_, _| false);
    assert_eq!((report.count, report.bad), (200, None));
    assert_eq!(report.head, *ring.chain.head().1);
    let records = ring.records();
    assert_eq!((records[0].prev, records[7].time, records[7].object), ([0; 32], 49, 7));
    assert!(ring.chain.record(&ring.memory, 200).is_none());
}

#[test]
fn a_flood_of_applications_erases_no_record_of_the_kernel() {
    let mut ring = Ring::new();
    for n in 0..700 {
        ring.kernel(n);
    }
    let taken = (0..100_000).filter(|&n| ring.application(n).is_ok()).count();
    assert_eq!(taken, 255, "a quarter, but for the place of the overrun record");
    assert_eq!(ring.of(kind::SPAWN).len(), 700);
    // The next event tells how many were dropped, once.
    ring.kernel(700);
    ring.kernel(701);
    let overruns = ring.of(kind::OVERRUN);
    assert_eq!(overruns.iter().map(told).collect::<Vec<_>>(), [(100_000 - 255, 0)]);
    assert_eq!(ring.application(0), Err(Full));
    assert_eq!(ring.of(kind::SPAWN).len(), 702);
    // Drained: there is room again, and the one dropped since is told.
    ring.seal();
    assert!(ring.application(1).is_ok());
    assert_eq!(ring.of(kind::OVERRUN).iter().map(told).next_back(), Some((100_000 - 254, 0)));
}

#[test]
fn what_is_sealed_in_time_is_never_lost() {
    let mut ring = Ring::new();
    for n in 0..10_000 {
        ring.kernel(n);
        if n % 500 == 0 {
            ring.seal();
        }
    }
    assert_eq!(ring.chain.overrun(), (0, 0));
    assert_eq!(ring.of(kind::OVERRUN), []);
}

#[test]
fn without_seals_the_oldest_kernel_records_go_and_are_counted() {
    let mut ring = Ring::new();
    for n in 0..5 {
        ring.application(n).unwrap();
    }
    for n in 0..2000 {
        ring.kernel(n);
    }
    let (dropped, lost) = ring.chain.overrun();
    assert_eq!((dropped, lost), (0, 2000 - 768));
    let overruns: Vec<_> = ring.of(kind::OVERRUN).iter().map(told).collect();
    assert_eq!(overruns.last(), Some(&(0, 1 + 256 * 4)));
    let first = ring.records()[0].seq;
    assert_eq!(verify(&ring.bytes(), first, Anchor::None, &|_, _| false).bad, None);
}

#[test]
fn room_that_can_wait_leaves_the_reserve_alone() {
    let mut ring = Ring::new();
    let mut n = 0;
    while ring.chain.has_room(1) {
        ring.kernel(n);
        n += 1;
    }
    assert_eq!(u64::from(n), RECORDS * 3 / 4 - RESERVED - 1);
    for n in 0..=RESERVED {
        ring.kernel(n as u32);
    }
    assert_eq!(ring.chain.overrun(), (0, 0), "the reserve holds {RESERVED} and the one asked for");
    ring.kernel(0);
    assert_eq!(ring.chain.overrun(), (0, 1));
}

#[derive(Clone, Debug)]
enum Step {
    Kernel,
    Application,
    DropOne,
    Hash(u64),
    Seal,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => Just(Step::Kernel),
        6 => Just(Step::Application),
        1 => Just(Step::DropOne),
        1 => (0..5u64).prop_map(Step::Hash),
        1 => Just(Step::Seal),
    ]
}

proptest! {
    /// Whatever happens in whatever order: one chain, nothing unsealed lost but what is counted, quotas kept.
    #[test]
    fn any_order_of_events_leaves_a_good_chain(
        steps in prop::collection::vec((step(), 1..40u32), 1..150)
    ) {
        let mut ring = Ring::new();
        let (mut written, mut refused, mut object) = (0u64, 0u64, 0);
        for (step, times) in steps {
            for _ in 0..times {
                object += 1;
                match step {
                    Step::Kernel => { ring.kernel(object); written += 1; }
                    Step::Application => match ring.application(object) {
                        Ok(_) => written += 1,
                        Err(Full) => refused += 1,
                    },
                    Step::DropOne => { ring.chain.drop_one(); refused += 1; }
                    Step::Hash(most) => { ring.chain.hash(&mut ring.memory, most); }
                    Step::Seal => { ring.seal(); break; }
                }
                prop_assert!(ring.chain.pending() <= 64);
            }
        }
        prop_assert_eq!(ring.chain.overrun().0, refused);
        prop_assert!(ring.chain.next() >= written, "overrun records come on top");
        let records = ring.records();
        prop_assert_eq!(records.len() as u64, ring.chain.next().min(RECORDS));
        if let Some(first) = records.first() {
            let report = verify(&ring.bytes(), first.seq, Anchor::None, &|_, _| false);
            prop_assert_eq!(report.bad, None);
        }
    }
}
