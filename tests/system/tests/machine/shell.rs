//! Sessions at the shell, on every profile that has one.
use std::fmt::Write as _;
use std::time::Duration;

use abi::hypercall::cause;
use nexus::failure::code;
use system::command::{nexus, run};
use system::{Boot, built, expect_exit, folder, workspace};

const MOTD: &str = include_str!("../../../../profiles/boot/motd");

/// What the command line that the README promises prints, through the script and standard input.
fn session(profile: &str) -> String {
    let input = b"ls /Boot\ncat /Boot/motd\nps\nuptime\npoweroff\n";
    let ended = run(nexus(&["run", profile, "--timeout", "100"]), input);
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert!(ended.err.contains("development key"), "{ended:?}");
    ended.out
}

fn holds(transcript: &str, wanted: &[&str]) {
    for text in wanted {
        assert!(transcript.contains(text), "no `{text}` in:\n{transcript}");
    }
}

#[test]
fn a_session_on_core() {
    let out = session("core");
    holds(&out, &["motd", MOTD.trim_end(), "uart", "init", "shell", "up 0."]);
}

#[test]
fn a_session_on_micro() {
    let out = session("micro");
    holds(&out, &["motd", MOTD.trim_end(), "uart", "init", "shell", "up 0."]);
}

#[test]
fn the_demonstration_of_the_unikernel() {
    let ended = run(nexus(&["run", "unikernel", "--timeout", "100"]), b"poweroff\n");
    assert_eq!(ended.code, Some(0), "{ended:?}");
    holds(&ended.out, &["Hello from Nexus.", "not isolated", MOTD.trim_end()]);
}

#[test]
fn the_end_of_input_switches_the_machine_off() {
    // No newline at the end, no `poweroff`.
    let outcome = Boot::of(&built("core")).script("echo before the end").run();
    expect_exit(&outcome, code::OK);
    assert_eq!(outcome.post_mortem.map(|p| p.cause), Some(cause::OFF));
    holds(&outcome.text(), &["\nbefore the end"]);
}

/// A profile with a folder of its own for `/Boot`.
fn profile_with(files: &[(&str, &[u8])]) -> tempfile::TempDir {
    let folder = folder();
    let profiles = workspace().root.join("profiles");
    std::fs::create_dir(folder.path().join("cells")).expect("a folder");
    std::fs::create_dir(folder.path().join("boot")).expect("a folder");
    std::fs::create_dir(folder.path().join("keys")).expect("a folder");
    for file in ["micro.kdl", "cells/rumpk.kdl", "keys/audit.key"] {
        std::fs::copy(profiles.join(file), folder.path().join(file)).expect("a copy");
    }
    for (name, contents) in files {
        let path = folder.path().join("boot").join(name);
        std::fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
        std::fs::write(path, contents).expect("a file");
    }
    folder
}

#[test]
fn files_added_before_the_build_appear_under_boot() {
    let random = std::fs::read("/proc/sys/kernel/random/uuid").expect("a random token");
    let token = String::from_utf8_lossy(&random).trim().to_string();
    let folder = profile_with(&[("token", &random), ("deep/er/file", b"found\n")]);
    let path = folder.path().join("micro.kdl");
    let script = "ls /Boot\ncat /Boot/token\ncat /Boot/deep/er/file\npoweroff\n";
    let outcome = Boot::of(&built(&path.to_string_lossy())).script(script).run();
    expect_exit(&outcome, code::OK);
    holds(&outcome.text(), &["token", "deep/", &format!("\n{token}"), "\nfound"]);
}

#[test]
fn a_long_input_arrives_whole_and_in_order() {
    let mut script = String::new();
    let mut lines = 0;
    while script.len() < 100_000 {
        let _ = writeln!(script, "echo line {lines:06} {}", "abcdefghijklmnopqrstuvwxyz".repeat(4));
        lines += 1;
    }
    script += "poweroff\n";
    let boot = Boot::of(&built("core")).script(script).timeout(Duration::from_mins(5));
    let outcome = boot.run();
    expect_exit(&outcome, code::OK);
    let text = outcome.text();
    let mut answers = text.lines().filter(|l| l.starts_with("line "));
    for n in 0..lines {
        let wanted = format!("line {n:06} {}", "abcdefghijklmnopqrstuvwxyz".repeat(4));
        assert_eq!(answers.next().map(str::trim_end), Some(wanted.as_str()));
    }
    assert_eq!(answers.next(), None);
}

#[test]
fn a_bundle_boots_byte_for_byte() {
    let folder = folder();
    let out = folder.path().join("out");
    let ended = run(nexus(&["image", "core", "--output", &out.to_string_lossy()]), b"");
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert!(ended.err.contains("development key"), "{ended:?}");
    let bundle = out.join("bundle.tar");
    let name = bundle.to_string_lossy().into_owned();
    let input = b"cat /Boot/motd\npoweroff\n";
    let ended = run(nexus(&["run", "core", "--bundle", &name, "--timeout", "100"]), input);
    assert_eq!(ended.code, Some(0), "{ended:?}");
    holds(&ended.out, &[MOTD.trim_end()]);

    let mut bytes = std::fs::read(&bundle).expect("the bundle");
    let last = bytes.len() - 1025;
    bytes[last] ^= 1;
    std::fs::write(&bundle, bytes).expect("the bundle");
    let ended = run(nexus(&["run", "core", "--bundle", &name, "--timeout", "100"]), input);
    assert_eq!(ended.code, Some(i32::from(code::REFUSED)), "{ended:?}");
    assert!(ended.err.contains("nexus-boot: refused: Boot/"), "{ended:?}");
}
