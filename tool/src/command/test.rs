//! `test`: everything that must pass before a change is taken, in the order of cheapness.
use std::process::Command;

use indicatif::HumanDuration;
use std::time::Instant;

use crate::cli::Test;
use crate::failure::{Context, Failure};
use crate::guest;
use crate::workspace::{Level, SYSTEM_TESTS, Workspace};

/// Runs all steps, also after one that failed, and ends badly if any did.
pub fn test(a: &Test) -> Result<u8, Failure> {
    let workspace = Workspace::find()?;
    let start = Instant::now();
    let mut steps = Vec::new();
    if a.filter.is_none() {
        steps.push(("format".to_string(), format(&workspace)));
        steps.push(("lints of what runs on the host".into(), lints_of_host(&workspace)));
        for level in Level::ALL {
            steps.push((format!("lints for {}", level.target()), lints(&workspace, level)?));
        }
    }
    steps.push(("tests on the host".into(), tests(&workspace, a, false)));
    steps.push(("tests of libraries for EL0".into(), library_tests(&workspace, a)));
    steps.push(("tests that boot QEMU".into(), tests(&workspace, a, true)));
    let mut failed = Vec::new();
    for (what, mut command) in steps {
        if !step(&what, &mut command)? {
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

fn step(what: &str, command: &mut Command) -> Result<bool, Failure> {
    eprintln!("nexus: {what}");
    let status = command.status().context(|| format!("start {what}"))?;
    Ok(status.success())
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
