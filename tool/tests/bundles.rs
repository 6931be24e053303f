//! From a profile to a bundle and back, with programs made by hand.
#![forbid(unsafe_code)]

mod forge;

use std::{io::Write, path::Path, process::Command};

use abi::boot::{
    CellManifest, CellRecord, Grant, Link, SERVICE_FIRST, SERVICE_INIT, Service, cell, virt,
};
use forge::Elf;
use nexus::{
    bundle::{self, Archive, Key, Options},
    profile::{self, ImageRef, Profile},
    report::Reports,
};

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the tree")
}

/// A profile of the corpus: everything there is.
fn everything() -> Profile {
    load(&root().join("tests/manifests/good/everything.kdl"))
}

fn load(path: &Path) -> Profile {
    profile::load(path).unwrap_or_else(|reports| panic!("{reports}"))
}

/// What stands for the programs of the tree.
#[expect(clippy::unnecessary_wraps, reason = "the signature that `assemble` asks for")]
fn image(image: &ImageRef) -> Result<Vec<u8>, Reports> {
    Ok(match image {
        ImageRef::File(path) => std::fs::read(path).expect("readable"),
        ImageRef::BuiltIn(name) => match name.as_str() {
            "rumpk" | "unikernel" => Elf::program(virt::KERNEL).bytes(),
            name if name.starts_with("rumkv") => Elf::program(virt::RUMKV).bytes(),
            "uart" => Elf::image(&forge::manifest(name, "npl")).bytes(),
            name => Elf::image(&forge::manifest(name, "npk")).bytes(),
        },
    })
}

fn key() -> Key {
    Key::from_seed([7; 32])
}

fn assemble(profile: &Profile, boot: &Path) -> Result<Vec<u8>, Reports> {
    bundle::assemble(profile, &mut image, &key(), boot, 3)
}

fn built(profile: &Profile) -> Vec<u8> {
    assemble(profile, &root().join("profiles/boot")).unwrap_or_else(|reports| panic!("{reports}"))
}

#[test]
fn the_crate_that_boots_accepts_it() {
    let bytes = built(&everything());
    let verified = ::bundle::verify(&bytes, &key().public_key(), 3).expect("verifies");
    let names: Vec<String> = verified.entries().map(|e| abi::text(&e.name).to_owned()).collect();
    let expected = [
        "cells.bin",
        "rumkv",
        "cell0/kernel",
        "cell0/fdt",
        "cell0/manifest",
        "Boot/bin/good",
        "Boot/bin/init",
        "Boot/bin/uart",
        "Boot/motd",
        "Boot/notes/readme",
    ];
    assert_eq!(names, expected);
}

#[test]
fn the_floor_and_the_key_are_kept() {
    let bytes = built(&everything());
    let refusal = |key: &Key, floor| {
        let refused = ::bundle::verify(&bytes, &key.public_key(), floor).expect_err("refused");
        abi::text(&refused.member).to_owned()
    };
    assert_eq!(refusal(&key(), 4), "index");
    assert_eq!(refusal(&Key::from_seed([8; 32]), 3), "index");
}

#[test]
fn tar_lists_it_and_two_builds_are_equal() {
    let profile = everything();
    let bytes = built(&profile);
    assert_eq!(bytes, built(&profile));
    let mut file = tempfile::NamedTempFile::new().expect("a file");
    file.write_all(&bytes).expect("writable");
    let out = Command::new("tar").arg("tvf").arg(file.path()).output().expect("tar runs");
    assert!(out.status.success() && out.stderr.is_empty(), "{out:?}");
    let list = String::from_utf8(out.stdout).expect("UTF-8");
    assert!(list.lines().next().expect("a line").ends_with(" index"), "{list}");
    assert!(list.contains(" Boot/bin/init"), "{list}");
    assert!(list.lines().all(|l| l.starts_with("-rw-r--r-- 0/0")), "{list}");
    assert!(list.lines().all(|l| l.contains("1970-01-01")), "{list}");
}

