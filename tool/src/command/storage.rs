//! `bench fs`: NexFS beside littlefs, counted by the program under `bench/storage`.
use std::process::{Command, Stdio};

use super::{print, write};
use crate::bench;
use crate::cli::Bench;
use crate::failure::{Context, Failure};
use crate::workspace::Workspace;

/// The program, a workspace of its own, and what it measured before.
const FOLDER: &str = "bench/storage";

/// Runs the program, prints its table, and compares NexFS's figures with the history.
pub fn storage(workspace: &Workspace, a: &Bench) -> Result<u8, Failure> {
    let text = run(workspace)?;
    let figures = bench::parse(&text)?;
    for line in text.lines().filter(|line| !line.starts_with("figure ")) {
        print(format_args!("{line}\n"))?;
    }
    let path = workspace.root.join(FOLDER).join("history.csv");
    let old = std::fs::read_to_string(&path).context(|| format!("read {}", path.display()))?;
    let history = bench::history(&old)?;
    let Some(why) = &a.record else {
        let worse = bench::regressions(&history, &figures);
        return if worse.is_empty() { Ok(0) } else { Err(Failure::new(worse.join("\n"))) };
    };
    let more = bench::record(&history, &figures, why);
    write(&path, (old + &more).as_bytes())?;
    print(more)?;
    Ok(0)
}

/// What the program prints.
fn run(workspace: &Workspace) -> Result<String, Failure> {
    let mut command = Command::new("cargo");
    command.current_dir(workspace.root.join(FOLDER)).args(["run", "--quiet", "--locked"]);
    command.arg("--target-dir").arg(workspace.target.join("storage"));
    let out = command.stderr(Stdio::inherit()).output().context(|| "start cargo".into())?;
    if !out.status.success() {
        return Err(Failure::new(
            "the comparison did not run; littlefs wants a C compiler and libclang (package libclang-dev)",
        ));
    }
    String::from_utf8(out.stdout).context(|| "read what the comparison printed".into())
}
