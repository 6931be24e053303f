//! Sizes: bytes of the images, lines of nexus-boot.
pub mod core;
pub mod image;
pub mod lines;

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use crate::budget::{self, Figure, Origin, Row};
use crate::failure::{Context, Failure};
use crate::guest;
use crate::workspace::Workspace;

/// Programs whose sizes have a budget.
const MEASURED: [&str; 3] = ["nexus-boot", "rumkv", "rumpk"];

/// The loader itself, and the pure crate that it shares with the kernel and this tool.
const BOOT_SOURCES: [(&str, &str); 2] =
    [("boot-lines", "boot/src"), ("boot-bundle-lines", "boot/bundle/src")];

/// Measures what of `elves` has a budget; lines are always counted.
pub fn figures(
    workspace: &Workspace,
    elves: &BTreeMap<String, PathBuf>,
) -> Result<Vec<Figure>, Failure> {
    let mut out = Vec::new();
    let mut add = |name: &str, value: u64, unit: &str| {
        out.push(Figure { name: name.into(), value, unit: unit.into() });
    };
    let read = |elf: &PathBuf| std::fs::read(elf).context(|| format!("read {}", elf.display()));
    if let Some(elf) = elves.get("rumkv") {
        add("rumkv-resident", image::resident(&read(elf)?)?, "bytes");
    }
    if let Some(elf) = elves.get("rumpk") {
        add("rumpk-image", image::loaded(&read(elf)?)?, "bytes");
    }
    for (name, folder) in BOOT_SOURCES {
        add(name, lines::of_folder(&workspace.root.join(folder))?, "lines");
    }
    Ok(out)
}

/// The table of all sizes, after building what is measured.
pub fn all(workspace: &Workspace) -> Result<Vec<Row>, Failure> {
    let names: BTreeSet<String> = MEASURED.map(String::from).into();
    let elves = guest::build(workspace, &names)?;
    let mut figures = figures(workspace, &elves)?;
    if let Some(elf) = elves.get("rumpk") {
        // Not with every build: it asks for the line of each instruction.
        let value = core::total(&core::parts(elf, &workspace.root)?);
        figures.push(Figure { name: "rumpk-core".into(), value, unit: "bytes".into() });
    }
    Ok(budget::compare(&budget::load(&workspace.root)?, Origin::Size, &figures))
}

/// Where the kernel's bytes come from, after building it.
pub fn of_kernel(workspace: &Workspace) -> Result<Vec<core::Part>, Failure> {
    let elves = guest::build(workspace, &BTreeSet::from(["rumpk".to_string()]))?;
    let elf = elves.get("rumpk").ok_or_else(|| Failure::new("rumpk was not built"))?;
    core::parts(elf, &workspace.root)
}

/// What every build does: an image over its budget stops it.
pub fn check(workspace: &Workspace, elves: &BTreeMap<String, PathBuf>) -> Result<(), Failure> {
    let figures = figures(workspace, elves)?;
    let mut rows = budget::compare(&budget::load(&workspace.root)?, Origin::Size, &figures);
    rows.retain(|r| r.value.is_some());
    let problems = budget::problems(&rows);
    if problems.is_empty() {
        return Ok(());
    }
    Err(Failure::new(format!("over a size budget (budgets.toml): {}", problems.join("; "))))
}