#[test]
fn files_of_the_folder_appear_with_their_contents() {
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::create_dir(folder.path().join("sub")).expect("made");
    std::fs::write(folder.path().join("sub/token"), "5b1f").expect("written");
    let profile = load(&root().join("tests/manifests/good/smallest.kdl"));
    let bytes = assemble(&profile, folder.path()).expect("assembles");
    let archive = Archive::read(&bytes).expect("reads");
    let member = &archive.members[archive.number("Boot/sub/token").expect("there")];
    assert_eq!(member.contents, b"5b1f");
    std::os::unix::fs::symlink("/etc/passwd", folder.path().join("link")).expect("linked");
    let reports = assemble(&profile, folder.path()).expect_err("refused");
    assert!(reports.to_string().contains("neither file nor folder"), "{reports}");
}

/// Records of one kind.
fn records(bytes: &[u8], kind: u16) -> Vec<CellRecord> {
    let archive = Archive::read(bytes).expect("reads");
    let table = archive.members[0].contents.clone();
    let decoded = cells::Table::decode(&table).expect("decodes");
    decoded.of(kind).map(|(_, r)| r).collect()
}

#[test]
fn the_cell_table_says_what_the_profile_says() {
    let bytes = built(&everything());
    let ram = records(&bytes, cell::RAM);
    assert_eq!(ram.len(), 2);
    assert_eq!((ram[1].a, ram[1].b, ram[1].c), (0x5400_0000, 0x5400_0000, 32 << 20));
    assert_eq!(records(&bytes, cell::CORE).len(), 1);
    assert_eq!(records(&bytes, cell::DEVICE).len(), 2);
    let irqs = records(&bytes, cell::IRQ);
    assert_eq!(irqs.iter().map(|i| i.a).collect::<Vec<_>>(), [33, 34]);
    let loads = records(&bytes, cell::LOAD);
    let to: Vec<u64> = loads.iter().map(|l| l.a).collect();
    assert_eq!(to, [virt::RUMKV, virt::KERNEL, virt::FDT, virt::MANIFEST]);
    let small = load(&root().join("tests/manifests/good/smallest.kdl"));
    let small = built(&small);
    assert!(records(&small, cell::HYPERVISOR).is_empty());
    assert_eq!(records(&small, cell::LOAD).len(), 3);
}

/// The same cell, tree and manifest with and without RumKV: a program cannot tell.
#[test]
fn core_and_micro_differ_in_rumkv_only() {
    let [core, micro] = ["core", "micro"].map(|name| {
        let text =
            std::fs::read_to_string(root().join("profiles").join(name).with_extension("kdl"));
        text.expect("readable")
            .lines()
            .filter(|l| !l.starts_with("//"))
            .collect::<Vec<_>>()
            .join("\n")
    });
    assert_eq!(core.replace("rumkv\n", ""), micro);
    let with = everything();
    let text = std::fs::read_to_string(root().join("tests/manifests/good/everything.kdl"));
    let corpus = format!("\"{}/tests/manifests/", root().display());
    let text = text.expect("readable").replace("rumkv \"rumkv-count-tlb\"\n", "");
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("x.kdl");
    std::fs::write(&path, text.replace("\"../", &corpus)).expect("writable");
    let without = profile::load(&path);
    let [with, without] = [with, without.unwrap_or_else(|r| panic!("{r}"))].map(|p| {
        let archive = Archive::read(&built(&p)).expect("reads");
        let cell = archive.members.into_iter().filter(|m| m.name.starts_with("cell0/"));
        cell.collect::<Vec<_>>()
    });
    assert_eq!(with, without);
}

