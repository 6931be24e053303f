//! `test`: everything that must pass before a change is taken, in the order of cheapness.
use std::process::Command;

use indicatif::HumanDuration;
use std::time::Instant;

use crate::cli::Test;
use crate::failure::{Context, Failure};
use crate::guest;
use crate::workspace::{Level, SYSTEM_TESTS, Workspace};

/// Runs all steps; stops at the first that fails.
pub fn test(a: &Test) -> Result<u8, Failure> {
    let workspace = Workspace::find()?;
    let start = Instant::now();
    if a.filter.is_none() {
        step("format", &mut format(&workspace))?;
        step("lints of what runs on the host", &mut lints_of_host(&workspace))?;
        for level in Level::ALL {
            step(&format!("lints for {}", level.target()), &mut lints(&workspace, level)?)?;
        }
    }
    step("tests on the host", &mut tests(&workspace, a, false))?;
    step("tests that boot QEMU", &mut tests(&workspace, a, true))?;
    eprintln!("nexus: all passed in {}", HumanDuration(start.elapsed()));
    Ok(0)
}

fn step(what: &str, command: &mut Command) -> Result<(), Failure> {
    eprintln!("nexus: {what}");
    let status = command.status().context(|| format!("start {what}"))?;
    if status.success() { Ok(()) } else { Err(Failure::new(format!("failed: {what}"))) }
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
    command.args(["clippy", "--quiet", "--lib", "--bins", "--tests"]);
    for package in &workspace.host {
        command.args(["--package", package]);
    }
    command.args(["--", "-D", "warnings"]);
    command
}

/// Bare programs have no test harness: their libraries and programs only.
fn lints(workspace: &Workspace, level: Level) -> Result<Command, Failure> {
    let mut command = guest::cargo(workspace, level, "clippy")?;
    command.args(["--quiet", "--lib", "--bins"]);
    for package in workspace.packages(level) {
        command.args(["--package", package]);
    }
    command.args(["--", "-D", "warnings"]);
    Ok(command)
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
