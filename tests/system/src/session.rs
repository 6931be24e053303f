//! A session of the shell: commands typed, and what was printed after each.
use std::path::{Path, PathBuf};

use nexus::machine::Outcome;

/// The shell's prompt.
const PROMPT: &str = "nexus> ";

/// A profile of `tests/system/profiles`, by name.
#[must_use]
pub fn profile(name: &str) -> String {
    let path: PathBuf = Path::new(env!("CARGO_MANIFEST_DIR")).join("profiles").join(name);
    path.with_extension("kdl").to_string_lossy().into_owned()
}

/// One command and the lines that it printed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// The command as typed.
    pub command: String,
    /// Lines without their ends.
    pub lines: Vec<String>,
}

impl Answer {
    /// Lines as one text.
    #[must_use]
    pub fn text(&self) -> String {
        self.lines.join("\n")
    }
}

/// What a shell printed, command by command; what came before the first prompt is left out.
#[must_use]
pub fn answers(outcome: &Outcome) -> Vec<Answer> {
    let text = outcome.text().replace('\r', "");
    let mut out: Vec<Answer> = Vec::new();
    for line in text.lines() {
        if let Some(command) = line.strip_prefix(PROMPT) {
            out.push(Answer { command: command.trim().into(), lines: Vec::new() });
        } else if let Some(last) = out.last_mut() {
            last.lines.push(line.into());
        }
    }
    out
}

/// The script that types these commands.
pub fn script<'a>(commands: impl IntoIterator<Item = &'a str>) -> String {
    commands.into_iter().flat_map(|c| [c, "\n"]).collect()
}
