//! The images that freeze version 1. Each is made by a few operations; the code must make the same bytes from them as it did
//! on the day of the freeze, and read from those bytes what stands in the list beside them. `tests/reader.rs` reads them
//! too and knows nothing of this crate.
//!
//! An image is text: `bytes N`, then `OFFSET HEX` for each 16 bytes that are not zero, `xN` if they repeat.
#![allow(clippy::format_collect, clippy::format_push_string, reason = "text for people to read")]
use std::string::String;
use std::vec::Vec;

use super::disk::{Disk, Lent, findings};
use super::model::{Op, everything, perform};
use crate::{Error, Format, Kind, Place, Volume};

/// Bytes on a line of an image.
const LINE: usize = 16;
/// A second on the volume's clock.
const SECOND: u64 = 1_000_000_000;

/// What an image is of: its name, its blocks and their size, and what is done to it.
struct Recipe {
    name: &'static str,
    shift: u8,
    blocks: usize,
    steps: fn(&mut Volume<'_, &mut Disk>),
}

const RECIPES: [Recipe; 3] = [
    Recipe { name: "empty", shift: 12, blocks: 64, steps: |_| {} },
    Recipe { name: "tree", shift: 11, blocks: 256, steps: tree },
    Recipe { name: "full", shift: 12, blocks: 112, steps: full },
];

fn done(v: &mut Volume<'_, &mut Disk>, ops: &[Op]) {
    for op in ops {
        v.set_time(v.time + SECOND);
        perform(v, op).expect("operation");
    }
}

/// Files of no, one and two levels, folders of two, names of 1 and 255 bytes and beyond ASCII, a snapshot, clones, a client,
/// and a removed folder of which a part still waits.
fn tree(v: &mut Volume<'_, &mut Disk>) {
    let pattern = |n: usize| (0..n).map(|i| (i / 1024) as u8).collect::<Vec<u8>>();
    let below = |folder: &str, n: u32| {
        let files = (0..n).map(|i| Op::Create(std::format!("{folder}/{i}")));
        [Op::Mkdir(folder.into())].into_iter().chain(files).collect::<Vec<_>>()
    };
    done(v, &[Op::Mkdir("etc".into()), Op::Mkdir("etc/deep".into())]);
    done(v, &below("many", 30));
    done(
        v,
        &[
            Op::Create("etc/motd".into()),
            Op::Append("etc/motd".into(), b"welcome".to_vec()),
            Op::Create("etc/deep/\u{fc}ber".into()),
            Op::Create("n".repeat(255)),
            Op::Append("n".repeat(255), pattern(2048)),
            Op::Create("large".into()),
            Op::Append("large".into(), pattern(75_000)),
            Op::Sync,
            Op::Snapshot("monday".into()),
            Op::Write("large".into(), 4096, vec![7; 5000]),
            Op::Clone("etc".into(), "copy".into()),
            Op::Clone("large".into(), "other".into()),
            Op::Truncate("other".into(), 68_001),
            Op::Append("etc/motd".into(), b" back".to_vec()),
            Op::Sync,
            Op::RemoveSnapshot("monday".into()),
            Op::Snapshot("tuesday".into()),
            Op::Clone("copy".into(), "etc/copy".into()),
            Op::Rename("copy/motd".into(), "copy/renamed".into()),
        ],
    );
    done(v, &below("gone", 80));
    done(v, &[Op::Sync, Op::RemoveAll("gone".into())]);
    assert_eq!(v.begin(7, 3), Ok(None));
    assert_eq!(v.append("etc/motd", b" again"), Ok(12));
    v.sync().expect("sync");
}

/// Files of three blocks and a bit until there is no room, then one removed and a smaller one made.
fn full(v: &mut Volume<'_, &mut Disk>) {
    let mut n = 0;
    loop {
        let (name, bytes) = (std::format!("f{n}"), vec![n as u8 + 1; 3 * 4096 + 99]);
        v.set_time(v.time + SECOND);
        if v.create(&name).and_then(|()| v.append(&name, &bytes)) == Err(Error::NoSpace) {
            break;
        }
        n += 1;
    }
    assert!(n > 15, "{n} files");
    done(
        v,
        &[Op::Unlink("f1".into()), Op::Sync, Op::Write(std::format!("f{n}"), 3, vec![0xEE; 9])],
    );
    v.sync().expect("sync");
}

/// Makes the image.
fn make(recipe: &Recipe) -> Disk {
    let (mut disk, mut lent) =
        (Disk::new(recipe.blocks << (recipe.shift - 9)), Lent::new(recipe.shift, 64));
    let mut label = [0; 32];
    label[..recipe.name.len()].copy_from_slice(recipe.name.as_bytes());
    let format = Format { shift: recipe.shift, uuid: *b"NexFS version 1.", label };
    Volume::format(&mut disk, &format).expect("format");
    let mut v = Volume::mount(&mut disk, lent.lend()).expect("mount");
    (recipe.steps)(&mut v);
    v.unmount();
    disk
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| std::format!("{b:02x}")).collect()
}

