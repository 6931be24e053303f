//! What a line asks for.
use crate::words::Words;

/// A command's name, its arguments, and what it does, for `help`.
pub struct About {
    /// Name.
    pub name: &'static str,
    /// Arguments: `[optional]`, `...` for more of them.
    pub arguments: &'static str,
    /// What it does.
    pub text: &'static str,
    /// Fewest and most arguments.
    counts: (usize, usize),
}

const MANY: usize = usize::MAX;

const fn about(
    name: &'static str,
    arguments: &'static str,
    counts: (usize, usize),
    text: &'static str,
) -> About {
    About { name, arguments, text, counts }
}

/// All commands, in the order of the alphabet.
pub const COMMANDS: [About; 16] = [
    about("audit", "[NUMBER|head|export [NUMBER]]", (0, 2), "show the audit chain"),
    about("blink", "NAME|NUMBER", (1, 1), "end and restart a fiber"),
    about("cat", "FILE...", (1, MANY), "print files"),
    about("clear", "", (0, 0), "clear the screen"),
    about("echo", "[WORD...]", (0, MANY), "print words"),
    about("help", "[COMMAND]", (0, 1), "list commands"),
    about("history", "", (0, 0), "list the lines before"),
    about("kill", "NAME|NUMBER", (1, 1), "end a fiber"),
    about("ls", "[PATH...]", (0, MANY), "list directories"),
    about("mem", "", (0, 0), "memory and counters of the cell"),
    about("poweroff", "", (0, 0), "switch the cell off"),
    about("ps", "", (0, 0), "list fibers"),
    about("run", "NAME [ARGUMENT...] [&]", (1, MANY), "run an image of /Boot/bin or a service"),
    about("uptime", "", (0, 0), "time since boot"),
    about("wait", "", (0, 0), "wait for what runs in the background"),
    about("why", "NAME|NUMBER", (1, 1), "how a fiber ended last"),
];

/// What a line asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names are the commands")]
pub enum Command {
    Nothing,
    Audit,
    Blink,
    Cat,
    Clear,
    Echo,
    Help,
    History,
    Kill,
    Ls,
    Mem,
    Poweroff,
    Ps,
    Run,
    Uptime,
    Wait,
    Why,
}

/// In the order of [`COMMANDS`].
const ORDER: [Command; COMMANDS.len()] = [
    Command::Audit,
    Command::Blink,
    Command::Cat,
    Command::Clear,
    Command::Echo,
    Command::Help,
    Command::History,
    Command::Kill,
    Command::Ls,
    Command::Mem,
    Command::Poweroff,
    Command::Ps,
    Command::Run,
    Command::Uptime,
    Command::Wait,
    Command::Why,
];

/// Why a line asks for nothing that can be done.
#[derive(Clone, Copy)]
pub enum Fault {
    /// No such command; perhaps the other one was meant.
    Unknown(Option<&'static str>),
    /// The number of arguments does not fit.
    Usage(&'static About),
    /// Only `run` goes to the background.
    Background(&'static About),
}

/// Understands a line.
pub fn parse(words: &Words) -> Result<Command, Fault> {
    let Some(name) = words.get(0) else { return Ok(Command::Nothing) };
    let Some(index) = COMMANDS.iter().position(|c| c.name == name) else {
        return Err(Fault::Unknown(nearest(name)));
    };
    let (about, command) = (&COMMANDS[index], ORDER[index]);
    let (least, most) = about.counts;
    if !(least..=most).contains(&(words.len() - 1)) {
        return Err(Fault::Usage(about));
    }
    if words.background && command != Command::Run {
        return Err(Fault::Background(about));
    }
    Ok(command)
}

/// About the command called `name`.
pub fn find(name: &str) -> Option<&'static About> {
    COMMANDS.iter().find(|c| c.name == name)
}

/// The command that `name` is most likely a slip of: one that it begins, or one at most two edits
/// away.
pub fn nearest(name: &str) -> Option<&'static str> {
    let by_start = COMMANDS.iter().find(|c| name.len() > 1 && c.name.starts_with(name));
    let by_edits = || {
        let near = COMMANDS.iter().map(|c| (edits(name, c.name), c));
        let near = near.filter(|(n, c)| *n <= 2 && *n < c.name.len());
        near.min_by_key(|(n, _)| *n).map(|(_, c)| c)
    };
    by_start.or_else(by_edits).map(|c| c.name)
}

/// Longest command name that [`edits`] handles, and a bound for what is compared with it.
const NAME_MAX: usize = 16;

/// Damerau's distance restricted to neighbours (optimal string alignment): insertions, removals,
/// replacements and exchanges of neighbours.
fn edits(a: &str, b: &str) -> usize {
    let (a, b) = (a.as_bytes(), b.as_bytes());
    if a.len() > NAME_MAX || b.len() > NAME_MAX {
        return MANY;
    }
    let mut rows = [[0; NAME_MAX + 1]; NAME_MAX + 1];
    for i in 0..=a.len() {
        for j in 0..=b.len() {
            rows[i][j] = if i == 0 || j == 0 {
                i + j
            } else {
                let replaced = rows[i - 1][j - 1] + usize::from(a[i - 1] != b[j - 1]);
                let least = replaced.min(rows[i - 1][j] + 1).min(rows[i][j - 1] + 1);
                let swapped = i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1];
                if swapped { least.min(rows[i - 2][j - 2] + 1) } else { least }
            };
        }
    }
    rows[a.len()][b.len()]
}

/// An absolute path: what does not begin with a slash is below the root.
pub fn absolute<'a>(path: &'a str, buf: &'a mut [u8; abi::vfs::PATH_MAX + 1]) -> &'a str {
    if path.starts_with('/') || path.len() >= buf.len() {
        return path;
    }
    buf[0] = b'/';
    buf[1..=path.len()].copy_from_slice(path.as_bytes());
    core::str::from_utf8(&buf[..=path.len()]).unwrap_or(path)
}
