//! `nexus fs` as it is typed, on images in a folder of their own.
use std::path::Path;
use std::process::{Command, Output};

fn nexus(folder: &Path, line: &str) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_nexus"));
    command.current_dir(folder).arg("fs").args(line.split_whitespace());
    command.output().expect("the tool runs")
}

/// What a command prints that must succeed.
fn ok(folder: &Path, line: &str) -> String {
    let out = nexus(folder, line);
    assert!(out.status.success(), "{line}: {}", String::from_utf8_lossy(&out.stderr));
    String::from_utf8(out.stdout).expect("text")
}

/// What a command complains of that must fail.
fn fails(folder: &Path, line: &str) -> String {
    let out = nexus(folder, line);
    assert_eq!(out.status.code(), Some(1), "{line}");
    String::from_utf8(out.stderr).expect("text")
}

#[test]
fn files_go_in_and_come_out_as_they_were() {
    let folder = tempfile::tempdir().expect("folder");
    let here = folder.path();
    let large: Vec<u8> = (0..3_000_000u32).map(|i| (i / 5) as u8).collect();
    std::fs::create_dir_all(here.join("tree/below")).expect("folders");
    std::fs::write(here.join("tree/large"), &large).expect("file");
    std::fs::write(here.join("tree/below/small"), "small\n").expect("file");
    ok(here, "mkfs disk --size 8M --label test");
    ok(here, "cp disk tree :a/tree");
    assert_eq!(ok(here, "ls disk a/tree"), "           - below/\n     3000000 large\n");
    assert_eq!(ok(here, "cat disk a/tree/below/small"), "small\n");
    ok(here, "cp disk :a back");
    assert_eq!(std::fs::read(here.join("back/tree/large")).expect("file"), large);
    assert!(ok(here, "check disk").starts_with("in order: 2 files, "));
}

#[test]
fn a_snapshot_keeps_what_a_copy_replaces() {
    let folder = tempfile::tempdir().expect("folder");
    let here = folder.path();
    ok(here, "mkfs disk --size 2M --block 2048");
    std::fs::write(here.join("f"), "one").expect("file");
    ok(here, "cp disk f :f");
    ok(here, "snapshot disk monday");
    std::fs::write(here.join("f"), "two").expect("file");
    ok(here, "cp disk f :f");
    assert_eq!(ok(here, "cat disk f"), "two");
    assert_eq!(ok(here, "cat disk f --snapshot monday"), "one");
    assert_eq!(ok(here, "snapshot disk"), "           - monday/\n");
    ok(here, "snapshot disk monday --restore");
    ok(here, "snapshot disk monday --remove");
    assert_eq!(ok(here, "cat disk f"), "one");
    assert_eq!(ok(here, "snapshot disk"), "");
    ok(here, "check disk");
}

#[test]
fn what_is_wrong_is_said() {
    let folder = tempfile::tempdir().expect("folder");
    let here = folder.path();
    ok(here, "mkfs disk --size 1M");
    assert!(fails(here, "mkfs disk").contains("--force"));
    assert!(fails(here, "mkfs other --size 12Q").contains("not a size"));
    assert!(fails(here, "cat disk nothing").contains("nothing: no such file"));
    assert!(fails(here, "cp disk a b").contains("starts with `:`"));
    std::fs::write(here.join("large"), vec![1; 2 << 20]).expect("file");
    assert!(fails(here, "cp disk large :large").contains("no space left"));
    assert_eq!(ok(here, "ls disk"), "", "half a copy was left behind");
    assert!(fails(here, "ls large").contains("no NexFS volume"));
}

#[test]
fn damage_is_named_by_path() {
    let folder = tempfile::tempdir().expect("folder");
    let here = folder.path();
    ok(here, "mkfs disk --size 1M");
    std::fs::write(here.join("f"), "content that can be found").expect("file");
    ok(here, "cp disk f :etc/motd");
    let mut image = std::fs::read(here.join("disk")).expect("image");
    let at = image.windows(7).position(|w| w == b"content").expect("the content lies in the image");
    image[at] ^= 1;
    std::fs::write(here.join("disk"), image).expect("image");
    let said = fails(here, "check disk");
    assert!(said.contains("/etc/motd: content of a file is damaged"), "{said}");
    assert!(fails(here, "cat disk etc/motd").contains("damaged"));
}