fn encode(image: &[u8]) -> String {
    let mut text = std::format!("bytes {}\n", image.len());
    let lines: Vec<&[u8]> = image.chunks(LINE).collect();
    let mut i = 0;
    while i < lines.len() {
        let same = lines[i..].iter().take_while(|l| **l == lines[i]).count();
        if lines[i].iter().any(|&b| b != 0) {
            let times = if same > 1 { std::format!(" x{same}") } else { String::new() };
            text += &std::format!("{:x} {}{times}\n", i * LINE, hex(lines[i]));
        }
        i += same;
    }
    text
}

fn decode(text: &str) -> Disk {
    let mut lines = text.lines();
    let bytes = lines.next().and_then(|l| l.strip_prefix("bytes ")).expect("the first line");
    let mut disk = Disk::new(bytes.parse::<usize>().expect("a number") / super::disk::SECTOR);
    for line in lines {
        let mut words = line.split(' ');
        let mut at = usize::from_str_radix(words.next().expect("offset"), 16).expect("offset");
        let hex = words.next().expect("bytes");
        let times = words.next().map_or(1, |w| w[1..].parse::<usize>().expect("times"));
        for _ in 0..times {
            for i in 0..LINE {
                let byte = u8::from_str_radix(&hex[2 * i..2 * i + 2], 16);
                disk.bytes[at + i] = byte.expect("hexadecimal");
            }
            at += LINE;
        }
    }
    disk
}

/// All that an image holds, a line each.
fn list(disk: &mut Disk, shift: u8) -> String {
    let mut lent = Lent::new(shift, 20);
    let mut v = Volume::mount(disk, lent.lend()).expect("mount");
    assert_eq!(findings(&mut v), []);
    let model = everything(&mut v).expect("read");
    let mut text = std::format!(
        "volume {} {} blocks of {} free {}\n",
        v.label(),
        v.geometry().total,
        v.geometry().block(),
        v.available()
    );
    let snapshots = model
        .snapshots
        .iter()
        .flat_map(|(name, tree)| tree.keys().map(move |k| std::format!("{name}/{k}")));
    let live = model.live.keys().map(|k| (false, k.clone()));
    for (kept, path) in live.chain(snapshots.map(|k| (true, k))) {
        let place = if kept { Place::Snapshot(&path) } else { Place::Live(&path) };
        let (stat, title) = (v.stat(place).expect("stat"), if kept { "snapshot" } else { "live" });
        let content = match stat.kind {
            Kind::File => std::format!("{} {}", stat.size, hex(&v.hash(place).expect("hash"))),
            _ => "folder".into(),
        };
        text += &std::format!("{title} {path} {} {} {content}\n", stat.made, stat.time);
    }
    if v.begin(7, 3) == Ok(Some(12)) {
        text += "client 7 3 12\n";
    }
    text + if v.untidy() { "untidy\n" } else { "" }
}

fn file(name: &str, end: &str) -> std::path::PathBuf {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("golden");
    folder.join(std::format!("{name}.{end}"))
}

fn text(name: &str, end: &str) -> String {
    std::fs::read_to_string(file(name, end)).expect("golden/")
}

#[test]
fn images_of_the_freeze_hold_what_they_held() {
    for recipe in &RECIPES {
        let mut disk = decode(&text(recipe.name, "hex"));
        assert_eq!(list(&mut disk, recipe.shift), text(recipe.name, "list"), "{}", recipe.name);
    }
}

#[test]
fn the_same_operations_give_the_same_bytes() {
    for recipe in &RECIPES {
        let (made, golden) = (make(recipe), decode(&text(recipe.name, "hex")));
        let differs = made.bytes.iter().zip(&golden.bytes).position(|(a, b)| a != b);
        assert_eq!(differs, None, "{}: the first byte that differs", recipe.name);
        assert_eq!(made.bytes.len(), golden.bytes.len());
    }
}

#[test]
fn images_of_the_freeze_can_be_changed() {
    for recipe in &RECIPES {
        let (mut disk, mut lent) = (decode(&text(recipe.name, "hex")), Lent::least(recipe.shift));
        let mut v = Volume::mount(&mut disk, lent.lend()).expect("mount");
        let before = everything(&mut v).expect("read");
        let mut name = String::new();
        while let Some(entry) = v.next_entry(Place::Live(""), &name).expect("list") {
            name = entry.name().into();
            v.remove_all(&name).expect("remove");
        }
        while v.tidy(10).expect("tidy") {}
        v.create("new").expect("create");
        v.sync().expect("sync");
        assert_eq!(findings(&mut v), []);
        assert_eq!(everything(&mut v).expect("read").snapshots, before.snapshots);
    }
}

#[test]
#[ignore = "writes the golden images: for a new version only"]
fn write_golden_images() {
    for recipe in &RECIPES {
        let mut disk = make(recipe);
        std::fs::write(file(recipe.name, "hex"), encode(&disk.bytes)).expect("write");
        std::fs::write(file(recipe.name, "list"), list(&mut disk, recipe.shift)).expect("write");
    }
}
