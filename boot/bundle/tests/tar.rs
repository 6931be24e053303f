//! The ustar reader by itself, on archives of other writers too.
mod support;
use bundle::tar::{BLOCK, END, Member, Members};
use proptest::prelude::*;
use support::{member, seal};

/// A member whose header was edited and sealed again.
fn edited(edit: impl Fn(&mut [u8])) -> Vec<u8> {
    let mut raw = member("name", b"contents");
    edit(&mut raw);
    seal(&mut raw[..BLOCK]);
    raw
}

fn reason(raw: &[u8]) -> &'static str {
    Member::parse(raw).map_or_else(|r| r.reason, |_| "fine")
}

#[test]
fn members_come_in_order_and_the_end_is_exact() {
    let body = [member("a", b"1"), member("dir/b", &[2; 600])].concat();
    let good = [body.clone(), vec![0; END]].concat();
    let found: Vec<_> = Members::new(&good).map(Result::unwrap).collect();
    assert_eq!(found.len(), 2);
    assert_eq!((found[0].name(), found[0].contents), ("a", &b"1"[..]));
    assert_eq!((found[1].name(), found[1].contents), ("dir/b", &[2; 600][..]));
    for end in [0, 1, BLOCK, END - 1, END + 1, END + BLOCK, 10 * END] {
        let bad = [body.clone(), vec![0; end]].concat();
        let all: Vec<_> = Members::new(&bad).collect();
        assert_eq!(all.len(), 3, "{end} bytes of zeros: two members, then a refusal, then nothing");
        assert!(all[2].is_err());
    }
    let none: Vec<_> = Members::new(&good[body.len()..]).collect();
    assert!(none.is_empty(), "an archive of nothing is one");
}

#[test]
fn directories_and_prefixes() {
    let directory = edited(|h| {
        h[156] = b'5';
        h[124..135].fill(b'0');
    });
    let found = Member::parse(&directory[..BLOCK]).unwrap();
    assert!(found.directory && found.contents.is_empty() && found.raw.len() == BLOCK);
    assert_eq!(reason(&edited(|h| h[156] = b'5')), "a directory with contents");

    let prefixed = edited(|h| h[345..352].copy_from_slice(b"Boot/in"));
    assert_eq!(Member::parse(&prefixed).unwrap().name(), "Boot/in/name");
    let full = edited(|h| h[..100].fill(b'n'));
    assert_eq!(Member::parse(&full).unwrap().name(), "n".repeat(100));
    let longest = edited(|h| h[345..440].fill(b'p'));
    assert_eq!(Member::parse(&longest).unwrap().name().len(), 100);
    let longer = edited(|h| h[345..441].fill(b'p'));
    assert_eq!(reason(&longer), "a member has no valid name");
    let longest_possible = edited(|h| {
        h[..100].fill(b'n');
        h[345..500].fill(b'p');
    });
    assert_eq!(reason(&longest_possible), "a member has no valid name");
}

#[test]
fn what_is_no_strict_ustar_is_refused() {
    assert_eq!(reason(&edited(|_| ())), "fine");
    for flag in (0..=255).filter(|flag| !b"05".contains(flag)) {
        assert_eq!(reason(&edited(|h| h[156] = flag)), "neither a file nor a directory");
    }
    assert_eq!(
        reason(&edited(|h| h[257..265].copy_from_slice(b"ustar  \0"))),
        "header is not ustar"
    );
    assert_eq!(reason(&edited(|h| h[..4].fill(0))), "a member has no valid name");
    assert_eq!(reason(&edited(|h| h[0] = 0xFF)), "a member has no valid name");
    for size in [&b"8"[..], b" ", b"\0", b"\x80", b"-", b"00000000010x"] {
        let bad = edited(|h| h[124..124 + size.len()].copy_from_slice(size));
        assert_eq!(reason(&bad), "size is not octal", "{size:?}");
    }
    let mut unsealed = edited(|_| ());
    unsealed[500] ^= 1;
    assert_eq!(reason(&unsealed), "header checksum differs");
    let mut padded = edited(|_| ());
    padded[BLOCK + 8] = 1;
    assert_eq!(reason(&padded), "padding is not zero");
    for len in 0..2 * BLOCK {
        assert_eq!(reason(&edited(|_| ())[..len]), "truncated");
    }
    let huge = edited(|h| h[124..136].copy_from_slice(b"777777777777"));
    assert_eq!(reason(&huge), "truncated");
}

#[test]
fn checksums_of_other_writers_are_read() {
    for form in [|sum: u32| format!("{sum:06o}\0 "), |sum: u32| format!("{sum:06o} \0")] {
        let mut raw = edited(|_| ());
        raw[148..156].fill(b' ');
        let sum: u32 = raw[..BLOCK].iter().map(|&b| u32::from(b)).sum();
        raw[148..156].copy_from_slice(form(sum).as_bytes());
        assert_eq!(reason(&raw), "fine");
    }
}

proptest! {
    #[test]
    fn a_sealed_header_of_anything_never_panics(
        mut head in proptest::collection::vec(any::<u8>(), BLOCK), body in 0..3000usize
    ) {
        head[257..265].copy_from_slice(b"ustar\x0000");
        head[156] = b'0' + head[156] % 8;
        seal(&mut head);
        head.resize(BLOCK + body, 0);
        for found in Members::new(&head).flatten() {
            prop_assert!(found.raw.len() <= head.len());
        }
    }
}
