//! Bundles that must not boot: refused before anything of them runs, with the name of the member.
use abi::boot::{CELLS_NAME, CellRecord, INDEX_NAME, beb, cell, virt};
use nexus::assembly::{self, Built, Signing};
use nexus::bundle::{Key, Table, rewrite};
use nexus::failure::code;
use system::{Boot, built, expect_exit, folder, kernel_profile, signing, workspace};

const BLOCK: usize = 512;

/// Boots `bytes` in place of the bundle of `good`: nexus-boot must refuse them and name `member`.
fn refused(good: &Built, bytes: Vec<u8>, member: &str, what: &str) {
    let outcome = Boot::of(good).bundle(bytes).run();
    expect_exit(&outcome, code::REFUSED);
    let text = &outcome.exit.text;
    let named = format!("nexus-boot: refused: {member}: ");
    assert!(text.starts_with(&named), "{what}: `{text}` does not start with `{named}`");
    assert_eq!(outcome.beb.as_ref().expect("a record").head.state, beb::REFUSED);
    assert!(outcome.text().contains(text.as_str()), "{what}: the console does not say it");
    assert_eq!(outcome.post_mortem, None, "{what}: RumKV ran");
}

/// Name, offset and length with header and padding of each member of an archive.
fn members(bundle: &[u8]) -> Vec<(String, usize, usize)> {
    let mut out = Vec::new();
    let mut at = 0;
    while bundle[at] != 0 {
        let name = abi::text(&bundle[at..at + 100]).to_string();
        let size = abi::text(&bundle[at + 124..at + 136]);
        let size = usize::from_str_radix(size.trim(), 8).expect("an octal size");
        let len = BLOCK + size.next_multiple_of(BLOCK);
        out.push((name, at, len));
        at += len;
    }
    assert_eq!(bundle.len(), at + 2 * BLOCK);
    out
}

/// The profile that these tests spoil.
fn good() -> std::sync::Arc<Built> {
    built("core")
}

#[test]
fn a_flipped_byte_in_any_member_is_refused_by_its_name() {
    let good = good();
    for (number, (name, at, len)) in members(&good.bundle).into_iter().enumerate() {
        // Name, size, first and last of the contents or padding, and a place that differs by member.
        let inside = [0, 130, BLOCK, len - 1, BLOCK + (number * 7919) % (len - BLOCK)];
        for offset in inside {
            let mut bytes = good.bundle.clone();
            bytes[at + offset] ^= 1 << (number % 8);
            refused(&good, bytes, &name, &format!("{name} + {offset}"));
        }
    }
}

#[test]
fn a_flipped_byte_after_the_members_is_refused() {
    let good = good();
    for back in [1, 512, 1024] {
        let mut bytes = good.bundle.clone();
        let at = bytes.len() - back;
        bytes[at] = 1;
        refused(&good, bytes, "bundle", &format!("end - {back}"));
    }
}

#[test]
fn a_truncated_or_extended_bundle_is_refused() {
    let good = good();
    let len = good.bundle.len();
    for keep in [len - 1, len - BLOCK, len - 3 * BLOCK, len / 2, 2 * BLOCK] {
        let outcome = Boot::of(&good).bundle(good.bundle[..keep].to_vec()).run();
        expect_exit(&outcome, code::REFUSED);
        let text = &outcome.exit.text;
        assert!(text.starts_with("nexus-boot: refused: "), "{keep} of {len}: {text}");
    }
    let mut longer = good.bundle.clone();
    longer.resize(len + BLOCK, 0);
    refused(&good, longer, "bundle", "one block more");
}

#[test]
fn a_missing_member_is_refused_by_its_name() {
    let good = good();
    let all = members(&good.bundle);
    for name in ["rumkv", "cell0/kernel", "Boot/bin/shell"] {
        let (_, at, len) = all.iter().find(|m| m.0 == name).expect("a member");
        let mut bytes = good.bundle.clone();
        bytes.drain(at..&(at + len));
        refused(&good, bytes, name, "a missing member");
    }
}

#[test]
fn a_consistent_bundle_of_another_key_is_refused() {
    let good = good();
    let other = Key::from_seed([9; 32]);
    let bytes = rewrite(&good.bundle, &other, |_| ()).expect("a bundle");
    refused(&good, bytes, INDEX_NAME, "another key");
}

#[test]
fn a_version_below_the_floor_is_refused_and_the_floor_itself_boots() {
    let folder = folder();
    let path = kernel_profile(folder.path(), "el1-figures", Some("rumkv"));
    for (version, floor, wanted) in [(3, 4, code::REFUSED), (4, 4, code::OK), (5, 4, code::OK)] {
        let signing = Signing { version, floor, ..signing() };
        // The host tool verifies what it makes against the version it gave, so that only
        // nexus-boot's floor decides here.
        let built = assembly::build(workspace(), &path, &signing).expect("a bundle");
        let outcome = Boot::of(&built).counted().run();
        expect_exit(&outcome, wanted);
        if wanted == code::REFUSED {
            let text = &outcome.exit.text;
            assert!(text.starts_with("nexus-boot: refused: index: "), "{text}");
        }
    }
}

/// Boots a bundle whose cell table was changed after the checks.
fn forged(edit: impl FnOnce(&mut Table)) -> String {
    let folder = folder();
    let path = kernel_profile(folder.path(), "el1-figures", Some("rumkv"));
    let built = assembly::forge(workspace(), &path, &signing(), edit).expect("a bundle");
    let outcome = Boot::of(&built).counted().run();
    expect_exit(&outcome, code::REFUSED);
    assert_eq!(outcome.post_mortem, None, "a cell ran");
    outcome.text()
}

/// A change to a cell table.
type Forgery = fn(&mut Table);

fn record(table: &mut Table, kind: u16) -> &mut CellRecord {
    table.records.iter_mut().find(|r| r.kind == kind).expect("such a record")
}

#[test]
fn rumkv_refuses_a_forged_cell_table() {
    let cases: [(&str, Forgery); 7] = [
        ("RAM of the cell over RumKV", |t| {
            let ram = record(t, cell::RAM);
            (ram.a, ram.b, ram.c) = (virt::RUMKV, virt::RUMKV, virt::CELL0_LEN);
        }),
        ("RAM that the machine has not", |t| {
            record(t, cell::RAM).c = 1 << 40;
        }),
        ("RAM that wraps", |t| record(t, cell::RAM).c = u64::MAX - 4095),
        ("a window over the distributor", |t| {
            let window = record(t, cell::DEVICE);
            (window.a, window.b) = (virt::GICD, virt::GICD);
        }),
        ("a window twice", |t| {
            let window = *record(t, cell::DEVICE);
            t.records.push(window);
        }),
        ("an interrupt twice", |t| {
            let line = *record(t, cell::IRQ);
            t.records.push(line);
        }),
        ("a core that the machine has not", |t| record(t, cell::CORE).a = 7),
    ];
    for (what, edit) in cases {
        let text = forged(edit);
        let by_loader = text.contains(&format!("nexus-boot: refused: {CELLS_NAME}: "));
        assert!(by_loader || text.contains("rumkv: refused: "), "{what}: {text}");
        println!("{what}: {text}");
    }
}
