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

/// How a line begins that `init` prints whenever a service ends, also behind a prompt that waits.
const TOLD: &str = "init: ";

/// What a shell printed, command by command; what came before the first prompt is left out. Lines of `init` that came
/// between a prompt and what was typed stand before the command, and belong to none.
#[must_use]
pub fn answers(outcome: &Outcome) -> Vec<Answer> {
    answers_in(&outcome.text())
}

/// The same from a console's text.
fn answers_in(text: &str) -> Vec<Answer> {
    let text = text.replace('\r', "");
    let mut out: Vec<Answer> = Vec::new();
    let mut waiting = false;
    for line in text.lines() {
        let typed = line.strip_prefix(PROMPT).or(waiting.then_some(line));
        waiting = typed.is_some_and(|t| t.starts_with(TOLD));
        if waiting {
            continue;
        }
        if let Some(command) = typed {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn init_may_speak_between_the_prompt_and_the_command() {
        let text = "boot\nnexus> init: a: exit 0\ninit: b: exit 0\nrun c\nc: exit 0\n\
                    init: d: exit 0\nnexus> ps\n";
        let of = |command: &str, lines: &[&str]| Answer {
            command: command.into(),
            lines: lines.iter().map(|&l| l.into()).collect(),
        };
        let expected = [of("run c", &["c: exit 0", "init: d: exit 0"]), of("ps", &[])];
        assert_eq!(answers_in(text), expected);
    }
}
