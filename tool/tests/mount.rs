//! `nexus fs mount`: ordinary programs on an image through FUSE. Where there is no FUSE the tests say so and pass.
use std::fs::{self, File, OpenOptions};
use std::io::{BufRead, BufReader, Read, Seek, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use rustix::process::{Pid, Signal, kill_process};

/// An image with a volume, and a folder to mount it on.
struct Disk {
    folder: tempfile::TempDir,
}

/// A mounted image; dropped, it ends as if a user pressed Ctrl-C.
struct Mounted {
    tool: Child,
    at: PathBuf,
}

fn nexus(folder: &Path, line: &str) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_nexus"));
    command.current_dir(folder).arg("fs").args(line.split_whitespace());
    command
}

impl Disk {
    fn new(size: &str) -> Self {
        let disk = Disk { folder: tempfile::tempdir().expect("folder") };
        fs::create_dir(disk.folder.path().join("d")).expect("folder");
        disk.ok(&format!("mkfs disk --size {size}"));
        disk
    }

    fn ok(&self, line: &str) -> String {
        let out = nexus(self.folder.path(), line).output().expect("the tool runs");
        assert!(out.status.success(), "{line}: {}", String::from_utf8_lossy(&out.stderr));
        String::from_utf8(out.stdout).expect("text")
    }

    /// Mounts; none where FUSE cannot be used.
    fn mount(&self, more: &str) -> Option<Mounted> {
        let mut command = nexus(self.folder.path(), &format!("mount disk d {more}"));
        let mut tool =
            command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("the tool runs");
        let mut line = String::new();
        let out = tool.stdout.take().expect("its output");
        BufReader::new(out).read_line(&mut line).expect("a line");
        if line.contains("is mounted on") {
            return Some(Mounted { tool, at: self.folder.path().join("d") });
        }
        let mut why = String::new();
        tool.stderr.take().expect("its errors").read_to_string(&mut why).expect("text");
        tool.wait().expect("it ended");
        let missing = ["no /dev/fuse", "mounting wants root", "not permitted", "fusermount"];
        assert!(missing.iter().any(|m| why.contains(m)), "{why}");
        println!("skipped, FUSE cannot be used here: {why}");
        None
    }
}

impl Mounted {
    fn end(mut self) {
        kill_process(Pid::from_child(&self.tool), Signal::INT).expect("it runs");
        assert!(self.tool.wait().expect("it ends").success(), "Ctrl-C unmounts cleanly");
    }
}

impl Drop for Mounted {
    /// A test that fails leaves no mount behind.
    fn drop(&mut self) {
        if matches!(self.tool.try_wait(), Ok(None)) {
            let _ = kill_process(Pid::from_child(&self.tool), Signal::INT);
            let _ = self.tool.wait();
        }
    }
}

#[test]
fn programs_write_and_read_and_the_image_has_it() {
    let disk = Disk::new("16M");
    let Some(mounted) = disk.mount("") else { return };
    let (d, large) = (&mounted.at, (0..3_000_001u32).map(|i| (i / 7) as u8).collect::<Vec<u8>>());
    fs::create_dir_all(d.join("a/b")).expect("mkdir");
    fs::write(d.join("a/b/large"), &large).expect("write");
    fs::write(d.join("a/small"), "one").expect("write");
    OpenOptions::new()
        .append(true)
        .open(d.join("a/small"))
        .expect("open")
        .write_all(b" two")
        .expect("append");
    assert_eq!(fs::read(d.join("a/b/large")).expect("read"), large);
    File::options()
        .write(true)
        .open(d.join("a/b/large"))
        .expect("open")
        .set_len(70_000)
        .expect("cut");
    fs::rename(d.join("a/b"), d.join("c")).expect("rename");
    assert_eq!(fs::read(d.join("c/large")).expect("read"), large[..70_000]);
    fs::write(d.join("gone"), "x").expect("write");
    fs::remove_file(d.join("gone")).expect("remove");
    assert!(fs::remove_dir(d.join("c")).is_err(), "a folder with a file in it");
    let mut names: Vec<_> =
        fs::read_dir(d).expect("list").map(|e| e.expect("entry").file_name()).collect();
    names.sort();
    assert_eq!(names, ["a", "c"]);
    mounted.end();
    assert_eq!(disk.ok("cat disk a/small"), "one two");
    assert!(disk.ok("check disk").starts_with("in order: 2 files, 2 folders"));
    assert_eq!(disk.ok("ls disk c"), "       70000 large\n");
}

