//! The programs of this tree: what an image's name without a slash can mean.
use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use toml::{Table, Value};

/// The source tree around a profile.
#[derive(Debug)]
pub struct Tree {
    /// Its root: the folder of the workspace.
    pub root: PathBuf,
    /// Folder of the package by name of the program.
    pub programs: BTreeMap<String, PathBuf>,
}

impl Tree {
    /// The tree that holds `path`, else the one that holds the current folder, else the one this
    /// tool was built from.
    pub fn around(path: &Path) -> Option<Self> {
        let here = std::env::current_dir().ok();
        let near = path.canonicalize().ok().and_then(|p| root(&p));
        let root = near
            .or_else(|| here.and_then(|h| root(&h)))
            .or_else(|| root(Path::new(env!("CARGO_MANIFEST_DIR"))))?;
        Self::read(root)
    }

    fn read(root: PathBuf) -> Option<Self> {
        let workspace = table(&root.join("Cargo.toml"))?;
        let members = workspace.get("workspace")?.get("members")?.as_array()?;
        let mut programs = BTreeMap::new();
        for member in members.iter().filter_map(Value::as_str) {
            let folder = root.join(member);
            for name in table(&folder.join("Cargo.toml")).iter().flat_map(binaries) {
                programs.insert(name, folder.clone());
            }
        }
        Some(Self { root, programs })
    }
}

/// Names of the `[[bin]]` tables of a package.
fn binaries(package: &Table) -> Vec<String> {
    let tables = package.get("bin").and_then(Value::as_array).into_iter().flatten();
    tables.filter_map(|t| Some(t.get("name")?.as_str()?.to_owned())).collect()
}

fn table(path: &Path) -> Option<Table> {
    std::fs::read_to_string(path).ok()?.parse().ok()
}

/// The nearest folder above `path` that has profiles and a workspace.
fn root(path: &Path) -> Option<PathBuf> {
    let is_root = |p: &&Path| p.join("profiles").is_dir() && p.join("Cargo.toml").is_file();
    path.ancestors().find(is_root).map(Path::to_owned)
}
