//! The source tree: where it is, and which of its packages makes a program of a given name.
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use cargo_metadata::{Metadata, MetadataCommand};

use crate::failure::{Context, Failure};

/// For what a guest program is compiled.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// EL1 and EL2: no vector registers, fixed addresses, a link script of its own.
    Privileged,
    /// EL0: position-independent.
    User,
}

impl Level {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Privileged, Self::User];

    /// Rust's name of the target.
    #[must_use]
    pub fn target(self) -> &'static str {
        match self {
            Self::Privileged => "aarch64-unknown-none-softfloat",
            Self::User => "aarch64-unknown-none",
        }
    }
}

/// Folders whose packages run above EL0; every other bare program runs at EL0.
const PRIVILEGED: [&str; 5] = ["arch", "boot", "rumkv", "rumpk", "tests/el1"];

/// A program for the machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Program {
    /// Package that makes it.
    pub package: String,
    /// Where it runs.
    pub level: Level,
}

/// The tree and what is in it.
#[derive(Debug)]
pub struct Workspace {
    /// The root folder.
    pub root: PathBuf,
    /// Where builds go.
    pub target: PathBuf,
    /// Packages that build and test on the host.
    pub host: Vec<String>,
    /// The same packages, each with its folder relative to the root.
    pub folders: BTreeMap<String, String>,
    /// Packages of EL0 whose library has tests that run on the host; their programs are the machine's.
    pub tested_libraries: Vec<String>,
    /// Packages that are built for the machine, each with its level; some are also of the host.
    bare: BTreeMap<String, Level>,
    /// Programs for the machine by name.
    programs: BTreeMap<String, Program>,
}

/// Name of the package with the system tests: it runs on the host, but not by a plain `cargo test`.
pub const SYSTEM_TESTS: &str = "system";

impl Workspace {
    /// Finds the tree: `NEXUS_ROOT`, or the first folder above the current one that has our budgets.
    pub fn find() -> Result<Self, Failure> {
        if let Some(root) = std::env::var_os("NEXUS_ROOT") {
            return Self::at(Path::new(&root));
        }
        let here = std::env::current_dir().context(|| "find the current folder".into())?;
        let root = here.ancestors().find(|p| p.join("budgets.toml").exists());
        let advice = "this is not inside the source tree of Nexus: start it as ./nexus";
        Self::at(root.ok_or_else(|| Failure::new(advice))?)
    }

    /// Reads the tree at `root` through `cargo metadata`.
    pub fn at(root: &Path) -> Result<Self, Failure> {
        let metadata = MetadataCommand::new()
            .current_dir(root)
            .no_deps()
            .exec()
            .context(|| format!("read the workspace at {}", root.display()))?;
        Ok(Self::from_metadata(&metadata))
    }

    /// The same tree, building into another folder.
    #[must_use]
    pub fn with_target(self, target: PathBuf) -> Self {
        Self { target, ..self }
    }

    fn from_metadata(metadata: &Metadata) -> Self {
        let root = metadata.workspace_root.as_std_path().to_path_buf();
        let defaults: Vec<_> = metadata.workspace_default_packages();
        let mut host: Vec<String> = defaults.iter().map(|p| p.name.to_string()).collect();
        host.push(SYSTEM_TESTS.into());
        let mut bare = BTreeMap::new();
        let mut programs = BTreeMap::new();
        let (mut tested_libraries, mut folders) = (Vec::new(), BTreeMap::new());
        for package in metadata.workspace_packages() {
            let folder = package.manifest_path.as_std_path().parent().unwrap_or(&root);
            let folder = folder.strip_prefix(&root).unwrap_or(folder);
            let level = if PRIVILEGED.iter().any(|p| folder.starts_with(p)) {
                Level::Privileged
            } else {
                Level::User
            };
            let name = package.name.to_string();
            if host.contains(&name) {
                folders.insert(name.clone(), folder.to_string_lossy().into_owned());
            }
            if !host.contains(&name) || level == Level::Privileged {
                bare.insert(name.clone(), level);
            }
            let tested = package.targets.iter().any(|t| t.is_lib() && t.test);
            if tested && level == Level::User && !host.contains(&name) {
                tested_libraries.push(name.clone());
            }
            // A package such as rumpk is a library on the host and a program on the machine; the
            // host tool's own programs are none for the machine.
            let hosted = host.contains(&name) && level == Level::User;
            for bin in package.targets.iter().filter(|t| t.is_bin() && !hosted) {
                programs.insert(bin.name.clone(), Program { package: name.clone(), level });
            }
        }
        let target = metadata.target_directory.as_std_path().to_path_buf();
        Self { root, target, host, folders, tested_libraries, bare, programs }
    }

    /// The program `name`.
    pub fn program(&self, name: &str) -> Result<&Program, Failure> {
        self.programs.get(name).ok_or_else(|| {
            let names: Vec<&str> = self.programs.keys().map(String::as_str).collect();
            Failure::new(format!(
                "no package of the workspace makes a program `{name}`; there are: {}",
                names.join(", ")
            ))
        })
    }

    /// Every program with its package and level.
    pub fn programs(&self) -> impl Iterator<Item = (&str, &Program)> {
        self.programs.iter().map(|(name, program)| (name.as_str(), program))
    }

    /// Packages that are built for `level`.
    pub fn packages(&self, level: Level) -> impl Iterator<Item = &str> {
        self.bare.iter().filter(move |(_, l)| **l == level).map(|(name, _)| name.as_str())
    }

    /// Where programs for the machine are built.
    #[must_use]
    pub fn guest_target(&self) -> PathBuf {
        self.target.join("guest")
    }
}
