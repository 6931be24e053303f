//! The view against manifests that are whole, cut and lying.
use super::Manifest;
use abi::boot::{CellManifest, Grant, Link, MANIFEST_MAGIC, SERVICE_AUTO, Service};
use proptest::prelude::*;

fn sample() -> Vec<u8> {
    let mut init = Service::zeroed();
    init.name = abi::name("init");
    let mut shell = Service::zeroed();
    shell.name = abi::name("shell");
    shell.flags = SERVICE_AUTO;
    shell.grant_first = 1;
    shell.grant_count = 1;
    shell.args = 3;
    shell.args_len = 4;
    let (mut power, mut fiber) = (Grant::zeroed(), Grant::zeroed());
    power.slot = 8;
    fiber.slot = 9;
    let mut link = Link::zeroed();
    link.number = 0x1000;
    let text = b"xx\0-v\0y";
    let tables = 2 * Service::SIZE + Link::SIZE + 2 * Grant::SIZE;
    let mut head = CellManifest::zeroed();
    (head.magic, head.version, head.size) = (MANIFEST_MAGIC, 1, 32);
    (head.services, head.links, head.grants) = (2, 1, 2);
    head.text = (CellManifest::SIZE + tables) as u32;
    head.text_len = text.len() as u32;
    head.total_len = head.text + head.text_len;
    let mut bytes = head.encode().to_vec();
    bytes.extend(init.encode());
    bytes.extend(shell.encode());
    bytes.extend(link.encode());
    bytes.extend(power.encode());
    bytes.extend(fiber.encode());
    bytes.extend(text);
    bytes
}

#[test]
fn a_whole_one_reads_as_written() {
    let bytes = sample();
    let manifest = Manifest::parse(&bytes).unwrap();
    let names: Vec<_> = manifest.automatic().map(|s| abi::text(&s.name).to_owned()).collect();
    assert_eq!(names, ["shell"]);
    let shell = manifest.service("shell").unwrap();
    assert_eq!(manifest.grants(&shell).map(|g| g.slot).collect::<Vec<_>>(), [9]);
    assert_eq!(manifest.args(&shell), b"-v\0y");
    assert_eq!(manifest.name(0), Some("init"));
    assert_eq!(manifest.name(2), None);
    assert_eq!(manifest.links().next().unwrap().number, 0x1000);
    assert!(manifest.service("ini").is_none());
}

#[test]
fn every_cut_is_refused() {
    let bytes = sample();
    for len in 0..bytes.len() {
        assert!(Manifest::parse(&bytes[..len]).is_none(), "{len}");
    }
}

proptest! {
    #[test]
    fn lies_never_panic(at in 0usize..450, value: u32) {
        let mut bytes = sample();
        let at = at.min(bytes.len() - 4);
        bytes[at..at + 4].copy_from_slice(&value.to_le_bytes());
        if let Some(manifest) = Manifest::parse(&bytes) {
            for service in manifest.services() {
                let _ = (manifest.grants(&service).count(), manifest.args(&service));
            }
            let _ = manifest.name(value);
        }
    }
}
