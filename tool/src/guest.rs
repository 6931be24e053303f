//! Builds programs for the machine with cargo, the same bytes in every folder.
use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::io::BufReader;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use cargo_metadata::Message;
use indicatif::ProgressBar;

use crate::failure::{Context, Failure};
use crate::workspace::{Level, Workspace};

/// Options of the compiler for programs at EL0: the host tool packs them from a position-independent
/// ELF whose relocations are all relative; `npk/rt` says where `npk.ld` is.
const USER_FLAGS: [&str; 5] = [
    "-Crelocation-model=pie",
    "-Clink-arg=-pie",
    "-Clink-arg=--no-dynamic-linker",
    "-Clink-arg=-zmax-page-size=4096",
    "-Clink-arg=-Tnpk.ld",
];

/// Crates that are built for size would have equal runs of instructions, prologues above all, moved into functions of the
/// linker's making: two branches more in each of them on the paths that have budgets, and bytes that belong to no source.
const NO_OUTLINER: &str = "-Cllvm-args=-enable-machine-outliner=never";

/// What the tree is called in programs.
pub const TREE: &str = "/nexus";

/// Compiler options for a level: no path of this machine may get into a program.
pub fn flags(workspace: &Workspace, level: Level) -> Result<OsString, Failure> {
    let mut flags = Vec::new();
    // rustc applies the last one that matches, so the folder that may hold the others comes first.
    for (from, to) in [
        (cargo_home()?, "/cargo"),
        (workspace.root.clone(), TREE),
        (workspace.guest_target(), "/nexus/target"),
        (sysroot(workspace)?.join("lib/rustlib/src/rust"), "/rust"),
    ] {
        flags.push(format!("--remap-path-prefix={}={to}", from.display()));
    }
    flags.push(NO_OUTLINER.into());
    if level == Level::User {
        flags.extend(USER_FLAGS.map(String::from));
    }
    Ok(flags.join("\x1f").into())
}

fn cargo_home() -> Result<PathBuf, Failure> {
    if let Some(home) = std::env::var_os("CARGO_HOME") {
        return Ok(home.into());
    }
    let home = std::env::var_os("HOME").ok_or_else(|| Failure::new("HOME is not set"))?;
    Ok(Path::new(&home).join(".cargo"))
}

/// Where Rust is installed.
pub fn sysroot(workspace: &Workspace) -> Result<PathBuf, Failure> {
    let out = Command::new("rustc")
        .args(["--print", "sysroot"])
        .current_dir(&workspace.root)
        .output()
        .context(|| "run rustc".into())?;
    Ok(String::from_utf8_lossy(&out.stdout).trim_end().into())
}

/// A cargo command for programs of `level`: target, profile, folder and compiler options are set.
pub fn cargo(workspace: &Workspace, level: Level, verb: &str) -> Result<Command, Failure> {
    let mut command = Command::new("cargo");
    command
        .current_dir(&workspace.root)
        .arg(verb)
        .args(["--profile", "guest", "--target", level.target(), "--target-dir"])
        .arg(workspace.guest_target())
        .env("CARGO_ENCODED_RUSTFLAGS", flags(workspace, level)?)
        .env_remove("CARGO_BUILD_TARGET");
    Ok(command)
}

/// Builds the programs of these names, one cargo call per level; answers the path of each ELF.
pub fn build(
    workspace: &Workspace,
    names: &BTreeSet<String>,
) -> Result<BTreeMap<String, PathBuf>, Failure> {
    let mut elves = BTreeMap::new();
    for level in Level::ALL {
        let mut command = cargo(workspace, level, "build")?;
        command.args(["--quiet", "--message-format=json-render-diagnostics"]);
        let mut packages = BTreeSet::new();
        let mut count = 0;
        for name in names {
            let program = workspace.program(name)?;
            if program.level == level {
                packages.insert(&program.package);
                command.args(["--bin", name]);
                count += 1;
            }
        }
        if count == 0 {
            continue;
        }
        for package in packages {
            command.args(["--package", package]);
        }
        run(&mut command, level, &mut elves)?;
    }
    if let Some(missing) = names.iter().find(|n| !elves.contains_key(*n)) {
        return Err(Failure::new(format!("cargo built no program `{missing}`")));
    }
    elves.retain(|name, _| names.contains(name));
    Ok(elves)
}

fn run(
    command: &mut Command,
    level: Level,
    elves: &mut BTreeMap<String, PathBuf>,
) -> Result<(), Failure> {
    let bar = ProgressBar::new_spinner().with_message(format!("building for {}", level.target()));
    let mut child = command.stdout(Stdio::piped()).spawn().context(|| "start cargo".into())?;
    let stdout = child.stdout.take().ok_or_else(|| Failure::new("cargo has no output"))?;
    for message in Message::parse_stream(BufReader::new(stdout)) {
        let message = message.context(|| "read what cargo says".into())?;
        let Message::CompilerArtifact(artifact) = message else { continue };
        if !artifact.fresh {
            bar.set_message(format!("building for {}: {}", level.target(), artifact.target.name));
            bar.tick();
        }
        if let Some(elf) = artifact.executable {
            elves.insert(artifact.target.name, elf.into_std_path_buf());
        }
    }
    let status = child.wait().context(|| "wait for cargo".into())?;
    bar.finish_and_clear();
    if status.success() {
        return Ok(());
    }
    Err(Failure::new(format!("the programs for {} did not build (see above)", level.target())))
}
