//! The reader: is this the chain that was written, and which part of it do signatures vouch for?
//!
//! Without the key somebody who holds the file can compute every hash anew; what he cannot make is a seal. So a chain has
//! two parts: up to the last seal it is what the holder of the key signed, behind it only consistent with itself. A chain
//! that was cut at an earlier seal is consistent, too: that shows only against an [`Anchor`] that was kept elsewhere.
use crate::{Hash, hash_of};
use abi::prov::{ProvRecord, kind};

/// Bytes of an Ed25519 signature (RFC 8032).
pub const SEAL_LEN: usize = 64;
/// What a seal's signature is over besides the head, so that it can be taken for nothing else.
const DOMAIN: &[u8; 32] = b"nexus provchain seal, version 1\0";

/// What is signed to seal a chain whose last record has the hash `head`.
#[must_use]
pub fn seal_message(head: &Hash) -> [u8; 64] {
    let mut message = [0; 64];
    message[..32].copy_from_slice(DOMAIN);
    message[32..].copy_from_slice(head);
    message
}

/// Says whether a signature over a message is by the key that seals.
pub type Signed<'a> = &'a dyn Fn(&[u8; 64], &[u8; SEAL_LEN]) -> bool;

/// What is wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Found {
    /// The record is not what its own hash says.
    Altered,
    /// It does not carry the hash of the record before.
    Unlinked,
    /// It is not there; a later one stands in its place.
    Missing,
    /// It is not in its place but at this one, counted from 0.
    Moved(usize),
    /// In its place stands this one, which came before.
    Repeated(u64),
    /// The seal in it, or begun in it, is not by the key.
    Seal,
    /// The anchor's record never comes: the chain was cut before it.
    Cut,
    /// The file ends within it.
    Short,
}

/// The first record that is not as it was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bad {
    /// Its number.
    pub seq: u64,
    /// What is wrong with it.
    pub found: Found,
}

impl core::fmt::Display for Bad {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        let seq = self.seq;
        match self.found {
            Found::Altered => write!(f, "record {seq} was altered"),
            Found::Unlinked => write!(f, "record {seq} does not follow the one before it"),
            Found::Missing => write!(f, "record {seq} is missing"),
            Found::Moved(to) => write!(f, "record {seq} was moved: it stands at place {to}"),
            Found::Repeated(other) => {
                write!(f, "record {seq} is not in its place: record {other} stands there again")
            }
            Found::Seal => write!(f, "the seal in record {seq} is not by this key"),
            Found::Cut => write!(f, "record {seq} is missing: the chain ends before its anchor"),
            Found::Short => write!(f, "record {seq} is incomplete"),
        }
    }
}

/// Checks one record after the other; needs no memory.
#[derive(Clone, Copy, Debug)]
pub struct Verifier {
    next: u64,
    prev: Option<Hash>,
}

impl Verifier {
    /// Expects record `from` first. Only record 0 must have zeros in `prev`; what came before another one is not known.
    #[must_use]
    pub fn new(from: u64) -> Self {
        Self { next: from, prev: (from == 0).then_some([0; 32]) }
    }

    /// Number of the record that must come next.
    #[must_use]
    pub fn next(&self) -> u64 {
        self.next
    }
    /// Hash of the record before.
    #[must_use]
    pub fn head(&self) -> Option<&Hash> {
        self.prev.as_ref()
    }

    /// Checks the next record.
    ///
    /// # Errors
    /// What is wrong, with the number that the record should have. A later number is [`Found::Missing`]: whether the one
    /// in between stands elsewhere is not known here.
    pub fn push(&mut self, bytes: &[u8; ProvRecord::SIZE]) -> Result<ProvRecord, Bad> {
        let seq = self.next;
        let bad = |found| Err(Bad { seq, found });
        let Some(record) = ProvRecord::decode(bytes) else { return bad(Found::Short) };
        if hash_of(bytes) != record.hash {
            return bad(Found::Altered);
        }
        if record.seq > seq {
            return bad(Found::Missing);
        }
        if record.seq < seq {
            return bad(Found::Repeated(record.seq));
        }
        if self.prev.is_some_and(|prev| prev != record.prev) {
            return bad(Found::Unlinked);
        }
        self.prev = Some(record.hash);
        self.next += 1;
        Ok(record)
    }
}

/// What the end of the chain is compared with.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Anchor {
    /// Nothing: a chain that was cut cannot be told from a whole one.
    #[default]
    None,
    /// A record with this hash must be there.
    Head(Hash),
}