#[test]
fn slots_and_flags_of_the_manifest() {
    let archive = Archive::read(&built(&everything())).expect("reads");
    let bytes = &archive.members[archive.number("cell0/manifest").expect("there")].contents;
    let head = CellManifest::decode(bytes).expect("a head");
    assert_eq!((head.services, head.links, head.grants), (4, 2, 9));
    assert_eq!(head.total_len as usize, bytes.len());
    let at = |n: usize| CellManifest::SIZE + n * Service::SIZE;
    let service = |n: usize| Service::decode(&bytes[at(n)..]).expect("a service");
    assert_eq!(abi::text(&service(0).image), "Boot/bin/uart");
    assert_eq!((service(0).flags, service(2).flags), (SERVICE_FIRST, SERVICE_INIT));
    // Open in the profile: the image's. Given: the profile's.
    assert_eq!((service(0).stack, service(1).stack), (16 << 10, 8 << 10));
    let init = service(2);
    let args = head.text + init.args;
    assert_eq!(&bytes[args as usize..(args + init.args_len) as usize], b"one two");
    let unveils = head.text as usize + usize::from(init.unveils);
    let list = b"\x01\x04Boot\x04\x08Boot/bin\x00\x00";
    assert_eq!(&bytes[unveils..unveils + usize::from(init.unveils_len)], list);
    let links = at(4);
    let link = |n: usize| Link::decode(&bytes[links + n * Link::SIZE..]).expect("a link");
    let (out, own) = (link(0), link(1));
    assert_eq!((out.number, out.a, out.b, out.a_slot, out.b_slot), (0x1001, 0, 2, 10, 5));
    assert_eq!((own.number, own.a, own.b, own.a_slot, own.b_slot), (0x10001, 1, 2, 10, 13));
    assert_eq!((own.slots, own.buffer, own.pledge), (64, 8192, 1));
    let grants = links + 2 * Link::SIZE;
    let kinds: Vec<(u8, u8)> = (0..9)
        .map(|n| Grant::decode(&bytes[grants + n * Grant::SIZE..]).expect("a grant"))
        .map(|g| (g.kind, g.slot))
        .collect();
    let all = [(5, 8), (6, 9), (5, 8), (6, 9), (7, 8), (7, 9), (11, 10), (10, 11), (9, 12)];
    assert_eq!(kinds, all);
}

/// Line of the first report that says `what`.
fn line_of(reports: &Reports, what: &str) -> usize {
    let report = reports.0.iter().find(|r| r.message.contains(what));
    let report = report.unwrap_or_else(|| panic!("`{what}` is not said:\n{reports}"));
    report.at.as_ref().expect("a place").line()
}

/// An image's manifest is the most its services may have; the answer points into the profile.
#[test]
fn a_service_beyond_its_image_is_refused() {
    let profile = everything();
    for (line, change, what) in [
        (17, ("\"DEVICE\"", "\"RPATH\""), "image of `uart` is not pledged DEVICE"),
        (16, ("spectrum \"photon\"", "spectrum \"matter\""), "of spectrum matter at most"),
        (16, ("energy 2000", "energy 99"), "image of `uart` may have 99 J at most"),
        (15, ("channels 8", "channels 0"), "image of `uart` wants 0 channels, and is given 1"),
        (15, ("devices 8", "devices 0"), "image of `uart` wants 0 devices, and is given 1"),
    ] {
        let mut read = |named: &ImageRef| match named {
            ImageRef::BuiltIn(name) if name == "uart" => {
                Ok(Elf::image(&forge::manifest(name, "npl").replace(change.0, change.1)).bytes())
            }
            other => image(other),
        };
        let boot = root().join("profiles/boot");
        let result = bundle::assemble(&profile, &mut read, &key(), &boot, 1);
        assert_eq!(line_of(&result.expect_err("refused"), what), line, "{what}");
    }
}

#[test]
fn a_kernel_for_another_place_is_refused() {
    let profile = everything();
    let mut read = |named: &ImageRef| match named {
        ImageRef::BuiltIn(name) if name == "rumpk" => Ok(Elf::program(virt::RUMKV).bytes()),
        other => image(other),
    };
    let boot = root().join("profiles/boot");
    let result = bundle::assemble(&profile, &mut read, &key(), &boot, 1);
    assert_eq!(line_of(&result.expect_err("refused"), "the kernel is linked for 0x40200000"), 11);
}

/// What `check` lets pass, the checker of the cell table and the loader's plan let pass too: every
/// combination of these edges is either explained beforehand or makes a bundle.
#[test]
fn check_is_at_least_as_strict_as_boot() {
    let text = std::fs::read_to_string(root().join("tests/manifests/good/smallest.kdl"));
    let text = text.expect("readable");
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("x.kdl");
    let at = [0, 0x4000_0000, 0x4fe0_0000, 0x5000_0000, 0x5000_1000, 0x5f80_0000, u64::MAX];
    let len = [0, 1, 4096, 4 << 20, 8 << 20, 0x1000_0000, 0x1020_0000, u64::MAX];
    let second = [0x5080_0000_u64, 0x5000_0000, 0x5fe0_0000, 0x6000_0000, 0xffff_ffff_ffe0_0000];
    let (mut good, mut bad) = (0, 0);
    for (at, len, second) in at
        .iter()
        .flat_map(|a| len.iter().map(move |l| (a, l)))
        .flat_map(|(a, l)| second.iter().map(move |s| (a, l, s)))
    {
        let ram = format!("ram {len} at={at}\n    ram \"2M\" at={second}");
        std::fs::write(&path, text.replace("ram \"8M\" at=0x50000000", &ram)).expect("written");
        match profile::load(&path) {
            Ok(profile) => {
                built(&profile);
                good += 1;
            }
            Err(_) => bad += 1,
        }
    }
    assert!(good >= 2 && bad >= 100, "{good} good, {bad} bad");
}

