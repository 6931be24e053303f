//! What the verifier finds: every single bit, each record dropped, moved, cut, forged.
use abi::prov::{ProvRecord, kind};
use ed25519_dalek::{Signature, Signer, SigningKey};
use prov::{Anchor, BYTES, Bad, Chain, Entry, Found, Hash, Verifier, hash_of, seal_message, text};

const LEN: usize = ProvRecord::SIZE;
const RECORDS: usize = 1000;

fn key() -> SigningKey {
    SigningKey::from_bytes(&[7; 32])
}

fn signed(message: &[u8; 64], signature: &[u8; 64]) -> bool {
    key().verifying_key().verify_strict(message, &Signature::from_bytes(signature)).is_ok()
}

/// A chain of [`RECORDS`] records with a seal after every 256, as the kernel and its signer make one.
fn chain() -> Vec<u8> {
    let (mut chain, mut memory, mut out) = (Chain::new(), vec![0; BYTES], Vec::new());
    let mut entry =
        Entry { time: 5, kind: 0, cell: 0, fiber: 1, object: 2, status: 0, data: [3; 32] };
    while chain.next() < RECORDS as u64 {
        let n = chain.next();
        (entry.time, entry.kind) = (n * 1000, (n % 11) as u16);
        entry.data[..8].copy_from_slice(&n.wrapping_mul(0x9E37_79B9_7F4A_7C15).to_le_bytes());
        chain.append(&mut memory, &entry);
        if chain.unsealed() >= 256 {
            seal(&mut chain, &mut memory);
        }
        chain.hash(&mut memory, u64::MAX);
        while out.len() < chain.next() as usize * LEN {
            out.extend(chain.record(&memory, (out.len() / LEN) as u64).unwrap());
        }
    }
    out
}

fn seal(chain: &mut Chain, memory: &mut [u8]) {
    chain.hash(memory, u64::MAX);
    let (until, head) = chain.head();
    let signature = key().sign(&seal_message(head)).to_bytes();
    for half in 0..2 {
        let data = signature[half * 32..][..32].try_into().unwrap();
        let object = (until - 1) as u32;
        let entry = Entry {
            time: 9,
            kind: kind::CHECKPOINT,
            cell: 0,
            fiber: 4,
            object,
            status: half as i32,
            data,
        };
        chain.append(memory, &entry);
    }
    chain.seal(memory, until);
}

fn verify(bytes: &[u8]) -> prov::Report {
    prov::verify(bytes, 0, Anchor::None, &signed)
}

fn bad(bytes: &[u8]) -> Option<Bad> {
    verify(bytes).bad
}

fn record(bytes: &[u8], n: usize) -> &[u8; LEN] {
    bytes[n * LEN..].first_chunk().unwrap()
}

fn head(bytes: &[u8]) -> Hash {
    bytes[bytes.len() - 32..].try_into().unwrap()
}

/// Computes every hash anew from record `from` on, as somebody without the key can.
fn rehash(bytes: &mut [u8], from: usize) {
    for n in from..bytes.len() / LEN {
        let prev = if n == 0 { [0; 32] } else { head(&bytes[..n * LEN]) };
        bytes[n * LEN + 64..][..32].copy_from_slice(&prev);
        let hash = hash_of(record(bytes, n));
        bytes[n * LEN + 96..][..32].copy_from_slice(&hash);
    }
}

#[test]
fn a_good_chain_is_good_and_says_what_is_sealed() {
    let chain = chain();
    let report = verify(&chain);
    assert_eq!((report.bad, report.first, report.seals), (None, 0, 3));
    assert_eq!((report.count, report.head), (chain.len() as u64 / LEN as u64, head(&chain)));
    // Each seal covers what stands before it: 256 records, then 254 and the two of the seal before.
    assert_eq!((report.unsealed, report.closed), (768, false));
    // Cut behind the last seal it is closed; and it is still good, as nothing anchors it.
    let report = verify(&chain[..770 * LEN]);
    assert_eq!((report.bad, report.unsealed, report.closed), (None, 768, true));
    assert_eq!(bad(&[]), None);
}

