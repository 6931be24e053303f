extern crate std;
use super::*;
use std::vec::Vec;

/// A ustar header (POSIX): name, mode, size, checksum, typeflag, magic.
fn header(name: &str, len: usize) -> [u8; 512] {
    let mut head = [0; 512];
    head[..name.len()].copy_from_slice(name.as_bytes());
    head[124..135].copy_from_slice(std::format!("{len:011o}").as_bytes());
    head[148..156].fill(b' ');
    head[156] = if name.ends_with('/') { b'5' } else { b'0' };
    head[257..265].copy_from_slice(b"ustar\x0000");
    let sum: u32 = head.iter().map(|&b| u32::from(b)).sum();
    head[148..156].copy_from_slice(std::format!("{sum:06o}\0 ").as_bytes());
    head
}

fn archive(files: &[(&str, &[u8])]) -> Vec<u8> {
    let mut out = Vec::new();
    for (name, bytes) in files {
        out.extend_from_slice(&header(name, bytes.len()));
        out.extend_from_slice(bytes);
        out.resize(out.len().next_multiple_of(512), 0);
    }
    out.resize(out.len() + 1024, 0);
    out
}

#[test]
fn files_directories_and_what_is_not_there() {
    let a = archive(&[("Boot/motd", b"hello"), ("Boot/bin/x", b"12"), ("Boot/zoo/", b"")]);
    let motd = find(&a, "Boot/motd").unwrap();
    assert_eq!((motd.kind, &a[motd.offset..motd.offset + motd.len]), (FILE, &b"hello"[..]));
    assert_eq!(find(&a, "Boot/bin").unwrap().kind, DIRECTORY);
    assert_eq!(find(&a, "").unwrap().kind, DIRECTORY);
    assert_eq!(find(&a, "Boot/mot"), None);
    assert_eq!(find(&a, "Boot/motd/x"), None);
    let names = |path| -> Vec<_> {
        let all = |_: &str| true;
        (0..)
            .map_while(|i| entry(&a, path, i, all))
            .map(|(name, found)| (name, found.kind))
            .collect()
    };
    assert_eq!(names(""), [("Boot", DIRECTORY)]);
    assert_eq!(names("Boot"), [("motd", FILE), ("bin", DIRECTORY), ("zoo", DIRECTORY)]);
    assert_eq!(names("Boot/bin"), [("x", FILE)]);
    assert_eq!(names("Boot/zoo"), []);
    let motd = find(&a, "Boot/motd").unwrap();
    assert_eq!(name_at(&a, motd.offset), Some("Boot/motd"));
    assert_eq!((name_at(&a, 3), name_at(&a, a.len())), (None, None));
}

#[test]
fn members_of_a_folder_that_do_not_stand_together_and_what_is_hidden() {
    let names = ["Boot/a/1", "Boot/b", "Boot/a/2", "Boot/ab/3", "Boot/a/4", "Other/x"];
    let a = archive(&names.map(|name| (name, &b"1"[..])));
    let list = |path, shows: &dyn Fn(&str) -> bool| -> Vec<_> {
        (0..).map_while(|i| entry(&a, path, i, shows)).map(|(name, _)| name).collect()
    };
    assert_eq!(list("Boot", &|_| true), ["a", "b", "ab"]);
    assert_eq!(list("Boot/a", &|_| true), ["1", "2", "4"]);
    assert_eq!(list("", &|_| true), ["Boot", "Other"]);
    assert_eq!(list("Boot", &|path| path != "Boot/b"), ["a", "ab"]);
    assert_eq!(list("Boot/a", &|path| path.ends_with(['2', '4'])), ["2", "4"]);
    assert_eq!(list("Boot/b", &|_| true), [""; 0]);
}

/// An archive that ends in the middle of anything is shorter, not a panic.
#[test]
fn a_cut_archive_has_fewer_members() {
    let a = archive(&[("Boot/a", &b"1234"[..]), ("Boot/b", &[7; 600][..])]);
    for len in 0..a.len() {
        let _ = find(&a[..len], "Boot/b");
        let _ = entry(&a[..len], "Boot", 1, |_| true);
    }
    assert_eq!(find(&a[..1024 + 512 + 599], "Boot/b"), None);
}

#[test]
fn paths_that_the_contract_refuses() {
    for bad in ["", "a", "a/b", "//", "/a//b", "/..", "/a/../b", "/./a", "/a\0b"] {
        assert_eq!(check_path(bad.as_bytes()), None, "{bad}");
    }
    assert_eq!(check_path(&[b'/', 0xFF]), None);
    assert_eq!(check_path(&[b'/'; 1]), Some(""));
    assert_eq!(check_path(b"/Boot/"), Some("Boot"));
    let mut long = std::vec![b'a'; 256];
    long[0] = b'/';
    assert_eq!(check_path(&long), None);
    assert!(check_path(&long[..255]).is_some());
}