/// A forged table passes neither the check before signing nor the one at boot, but can be made.
#[test]
fn forging_past_the_check() {
    let profile = everything();
    let boot = root().join("profiles/boot");
    let options = Options { boot: &boot, version: 1 };
    let forged = bundle::assemble_with(&profile, &mut image, &key(), options, |table| {
        let ram = table.records.iter_mut().find(|r| r.kind == cell::RAM).expect("RAM");
        ram.b = virt::RUMKV;
    });
    let forged = forged.unwrap_or_else(|reports| panic!("{reports}"));
    ::bundle::verify(&forged, &key().public_key(), 1).expect("signed all the same");
    let archive = Archive::read(&forged).expect("reads");
    let table = cells::Table::decode(&archive.members[0].contents).expect("decodes");
    cells::check(&table).expect_err("overlaps RumKV");
}

#[test]
fn rewriting_changes_key_version_and_members() {
    let bytes = built(&everything());
    assert_eq!(bundle::rewrite(&bytes, &key(), |_| {}).expect("writes"), bytes);
    let other = Key::from_seed([9; 32]);
    let older = bundle::rewrite(&bytes, &other, |a| a.version = 1).expect("writes");
    assert_eq!(older.len(), bytes.len());
    ::bundle::verify(&older, &other.public_key(), 1).expect("consistent in itself");
    ::bundle::verify(&older, &key().public_key(), 1).expect_err("another key");
    ::bundle::verify(&older, &other.public_key(), 2).expect_err("below the floor");
}

/// dtc, a foreign reader, takes the device tree; the kernel's crate finds what it looks for.
#[test]
fn the_device_tree_is_one() {
    let archive = Archive::read(&built(&everything())).expect("reads");
    let bytes = &archive.members[archive.number("cell0/fdt").expect("there")].contents;
    let mut file = tempfile::NamedTempFile::new().expect("a file");
    file.write_all(bytes).expect("writable");
    let out = Command::new("dtc").args(["-I", "dtb", "-O", "dts"]).arg(file.path()).output();
    // dtc is not everywhere; the other reader is.
    if let Ok(out) = out {
        assert!(out.status.success(), "{out:?}");
        assert!(!String::from_utf8_lossy(&out.stderr).contains("Warning"), "{out:?}");
    }
    let tree = fdt::Fdt::new(bytes).expect("a device tree");
    assert_eq!(tree.cpus().count(), 1);
    let regions: Vec<(usize, Option<usize>)> = tree
        .find_all_nodes("/memory")
        .flat_map(|n| n.reg().into_iter().flatten().collect::<Vec<_>>())
        .map(|r| (r.starting_address as usize, r.size))
        .collect();
    assert_eq!(regions, [(0x5000_0000, Some(64 << 20)), (0x5400_0000, Some(32 << 20))]);
    assert_eq!(tree.chosen().stdout().expect("stdout").name, "pl011@9000000");
    let psci = tree.find_node("/psci").expect("psci");
    assert_eq!(psci.property("method").and_then(fdt::node::NodeProperty::as_str), Some("smc"));
    assert!(tree.find_node("/smmuv3").is_none() && tree.find_node("/pcie").is_none());
}

#[test]
fn key_files() {
    let key = Key::development(root()).unwrap_or_else(|reports| panic!("{reports}"));
    assert!(key.is_development());
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("key");
    let zeros = "0".repeat(64);
    std::fs::write(&path, format!("# mine\n\n{zeros}\n")).expect("written");
    let own = Key::from_file(&path).unwrap_or_else(|reports| panic!("{reports}"));
    assert_eq!(own.public_key(), Key::from_seed([0; 32]).public_key());
    assert!(!own.is_development() && own.public_key() != key.public_key());
    for bad in [String::new(), "00".into(), format!("{zeros}\n{zeros}"), "g".repeat(64)] {
        std::fs::write(&path, bad).expect("written");
        assert!(Key::from_file(&path).is_err());
    }
}
