//! `./nexus` as a user or a script starts it.
use std::io::{Read, Write};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::workspace;

/// How a command ended.
#[derive(Debug)]
pub struct Ended {
    /// Exit code; `None` after a signal.
    pub code: Option<i32>,
    /// Standard output.
    pub out: String,
    /// Standard error.
    pub err: String,
}

/// `./nexus` of the tree with these arguments, started from another folder.
#[must_use]
pub fn nexus(arguments: &[&str]) -> Command {
    let mut command = Command::new(workspace().root.join("nexus"));
    command.args(arguments).current_dir(std::env::temp_dir());
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

/// Runs a command to its end with `input` as its standard input.
///
/// # Panics
/// If it cannot be started, or its output is no text.
pub fn run(mut command: Command, input: &[u8]) -> Ended {
    let mut child = command.stdin(Stdio::piped()).spawn().expect("start the command");
    let mut stdin = child.stdin.take().expect("a pipe");
    let input = input.to_vec();
    let writer = std::thread::spawn(move || stdin.write_all(&input));
    let out = child.wait_with_output().expect("wait for the command");
    // A command that ends before it has read everything closes the pipe.
    let _ = writer.join();
    Ended {
        code: out.status.code(),
        out: String::from_utf8_lossy(&out.stdout).into_owned(),
        err: String::from_utf8_lossy(&out.stderr).into_owned(),
    }
}

/// Waits until the child printed `text`.
///
/// # Panics
/// If it does not within two minutes.
pub fn await_text(child: &mut Child, text: &str) {
    let mut stdout = child.stdout.take().expect("a pipe");
    let mut seen = Vec::new();
    let mut byte = [0];
    let deadline = Instant::now() + Duration::from_mins(2);
    while !String::from_utf8_lossy(&seen).contains(text) {
        assert!(Instant::now() < deadline, "no `{text}` in time");
        let n = stdout.read(&mut byte).expect("read its output");
        assert!(n == 1, "it ended before `{text}`: {}", String::from_utf8_lossy(&seen));
        seen.push(byte[0]);
    }
    child.stdout = Some(stdout);
}

/// Process ids of all descendants of process `parent`, by `/proc` (proc(5), field 4 of `stat`).
///
/// # Panics
/// If there is no `/proc`.
#[must_use]
pub fn descendants(parent: u32) -> Vec<u32> {
    let mut pairs: Vec<(u32, u32)> = Vec::new();
    for entry in std::fs::read_dir("/proc").expect("/proc").flatten() {
        let Ok(pid) = entry.file_name().to_string_lossy().parse::<u32>() else { continue };
        let Ok(stat) = std::fs::read_to_string(entry.path().join("stat")) else { continue };
        // The name, in parentheses, may hold blanks.
        let after = stat.rsplit(')').next().unwrap_or_default();
        if let Some(of) = after.split_whitespace().nth(1).and_then(|p| p.parse().ok()) {
            pairs.push((pid, of));
        }
    }
    let mut found = vec![parent];
    let mut at = 0;
    while at < found.len() {
        let of = found[at];
        found.extend(pairs.iter().filter(|(_, p)| *p == of).map(|(pid, _)| *pid));
        at += 1;
    }
    found.split_off(1)
}

/// Whether a process runs: there, and not a zombie that merely nobody has waited for.
#[must_use]
pub fn runs(pid: u32) -> bool {
    let stat = std::fs::read_to_string(Path::new("/proc").join(pid.to_string()).join("stat"));
    let state = stat.ok().and_then(|s| {
        s.rsplit(')').next().and_then(|after| after.split_whitespace().next().map(String::from))
    });
    state.is_some_and(|s| s != "Z" && s != "X")
}
