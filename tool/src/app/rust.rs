//! An application in Rust: one program of a crate of its own.
use std::io::BufReader;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use cargo_metadata::Message;

use crate::failure::{Context, Failure};
use crate::guest;
use crate::workspace::{Level, Workspace};

/// What `[profile.guest]` says in the tree, for a crate that is not in it.
const PROFILE: [&str; 5] = [
    "profile.guest.inherits=\"release\"",
    "profile.guest.lto=\"fat\"",
    "profile.guest.codegen-units=1",
    "profile.guest.panic=\"abort\"",
    "profile.guest.debug=\"line-tables-only\"",
];

/// Builds the crate in `folder` into `place`; the path of its program.
pub fn build(workspace: &Workspace, folder: &Path, place: &Path) -> Result<PathBuf, Failure> {
    let mut flags = guest::flags(workspace, Level::User)?;
    // After the others: the one that matches last counts.
    flags.push(format!("\x1f--remap-path-prefix={}=/app", folder.display()));
    let mut command = std::process::Command::new("cargo");
    command
        .current_dir(folder)
        .args([
            "build",
            "--quiet",
            "--message-format=json-render-diagnostics",
            "--profile",
            "guest",
        ])
        .args(["--target", Level::User.target(), "--target-dir"])
        .arg(place)
        .args(PROFILE.iter().flat_map(|p| ["--config", p]))
        .env("CARGO_ENCODED_RUSTFLAGS", flags)
        .env_remove("CARGO_BUILD_TARGET");
    let mut child = command.stdout(Stdio::piped()).spawn().context(|| "start cargo".into())?;
    let stdout = child.stdout.take().ok_or_else(|| Failure::new("cargo has no output"))?;
    let mut programs = Vec::new();
    for message in Message::parse_stream(BufReader::new(stdout)) {
        if let Message::CompilerArtifact(artifact) =
            message.context(|| "read what cargo says".into())?
        {
            programs.extend(artifact.executable);
        }
    }
    let status = child.wait().context(|| "wait for cargo".into())?;
    let shown = folder.display();
    if !status.success() {
        return Err(Failure::new(format!("{shown} did not build (see above)")));
    }
    match programs.as_slice() {
        [program] => Ok(program.as_std_path().to_owned()),
        [] => Err(Failure::new(format!("{shown} makes no program: it needs a src/main.rs"))),
        _ => Err(Failure::new(format!("{shown} makes several programs, and an image is one"))),
    }
}
