//! The sentences of the specification, each beside the tests that show it, or the limit that says it is not shown.
//!
//! One Markdown page per page of the specification, so that people read it as it is. A row of a table is
//! `| number | sentence | shown by |`; the last cell lists tests as `` `file` `function` `` pairs, and limits as
//! `limit: "words"`, words that `docs/limits.md` has.
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use super::{files, function_at, read};
use crate::failure::Failure;

/// Where the pages are, relative to the root.
pub const FOLDER: &str = "docs/proof";
/// What is not shown.
pub const LIMITS: &str = "docs/limits.md";

/// What shows a sentence, or says why nothing does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Shown {
    /// A test: file relative to the root, function.
    Test(PathBuf, String),
    /// Words of the limits.
    Limit(String),
}

/// A sentence.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sentence {
    /// Page, without its extension.
    pub page: String,
    /// Heading that it stands under.
    pub section: String,
    /// Number, unique in its page.
    pub number: String,
    /// The sentence, or its short form.
    pub says: String,
    /// What shows it.
    pub shown: Vec<Shown>,
}

/// All pages of the tree at `root`, and what cannot be read in them.
pub fn load(root: &Path) -> Result<(Vec<Sentence>, Vec<String>), Failure> {
    let (mut sentences, mut problems) = (Vec::new(), Vec::new());
    for path in files(&root.join(FOLDER), "md")? {
        let page = path.file_stem().map(|s| s.to_string_lossy().into_owned()).unwrap_or_default();
        if page != "README" {
            parse(&page, &read(&path)?, &mut sentences, &mut problems);
        }
    }
    Ok((sentences, problems))
}

/// Reads one page.
pub fn parse(page: &str, text: &str, out: &mut Vec<Sentence>, problems: &mut Vec<String>) {
    let mut section = String::new();
    for (i, line) in text.lines().enumerate() {
        if let Some(title) = line.strip_prefix("## ") {
            section = title.into();
        }
        let Some(inner) = line.strip_prefix('|').and_then(|l| l.strip_suffix('|')) else {
            continue;
        };
        let cells: Vec<&str> = inner.splitn(3, " | ").map(str::trim).collect();
        let [number, says, shown] = cells[..] else {
            if !inner.starts_with("--") {
                problems.push(format!("{page}, line {}: not three cells", i + 1));
            }
            continue;
        };
        if !number.starts_with(|c: char| c.is_ascii_digit()) {
            continue;
        }
        match shows(shown) {
            Ok(shown) => out.push(Sentence {
                page: page.into(),
                section: section.clone(),
                number: number.into(),
                says: says.into(),
                shown,
            }),
            Err(why) => problems.push(format!("{page} {number}: {why}")),
        }
    }
}

/// Reads the last cell.
fn shows(cell: &str) -> Result<Vec<Shown>, String> {
    let mut out = Vec::new();
    for part in cell.split(';').map(str::trim).filter(|p| !p.is_empty()) {
        if let Some(words) = part.strip_prefix("limit: ") {
            let words = words.strip_prefix('"').and_then(|w| w.strip_suffix('"'));
            out.push(Shown::Limit(words.ok_or("a limit stands in quotes")?.into()));
            continue;
        }
        let words: Vec<&str> = part.split('`').collect();
        let ["", file, " ", function, ""] = words[..] else {
            return Err(format!("neither a test nor a limit: {part:?}"));
        };
        out.push(Shown::Test(file.into(), function.into()));
    }
    if out.is_empty() { Err("neither a test nor a limit".into()) } else { Ok(out) }
}

/// Text with every run of blanks and line ends made one blank, so that a limit may go over lines.
fn flowed(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// What does not fit the tree: tests that there are not, limits that nobody states, numbers that come twice.
pub fn problems(root: &Path, sentences: &[Sentence]) -> Result<Vec<String>, Failure> {
    let limits = flowed(&read(&root.join(LIMITS))?);
    let mut out = Vec::new();
    for (i, s) in sentences.iter().enumerate() {
        let name = format!("{} {}", s.page, s.number);
        if sentences[..i].iter().any(|t| t.page == s.page && t.number == s.number) {
            out.push(format!("{name}: the number comes twice"));
        }
        for shown in &s.shown {
            match shown {
                Shown::Limit(words) if !limits.contains(&flowed(words)) => {
                    out.push(format!("{name}: {LIMITS} does not say {words:?}"));
                }
                Shown::Test(file, function) if !is_test(&root.join(file), function) => {
                    out.push(format!("{name}: no test {function} in {}", file.display()));
                }
                _ => {}
            }
        }
    }
    Ok(out)
}

/// Whether the file has a function of this name with `#[test]` among the lines above it.
fn is_test(path: &Path, function: &str) -> bool {
    let Ok(text) = read(path) else { return false };
    let Some(line) = function_at(&text, function) else { return false };
    let lines: Vec<&str> = text.lines().take(line - 1).collect();
    let above = lines.iter().rev().take_while(|l| {
        let l = l.trim_start();
        l.starts_with('#') || l.starts_with("//") || l.starts_with("reason") || l == ")]"
    });
    above.into_iter().any(|l| l.trim_start().starts_with("#[test]"))
}

/// The table for a terminal: each sentence, below it where it is shown, with file and line.
#[must_use]
pub fn print(root: &Path, sentences: &[Sentence]) -> String {
    let (mut out, mut section) = (String::new(), String::new());
    for s in sentences {
        let heading = format!("{}: {}", s.page, s.section);
        if heading != section {
            let _ = writeln!(out, "\n{heading}");
            section = heading;
        }
        let _ = writeln!(out, "{:>5}  {}", s.number, s.says);
        for shown in &s.shown {
            let _ = match shown {
                Shown::Limit(words) => writeln!(out, "         limit: {words}"),
                Shown::Test(file, function) => {
                    let text = read(&root.join(file)).unwrap_or_default();
                    let line = function_at(&text, function).unwrap_or(0);
                    writeln!(out, "         {}:{line} {function}", file.display())
                }
            };
        }
    }
    let tested = |s: &&Sentence| s.shown.iter().any(|w| matches!(w, Shown::Test(..)));
    let shown = sentences.iter().filter(tested).count();
    let _ = writeln!(out, "\n{} sentences, {shown} shown by a test", sentences.len());
    out
}
