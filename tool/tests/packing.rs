//! Packing: what comes out of an ELF, and which ELFs are refused, by name.
#![forbid(unsafe_code)]

mod forge;

use abi::image::{ImageHeader, KIND_NPL, policy};
use forge::{Elf, Segment};
use nexus::pack;

fn manifest() -> String {
    forge::manifest("thing", "npl")
}

/// Why `elf` cannot be packed.
fn refusal(elf: &Elf) -> String {
    pack::image(&elf.bytes()).expect_err("refused").to_string()
}

fn changed(change: impl FnOnce(&mut Elf)) -> Elf {
    let mut elf = Elf::image(&manifest());
    change(&mut elf);
    elf
}

#[test]
fn an_image_and_what_it_holds() {
    let elf = Elf::image(&manifest());
    let bytes = pack::image(&elf.bytes()).unwrap_or_else(|r| panic!("{r}"));
    let packed = pack::inspect(&bytes).expect("inspects");
    assert_eq!(packed.header.kind, KIND_NPL);
    assert_eq!((packed.header.mem_len, packed.header.entry), (0x4000, 0));
    let of = |n: usize| {
        let s = packed.segments[n];
        (s.addr, s.mem_len, s.perms, s.file_len)
    };
    assert_eq!(packed.segments.len(), 3);
    assert_eq!(of(0), (0, 0x1000, 5, 64));
    assert_eq!(of(1), (0x1000, 0x1000, 1, 0x140));
    assert_eq!(of(2), (0x2000, 0x2000, 3, 16));
    assert_eq!(packed.relocations, [0x2000]);
    // The addend stands where the base will be added, the next word is untouched.
    let data = packed.segments[2].offset as usize;
    assert_eq!(bytes[data..data + 8], 0x10_u64.to_le_bytes());
    assert_eq!(bytes[data + 8..data + 16], 0x1122_u64.to_le_bytes());
    let manifest = packed.manifest;
    assert_eq!(abi::text(&manifest.name), "thing");
    assert_eq!(manifest.pledge, 3 << 62 | 0b1101_0011);
    assert_eq!((manifest.energy, manifest.stack, manifest.heap), (2000, 16 << 10, 64 << 10));
    assert_eq!((manifest.policy, manifest.version, manifest.fibers), (policy::RESTART, 1, 1));
    assert_eq!(bytes, pack::image(&elf.bytes()).expect("packs again"));
}

/// Every single flipped bit after the header is found by the hash; in the header it is found, or it
/// is
/// a field that still makes a well-formed image, which the bundle's own hash covers.
#[test]
fn every_flipped_byte_of_the_contents_is_found() {
    let bytes = pack::image(&Elf::image(&manifest()).bytes()).expect("packs");
    for at in ImageHeader::SIZE..bytes.len() {
        let mut bad = bytes.clone();
        bad[at] ^= 0x40;
        let why = pack::inspect(&bad).expect_err("found");
        assert!(why.contains("hash"), "{at}: {why}");
    }
    for at in 0..ImageHeader::SIZE {
        let mut bad = bytes.clone();
        bad[at] ^= 0x40;
        // Byte 24 is the low byte of the entry: 0x40 is one past the 64 bytes of code.
        let open = pack::inspect(&bad).is_ok();
        assert!(!open, "byte {at} of the header");
    }
    for len in 0..bytes.len() {
        pack::inspect(&bytes[..len]).expect_err("truncated");
    }
}

#[test]
fn writable_and_executable_is_refused() {
    let why = refusal(&changed(|e| e.segments[0].flags = 7));
    assert!(why.contains("segment at 0x0 is writable and executable"), "{why}");
}

#[test]
fn relocations_other_than_relative_are_refused_by_name() {
    for (number, name) in [
        (257_u64, "R_AARCH64_ABS64"),
        (1025, "R_AARCH64_GLOB_DAT"),
        (1026, "R_AARCH64_JUMP_SLOT"),
        (1031, "R_AARCH64_TLSDESC"),
        (1032, "R_AARCH64_IRELATIVE"),
        (999, "number 999"),
    ] {
        let elf = changed(|e| e.segments[1].bytes[8..16].copy_from_slice(&number.to_le_bytes()));
        let why = refusal(&elf);
        assert!(why.contains(&format!("relocation {name} is not supported")), "{why}");
    }
}

#[test]
fn relocations_outside_are_refused() {
    let at = |offset: u64| {
        changed(move |e| e.segments[1].bytes[..8].copy_from_slice(&offset.to_le_bytes()))
    };
    for (offset, what) in [
        (0x2004, "is not aligned"),
        (0x2010, "lies outside the contents"),
        (0x9000, "lies outside the contents"),
        (u64::MAX - 7, "lies outside the contents"),
    ] {
        let why = refusal(&at(offset));
        assert!(why.contains(what), "{offset:#x}: {why}");
    }
    for addend in [-8_i64, i64::MAX, 64 << 20] {
        let why = refusal(&changed(|e| {
            e.segments[1].bytes[16..24].copy_from_slice(&addend.to_le_bytes());
        }));
        assert!(why.contains("points outside the image"), "{why}");
    }
}

