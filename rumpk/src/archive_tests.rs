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
        (0..).map_while(|i| entry(&a, path, i)).map(|(name, found)| (name, found.kind)).collect()
    };
    assert_eq!(names(""), [("Boot", DIRECTORY)]);
    assert_eq!(names("Boot"), [("motd", FILE), ("bin", DIRECTORY), ("zoo", DIRECTORY)]);
    assert_eq!(names("Boot/bin"), [("x", FILE)]);
    assert_eq!(names("Boot/zoo"), []);
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
