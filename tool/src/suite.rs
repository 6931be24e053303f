//! Suites: words that `nexus test` knows, each a part of the system with everything that tests it.
//!
//! A suite says which folders' packages are tested on the host and which programs of the system tests are run. It
//! says folders, not packages, so that a crate added under one of them is tested without a word here.

/// A part of the system that is tested by its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Suite {
    /// The word.
    pub name: &'static str,
    /// One line for people.
    pub about: &'static str,
    /// Folders whose packages are tested on the host.
    pub folders: &'static [&'static str],
    /// Programs of the system tests (files or folders of `tests/system/tests`).
    pub system: &'static [&'static str],
}

/// All of them.
pub const SUITES: [Suite; 2] = [
    Suite {
        name: "kernel",
        about: "Rumpk: its pure crates, the kernel on the machine in memory, its guests in QEMU",
        folders: &["arch", "rumpk", "tests/fuzz"],
        system: &["kernel", "syscalls", "switches"],
    },
    Suite {
        name: "rumkv",
        about: "RumKV: its pure crates, hostile kernels in QEMU",
        folders: &["rumkv"],
        system: &["machine", "sabotage"],
    },
];

/// The suite that a word names; any other word is a part of the names of tests.
#[must_use]
pub fn find(word: &str) -> Option<&'static Suite> {
    SUITES.iter().find(|suite| suite.name == word)
}

impl Suite {
    /// Whether the package in `folder` (relative to the root) belongs to it.
    #[must_use]
    pub fn holds(&self, folder: &str) -> bool {
        self.folders.iter().any(|f| std::path::Path::new(folder).starts_with(f))
    }
}
