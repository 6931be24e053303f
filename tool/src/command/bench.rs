//! `bench`.
use std::path::{Path, PathBuf};
use std::time::Duration;

use indicatif::ProgressBar;

use super::{print, print_json, write};
use crate::assembly::{self, Signing};
use crate::bench::run::{self, Run, Runs};
use crate::bench::{self, HISTORY};
use crate::budget::{self, Figure, Origin};
use crate::cli::Bench;
use crate::failure::{Context, Failure, code};
use crate::machine::arguments::Board;
use crate::machine::log::Watch;
use crate::machine::stretch::{Marks, Stretch};
use crate::machine::{self, Input, Options};
use crate::symbol;
use crate::workspace::Workspace;

/// Functions of the longest stretch that are told.
const PLACES: usize = 8;

/// Host time that one machine may take.
const TIMEOUT: Duration = Duration::from_mins(5);

/// Boots all that the filter takes, prints the table, compares with budgets and history.
pub fn bench(a: &Bench) -> Result<u8, Failure> {
    let workspace = Workspace::find()?;
    if a.filter.as_deref() == Some("fs") {
        return super::storage::storage(&workspace, a);
    }
    let figures = boot_all(&workspace, a.filter.as_deref())?;
    if a.twice {
        let differ = bench::differences(&figures, &boot_all(&workspace, a.filter.as_deref())?);
        if !differ.is_empty() {
            return Err(Failure::new(format!("two runs differ:\n{}", differ.join("\n"))));
        }
    }
    let mut rows = budget::compare(&budget::load(&workspace.root)?, Origin::Bench, &figures);
    if a.filter.is_some() {
        rows.retain(|r| r.value.is_some());
    }
    if a.json {
        print_json(&rows)?;
    } else {
        print(budget::table(&rows))?;
    }
    let mut problems = budget::problems(&rows);
    problems.extend(against_history(&workspace.root, &figures, a.record.as_deref())?);
    if problems.is_empty() { Ok(0) } else { Err(Failure::new(problems.join("\n"))) }
}

/// The figures of all machines that the filter takes.
fn boot_all(workspace: &Workspace, filter: Option<&str>) -> Result<Vec<Figure>, Failure> {
    let signing = Signing::development(workspace)?;
    let mut profiles = bench::profiles(&workspace.root)?;
    profiles.retain(|p| bench::takes(filter, &p.file_stem().unwrap_or_default().to_string_lossy()));
    if profiles.is_empty() {
        return Err(Failure::new("no machine under bench/ has that in its name"));
    }
    let bar = ProgressBar::new(profiles.len() as u64);
    let mut runs = Runs::new();
    for path in &profiles {
        bar.set_message(path.display().to_string());
        let name = path.file_stem().unwrap_or_default().to_string_lossy();
        runs.insert(name.to_string(), measure(workspace, path, &name, &signing)?);
        bar.inc(1);
    }
    bar.finish_and_clear();
    run::figures(&runs)
}

/// Boots one machine. It must have ended well: a figure of a crash is none. What a name says: in a
/// profile `...-dies` the cell is meant to be ended by RumKV, in `idle-...` exceptions are counted, in `stretch-...` what the kernel
/// runs without preemption.
fn measure(ws: &Workspace, path: &Path, name: &str, signing: &Signing) -> Result<Run, Failure> {
    let built = assembly::build(ws, path, signing)?;
    let watch = match name.split('-').next() {
        Some("idle") => Watch::Exceptions,
        Some("stretch") => Watch::Stretches(kernel_of(&built.elves)?),
        _ => Watch::Nothing,
    };
    let outcome = machine::boot(Options {
        board: Board { counted: true, ..built.board() },
        rumkv: built.profile.rumkv().is_some(),
        loader: built.loader,
        bundle: built.bundle,
        input: Input::None,
        output: Box::new(std::io::sink()),
        timeout: Some(TIMEOUT),
        watch,
        resets: 0,
        second: None,
    })?;
    let wanted = if name.ends_with("-dies") { code::DEAD_CELL } else { code::OK };
    if outcome.exit.code == wanted {
        if let Some(longest) = &outcome.seen.longest {
            return Ok(stretch(name, longest, &built.elves));
        }
        return Run::of(&outcome);
    }
    let place = outcome.exit.pc.and_then(|pc| symbol::locate(&built.elves, pc));
    let at = place.map_or(String::new(), |place| format!(" at {place}"));
    let text = format!("{name}: {}{at}\n{}", outcome.exit.text, outcome.text());
    Err(Failure::with(outcome.exit.code.max(code::ERROR), text))
}

/// Where the stretches of the kernel begin.
fn kernel_of(elves: &[PathBuf]) -> Result<Marks, Failure> {
    let kernel = elves.iter().find(|elf| elf.file_name().is_some_and(|name| name == "rumpk"));
    Marks::of(kernel.ok_or_else(|| Failure::new("a profile `stretch-...` without the kernel"))?)
}

/// The figure of a machine whose stretches were watched; where it was spent goes to the person. What its guest
/// measured is left out: other machines measure it.
fn stretch(name: &str, longest: &Stretch, elves: &[PathBuf]) -> Run {
    let function = |at| {
        let place = symbol::locate(elves, at).unwrap_or_else(|| format!("{at:#x}"));
        place.split(" (").next().unwrap_or_default().to_string()
    };
    let (value, unit) = (longest.instructions, "instructions".to_string());
    let figure = Figure { name: name.into(), value, unit };
    eprintln!("nexus: {name}: the longest is {value} instructions, by {}; of them", longest.cause);
    for (place, spent) in longest.places(function).iter().take(PLACES) {
        eprintln!("nexus: {spent:>7} in {place}");
    }
    Run { figures: vec![figure], ..Run::default() }
}

fn against_history(
    root: &Path,
    figures: &[Figure],
    why: Option<&str>,
) -> Result<Vec<String>, Failure> {
    let path = root.join(HISTORY);
    let text = std::fs::read_to_string(&path).context(|| format!("read {}", path.display()))?;
    let history = bench::history(&text)?;
    let Some(why) = why else { return Ok(bench::regressions(&history, figures)) };
    let more = bench::record(&history, figures, why);
    write(&path, (text + &more).as_bytes())?;
    print(more)?;
    Ok(Vec::new())
}
