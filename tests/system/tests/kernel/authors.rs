//! What authors of applications are given: the tutorial as it stands, `nexus new`, the examples, a panic.
use std::path::Path;

use nexus::failure::code;
use nexus::machine::Outcome;
use system::command::{nexus, run};
use system::session::{answers, profile, script};
use system::{Boot, built, expect_exit, folder, workspace};

/// Boots a profile, counted, and types `commands`.
fn session(path: &str, commands: &[&str]) -> Outcome {
    let boot = Boot::of(&built(path)).counted();
    let outcome = boot.script(script(commands.iter().copied())).run();
    expect_exit(&outcome, code::OK);
    outcome
}

/// What one of the commands printed; subject zero tells of services meanwhile.
fn answer(outcome: &Outcome, command: &str) -> Vec<String> {
    let all = answers(outcome);
    let found = all.into_iter().find(|a| a.command == command);
    let found = found.unwrap_or_else(|| panic!("no answer to {command}:\n{}", outcome.text()));
    found.lines.into_iter().filter(|l| !l.starts_with("init: ")).collect()
}

#[test]
fn the_examples_do_what_they_say() {
    let path = workspace().root.join("npk/examples/profile.kdl");
    judge_examples(&session(&path.to_string_lossy(), &EXAMPLES));
}

/// What is typed to see the examples.
pub(crate) const EXAMPLES: [&str; 3] = ["run ticker 50 20", "run hello-c one two", "poweroff"];

/// They did what they say.
pub(crate) fn judge_examples(outcome: &Outcome) {
    let text = outcome.text();
    for line in ["hello -> HELLO", "world -> WORLD", "the client is gone"] {
        assert!(text.contains(line), "no `{line}` in:\n{text}");
    }
    let ticks = [
        "20 ms: fast",
        "40 ms: fast",
        "50 ms: slow",
        "60 ms: fast",
        "80 ms: fast",
        "100 ms: slow",
        "100 ms: fast",
        "120 ms: fast",
        "140 ms: fast",
        "150 ms: slow",
        "ticker: exit 0",
    ];
    assert_eq!(answer(outcome, EXAMPLES[0]), ticks);
    let hello = ["Hello from C, contract 1.", "argument one", "argument two", "slept"];
    assert_eq!(answer(outcome, EXAMPLES[1]), [&hello[..], &["hello-c: exit 0"]].concat());
}

#[test]
fn one_fiber_serves_two_clients_and_a_clock() {
    let outcome = session(&profile("authors"), &["run heap reserve", "poweroff"]);
    let text = outcome.text();
    let lines = ["one -> ONE", "two -> TWO", "three -> THREE", "four -> FOUR", "five -> FIVE"];
    for line in lines.iter().chain(&["tasks: served 3 and 2", "tasks: the clock went on"]) {
        assert!(text.contains(line), "no `{line}` in:\n{text}");
    }
}

#[test]
fn a_heap_that_is_used_up_is_an_error_or_a_panic() {
    let outcome =
        session(&profile("authors"), &["run heap reserve", "run heap exhaust", "poweroff"]);
    let reserve = answer(&outcome, "run heap reserve");
    assert_eq!(reserve, ["heap: refused, and whole again", "heap: exit 0"]);
    let exhaust = answer(&outcome, "run heap exhaust");
    assert!(exhaust.iter().any(|l| l.contains("memory allocation of")), "{exhaust:?}");
    assert!(exhaust.last().is_some_and(|l| l == "heap: killed: panic"), "{exhaust:?}");
}

/// The kernel's own, in a program.
#[test]
fn memory_functions_are_right_for_every_length_alignment_and_overlap() {
    let seed = std::env::var("NEXUS_SEED").unwrap_or("1".into());
    let command = format!("run bulk {seed}");
    let outcome = session(&profile("authors"), &[&command, "poweroff"]);
    let wanted = [&format!("bulk: seed {seed}, 0 of 6328 wrong"), "bulk: exit 0"];
    assert_eq!(answer(&outcome, &command), wanted);
}

#[test]
fn a_panic_is_told_and_is_a_fault() {
    let outcome = session(&profile("guests-micro"), &["run misuse panic", "audit 9", "poweroff"]);
    let lines = answer(&outcome, "run misuse panic");
    assert!(lines.iter().any(|l| l.contains("on purpose")), "{lines:?}");
    assert!(lines.last().is_some_and(|l| l.contains("killed: panic")), "{lines:?}");
    // ProvChain has the beginning of it, and the fault after that.
    let audit = answer(&outcome, "audit 9");
    let words: String = audit.iter().filter_map(|l| l.split("last words: ").nth(1)).collect();
    assert!(words.ends_with("on purpose"), "{audit:?}");
    let at = |text: &str| audit.iter().rposition(|l| l.contains(text));
    assert!(at("last words") < at("misuse: panic"), "{audit:?}");
}

