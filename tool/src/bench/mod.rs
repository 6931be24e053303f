//! Figures that machines count: boots each profile under `bench/`, takes the lines
//! `figure <name> <value> <unit>` that its guest prints or leaves in the Boot Error Buffer, and
//! compares them with what the history says.
pub mod run;

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use crate::budget::Figure;
use crate::failure::{Context, Failure};

/// Where the history lies in the tree.
pub const HISTORY: &str = "bench/history.csv";

/// Its first line.
const HEAD: &str = "figure,value,unit,why";

/// A figure that was accepted, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Accepted {
    /// The figure as it was then.
    pub figure: Figure,
    /// Why it is what it is.
    pub why: String,
}

/// Profiles that measure, in the order of their names.
pub fn profiles(root: &Path) -> Result<Vec<PathBuf>, Failure> {
    let folder = root.join("bench");
    let entries = std::fs::read_dir(&folder).context(|| format!("read {}", folder.display()))?;
    let mut out: Vec<PathBuf> = entries
        .filter_map(|e| e.ok().map(|e| e.path()))
        .filter(|p| p.extension().is_some_and(|e| e == "kdl"))
        .collect();
    out.sort();
    Ok(out)
}

/// Whether a filter takes the machine `name`: those of RumKV are test kernels at EL1.
#[must_use]
pub fn takes(filter: Option<&str>, name: &str) -> bool {
    let rumkv = name.starts_with("el1-");
    match filter {
        None => true,
        Some("kernel") => !rumkv,
        Some("rumkv") => rumkv,
        Some(part) => name.contains(part),
    }
}

/// What two runs do not agree on, one line each.
#[must_use]
pub fn differences(one: &[Figure], other: &[Figure]) -> Vec<String> {
    let value = |of: &[Figure], name: &str| of.iter().find(|f| f.name == name).map(|f| f.value);
    let names: std::collections::BTreeSet<&str> =
        one.iter().chain(other).map(|f| f.name.as_str()).collect();
    names
        .into_iter()
        .map(|name| (name, value(one, name), value(other, name)))
        .filter(|(_, a, b)| a != b)
        .map(|(name, a, b)| format!("{name}: {a:?} and {b:?}"))
        .collect()
}

/// Finds figures in what a guest printed. A line that starts as a figure and is none is an error.
pub fn parse(text: &str) -> Result<Vec<Figure>, Failure> {
    let mut out = Vec::new();
    for line in text.lines().map(str::trim) {
        let Some(rest) = line.strip_prefix("figure ") else { continue };
        let words: Vec<&str> = rest.split_whitespace().collect();
        let [name, value, unit] = words[..] else {
            return Err(Failure::new(format!("no figure: `{line}`")));
        };
        let value = value.parse().context(|| format!("read the figure `{line}`"))?;
        out.push(Figure { name: name.into(), value, unit: unit.into() });
    }
    Ok(out)
}

/// Reads the history; the last line about a figure counts.
pub fn history(text: &str) -> Result<Vec<Accepted>, Failure> {
    let mut lines = text.lines();
    if lines.next() != Some(HEAD) {
        return Err(Failure::new(format!("{HISTORY} must start with `{HEAD}`")));
    }
    lines
        .filter(|l| !l.is_empty())
        .map(|line| {
            let wrong = || Failure::new(format!("{HISTORY}: cannot understand `{line}`"));
            let mut parts = line.splitn(4, ',');
            let mut part = || parts.next().ok_or_else(wrong);
            let (name, value, unit, why) = (part()?, part()?, part()?, part()?);
            let value = value.parse().map_err(|_| wrong())?;
            let figure = Figure { name: name.into(), value, unit: unit.into() };
            Ok(Accepted { figure, why: why.into() })
        })
        .collect()
}

/// What became worse by over 5 % since the history, one line each.
#[must_use]
pub fn regressions(history: &[Accepted], figures: &[Figure]) -> Vec<String> {
    let worse = |f: &Figure| {
        let last = history.iter().rev().find(|a| a.figure.name == f.name)?;
        let before = last.figure.value;
        (f.value * 100 > before * 105)
            .then(|| format!("{}: {} was {before} ({})", f.name, f.value, last.why))
    };
    figures.iter().filter_map(worse).collect()
}

/// Lines to append to the history for figures that differ from it.
#[must_use]
pub fn record(history: &[Accepted], figures: &[Figure], why: &str) -> String {
    let mut out = String::new();
    for f in figures {
        let last = history.iter().rev().find(|a| a.figure.name == f.name);
        if last.is_none_or(|a| a.figure != *f) {
            let why = why.replace('\n', " ");
            let _ = writeln!(out, "{},{},{},{why}", f.name, f.value, f.unit);
        }
    }
    out
}
