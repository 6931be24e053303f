//! `bench`.
use std::path::Path;
use std::time::Duration;

use indicatif::ProgressBar;

use super::{print_json, write};
use crate::assembly::{self, Signing};
use crate::bench::{self, HISTORY};
use crate::budget::{self, Figure, Origin};
use crate::cli::Bench;
use crate::failure::{Context, Failure, code};
use crate::machine::{self, Input, Options};
use crate::symbol;
use crate::workspace::Workspace;

/// Host time that one machine may take.
const TIMEOUT: Duration = Duration::from_mins(5);

/// Boots all, prints the table, compares with budgets and history.
pub fn bench(a: &Bench) -> Result<u8, Failure> {
    let workspace = Workspace::find()?;
    let signing = Signing::development(&workspace)?;
    let profiles = bench::profiles(&workspace.root)?;
    let bar = ProgressBar::new(profiles.len() as u64);
    let mut figures = Vec::new();
    for path in &profiles {
        bar.set_message(path.display().to_string());
        figures.extend(measure(&workspace, path, &signing)?);
        bar.inc(1);
    }
    bar.finish_and_clear();
    let rows = budget::compare(&budget::load(&workspace.root)?, Origin::Bench, &figures);
    if a.json {
        print_json(&rows)?;
    } else {
        print!("{}", budget::table(&rows));
    }
    let mut problems = budget::problems(&rows);
    problems.extend(against_history(&workspace.root, &figures, a.record.as_deref())?);
    if problems.is_empty() { Ok(0) } else { Err(Failure::new(problems.join("\n"))) }
}

/// The figures of one machine. It must have ended well: a figure of a crash is none. A profile
/// whose cell is meant to die says so by its name.
fn measure(ws: &Workspace, path: &Path, signing: &Signing) -> Result<Vec<Figure>, Failure> {
    let built = assembly::build(ws, path, signing)?;
    let mut board = built.board();
    board.counted = true;
    let outcome = machine::boot(Options {
        board,
        rumkv: built.profile.rumkv().is_some(),
        loader: built.loader,
        bundle: built.bundle,
        input: Input::None,
        output: Box::new(std::io::sink()),
        timeout: Some(TIMEOUT),
    })?;
    let dies = path.file_stem().is_some_and(|n| n.to_string_lossy().ends_with("-dies"));
    let wanted = if dies { code::DEAD_CELL } else { code::OK };
    if outcome.exit.code != wanted {
        let place = outcome.exit.pc.and_then(|pc| symbol::locate(&built.elves, pc));
        return Err(Failure::with(
            outcome.exit.code.max(code::ERROR),
            format!(
                "{}: {} {}\n{}",
                path.display(),
                outcome.exit.text,
                place.unwrap_or_default(),
                outcome.text()
            ),
        ));
    }
    let mut figures = bench::parse(&outcome.text())?;
    if let Some(beb) = &outcome.beb {
        figures.extend(bench::parse(&beb.text)?);
    }
    if figures.is_empty() {
        return Err(Failure::new(format!("{} measured nothing", path.display())));
    }
    Ok(figures)
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
    print!("{more}");
    Ok(Vec::new())
}
