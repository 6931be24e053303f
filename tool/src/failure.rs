//! Why a command ended badly, and the exit code that says so to a script.
use crate::report::Reports;

/// Exit codes of the command line; `nexus help run` prints the table.
pub mod code {
    /// Done; for `run`: the machine switched itself off in good order.
    pub const OK: u8 = 0;
    /// Wrong usage, a build that failed, a check that found something.
    pub const ERROR: u8 = 1;
    /// nexus-boot refused the bundle.
    pub const REFUSED: u8 = 2;
    /// RumKV ended the cell.
    pub const DEAD_CELL: u8 = 3;
    /// The kernel panicked, trapped, or lost its subject zero.
    pub const PANIC: u8 = 4;
    /// QEMU could not be started, died, or the machine hung.
    pub const MACHINE: u8 = 5;
    /// Ctrl-C, Ctrl-A x, or a signal.
    pub const INTERRUPTED: u8 = 130;
}

/// Text for people and a code for scripts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// One of [`code`].
    pub code: u8,
    /// What is wrong and what to do about it; empty if it was said already.
    pub text: String,
}

impl Failure {
    /// A failure of the ordinary kind.
    pub fn new(text: impl Into<String>) -> Self {
        Self { code: code::ERROR, text: text.into() }
    }

    /// A failure with a code of its own.
    pub fn with(code: u8, text: impl Into<String>) -> Self {
        Self { code, text: text.into() }
    }

    /// QEMU or the machine failed.
    pub fn machine(text: impl Into<String>) -> Self {
        Self::with(code::MACHINE, text)
    }
}

impl std::fmt::Display for Failure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.text)
    }
}

impl std::error::Error for Failure {}

impl From<Reports> for Failure {
    fn from(reports: Reports) -> Self {
        Self::new(reports.to_string())
    }
}

/// Says on what an operation of the system failed.
pub trait Context<T> {
    /// `what` is a phrase such as "read profiles/core.kdl".
    fn context(self, what: impl FnOnce() -> String) -> Result<T, Failure>;
}

impl<T, E: std::fmt::Display> Context<T> for Result<T, E> {
    fn context(self, what: impl FnOnce() -> String) -> Result<T, Failure> {
        self.map_err(|e| Failure::new(format!("cannot {}: {e}", what())))
    }
}
