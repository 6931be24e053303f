//! However we end, no process is left.
use std::process::Child;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use system::command::{await_text, descendants, nexus, run, runs};

/// `./nexus run core` with an open standard input, once the shell is there, with its processes.
fn started() -> (Child, Vec<u32>) {
    let mut command = nexus(&["run", "core"]);
    command.stdin(std::process::Stdio::piped());
    let mut child = command.spawn().expect("start ./nexus");
    await_text(&mut child, "> ");
    let all = descendants(child.id());
    assert!(!all.is_empty(), "no QEMU");
    (child, all)
}

fn signal(child: &Child, signal: Signal) {
    let pid = Pid::from_child(child);
    kill_process(pid, signal).expect("send the signal");
}

fn all_end(processes: &[u32]) {
    let deadline = Instant::now() + Duration::from_secs(10);
    while processes.iter().any(|&p| runs(p)) {
        assert!(Instant::now() < deadline, "still there: {processes:?}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn signals_end_the_machine_and_say_so() {
    for which in [Signal::INT, Signal::TERM, Signal::HUP] {
        let (mut child, processes) = started();
        signal(&child, which);
        let status = child.wait().expect("its end");
        assert_eq!(status.code(), Some(130), "{which:?}");
        all_end(&processes);
    }
}

#[test]
fn even_kill_leaves_no_machine() {
    let (mut child, processes) = started();
    signal(&child, Signal::KILL);
    child.wait().expect("its end");
    all_end(&processes);
}

#[test]
fn wrong_usage_and_missing_files_have_code_one() {
    for arguments in [&["run", "--no-such-option"][..], &["run", "no-such-profile"], &["fly"]] {
        let ended = run(nexus(arguments), b"");
        assert_eq!(ended.code, Some(1), "{ended:?}");
        assert!(!ended.err.is_empty(), "{arguments:?} says nothing");
    }
}

#[test]
fn an_unknown_profile_is_answered_with_those_that_there_are() {
    let ended = run(nexus(&["run", "no-such-profile"]), b"");
    assert!(ended.err.contains("there is: core, micro, unikernel"), "{ended:?}");
}

#[test]
fn an_output_that_takes_nothing_is_an_error_and_no_panic() {
    let mut command = nexus(&["check", "core"]);
    command.stdout(std::fs::File::create("/dev/full").expect("/dev/full"));
    let ended = run(command, b"");
    assert_eq!(ended.code, Some(1), "{ended:?}");
    assert!(ended.err.contains("cannot write to standard output"), "{ended:?}");
}
