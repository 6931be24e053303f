//! `build` and `image`.
use std::path::PathBuf;

use serde_json::json;

use super::{assemble, print, print_json, signing, write};
use crate::assembly::{Built, profile_path};
use crate::cli::{Build, Image, Source};
use crate::failure::Failure;
use crate::machine::arguments::Board;
use crate::workspace::Workspace;

/// Builds, and writes loader and bundle into `folder`.
fn make(
    workspace: &Workspace,
    source: &Source,
    folder: Option<PathBuf>,
    sabotage: Option<&str>,
) -> Result<(Built, [PathBuf; 2]), Failure> {
    let signing = signing(workspace, source)?;
    let path = profile_path(workspace, source.profile());
    let built = assemble(workspace, &path, &signing, sabotage)?;
    let name = built.profile.name();
    let name = sabotage.map_or(name.to_string(), |s| format!("{name}-sabotage-{s}"));
    let default = || workspace.target.join("bundles").join(name);
    let folder = folder.unwrap_or_else(default);
    let files = [folder.join("nexus-boot.img"), folder.join("bundle.tar")];
    write(&files[0], &built.loader)?;
    write(&files[1], &built.bundle)?;
    Ok((built, files))
}

/// Prints the path of the bundle.
pub fn build(a: &Build) -> Result<u8, Failure> {
    let (built, [loader, bundle]) =
        make(&Workspace::find()?, &a.source, None, a.sabotage.as_deref())?;
    if a.json {
        let bytes = built.bundle.len();
        print_json(&json!({ "loader": loader, "bundle": bundle, "bytes": bytes }))?;
    } else {
        print(format_args!("{}\n", bundle.display()))?;
    }
    Ok(0)
}

/// Writes both files into a folder and says how to start them.
pub fn image(a: &Image) -> Result<u8, Failure> {
    let (built, files) = make(&Workspace::find()?, &a.source, Some(a.output.clone()), None)?;
    for file in &files {
        print(format_args!("{}\n", file.display()))?;
    }
    print(format_args!("\nto start them:\n  {}\n", by_hand(&built.board(), &files)))?;
    Ok(0)
}

/// A command line for a person: the console is the terminal, and QEMU ends with the machine.
fn by_hand(board: &Board, [loader, bundle]: &[PathBuf; 2]) -> String {
    format!(
        "qemu-system-aarch64 -machine {} -cpu {} -smp {} -m {}M \\\n    -nodefaults -display none \
         -icount shift=0,sleep=on -serial mon:stdio -kernel {} -initrd {}",
        crate::machine::arguments::MACHINE,
        board.cpu,
        board.cores,
        board.ram >> 20,
        loader.display(),
        bundle.display()
    )
}
