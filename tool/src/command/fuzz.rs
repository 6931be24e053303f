//! `fuzz`: builds targets with the compiler's counters and runs them.
use std::path::PathBuf;
use std::process::Command;

use crate::cli::Fuzz;
use crate::failure::{Context, Failure};
use crate::fuzz::{COUNTED, TARGETS, Target};
use crate::workspace::Workspace;

/// Runs one target, or all one after the other; ends at the first that fails.
pub fn fuzz(a: &Fuzz) -> Result<u8, Failure> {
    let workspace = Workspace::find()?;
    let Some(name) = a.target.as_deref() else {
        let line = |t: &Target| format!("{:14} {}\n", t.name, t.about);
        super::print(TARGETS.iter().map(line).collect::<String>())?;
        return Ok(0);
    };
    let chosen: Vec<&Target> = TARGETS.iter().filter(|t| name == "all" || t.name == name).collect();
    if chosen.is_empty() {
        return Err(Failure::new(format!("there is no target {name}; `nexus fuzz` shows them")));
    }
    let host = host()?;
    for target in chosen {
        run(&workspace, target, &host, a)?;
    }
    Ok(0)
}

/// The host's triple: named, cargo keeps the counters out of build scripts and macros.
fn host() -> Result<String, Failure> {
    let out = Command::new("rustc").arg("-vV").output().context(|| "run rustc".into())?;
    let text = String::from_utf8_lossy(&out.stdout).into_owned();
    let line = text.lines().find_map(|l| l.strip_prefix("host: "));
    line.map(String::from).ok_or_else(|| Failure::new("rustc does not name its host"))
}

fn run(workspace: &Workspace, target: &Target, host: &str, a: &Fuzz) -> Result<(), Failure> {
    let found: PathBuf = workspace.target.join("fuzz").join("found").join(target.name);
    std::fs::create_dir_all(&found).context(|| format!("make {}", found.display()))?;
    let mut command = Command::new("cargo");
    command.current_dir(&workspace.root).env("NEXUS_ROOT", &workspace.root);
    command.env("CARGO_TARGET_DIR", workspace.target.join("fuzz"));
    command.env("RUSTFLAGS", COUNTED).env("NEXUS_FUZZ_FOUND", &found);
    command.env("NEXUS_FUZZ_SECONDS", a.seconds.to_string());
    command.env("NEXUS_SEED", a.seed.to_string()).env("RUST_BACKTRACE", "0");
    command.args(["test", "--quiet", "--target", host, "--package", target.package]);
    match target.program {
        "lib" => command.arg("--lib"),
        name => command.args(["--test", name]),
    };
    // One thread: the counters are the program's, not the test's. What a machine in memory says of its end is no news.
    command.args(["--", "--exact", target.test, "--nocapture", "--test-threads=1"]);
    command.stderr(std::process::Stdio::piped());
    eprintln!("nexus: {}: {} s, inputs in {}", target.name, a.seconds, found.display());
    let mut child = command.spawn().context(|| "start cargo".into())?;
    let lines = child.stderr.take().map(std::io::BufReader::new);
    for line in lines.into_iter().flat_map(std::io::BufRead::lines).map_while(Result::ok) {
        if !line.starts_with("the machine stopped: ") {
            eprintln!("{line}");
        }
    }
    let status = child.wait().context(|| "wait for cargo".into())?;
    if status.success() {
        return Ok(());
    }
    Err(Failure::new(format!("{}: an input fails; the line above names it", target.name)))
}
