//! Words, commands and how things are printed, on the host.
use abi::stats::{FiberStats, SystemStats, end, state};
use proptest::prelude::*;

use crate::command::{COMMANDS, Command, Fault, absolute, nearest, parse};
use crate::show::{Entry, FIBER_HEAD, Fiber, Memory, Time};
use crate::words::{self, LINE_MAX, WORDS_MAX, Words};

fn split(line: &str) -> Vec<String> {
    Words::split(line).unwrap().from(0).map(str::to_owned).collect()
}

#[test]
fn blanks_separate_and_quotes_join() {
    assert_eq!(split("  echo  a\tb "), ["echo", "a", "b"]);
    assert_eq!(split("echo 'a  b' \"c  'd'\" e'f'g"), ["echo", "a  b", "c  'd'", "efg"]);
    assert_eq!(split(r#"a\ b "\"\\" '\' ''"#), ["a b", "\"\\", "\\", ""]);
    assert_eq!(split("ende \\"), ["ende", "\\"]);
    assert_eq!(split("grüße 'schöne welt'"), ["grüße", "schöne welt"]);
    assert!(split("   ").is_empty() && split("").is_empty());
}

#[test]
fn an_ampersand_at_the_end_means_the_background() {
    let of = |line| {
        let words = Words::split(line).unwrap();
        (words.len(), words.background)
    };
    assert_eq!(of("run x &"), (2, true));
    assert_eq!(of("run x&  "), (2, true));
    assert_eq!(of("run '&'"), (2, false));
    assert_eq!(of(r"run \&"), (2, false));
    assert_eq!(of("run & x"), (3, false));
}

#[test]
fn what_cannot_be_split_says_why() {
    let fault = |line: &str| Words::split(line).err();
    assert_eq!(fault("echo 'a"), Some(words::Fault::Quote));
    assert_eq!(fault("echo \"a"), Some(words::Fault::Quote));
    assert_eq!(fault(&"x ".repeat(WORDS_MAX + 1)), Some(words::Fault::Words));
    assert_eq!(fault(&"x ".repeat(WORDS_MAX)), None);
    assert_eq!(fault(&"x".repeat(LINE_MAX + 1)), Some(words::Fault::Long));
    assert_eq!(fault(&"x".repeat(LINE_MAX)), None);
}

/// The command, or the fault in a word.
fn understood(line: &str) -> Result<Command, String> {
    parse(&Words::split(line).unwrap()).map_err(|fault| match fault {
        Fault::Unknown(near) => format!("unknown {}", near.unwrap_or("-")),
        Fault::Usage(about) => format!("usage {}", about.name),
        Fault::Background(about) => format!("background {}", about.name),
    })
}

#[test]
fn lines_are_understood() {
    assert_eq!(understood(""), Ok(Command::Nothing));
    assert_eq!(understood("ls"), Ok(Command::Ls));
    assert_eq!(understood("ls /Boot /x"), Ok(Command::Ls));
    assert_eq!(understood("run demo a b &"), Ok(Command::Run));
    assert_eq!(understood("kill 3"), Ok(Command::Kill));
    assert_eq!(understood("'ps'"), Ok(Command::Ps));
    assert_eq!(understood("cat"), Err("usage cat".into()));
    assert_eq!(understood("kill a b"), Err("usage kill".into()));
    assert_eq!(understood("ps &"), Err("background ps".into()));
    assert_eq!(understood("poweof"), Err("unknown poweroff".into()));
    assert_eq!(understood("frobnicate"), Err("unknown -".into()));
}

#[test]
fn every_command_is_its_own_and_slips_are_guessed() {
    for about in &COMMANDS {
        let arguments =
            if about.arguments.starts_with(|c: char| c.is_uppercase()) { " x" } else { "" };
        let command = understood(&format!("{}{arguments}", about.name)).unwrap();
        assert_eq!(format!("{command:?}").to_lowercase(), about.name);
    }
    for (slip, meant) in
        [("sl", "ls"), ("hlep", "help"), ("up", "uptime"), ("catt", "cat"), ("kil", "kill")]
    {
        assert_eq!(nearest(slip), Some(meant), "{slip}");
    }
    assert_eq!(nearest("xyzzyxyzzyxyzzyxyzzy"), None);
    assert!(COMMANDS.is_sorted_by_key(|c| c.name));
}

#[test]
fn paths_are_absolute() {
    let of = |path: &str| absolute(path, &mut [0; 256]).to_owned();
    assert_eq!(of("/Boot"), "/Boot");
    assert_eq!(of("Boot/motd"), "/Boot/motd");
    assert_eq!(of(""), "/");
    let long = "x".repeat(300);
    assert_eq!(of(&long), long);
}

#[test]
fn times_are_for_people() {
    let of = |ms: u64| Time(ms * 1_000_000).to_string();
    assert_eq!(of(0), "0.000s");
    assert_eq!(of(12_345), "12.345s");
    assert_eq!(of(184_005), "3m 4.005s");
    assert_eq!(of(7_384_005), "2h 3m 4.005s");
    assert_eq!(of(90_061_001), "1d 1h 1m 1.001s");
}

#[test]
fn a_fiber_is_one_line_below_the_head() {
    let mut stats = FiberStats::zeroed();
    (stats.fiber, stats.state, stats.spectrum) = (3, state::WAITING, 2);
    (stats.energy_left, stats.energy_budget) = (-12, 500);
    (stats.strikes, stats.missed, stats.blinks) = (1, 2, 7);
    (stats.memory, stats.time) = (65_536, 1_234_567);
    stats.name = abi::name("shell");
    let line = Fiber(&stats).to_string();
    assert_eq!(
        line.split_whitespace().collect::<Vec<_>>(),
        ["3", "shell", "waiting", "matter", "-12/500", "1", "2", "7", "64K", "1.234"]
    );
    assert_eq!(line.len(), FIBER_HEAD.len());
    (stats.state, stats.end, stats.code) = (state::ENDED, end::EXIT, 3);
    stats.energy_budget = 0;
    assert!(Fiber(&stats).to_string().ends_with(" exit 3"));
    (stats.state, stats.spectrum) = (99, 99);
    assert!(Fiber(&stats).to_string().contains("unknown"));
}

#[test]
fn memory_is_a_name_and_a_value_per_line() {
    let mut stats = SystemStats::zeroed();
    (stats.ram, stats.fibers) = (128 << 20, 4);
    let text = Memory(&stats).to_string();
    let fields = |line: &str| line.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
    assert_eq!(fields(text.lines().next().unwrap()), ["ram", "131072", "K"]);
    assert!(text.lines().any(|l| fields(l) == ["fibers", "4"]));
    assert!(text.ends_with('\n'));
}

#[test]
fn a_directory_has_a_slash_and_a_file_its_size() {
    let of = |directory, size| Entry("x", rt::fs::Stat { size, directory }).to_string();
    assert_eq!(of(false, 42), "        42 x");
    assert_eq!(of(true, 0), "         - x/");
}

proptest! {
    #[test]
    fn any_line_is_split_or_refused(line in any::<String>()) {
        if let Ok(words) = Words::split(&line) {
            prop_assert_eq!(words.from(0).count(), words.len());
            let _ = parse(&words);
        }
    }

    #[test]
    fn what_is_quoted_comes_back(all in proptest::collection::vec("[^'\\x00]{0,20}", 1..8)) {
        let line: Vec<String> = all.iter().map(|w| format!("'{w}'")).collect();
        prop_assert_eq!(split(&line.join(" ")), all);
    }

    #[test]
    fn a_guess_is_a_command(name in "[a-z]{0,20}") {
        if let Some(near) = nearest(&name) {
            prop_assert!(COMMANDS.iter().any(|c| c.name == near));
        }
    }
}
