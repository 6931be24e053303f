//! Mutations: one place of the code, what to put there, and the test that claims to guard it.
use std::path::{Path, PathBuf};

use serde::Deserialize;

use super::{files, function_at, read};
use crate::failure::{Context, Failure};

/// Where the lists are, relative to the root.
pub const FOLDER: &str = "tests/mutations";

/// One change that breaks something.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Mutation {
    /// What is broken by it, for people.
    pub what: String,
    /// File, relative to the root.
    pub file: PathBuf,
    /// Text that occurs exactly once in it.
    pub find: String,
    /// What to put in its place.
    pub with: String,
    /// Package of the test.
    pub package: String,
    /// Test program of the package: `lib`, or a name under its `tests/`.
    pub program: String,
    /// Whole name of the test, with its modules.
    pub test: String,
    /// The test boots QEMU: only taken with `--long`.
    #[serde(default)]
    pub guest: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct List {
    mutation: Vec<Mutation>,
}

/// All mutations of the tree at `root`.
pub fn load(root: &Path) -> Result<Vec<Mutation>, Failure> {
    let mut out = Vec::new();
    for path in files(&root.join(FOLDER), "toml")? {
        let list: List =
            toml::from_str(&read(&path)?).context(|| format!("read {}", path.display()))?;
        out.extend(list.mutation);
    }
    Ok(out)
}

/// The folder of a package, from a list of all packages with their folders.
fn folder_of<'a>(packages: &'a [(String, PathBuf)], name: &str) -> Option<&'a Path> {
    packages.iter().find(|(n, _)| n == name).map(|(_, folder)| folder.as_path())
}

impl Mutation {
    /// How the test is called in one line.
    #[must_use]
    pub fn name(&self) -> String {
        format!("{}/{}: {}", self.package, self.program, self.test)
    }

    /// The file's text with the change; an error if the text to change is not there exactly once.
    pub fn applied(&self, text: &str) -> Result<String, String> {
        match text.matches(&self.find).count() {
            1 if self.find == self.with => Err("changes nothing".into()),
            1 => Ok(text.replacen(&self.find, &self.with, 1)),
            n => Err(format!("{n} places in {} have {:?}", self.file.display(), self.find)),
        }
    }

    /// What does not fit the tree any more.
    #[must_use]
    pub fn problems(&self, root: &Path, packages: &[(String, PathBuf)]) -> Vec<String> {
        let mut out = Vec::new();
        match std::fs::read_to_string(root.join(&self.file)) {
            Err(e) => out.push(format!("{}: {e}", self.file.display())),
            Ok(text) => out.extend(self.applied(&text).err()),
        }
        let Some(folder) = folder_of(packages, &self.package) else {
            out.push(format!("no package {}", self.package));
            return out;
        };
        let place = if self.program == "lib" { "src" } else { "tests" };
        let function = self.test.rsplit("::").next().unwrap_or(&self.test);
        if !defines(&folder.join(place), function) {
            out.push(format!("{}: no such test", self.name()));
        }
        out.iter().map(|p| format!("{}: {p}", self.what)).collect()
    }
}

/// Whether a file below `folder` defines a function of this name.
fn defines(folder: &Path, function: &str) -> bool {
    let Ok(entries) = std::fs::read_dir(folder) else { return false };
    entries.flatten().any(|entry| {
        let path = entry.path();
        if path.is_dir() {
            return defines(&path, function);
        }
        let rust = path.extension().is_some_and(|e| e == "rs");
        rust && read(&path).is_ok_and(|text| function_at(&text, function).is_some())
    })
}
