//! `test`: everything that must pass before a change is taken, in the order of cheapness.
use std::fmt::Write as _;
use std::process::Command;

use indicatif::HumanDuration;
use std::time::Instant;

use super::{miri, proof};
use crate::cli::Test;
use crate::failure::{Context, Failure};
use crate::guest;
use crate::suite::{self, SUITES, Suite};
use crate::workspace::{Level, SYSTEM_TESTS, Workspace};

/// Runs all steps, also after one that failed, and ends badly if any did.
pub fn test(a: &Test) -> Result<u8, Failure> {
    let workspace = Workspace::find()?;
    if a.list {
        return list(&workspace);
    }
    if a.table {
        return proof::table(&workspace);
    }
    if let Some(count) = a.mutate {
        return proof::mutate(&workspace, count, a.seed, a.filter.as_deref(), a.long);
    }
    if a.filter.as_deref() == Some(MIRI) {
        return run(miri::steps(&workspace)?);
    }
    let steps = match a.filter.as_deref().and_then(suite::find) {
        Some(suite) => of_suite(&workspace, suite, a.long),
        None => of_everything(&workspace, a)?,
    };
    run(steps)
}

/// The word for the interpreter.
const MIRI: &str = "miri";

/// What is run, and how it is called.
pub(super) type Step = (String, Command);

/// Runs steps one after the other; each says its place, and how long it took.
pub(super) fn run(steps: Vec<Step>) -> Result<u8, Failure> {
    let (start, all) = (Instant::now(), steps.len());
    let mut failed = Vec::new();
    for (i, (what, mut command)) in steps.into_iter().enumerate() {
        eprintln!("nexus: [{}/{all}] {what}", i + 1);
        let begun = Instant::now();
        let status = command.status().context(|| format!("start {what}"))?;
        let word = if status.success() { "passed" } else { "FAILED" };
        eprintln!("nexus: {what}: {word} in {}", HumanDuration(begun.elapsed()));
        if !status.success() {
            failed.push(what);
        }
    }
    let took = HumanDuration(start.elapsed());
    if failed.is_empty() {
        eprintln!("nexus: all passed in {took}");
        return Ok(0);
    }
    Err(Failure::new(format!("failed in {took}: {}", failed.join(", "))))
}

fn of_everything(workspace: &Workspace, a: &Test) -> Result<Vec<Step>, Failure> {
    let mut steps = Vec::new();
    if a.filter.is_none() {
        steps.push(("format".to_string(), format(workspace)));
        steps.push(("lints of what runs on the host".into(), lints_of_host(workspace)));
        for level in Level::ALL {
            steps.push((format!("lints for {}", level.target()), lints(workspace, level)?));
        }
    }
    steps.push(("tests on the host".into(), tests(workspace, a, false)));
    steps.push(("tests of libraries for EL0".into(), library_tests(workspace, a)));
    steps.push(("tests that boot QEMU".into(), tests(workspace, a, true)));
    Ok(steps)
}

/// The packages of a suite on the host, then its system tests.
fn of_suite(workspace: &Workspace, suite: &Suite, long: bool) -> Vec<Step> {
    let mut on_host = cargo(workspace);
    on_host.args(["test", "--no-fail-fast"]);
    for package in packages(workspace, suite) {
        on_host.args(["--package", package]);
    }
    let mut in_qemu = cargo(workspace);
    in_qemu.args(["test", "--no-fail-fast", "--package", SYSTEM_TESTS]);
    for test in suite.system {
        in_qemu.args(["--test", test]);
    }
    let mut steps = vec![
        (format!("{}: tests on the host", suite.name), on_host),
        (format!("{}: tests that boot QEMU", suite.name), in_qemu),
    ];
    if long {
        for (_, command) in &mut steps {
            // One after the other, and what they say at once: hours without a word help nobody.
            command.args(["--", "--include-ignored", "--nocapture", "--test-threads=1"]);
        }
    }
    steps
}

fn packages<'a>(workspace: &'a Workspace, suite: &Suite) -> Vec<&'a str> {
    let held = workspace.folders.iter().filter(|(_, folder)| suite.holds(folder));
    held.map(|(name, _)| name.as_str()).collect()
}

fn list(workspace: &Workspace) -> Result<u8, Failure> {
    let mut text = String::new();
    for suite in &SUITES {
        let packages = packages(workspace, suite).join(", ");
        let (about, system) = (suite.about, suite.system.join(", "));
        let _ = writeln!(text, "{:8} {about}", suite.name);
        let _ = writeln!(text, "         host: {packages}\n         QEMU: {system}");
    }
    text +=
        "miri     the pure crates under Miri, where a toolchain has it (not part of a plain run)\n";
    text += "Any other word runs the tests whose name contains it; no word runs everything.\n";
    super::print(text)?;
    Ok(0)
}

fn cargo(workspace: &Workspace) -> Command {
    let mut command = Command::new("cargo");
    command.current_dir(&workspace.root).env("NEXUS_ROOT", &workspace.root);
    command
}

fn format(workspace: &Workspace) -> Command {
    let mut command = cargo(workspace);
    command.args(["fmt", "--all", "--check"]);
    command
}

fn lints_of_host(workspace: &Workspace) -> Command {
    let mut command = cargo(workspace);
    command.args(["clippy", "--quiet", "--keep-going", "--lib", "--bins", "--tests"]);
    for package in &workspace.host {
        command.args(["--package", package]);
    }
    command.args(["--", "-D", "warnings"]);
    command
}

/// Bare programs have no test harness: their libraries and programs only.
fn lints(workspace: &Workspace, level: Level) -> Result<Command, Failure> {
    let mut command = guest::cargo(workspace, level, "clippy")?;
    command.args(["--quiet", "--keep-going", "--lib", "--bins"]);
    for package in workspace.packages(level) {
        command.args(["--package", package]);
    }
    command.args(["--", "-D", "warnings"]);
    Ok(command)
}

/// What decides in drivers and applications, without their programs.
fn library_tests(workspace: &Workspace, a: &Test) -> Command {
    let mut command = cargo(workspace);
    command.args(["test", "--no-fail-fast", "--lib"]);
    for package in &workspace.tested_libraries {
        command.args(["--package", package]);
    }
    command.arg("--");
    command.args(&a.filter);
    command
}

fn tests(workspace: &Workspace, a: &Test, system: bool) -> Command {
    let mut command = cargo(workspace);
    command.args(["test", "--no-fail-fast"]);
    if system {
        command.args(["--package", SYSTEM_TESTS]);
    } else {
        for package in workspace.host.iter().filter(|p| *p != SYSTEM_TESTS) {
            command.args(["--package", package]);
        }
    }
    command.arg("--");
    command.args(&a.filter);
    if a.long {
        command.arg("--include-ignored");
    }
    command
}