#[test]
fn a_removed_file_lives_until_it_is_closed_and_no_longer() {
    let disk = Disk::new("8M");
    let Some(mounted) = disk.mount("") else { return };
    let d = &mounted.at;
    let open = |name: &str| {
        File::options().read(true).write(true).create(true).truncate(true).open(d.join(name))
    };
    let (mut one, mut two) = (open("one").expect("open"), open("two").expect("open"));
    one.write_all(b"first").expect("write");
    two.write_all(b"second").expect("write");
    fs::remove_file(d.join("one")).expect("remove");
    fs::write(d.join("other"), "third").expect("write");
    fs::rename(d.join("other"), d.join("two")).expect("replace");
    for (file, content) in [(&mut one, "first more"), (&mut two, "second more")] {
        file.write_all(b" more").expect("write");
        file.rewind().expect("seek");
        let mut text = String::new();
        file.read_to_string(&mut text).expect("read");
        assert_eq!(text, content);
    }
    assert_eq!(fs::read_to_string(d.join("two")).expect("read"), "third");
    assert_eq!(fs::read_dir(d).expect("list").count(), 1);
    drop((one, two));
    mounted.end();
    assert_eq!(disk.ok("ls disk"), "           5 two\n", "hidden names are gone");
}

#[test]
fn what_was_synced_survives_the_end_of_the_tool_and_snapshots_are_read_only() {
    let disk = Disk::new("8M");
    let Some(mut mounted) = disk.mount("") else { return };
    let mut file = File::create(mounted.at.join("f")).expect("create");
    file.write_all(b"kept").expect("write");
    file.sync_all().expect("fsync");
    fs::remove_file(mounted.at.join("f")).expect("remove, while it is open");
    file.sync_all().expect("fsync");
    mounted.tool.kill().expect("kill");
    mounted.tool.wait().expect("it ended");
    drop(file);
    // What the kill left mounted.
    let ends = |line: &[&str]| {
        let run = Command::new(line[0]).args(&line[1..]).arg(&mounted.at).status();
        run.is_ok_and(|status| status.success())
    };
    assert!(ends(&["umount", "-l"]) || ends(&["fusermount3", "-uz"]), "it was mounted");
    assert!(disk.ok("ls disk").contains(".nexfs-removed-"), "the open file has its hidden name");
    fs::write(disk.folder.path().join("x"), "old").expect("file");
    disk.ok("cp disk x :x");
    disk.ok("snapshot disk monday");
    let mounted = disk.mount("").expect("it mounted before");
    fs::write(mounted.at.join("x"), "new").expect("write");
    mounted.end();
    assert_eq!(disk.ok("ls disk"), "           3 x\n", "the next mount removes hidden names");
    let mounted = disk.mount("--snapshot monday").expect("it mounted before");
    assert_eq!(fs::read_to_string(mounted.at.join("x")).expect("read"), "old");
    let refused = fs::write(mounted.at.join("x"), "no").expect_err("read only");
    assert_eq!(refused.kind(), std::io::ErrorKind::ReadOnlyFilesystem);
    mounted.end();
    assert_eq!(disk.ok("cat disk x"), "new");
}

/// Names that only begin as hidden ones do are somebody's: they are listed, and the next mount keeps them.
#[test]
fn names_like_those_of_removed_files_are_kept() {
    let disk = Disk::new("2M");
    let names = [".nexfs-removed-1", ".nexfs-removed-notes"];
    let Some(mounted) = disk.mount("") else { return };
    fs::create_dir(mounted.at.join(names[0])).expect("a folder");
    fs::write(mounted.at.join(names[1]), "kept").expect("a file");
    drop(mounted);
    let Some(mounted) = disk.mount("") else { return };
    let all = fs::read_dir(&mounted.at).expect("the root").map(|e| e.expect("an entry"));
    let mut all: Vec<_> = all.map(|e| e.file_name().into_string().expect("text")).collect();
    all.sort();
    assert_eq!(all, names);
    assert_eq!(fs::read(mounted.at.join(names[1])).expect("the file"), b"kept");
}
