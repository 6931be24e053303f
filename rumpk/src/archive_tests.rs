extern crate std;
use super::*;
use std::vec::Vec;

fn archive(files: &[(&str, &[u8])]) -> Vec<u8> {
    let mut out = Vec::new();
    for (name, bytes) in files {
        out.extend_from_slice(&bundle::tar::header(name, name.ends_with('/'), bytes.len()));
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
