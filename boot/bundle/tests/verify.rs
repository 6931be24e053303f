//! What is not byte for byte what the root key signed is refused, by name.
mod support;
use bundle::tar::{BLOCK, END};
use bundle::{Refusal, verify};
use ed25519_dalek::SigningKey;
use proptest::prelude::*;
use support::{FILES, Shape, archive, key, member, root, small};

/// "member: reason" of the refusal; "verified" if there is none.
fn verdict(bytes: &[u8]) -> String {
    verify(bytes, &root(), 5).map_or_else(|r| r.to_string(), |_| "verified".into())
}

/// The member that byte `at` of `bytes` lies in, as the archive is laid out.
fn owner(bytes: &[u8], at: usize) -> String {
    let (mut start, mut name) = (0, "bundle".to_string());
    for found in bundle::tar::Members::new(bytes).map(Result::unwrap) {
        if (start..start + found.raw.len()).contains(&at) {
            name = found.name().into();
        }
        start += found.raw.len();
    }
    name
}

#[test]
fn a_signed_bundle_is_verified_and_read() {
    let bytes = small();
    let verified = verify(&bytes, &root(), 5).unwrap();
    assert_eq!(verified.version, 5);
    assert_eq!(verified.entries().count(), FILES.len());
    for (number, (name, contents)) in FILES.into_iter().enumerate() {
        let (entry, member) = verified.member(number).unwrap();
        assert_eq!((member.name(), member.contents), (name, contents));
        assert_eq!(entry.len as usize, member.raw.len());
    }
    assert!(verified.member(FILES.len()).is_none());
    let len = 64 + 160 * FILES.len() + 64;
    assert_eq!(verified.machine, *blake3::hash(&bytes[BLOCK..BLOCK + len]).as_bytes());
}

#[test]
fn every_flipped_byte_is_refused_by_the_name_of_its_member() {
    let good = small();
    for at in 0..good.len() {
        let owner = owner(&good, at);
        for flip in [0x01, 0x20, 0x80, 0xFF] {
            let mut bad = good.clone();
            bad[at] ^= flip;
            let said = verify(&bad, &root(), 5).expect_err("flipped").to_string();
            assert!(said.starts_with(&owner), "byte {at} of {owner}, flip {flip:#x}: {said}");
        }
    }
}

#[test]
fn every_value_of_every_byte_of_the_index_header_but_one_is_refused() {
    let good = small();
    for at in 0..BLOCK {
        for value in (0..=255).filter(|v| *v != good[at]) {
            let mut bad = good.clone();
            bad[at] = value;
            assert_ne!(verdict(&bad), "verified", "byte {at} = {value:#x}");
        }
    }
}

#[test]
fn two_changes_that_keep_the_checksum_of_the_index_header_are_refused() {
    let good = small();
    for (at, value) in [(110, b'7'), (140, b'1'), (330, b'0'), (400, 1), (50, b'x'), (124, b' ')] {
        let mut bad = good.clone();
        bad[at] = value;
        support::seal(&mut bad[..BLOCK]);
        let said = verdict(&bad);
        let sealed = said.ends_with("not an index's header") || said.ends_with("not octal");
        assert!(said.starts_with("index: ") && sealed, "byte {at}: {said}");
    }
    let mut bad = good;
    let digits = bad[148..155].to_vec();
    bad[148..154].copy_from_slice(&digits[1..]);
    bad[154..156].copy_from_slice(b"\0 ");
    assert_eq!(verdict(&bad), "index: not an index's header");
}

#[test]
fn every_truncation_is_refused() {
    let good = small();
    for len in 0..good.len() {
        let said = verdict(&good[..len]);
        let expected = owner(&good, len);
        assert!(said.starts_with(&expected), "{len} bytes, in {expected}: {said}");
    }
}

#[test]
fn anything_after_the_end_is_refused() {
    for extra in [1, 511, 512, 1024, 10240] {
        for byte in [0, 1] {
            let mut bad = small();
            bad.resize(bad.len() + extra, byte);
            assert_eq!(verdict(&bad), "bundle: wrong end");
        }
    }
    for end in [vec![], vec![0; BLOCK], vec![0; 3 * BLOCK], vec![0; 20 * BLOCK]] {
        let bad = archive(&files(), &Shape { end, ..Shape::default() });
        assert_eq!(verdict(&bad), "bundle: wrong end", "signed, but not two zero blocks");
    }
}

fn files() -> Vec<(&'static str, Vec<u8>)> {
    FILES.iter().map(|(name, contents)| (*name, member(name, contents))).collect()
}

#[test]
fn another_key_is_refused() {
    let other = SigningKey::from_bytes(&[8; 32]).verifying_key().to_bytes();
    let said = verify(&small(), &other, 0).unwrap_err();
    assert_eq!(said, Refusal::new("index", "not signed by the root key"));
    // No point, the neutral element and points of small order sign anything under lenient rules.
    let mut one = [0; 32];
    one[0] = 1;
    for weak in [[0; 32], one, [0xFF; 32]] {
        assert_eq!(verify(&small(), &weak, 0).unwrap_err(), said);
    }
}

#[test]
fn a_signature_with_the_group_order_added_is_refused() {
    // RFC 8032 section 5.1.7: S must be below L, else everyone could make a second signature.
    let order: [u8; 32] = [
        0xed, 0xd3, 0xf5, 0x5c, 0x1a, 0x63, 0x12, 0x58, 0xd6, 0x9c, 0xf7, 0xa2, 0xde, 0xf9, 0xde,
        0x14, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x10,
    ];
    let mut bad = small();
    let at = BLOCK + 64 + 160 * FILES.len() + 32;
    let mut carry = 0;
    for (byte, add) in bad[at..at + 32].iter_mut().zip(order) {
        let sum = u16::from(*byte) + u16::from(add) + carry;
        (*byte, carry) = (sum as u8, sum >> 8);
    }
    assert_eq!(verdict(&bad), "index: not signed by the root key");
}

