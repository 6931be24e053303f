//! What is claimed and what shows it: mutations that a named test must find, sentences of the specification beside the
//! tests that show them.
//!
//! Both are data in the tree (`tests/mutations/*.toml`, `docs/proof/*.md`), so that a claim is reviewed like code. A
//! normal test run checks that the data still fits the tree; `nexus test --mutate` and `nexus test --table` use it.
pub mod copy;
pub mod judge;
pub mod mutation;
pub mod random;
pub mod table;

use std::path::{Path, PathBuf};

use crate::failure::{Context, Failure};

/// The files in a folder with this extension, in the order of their names.
pub fn files(folder: &Path, extension: &str) -> Result<Vec<PathBuf>, Failure> {
    let entries = std::fs::read_dir(folder).context(|| format!("read {}", folder.display()))?;
    let mut out: Vec<PathBuf> = entries.flatten().map(|e| e.path()).collect();
    out.retain(|p| p.extension().is_some_and(|e| e == extension));
    out.sort();
    Ok(out)
}

/// A file of the tree as text.
pub fn read(path: &Path) -> Result<String, Failure> {
    std::fs::read_to_string(path).context(|| format!("read {}", path.display()))
}

/// The line, from 1, on which `text` defines a function of this name.
#[must_use]
pub fn function_at(text: &str, name: &str) -> Option<usize> {
    let start = format!("fn {name}(");
    text.lines().position(|l| l.trim_start().starts_with(&start)).map(|i| i + 1)
}