#[test]
fn a_new_application_is_refused_where_it_cannot_be() {
    let folder = folder();
    let new = |arguments: &[&str]| {
        let mut command = nexus(&[&["new"], arguments].concat());
        command.current_dir(folder.path());
        run(command, b"")
    };
    assert_eq!(new(&["there"]).code, Some(0));
    let long = "a".repeat(32);
    for (arguments, why) in [
        (&["there"][..], "exists already"),
        (&["There"], "cannot be a name"),
        (&["1st"], "cannot be a name"),
        (&["a/b"], "cannot be a name"),
        (&[""], "cannot be a name"),
        (&[&long], "cannot be a name"),
        (&["shell"], "is taken"),
        (&["core"], "is taken"),
        (&["x", "--lang", "cobol"], "[possible values: rust, c]"),
    ] {
        let ended = new(arguments);
        assert_eq!(ended.code, Some(1), "{arguments:?}: {ended:?}");
        assert!(ended.err.contains(why), "{arguments:?}: {ended:?}");
    }
    let there: Vec<_> = std::fs::read_dir(folder.path()).expect("a folder").flatten().collect();
    assert_eq!(there.len(), 1, "what is refused leaves nothing: {there:?}");
    let help = new(&["--help"]);
    assert_eq!(help.code, Some(0));
    assert!(help.out.contains("docs/authors.md"), "{help:?}");
}

/// One fenced block of the tutorial: its language, the file that the line before it names, its lines.
#[derive(Debug)]
struct Block<'a> {
    language: &'a str,
    file: Option<&'a str>,
    lines: Vec<&'a str>,
}

fn blocks(page: &str) -> Vec<Block<'_>> {
    let mut out = Vec::new();
    let mut file = None;
    let mut lines = page.lines();
    while let Some(line) = lines.next() {
        if let Some(language) = line.strip_prefix("```") {
            let lines = lines.by_ref().take_while(|l| *l != "```").collect();
            out.push(Block { language, file: file.take(), lines });
        } else if !line.is_empty() {
            file = line.strip_prefix('`').and_then(|l| l.strip_suffix("`:"));
        }
    }
    out
}

/// Replaces the lines of a file that a `diff` block shows with ` ` and `-` by those with ` ` and `+`.
fn patch(path: &Path, lines: &[&str]) {
    let side = |drop: char| -> String {
        let kept = lines.iter().filter(|l| !l.starts_with(drop));
        kept.flat_map(|l| [l.get(1..).unwrap_or(""), "\n"]).collect()
    };
    let text = std::fs::read_to_string(path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    let (from, to) = (side('+'), side('-'));
    assert_eq!(text.matches(&from).count(), 1, "{}: once, this:\n{from}", path.display());
    std::fs::write(path, text.replace(&from, &to)).expect("the file");
}

/// Runs a `sh` block; what its last command says is to hold the lines of `console` in their order.
fn shell(folder: &Path, lines: &[&str], console: Option<&Block>) {
    let console = console.filter(|b| b.language == "console").map_or(&[][..], |b| &b.lines);
    let typed = console.iter().filter_map(|l| l.strip_prefix("nexus> "));
    let typed: String = typed.flat_map(|l| [l, "\n"]).collect();
    for (n, line) in lines.iter().enumerate() {
        let words: Vec<&str> = line.split(' ').collect();
        assert_eq!(words[0], "nexus", "{line}");
        let mut command = nexus(&words[1..]);
        command.current_dir(folder);
        let last = n + 1 == lines.len();
        let ended = run(command, if last { typed.as_bytes() } else { b"" });
        assert_eq!(ended.code, Some(0), "{line}: {ended:?}");
        if last {
            let text = ended.out.replace('\r', "");
            holds_in_order(&text, console);
        }
    }
}

fn holds_in_order(text: &str, wanted: &[&str]) {
    let motd = include_str!("../../../../profiles/boot/motd").lines().next().unwrap_or("");
    let mut lines = text.lines();
    for line in wanted {
        let line = line.replace("MOTD", motd);
        assert!(lines.any(|l| l == line), "no `{line}` after the ones before it in:\n{text}");
    }
}

#[test]
fn the_tutorial_is_true() {
    let folder = folder();
    let page = include_str!("../../../../docs/authors.md");
    let blocks = blocks(page);
    let (mut ran, mut written) = (0, 0);
    for (n, block) in blocks.iter().enumerate() {
        match (block.language, block.file) {
            ("sh", None) => {
                shell(folder.path(), &block.lines, blocks.get(n + 1));
                ran += block.lines.len();
            }
            ("diff", Some(file)) => patch(&folder.path().join(file), &block.lines),
            ("rust", Some(file)) => {
                let text = block.lines.join("\n") + "\n";
                std::fs::write(folder.path().join(file), text).expect("the file");
                written += 1;
            }
            ("console", None) => {}
            other => panic!("a block that nobody runs: {other:?}"),
        }
    }
    assert_eq!((ran, written), (8, 3), "what the page shows was done");
}
