//! Mutated syscalls by the hundred thousand, and in the long run by the hundred million: no panic, no leak, no client that
//! gets no answer.
//!
//! `fuzz-syscalls` judges each call and, at its end, whether the cell has as much of everything as before; its victim is
//! a client that must answer all the while. Machines run one after the other, each with a seed of its own. Seven of eight count
//! instructions, so that nobody waits for energy in host time (35,000 calls a second against 4,000); the eighth does not, so
//! that interrupts come where they come. `NEXUS_SEED` gives the first seed, `NEXUS_CALLS` the number of calls.
use std::path::PathBuf;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use nexus::assembly;
use system::cores::{on_cores, placed};
use system::session::profile;
use system::{Boot, expect_exit, folder, signing, workspace};

/// Calls of the long run.
const CAMPAIGN: u64 = 100_000_000;
/// Calls of one machine of it that has one core, and of one that is slower: with several cores, or not counted.
const PER_MACHINE: u64 = 2_000_000;
const PER_SLOW_MACHINE: u64 = 200_000;
/// The long run's machines in turn: how many cores, and which the fuzzer is on. Half of them have one core, where a call
/// takes a tenth of the host's time.
const TURN: [(u8, u8); 8] = [(1, 0), (2, 0), (1, 0), (4, 3), (1, 0), (2, 1), (1, 0), (4, 0)];
/// Host time that a machine may take.
const TIMEOUT: Duration = Duration::from_hours(1);

fn number(name: &str) -> Option<u64> {
    let text = std::env::var(name).ok()?;
    Some(text.parse().unwrap_or_else(|_| panic!("{name} is a number, not {text:?}")))
}

/// Whether the machine with this seed counts instructions.
fn is_counted(seed: u64) -> bool {
    !seed.is_multiple_of(TURN.len() as u64)
}

/// One machine with `cores` cores and its fuzzer on core `on`; what it printed.
fn machine(cores: u8, on: u8, seed: u64, calls: u64) -> String {
    let text = std::fs::read_to_string(profile("fuzz")).expect("the profile");
    let wanted = format!("args \"{seed}\" \"{calls}\"");
    let changed = text.replace("args \"1\" \"1000000\"", &wanted);
    assert!(changed.contains(&wanted), "the profile's arguments are others");
    let changed = placed(&on_cores(&changed, cores), "fuzz-syscalls", on);
    let folder = folder();
    let path: PathBuf = folder.path().join("fuzz.kdl");
    std::fs::write(&path, changed).expect("write the profile");
    let built = assembly::build(workspace(), &path, &signing()).unwrap_or_else(|e| panic!("{e}"));
    let boot = Boot::of(&built).timeout(TIMEOUT);
    let outcome = if is_counted(seed) { boot.counted().run() } else { boot.run() };
    expect_exit(&outcome, 0);
    outcome.text().replace('\r', "")
}

/// Fails unless the fuzzer found nothing and made all its calls.
fn judge(cores: u8, text: &str, seed: u64, calls: u64) {
    let sum = format!("fuzz: seed {seed} calls {calls} succeeded ");
    for needed in ["init: fuzz-syscalls: exit 0", "fuzz: no leak: ", &sum] {
        assert!(
            text.contains(needed),
            "{cores} cores, NEXUS_SEED={seed} NEXUS_CALLS={calls}: no {needed:?}\n{text}"
        );
    }
}

fn campaign(cores: u8, on: u8, calls: u64) {
    let seed = number("NEXUS_SEED").unwrap_or(4);
    let calls = number("NEXUS_CALLS").unwrap_or(calls);
    println!("{cores} cores: NEXUS_SEED={seed} NEXUS_CALLS={calls}");
    judge(cores, &machine(cores, on, seed, calls), seed, calls);
}

#[test]
fn mutated_calls_leave_no_leak_and_no_stuck_client() {
    campaign(1, 0, 200_000);
}

/// The fuzzer is on core 0, which has the services; its children are on the other one.
#[test]
fn mutated_calls_on_two_cores_leave_no_leak_and_no_stuck_client() {
    campaign(2, 0, 50_000);
}

/// The fuzzer is away from the services and the audit chain, and its children are on three other cores.
#[test]
fn mutated_calls_on_four_cores_leave_no_leak_and_no_stuck_client() {
    campaign(4, 3, 50_000);
}

#[test]
#[ignore = "an hour and more: a hundred million calls"]
fn a_hundred_million_mutated_calls() {
    let clock = SystemTime::now().duration_since(UNIX_EPOCH).map_or(1, |d| d.as_secs());
    let first = number("NEXUS_SEED").unwrap_or(clock);
    let all = number("NEXUS_CALLS").unwrap_or(CAMPAIGN);
    println!("NEXUS_SEED={first} NEXUS_CALLS={all}");
    let (start, mut done) = (Instant::now(), 0);
    for seed in first.. {
        let (cores, on) = TURN[seed as usize % TURN.len()];
        let slow = cores > 1 || !is_counted(seed);
        let calls = (if slow { PER_SLOW_MACHINE } else { PER_MACHINE }).min(all - done);
        judge(cores, &machine(cores, on, seed, calls), seed, calls);
        done += calls;
        let rate = done / start.elapsed().as_secs().max(1);
        println!("seed {seed}: nothing found; {done} of {all} calls, {rate} per second");
        if done == all {
            break;
        }
    }
}
