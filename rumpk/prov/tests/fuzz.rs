//! Fuzz target: the reader of a saved chain. Whatever it is given, what it calls good is good by its own arithmetic.
use abi::prov::{ProvRecord, kind};
use prov::{Anchor, BYTES, Chain, Entry, hash_of, verify};

/// A chain of eight records as it is saved.
fn chain() -> Vec<u8> {
    let (mut chain, mut memory) = (Chain::new(), vec![0; BYTES]);
    for object in 0..8 {
        let kind = if object % 3 == 0 { kind::SPAWN } else { kind::EXIT };
        let entry = Entry { time: 5, kind, cell: 0, fiber: 1, object, status: 0, data: [3; 32] };
        chain.append(&mut memory, &entry);
    }
    chain.hash(&mut memory, u64::MAX);
    let records = (chain.oldest()..chain.next()).filter_map(|seq| chain.record(&memory, seq));
    records.flatten().copied().collect()
}

/// Makes the hashes of all whole records right, so that what lies behind them is reached.
fn rehash(bytes: &mut [u8]) {
    for record in bytes.chunks_exact_mut(ProvRecord::SIZE) {
        let whole: [u8; ProvRecord::SIZE] = (&*record).try_into().expect("128 bytes");
        record[96..].copy_from_slice(&hash_of(&whole));
    }
}

/// The records that are linked and numbered from the front, counted here without the reader's help.
fn good(bytes: &[u8]) -> u64 {
    let mut prev = [0; 32];
    let mut count = 0;
    for record in bytes.chunks_exact(ProvRecord::SIZE) {
        let whole: [u8; ProvRecord::SIZE] = record.try_into().expect("128 bytes");
        let seq = u64::from_le_bytes(whole[..8].try_into().expect("8 bytes"));
        if hash_of(&whole)[..] != record[96..] || seq != count || record[64..96] != prev {
            break;
        }
        prev.copy_from_slice(&record[96..]);
        count += 1;
    }
    count
}

#[test]
fn chain_reader() {
    let one = chain();
    let cut = one[..one.len() - 50].to_vec();
    fuzz::run("prov", &[one, cut], |bytes| {
        for rehashed in [false, true] {
            let mut bytes = bytes.to_vec();
            if rehashed {
                rehash(&mut bytes);
            }
            let report = verify(&bytes, 0, Anchor::None, &|_, _| false);
            let good = good(&bytes);
            assert!(report.count <= good, "{} of {good} called good", report.count);
            let whole = bytes.len() == good as usize * ProvRecord::SIZE;
            if report.bad.is_none() {
                assert!(whole && report.count == good, "{report:?}");
            }
            let head = verify(&bytes, 0, Anchor::Head([9; 32]), &|_, _| false);
            assert!(head.bad.is_some(), "a head that is not there");
        }
    });
}