#[test]
fn every_single_bit_is_noticed_in_the_record_it_is_in() {
    let chain = chain();
    let mut before = Verifier::new(0);
    let mut flips = 0u32;
    for n in 0..chain.len() / LEN {
        for bit in 0..LEN * 8 {
            let mut flipped = *record(&chain, n);
            flipped[bit / 8] ^= 1 << (bit % 8);
            let found = before.clone().push(&flipped);
            assert_eq!(found.err().map(|bad| bad.seq), Some(n as u64), "bit {bit}");
            flips += 1;
        }
        before.push(record(&chain, n)).expect("a good record");
    }
    assert!(flips >= 1_024_000);
    // The whole way, for some of them.
    for n in (0..RECORDS).step_by(37) {
        let mut bytes = chain.clone();
        bytes[n * LEN + n % LEN] ^= 1 << (n % 8);
        assert_eq!(bad(&bytes), Some(Bad { seq: n as u64, found: Found::Altered }));
    }
}

#[test]
fn a_dropped_record_is_named() {
    let chain = chain();
    let count = chain.len() / LEN;
    for n in 0..count {
        let rest = [&chain[..n * LEN], &chain[(n + 1) * LEN..]].concat();
        let anchor = Anchor::Head(head(&chain));
        let report = prov::verify(&rest, 0, anchor, &signed);
        // Nothing follows the last one: only the anchor misses it.
        let found = if n + 1 == count { Found::Cut } else { Found::Missing };
        assert_eq!(report.bad, Some(Bad { seq: n as u64, found }));
    }
}

#[test]
fn swapped_neighbours_are_named() {
    let chain = chain();
    for n in 0..chain.len() / LEN - 1 {
        let mut bytes = chain.clone();
        bytes[n * LEN..][..2 * LEN].rotate_left(LEN);
        assert_eq!(bad(&bytes), Some(Bad { seq: n as u64, found: Found::Moved(n + 1) }));
    }
}

#[test]
fn a_chain_that_was_cut_misses_its_anchor() {
    let chain = chain();
    let anchor = Anchor::Head(head(&chain));
    let count = chain.len() / LEN;
    assert_eq!(prov::verify(&chain, 0, anchor, &signed).bad, None);
    for n in 0..count {
        let report = prov::verify(&chain[..n * LEN], 0, anchor, &signed);
        assert_eq!(report.bad, Some(Bad { seq: n as u64, found: Found::Cut }));
        assert_eq!(report.count, n as u64);
        let short = prov::verify(&chain[..n * LEN + 77], 0, anchor, &signed);
        assert_eq!(short.bad, Some(Bad { seq: n as u64, found: Found::Short }));
    }
    // An anchor from before the end is found on the way.
    let anchor = Anchor::Head(head(&chain[..500 * LEN]));
    assert_eq!(prov::verify(&chain, 0, anchor, &signed).bad, None);
}

#[test]
fn a_repeated_record_is_named() {
    let chain = chain();
    for n in [1, 255, 256, 600] {
        let twice = [&chain[..n * LEN], &chain[(n - 1) * LEN..]].concat();
        let found = Found::Repeated(n as u64 - 1);
        assert_eq!(bad(&twice), Some(Bad { seq: n as u64, found }));
    }
}

#[test]
fn a_record_of_another_chain_does_not_follow() {
    let chain = chain();
    let mut bytes = chain.clone();
    bytes[300 * LEN + 40] ^= 1;
    let hash = hash_of(record(&bytes, 300));
    bytes[300 * LEN + 96..][..32].copy_from_slice(&hash);
    assert_eq!(bad(&bytes), Some(Bad { seq: 301, found: Found::Unlinked }));
}

