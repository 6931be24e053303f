//! `test miri`: the pure crates interpreted, so that undefined behaviour is seen.
use std::process::{Command, Stdio};

use super::test::Step;
use crate::failure::Failure;
use crate::workspace::Workspace;

/// The crates, and tests of them that an interpreter would take hours for: explorations and simulations, which have no
/// `unsafe` below them.
const CRATES: [(&str, &[&str]); 5] = [
    ("cap", &["nobody_ever", "each_break", "every_short_sequence"]),
    ("ring", &["wakeup", "no_wakeup_is_lost", "every_message_arrives"]),
    ("prov", &["every_single_bit", "any_order_of_events"]),
    ("veil", &["the_table_says"]),
    ("cells", &["random_", "one_", "plausible_"]),
];
const ADVICE: &str = "no toolchain here has Miri: \
                      rustup toolchain install nightly --component miri --component rust-src";

/// A step for each crate, with the toolchain that has Miri.
pub fn steps(workspace: &Workspace) -> Result<Vec<Step>, Failure> {
    let toolchain = ["+stable", "+nightly"].into_iter().find(|t| has(t));
    let toolchain = toolchain.ok_or_else(|| Failure::new(ADVICE))?;
    Ok(CRATES.iter().map(|(name, left_out)| step(workspace, toolchain, name, left_out)).collect())
}

fn has(toolchain: &str) -> bool {
    let mut command = Command::new("cargo");
    command.args([toolchain, "miri", "--version"]).stdout(Stdio::null()).stderr(Stdio::null());
    command.status().is_ok_and(|status| status.success())
}

fn step(workspace: &Workspace, toolchain: &str, package: &str, left_out: &[&str]) -> Step {
    let mut command = Command::new("cargo");
    command.current_dir(&workspace.root).env("NEXUS_ROOT", &workspace.root);
    command.env("CARGO_TARGET_DIR", workspace.target.join("miri"));
    // Files of proptest and corpus are read, and the clock of the fuzz loop.
    command.env("MIRIFLAGS", "-Zmiri-disable-isolation");
    command.env("PROPTEST_CASES", "2").env("NEXUS_FUZZ_SECONDS", "1");
    command.args([toolchain, "miri", "test", "--quiet", "--package", package, "--"]);
    for name in left_out {
        command.args(["--skip", name]);
    }
    (format!("Miri: {package}"), command)
}