/// What a chain is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// Number of the first record.
    pub first: u64,
    /// Good records.
    pub count: u64,
    /// Hash of the last good one.
    pub head: Hash,
    /// Good seals.
    pub seals: u64,
    /// Number of the first record that no seal covers.
    pub unsealed: u64,
    /// The last seal is the end: nothing stands between the record it covers and itself, and nothing behind it.
    pub closed: bool,
    /// The first record that is not good, if there is one.
    pub bad: Option<Bad>,
}

/// Verifies a saved chain that begins with record `from`.
#[must_use]
pub fn verify(bytes: &[u8], from: u64, anchor: Anchor, signed: Signed<'_>) -> Report {
    let mut reading = Reading {
        records: bytes,
        chain: Verifier::new(from),
        half: None,
        anchored: anchor == Anchor::None,
        report: Report { first: from, unsealed: from, ..Report::default() },
    };
    let mut bad = None;
    for place in 0..bytes.len() / ProvRecord::SIZE {
        if let Err(found) = reading.step(place, anchor, signed) {
            bad = Some(found);
            break;
        }
    }
    let mut report = reading.report;
    report.count = reading.chain.next() - from;
    report.head = reading.chain.head().copied().unwrap_or_default();
    let next = reading.chain.next();
    let found = if !bytes.len().is_multiple_of(ProvRecord::SIZE) {
        Some(Found::Short)
    } else if !reading.anchored {
        Some(Found::Cut)
    } else {
        None
    };
    report.bad = bad.or(found.map(|found| Bad { seq: next, found }));
    report
}

struct Reading<'a> {
    records: &'a [u8],
    chain: Verifier,
    /// First half of a seal: number of the record it covers, and of the signature.
    half: Option<(u64, Hash)>,
    anchored: bool,
    report: Report,
}

impl Reading<'_> {
    fn record(&self, place: usize) -> Option<&[u8; ProvRecord::SIZE]> {
        self.records.get(place.checked_mul(ProvRecord::SIZE)?..)?.first_chunk()
    }

    fn step(&mut self, place: usize, anchor: Anchor, signed: Signed<'_>) -> Result<(), Bad> {
        let seq = self.chain.next();
        let Some(bytes) = self.record(place).copied() else {
            return Err(Bad { seq, found: Found::Short });
        };
        let record = self.chain.push(&bytes).map_err(|bad| self.refine(bad, place))?;
        self.anchored |= anchor == Anchor::Head(record.hash);
        self.report.closed = false;
        self.seal(&record, signed)
    }

    /// A missing record may merely stand elsewhere.
    fn refine(&self, bad: Bad, place: usize) -> Bad {
        if bad.found != Found::Missing {
            return bad;
        }
        let later = place..self.records.len() / ProvRecord::SIZE;
        let holds = |place: &usize| {
            let seq = self.record(*place).and_then(|r| r.first_chunk());
            seq.is_some_and(|seq| u64::from_le_bytes(*seq) == bad.seq)
        };
        let moved = later.into_iter().find(holds);
        Bad { found: moved.map_or(Found::Missing, Found::Moved), ..bad }
    }

    /// Takes the two halves of a seal, which the kernel writes one after the other.
    fn seal(&mut self, record: &ProvRecord, signed: Signed<'_>) -> Result<(), Bad> {
        let bad = Err(Bad { seq: record.seq, found: Found::Seal });
        let half = self.half.take();
        if record.kind != kind::CHECKPOINT {
            return if half.is_some() { bad } else { Ok(()) };
        }
        let covers = covered(record);
        match (record.status, half, covers) {
            (0, None, Some(covers)) if covers < record.seq => {
                self.half = Some((covers, record.data));
                Ok(())
            }
            (1, Some((of, first)), Some(covers)) if covers == of => {
                let mut signature = [0; SEAL_LEN];
                signature[..32].copy_from_slice(&first);
                signature[32..].copy_from_slice(&record.data);
                let Some(place) = of.checked_sub(self.report.first) else {
                    // The record that it covers is older than this file: nothing to check it against.
                    return Ok(());
                };
                let covered = self.record(place as usize).and_then(|r| ProvRecord::decode(r));
                let head = covered.map(|r| r.hash).unwrap_or_default();
                if !signed(&seal_message(&head), &signature) {
                    return bad;
                }
                self.report.seals += 1;
                self.report.unsealed = self.report.unsealed.max(of + 1);
                self.report.closed = of + 2 == record.seq;
                Ok(())
            }
            _ => bad,
        }
    }
}

/// Number of the record that a seal covers: the low half stands in the record, the rest is that of the latest before it.
fn covered(record: &ProvRecord) -> Option<u64> {
    let low = u64::from(record.object);
    let high = record.seq & !u64::from(u32::MAX);
    if high | low <= record.seq { Some(high | low) } else { (high | low).checked_sub(1 << 32) }
}