/// Who computes all hashes anew breaks the next seal; what no seal covers can be forged, and the report says so.
#[test]
fn a_forged_chain_breaks_its_first_seal() {
    let chain = chain();
    let seals: Vec<usize> = (0..chain.len() / LEN)
        .filter(|n| record(&chain, *n)[16] == kind::CHECKPOINT as u8 && record(&chain, *n)[28] == 1)
        .collect();
    assert_eq!(seals, [257, 513, 769]);
    for (n, seal) in [(0, 257), (100, 257), (255, 257), (258, 513), (700, 769)] {
        let mut bytes = chain.clone();
        bytes[n * LEN + 33] ^= 0x10;
        rehash(&mut bytes, n);
        assert_eq!(bad(&bytes), Some(Bad { seq: seal, found: Found::Seal }), "{n}");
    }
    let mut bytes = chain.clone();
    bytes[800 * LEN + 33] ^= 0x10;
    rehash(&mut bytes, 800);
    let report = verify(&bytes);
    assert_eq!((report.bad, report.unsealed), (None, 768));
    // Another key.
    let other = prov::verify(&chain, 0, Anchor::None, &|_, _| false);
    assert_eq!(other.bad, Some(Bad { seq: 257, found: Found::Seal }));
}

/// A seal is two records: half of one, two first halves, or halves of different seals are none.
#[test]
fn a_seal_that_was_taken_apart_is_named() {
    let chain = chain();
    let seal = Some(Found::Seal);
    for (edit, what) in [
        (|bytes: &mut Vec<u8>| bytes[257 * LEN + 16] = 14, "the second half gone"),
        (|bytes: &mut Vec<u8>| bytes[257 * LEN + 28] = 0, "two first halves"),
        (|bytes: &mut Vec<u8>| bytes[257 * LEN + 24] ^= 1, "halves of different seals"),
        (|bytes: &mut Vec<u8>| bytes[256 * LEN + 16] = 14, "the first half gone"),
        (|bytes: &mut Vec<u8>| bytes[256 * LEN + 28] = 2, "no half at all"),
    ] as [(fn(&mut Vec<u8>), &str); 5]
    {
        let mut bytes = chain.clone();
        edit(&mut bytes);
        rehash(&mut bytes, 256);
        assert_eq!(bad(&bytes).map(|bad| bad.found), seal, "{what}");
    }
}

/// What a wrapped ring leaves begins later: that has to be asked for.
#[test]
fn a_part_of_a_chain_is_good_only_if_asked_for() {
    let chain = chain();
    let part = &chain[400 * LEN..];
    assert_eq!(bad(part), Some(Bad { seq: 0, found: Found::Missing }));
    let report = prov::verify(part, 400, Anchor::None, &signed);
    assert_eq!((report.bad, report.first, report.seals), (None, 400, 2));
    // A seal over what is not in the part cannot be checked: it counts for nothing.
    let report = prov::verify(&chain[256 * LEN..], 256, Anchor::None, &signed);
    assert_eq!((report.bad, report.seals, report.unsealed), (None, 2, 768));
}

#[test]
fn text_between_other_lines_gives_the_chain_back() {
    let chain = chain();
    let mut log = String::from("nexus> audit export\r\n");
    for n in 0..chain.len() / LEN {
        for part in text::parts(record(&chain, n)) {
            let line = part.to_string();
            assert!(line.len() < 80, "{line}");
            log.extend([line.as_str(), "\r\nuart: something else\r\nprov 1.9 zz\r\n"]);
        }
    }
    let parts = log.lines().filter_map(text::Part::read);
    let bytes: Vec<u8> = parts.flat_map(|part| part.bytes).collect();
    assert_eq!(bytes, chain);
    for line in ["", "prov", "prov 1", "prov 1.0", "prov 1.4 00", "prov x.0 00", "1.0 prov"] {
        assert_eq!(text::Part::read(line), None, "{line}");
    }
    let long = format!("prov 3.1 {}", "é".repeat(32));
    assert_eq!(text::Part::read(&long), None);
    let digits = "0123456789abcdef".repeat(4);
    assert_eq!(text::hex(&digits).map(|hash| hash[1]), Some(0x23));
    assert_eq!(text::hex(&digits[1..]), None);
    let file = format!("# a comment\n\n  {digits}\n");
    assert_eq!(text::key(&file), text::hex(&digits));
    assert_eq!(text::key(&format!("{file}{digits}\n")), None, "two lines");
}
