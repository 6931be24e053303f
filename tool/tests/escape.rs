//! Keys at the terminal.
use nexus::machine::escape::{Escape, Key};

fn keys(bytes: &[u8]) -> Vec<Key> {
    let mut escape = Escape::default();
    bytes.iter().map(|&b| escape.key(b)).filter(|k| *k != Key::Nothing).collect()
}

#[test]
fn ordinary_keys_and_ctrl_c_go_to_the_machine() {
    assert_eq!(keys(b"a\x03x"), [Key::Byte(b'a'), Key::Byte(3), Key::Byte(b'x')]);
}

#[test]
fn behind_ctrl_a_keys_are_ours() {
    assert_eq!(keys(b"\x01x"), [Key::Leave]);
    assert_eq!(keys(b"\x01hx"), [Key::Help, Key::Byte(b'x')]);
    assert_eq!(keys(b"\x01a\x01\x01"), [Key::Byte(1), Key::Byte(1)]);
    assert_eq!(keys(b"\x01qx"), [Key::Byte(b'x')]);
}