#[test]
fn a_version_below_the_floor_is_refused() {
    let bytes = small();
    assert!(verify(&bytes, &root(), 4).is_ok());
    let said = verify(&bytes, &root(), 6).unwrap_err().to_string();
    assert_eq!(said, "index: version below the floor");
}

#[test]
fn members_in_another_order_missing_or_added_are_refused() {
    let shape = Shape::default();
    let good = archive(&files(), &shape);
    let index_len = (64 + 160 * FILES.len() + 64).next_multiple_of(BLOCK) + BLOCK;
    let assemble = |order: &[usize]| {
        let mut out = good[..index_len].to_vec();
        out.extend(order.iter().flat_map(|&n| files()[n].1.clone()));
        out.extend([0; END]);
        out
    };
    assert_eq!(assemble(&[0, 1, 2, 3]), good);
    assert_eq!(verdict(&assemble(&[1, 0, 2, 3])), "cells.bin: hash differs");
    assert_eq!(verdict(&assemble(&[0, 1, 3, 2])), "Boot/empty: hash differs");
    assert_eq!(verdict(&assemble(&[0, 2, 3])), "cell0/kernel: hash differs");
    assert_eq!(verdict(&assemble(&[0, 1, 2])), "Boot/motd: hash differs");
    assert_eq!(verdict(&assemble(&[0, 1, 2, 3, 3])), "bundle: wrong end");
    let mut first = good[index_len..].to_vec();
    first.splice(0..0, good[..0].iter().copied());
    assert_eq!(verdict(&first), "index: missing");
}

#[test]
fn a_signed_index_that_is_wrong_in_itself_is_refused() {
    let said = |edit_head, edit_entries| {
        verdict(&archive(&files(), &Shape { edit_head, edit_entries, ..Shape::default() }))
    };
    assert_eq!(said(|_| (), |_| ()), "verified");
    assert_eq!(said(|h| h.magic = 1, |_| ()), "index: malformed");
    assert_eq!(said(|h| h.version = 2, |_| ()), "index: malformed");
    assert_eq!(said(|h| h.count += 1, |_| ()), "index: malformed");
    assert_eq!(said(|h| h.count = u32::MAX, |_| ()), "index: malformed");
    assert_eq!(said(|h| h.zero = 1, |_| ()), "index: malformed");
    assert_eq!(said(|h| h.zero2 = 1, |_| ()), "index: malformed");
    assert_eq!(said(|h| h.total_len += 1, |_| ()), "bundle: wrong end");
    assert_eq!(said(|_| (), |e| e[1].offset += 512), "cell0/kernel: not where it must be");
    assert_eq!(said(|_| (), |e| e[1].zero = 1), "cell0/kernel: not where it must be");
    assert_eq!(said(|_| (), |e| e[1].len = u64::MAX), "cell0/kernel: truncated or missing");
    assert_eq!(said(|_| (), |e| e[3].len += 512 * 4), "Boot/motd: truncated or missing");
    assert_eq!(said(|_| (), |e| e[1].name[103] = 1).split(':').next(), Some("cell0/kernel"));
    let renamed = said(|_| (), |e| e[2].name = abi::name("Boot/other"));
    assert_eq!(renamed, "Boot/other: another name in the index than in its header");
}

#[test]
fn a_name_that_comes_twice_and_a_missing_cell_table_are_refused() {
    let said = |names: &[&'static str]| {
        let members: Vec<_> = names.iter().map(|n| (*n, member(n, b"x"))).collect();
        verdict(&archive(&members, &Shape::default()))
    };
    assert_eq!(said(&["cells.bin", "a", "b", "a"]), "a: twice in the bundle");
    assert_eq!(said(&["cells.bin", "index"]), "index: twice in the bundle");
    assert_eq!(said(&["a", "cells.bin"]), "cells.bin: missing");
    assert_eq!(said(&[]), "cells.bin: missing");
}

#[test]
fn a_member_that_hides_another_one_is_refused() {
    let hidden = [member("Boot/a", b"one"), member("Boot/b", b"two")].concat();
    let members = [("cells.bin", member("cells.bin", b"x")), ("Boot/a", hidden)];
    let said = verdict(&archive(&members, &Shape::default()));
    assert_eq!(said, "Boot/a: not where it must be");
}

#[test]
fn an_index_too_short_for_head_or_signature_is_refused() {
    use ed25519_dalek::Signer;
    for len in [0, 10, 63, 64, 100, 127] {
        let mut index = vec![0; usize::saturating_sub(len, 64)];
        let signature = key().sign(&index).to_bytes();
        index.extend(&signature[..len.min(64)]);
        let said = verdict(&[member("index", &index), vec![0; END]].concat());
        assert_eq!(said, "index: too short", "{len} bytes");
    }
}

proptest! {
    #[test]
    fn garbage_never_panics(bytes in proptest::collection::vec(any::<u8>(), 0..4096)) {
        prop_assert!(verify(&bytes, &root(), 0).is_err());
    }

    #[test]
    fn a_bundle_with_a_damaged_stretch_is_refused(
        at in 0..9000usize, with in proptest::collection::vec(any::<u8>(), 1..600)
    ) {
        let good = small();
        let at = at % good.len();
        let end = good.len().min(at + with.len());
        let mut bad = good.clone();
        bad[at..end].copy_from_slice(&with[..end - at]);
        prop_assert_eq!(verify(&bad, &root(), 5).is_ok(), bad == good);
    }
}
