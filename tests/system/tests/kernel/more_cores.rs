//! The guests of the other subjects on two and on four cores: the same profiles with more cores, and their services elsewhere.
//! Storms, the fuzzer and what crosses cores have tests of their own.
use crate::audit::{chain, judged};
use crate::{authors, pledge};
use system::cores::{boot, on_cores, placed, whole};
use system::session::script;
use system::{expect_exit, workspace};

/// Numbers of cores, and the last of each.
const SIZES: [(u8, u8); 2] = [(2, 1), (4, 3)];

/// What a profile printed on `cores` cores with each of `services` on its core; `typed`: commands of its shell.
fn printed(name: &str, cores: u8, services: &[(&str, u8)], typed: &[&str]) -> String {
    let text = on_cores(&whole(name), cores);
    let text = services.iter().fold(text, |text, (service, core)| placed(&text, service, *core));
    let boot = boot(&text);
    let boot = if typed.is_empty() { boot } else { boot.script(script(typed.iter().copied())) };
    let outcome = boot.run();
    expect_exit(&outcome, 0);
    outcome.text().replace('\r', "")
}

/// A server and its clients, each on a core of its own as far as there are so many.
#[test]
fn one_fiber_serves_clients_of_other_cores() {
    for (cores, last) in SIZES {
        let there = [("tasks", 1), ("client-a", 0), ("client-b", last)];
        let text = printed("authors", cores, &there, &["run heap reserve", "poweroff"]);
        let lines = ["one -> ONE", "two -> TWO", "three -> THREE", "four -> FOUR", "five -> FIVE"];
        for line in lines.iter().chain(&["tasks: served 3 and 2", "heap: refused, and whole again"])
        {
            assert!(text.contains(line), "{cores}: no `{line}` in:\n{text}");
        }
    }
}

/// A domain that is crashed a hundred times, away from the services.
#[test]
fn a_hundred_crashes_on_another_core_cost_nobody_anything() {
    for (cores, last) in SIZES {
        let text = on_cores(&whole("blink"), cores).replace("\"1000\"", "\"100\"");
        let text = ["victim", "ticker", "storm"]
            .iter()
            .fold(text, |text, service| placed(&text, service, last));
        let outcome = boot(&text).run();
        expect_exit(&outcome, 0);
        let text = outcome.text();
        let line = text.lines().find(|l| l.starts_with("storm: started"));
        let line = line.unwrap_or_else(|| panic!("{cores}:\n{text}"));
        for word in ["started true", "wrong 0", "leak false", "quarantine true"] {
            assert!(line.contains(word), "{cores}: {line}");
        }
    }
}

/// Programs that end badly under a shell on the last core, and a driver on core 0 that it restarts from there.
#[test]
fn the_shell_on_another_core_runs_and_asks() {
    for (cores, last) in SIZES {
        let typed = ["run misuse nothing", "run touch read 0x10", "why touch", "ps", "poweroff"];
        let text = printed("guests-micro", cores, &[("shell", last)], &typed);
        assert!(text.contains("touch: killed: page fault at 0x10"), "{cores}:\n{text}");
        // Wherever the kernel had put it.
        let why = text.split("nexus> why touch").nth(1).unwrap_or_else(|| panic!("{text}"));
        assert!(
            why.contains("page fault at 0x10") && why.contains("pc touch+"),
            "{cores}:\n{text}"
        );
        let ps = text.split("nexus> ps").nth(1).unwrap_or_else(|| panic!("{text}"));
        assert!(ps.contains("uart") && ps.contains("shell"), "{cores}:\n{text}");
    }
}

/// The chain's home is core 0: a flood of another core keeps to its share and is told of, and a shell there shows it.
#[test]
fn a_flood_of_records_on_another_core_is_taken_dropped_and_told() {
    for (cores, last) in SIZES {
        // So few that it ends before the shell is asked.
        let text = on_cores(&whole("audit").replace("\"2000\"", "\"300\""), cores);
        let text = placed(&placed(&text, "flood", last), "shell", 1);
        let outcome = boot(&text).script(script(["audit", "audit 300", "poweroff"])).run();
        expect_exit(&outcome, 0);
        let text = outcome.text().replace('\r', "");
        let said = text.lines().find_map(|l| l.split_once("flood: ")?.1.strip_suffix(" dropped"));
        let said = said.unwrap_or_else(|| panic!("{cores}: the flood does not end:\n{text}"));
        let (taken, dropped) = said.split_once(" taken, ").expect("two numbers");
        let number = |word: &str| word.parse::<u64>().expect("a number");
        assert_eq!(number(taken) + number(dropped), 300, "{cores}: {said}");
        assert!(number(taken) >= 8 && number(dropped) > 200, "{cores}: {said}");
        let table = text.split("nexus> audit 300").nth(1).unwrap_or_else(|| panic!("{text}"));
        for word in ["application", "overrun", "flood"] {
            assert!(table.contains(word), "{cores}: no {word} in:\n{table}");
        }
        assert!(!table.contains("lost on the way"), "{cores}:\n{table}");
    }
}

/// The sealer is where the chain is, and who switches off is not: the last seal is made all the same.
#[test]
fn power_asked_for_on_another_core_is_sealed() {
    for (cores, last) in SIZES {
        // The service that floods is not what this is about.
        let text = on_cores(&whole("audit").replace("\"2000\"", "\"8\""), cores);
        let typed = ["run touch read 0x10", "poweroff"];
        let outcome = boot(&placed(&text, "shell", last)).script(script(typed)).run();
        expect_exit(&outcome, 0);
        let report = judged(&chain(&outcome), 0);
        assert_eq!(report.bad, None, "{cores}");
        assert!(report.closed && report.seals >= 1, "{cores}: {report:?}");
    }
}

/// Who sees only a part of the files, away from core 0.
#[test]
fn what_is_not_unveiled_is_not_found_on_other_cores() {
    for (cores, last) in SIZES {
        let text = on_cores(crate::unveil::PROFILE, cores);
        let text = placed(&placed(&text, "itself", last), "manifest", 1);
        let outcome = boot(&text).run();
        expect_exit(&outcome, 0);
        for name in ["itself", "manifest"] {
            assert!(outcome.text().contains(&format!("init: {name}: exit 0")), "{cores}");
        }
    }
}

/// Programs that give a pledge up and use it, with their devices and channels, on the core that does not boot.
#[test]
fn pledges_hold_on_another_core() {
    let text = on_cores(&pledge::profile(), 2);
    let text = pledge::attackers().fold(text, |text, name| placed(&text, &name, 1));
    let outcome = boot(&text).run();
    expect_exit(&outcome, 0);
    pledge::judge(&outcome);
}

/// The examples as they stand, the echo's two sides and the shell on different cores.
#[test]
fn the_examples_do_what_they_say_on_two_cores() {
    let folder = workspace().root.join("npk/examples");
    let text = std::fs::read_to_string(folder.join("profile.kdl")).expect("the examples");
    let text = text.replace("\"./", &format!("\"{}/", folder.display()));
    let text = placed(&on_cores(&text, 2), "echo-server", 0);
    let text = placed(&placed(&text, "echo-client", 1), "shell", 1);
    let outcome = boot(&text).script(script(authors::EXAMPLES)).run();
    expect_exit(&outcome, 0);
    authors::judge_examples(&outcome);
}
