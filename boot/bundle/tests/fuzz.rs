//! Fuzz targets: an archive, and a bundle whose index is signed whatever it says.
mod support;

use bundle::tar::{BLOCK, Members};
use bundle::{Plan, verify};
use ed25519_dalek::Signer;
use support::{FILES, archive, bundle, cells, key, machine, member, root, seal, small};

#[test]
fn archive_members() {
    fuzz::run("tar", &[small(), member("a/b", &[7; 700])], |bytes| {
        walk(bytes);
        // The checksum of the first header made right again, so that what lies behind it is reached.
        let mut sealed = bytes.to_vec();
        if sealed.len() >= BLOCK {
            seal(&mut sealed[..BLOCK]);
            walk(&sealed);
        }
    });
}

fn walk(bytes: &[u8]) {
    let mut at = 0;
    for member in Members::new(bytes).map_while(Result::ok) {
        assert_eq!(bytes[at..].as_ptr(), member.raw.as_ptr(), "members follow each other");
        assert!(member.contents.len() <= member.raw.len() - BLOCK);
        assert!(!member.name().is_empty());
        at += member.raw.len();
    }
    assert!(at <= bytes.len());
}

/// A bundle that places things, as nexus-boot gets it.
fn placed() -> Vec<u8> {
    let table = cells(0, 0x5008_0000, 0x5002_0000, &machine());
    let files: [(&str, &[u8]); 4] =
        [("cells.bin", &table), ("kernel", &[1; 512]), FILES[2], FILES[3]];
    bundle(&files)
}

/// Makes hash, signature and checksum of the damaged index right again, so that what lies behind them is reached.
fn resign(bytes: &mut [u8]) {
    let octal = |field: &[u8]| {
        let digits = field.iter().take_while(|b| matches!(b, b'0'..=b'7'));
        digits.fold(0_usize, |n, b| n.wrapping_mul(8).wrapping_add(usize::from(b - b'0')))
    };
    if bytes.len() < 2 * BLOCK {
        return;
    }
    let len = octal(&bytes[124..136]);
    let Some(index) = bytes.get_mut(BLOCK..BLOCK.saturating_add(len)) else { return };
    if let Some((signed, signature)) = index.split_last_chunk_mut::<64>() {
        *signature = key().sign(signed).to_bytes();
    }
    seal(&mut bytes[..BLOCK]);
}

#[test]
fn signed_bundles() {
    let shape = support::Shape { version: 9, ..support::Shape::default() };
    let other = archive(&[("cells.bin", member("cells.bin", b"x"))], &shape);
    fuzz::run("bundle", &[placed(), small(), other], |bytes| {
        // As it is: only what was signed passes.
        if verify(bytes, &root(), 1).is_ok() {
            assert!(bytes == placed() || bytes == small() || bytes.starts_with(b"index"));
        }
        let mut bytes = bytes.to_vec();
        resign(&mut bytes);
        let Ok(verified) = verify(&bytes, &root(), 1) else { return };
        for (number, entry) in verified.entries().enumerate() {
            let (again, member) = verified.member(number).expect("verified");
            assert_eq!(again.hash, entry.hash);
            assert_eq!(*blake3::hash(member.raw).as_bytes(), entry.hash);
        }
        let Ok(plan) = Plan::new(verified, &[]) else { return };
        for placement in plan.placements() {
            assert!(placement.bytes.len() as u64 <= placement.len);
        }
    });
}