#[test]
fn other_elves_are_refused() {
    let tls = |e: &mut Elf| {
        let segment = Segment { kind: 7, ..Segment::load(0x5000, 4, vec![0; 8]) };
        e.segments.push(segment);
    };
    let needed = |e: &mut Elf| {
        let dynamic = &mut e.segments[3].bytes;
        dynamic[..8].copy_from_slice(&1_u64.to_le_bytes());
    };
    let cases: [(Elf, &str); 10] = [
        (changed(|e| e.kind = 2), "not position-independent"),
        (changed(|e| e.machine = 62), "not for aarch64"),
        (changed(|e| e.manifest = None), "no section .nexus.manifest"),
        (changed(|e| e.entry = 0x2000), "lies in no executable segment"),
        (changed(|e| e.entry = 2), "lies in no executable segment"),
        (changed(|e| e.segments[2].vaddr = 0x1800), "share the page"),
        (changed(|e| e.segments[2].mem_len = 1 << 40), "ends above"),
        (changed(|e| e.segments[2].mem_len = 1), "impossible lengths"),
        (changed(tls), "PT_TLS"),
        (changed(needed), "DT_NEEDED"),
    ];
    for (elf, what) in cases {
        let why = refusal(&elf);
        assert!(why.contains(what), "`{what}` is not said: {why}");
    }
    for bytes in [&b""[..], b"\x7fELF", b"#!/bin/sh\n"] {
        pack::image(bytes).expect_err("no ELF");
        pack::flatten(bytes).expect_err("no ELF");
    }
}

/// A mistake in an image's manifest is explained like one in a profile.
#[test]
fn mistakes_in_the_manifest_have_a_caret() {
    for (from, to, what) in [
        ("kind \"npl\"", "kind \"driver\"", "`kind` does not know `driver`"),
        ("energy 2000", "energy 2001", "at most 2000 is possible"),
        ("stack \"16K\"", "stack 100", "no multiple of the page"),
        ("devices 8", "devicez 8", "unknown node `devicez`"),
        ("name \"thing\"", "", "`name` is missing"),
    ] {
        let why = refusal(&Elf::image(&manifest().replace(from, to)));
        assert!(why.contains(what) && why.contains('^') && why.contains("help"), "{why}");
    }
}

#[test]
fn flat_binaries_follow_the_physical_addresses() {
    let mut elf = Elf::program(0xFFFF_0000_5008_0000);
    elf.segments[0].paddr = 0x5008_0000;
    let mut data = Segment::load(0xFFFF_0000_5008_2000, 6, vec![9; 5]);
    (data.paddr, data.mem_len) = (0x5008_2000, 0x3000);
    // The order of the program headers does not matter.
    elf.segments.insert(0, data);
    let flat = pack::flatten(&elf.bytes()).expect("flattens");
    assert_eq!((flat.base_paddr, flat.entry_paddr), (0x5008_0000, 0x5008_0000));
    assert_eq!((flat.mem_len, flat.bytes.len()), (0x5000, 0x2005));
    assert_eq!(flat.bytes[0x2000..], [9; 5]);
    assert!(flat.bytes[64..0x2000].iter().all(|b| *b == 0));
    elf.entry = 0x5008_0004;
    assert_eq!(pack::flatten(&elf.bytes()).expect("a physical entry").entry_paddr, 0x5008_0004);
    elf.entry = 0x5008_2000;
    let why = pack::flatten(&elf.bytes()).expect_err("data is no entry");
    assert!(why.contains("no executable segment"), "{why}");
    elf.segments[0].paddr = 0x5008_0020;
    let why = pack::flatten(&elf.bytes()).expect_err("overlap");
    assert!(why.contains("overlap"), "{why}");
}

/// Cut and flipped anywhere, an ELF is refused or packed, and what is packed is sound.
#[test]
fn damaged_elves_never_panic() {
    let bytes = Elf::image(&manifest()).bytes();
    for at in 0..bytes.len() {
        for bit in [0x01, 0x80, 0xff] {
            let mut bad = bytes.clone();
            bad[at] ^= bit;
            let _ = pack::flatten(&bad);
            if let Ok(image) = pack::image(&bad) {
                pack::inspect(&image).unwrap_or_else(|why| panic!("byte {at}: {why}"));
            }
        }
        let _ = pack::image(&bytes[..at]);
    }
}
