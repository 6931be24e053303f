//! Faults and restarts on whole machines: storms of crashes, the console while its driver dies, what the shell tells.
use std::time::Duration;

use nexus::assembly::{self, Built};
use system::command::{nexus, run};
use system::session::{answers, profile, script};
use system::{Boot, built, expect_exit, folder, signing, workspace};

/// The number behind `before` in the first line that has it.
fn number(text: &str, before: &str) -> u64 {
    let rest = text.split(before).nth(1).unwrap_or_else(|| panic!("no `{before}` in\n{text}"));
    let digits: String = rest.chars().take_while(char::is_ascii_digit).collect();
    digits.parse().unwrap_or_else(|_| panic!("no number behind `{before}` in\n{text}"))
}

/// The seed that `NEXUS_SEED` gives, or else this one.
fn seed(default: u64) -> u64 {
    std::env::var("NEXUS_SEED").map_or(default, |text| text.parse().expect("NEXUS_SEED: a number"))
}

/// A profile with other arguments.
fn seeded(name: &str, changes: &[(&str, String)]) -> Built {
    let mut text = std::fs::read_to_string(profile(name)).expect("the profile");
    for (from, to) in changes {
        assert!(text.contains(from), "{name}: no {from}");
        text = text.replace(from, to);
    }
    let folder = folder();
    let path = folder.path().join(format!("{name}.kdl"));
    std::fs::write(&path, text).expect("write the profile");
    assembly::build(workspace(), &path, &signing()).unwrap_or_else(|e| panic!("{e}"))
}

/// Crashes a victim so many times and judges what the storm saw.
fn storm(rounds: u64, seed: u64) {
    let built = seeded("blink", &[("\"1000\" \"1\"", format!("\"{rounds}\" \"{seed}\""))]);
    println!("NEXUS_SEED={seed}: {rounds} crashes");
    let outcome = Boot::of(&built).counted().timeout(Duration::from_hours(3)).run();
    let text = outcome.text();
    expect_exit(&outcome, 0);
    for line in text.lines().filter(|l| l.starts_with("storm: ")) {
        println!("{line}");
    }
    let verdict = "storm: started true, wrong 0, late false, leak false, quarantine true";
    assert!(text.contains(verdict), "{text}");
    assert!(number(&text, "p99.9 ") < 2_000_000, "{text}");
    // The fiber beside it keeps its window.
    assert!(number(&text, "worst wake beside it ") < 2_000_000, "{text}");
}

#[test]
fn a_thousand_crashes_cost_nobody_anything() {
    storm(1000, seed(1));
}

/// Memory and slots are as before, nobody panicked, and the client had each answer within 10 ms of the crash.
#[test]
#[ignore = "minutes: a hundred thousand crashes; NEXUS_CRASHES for another number"]
fn a_hundred_thousand_crashes_cost_nobody_anything() {
    let rounds = std::env::var("NEXUS_CRASHES").map_or(100_000, |n| n.parse().expect("a number"));
    storm(rounds, seed(1));
}

/// Bytes that are typed.
const TYPED: u32 = 10_000;
/// What the killer says before each kill.
const NOISE: usize = 48;

/// The console's driver is killed `kills` times while a program gives back what is typed: all of it comes back once, and so
/// does what the killer says.
fn console_storm(seed: u64, kills: usize) {
    let built = seeded(
        "console-storm",
        &[
            ("\"killer\" \"20\" \"1\"", format!("\"killer\" \"{kills}\" \"{seed}\"")),
            ("\"echo\" \"10000\" \"20\"", format!("\"echo\" \"{TYPED}\" \"{kills}\"")),
        ],
    );
    let typed: Vec<u8> = (0..TYPED).map(|i| b'!' + (i * 7 % 90) as u8).collect();
    let boot = Boot::of(&built).counted().script(typed.clone()).timeout(Duration::from_mins(10));
    let outcome = boot.run();
    let text = outcome.text();
    expect_exit(&outcome, 0);
    let after = text.split("echo: ready").nth(1).unwrap_or_else(|| panic!("{text}"));
    let (back, told) = after.split_once("echo: worst gap").unwrap_or_else(|| panic!("{text}"));
    let (noise, back): (Vec<u8>, Vec<u8>) =
        back.bytes().filter(|b| !b.is_ascii_whitespace()).partition(|&b| b == b'~');
    println!("NEXUS_SEED={seed}: worst gap{}", told.lines().next().unwrap_or_default());
    let differs = back.iter().zip(&typed).position(|(a, b)| a != b);
    if let Some(at) = differs {
        let part = |b: &[u8]| {
            String::from_utf8_lossy(&b[at.saturating_sub(60)..b.len().min(at + 120)]).into_owned()
        };
        println!("typed {}", part(&typed));
        println!("back  {}", part(&back));
    }
    let lens = (back.len(), typed.len());
    assert!(back == typed, "NEXUS_SEED={seed}: {lens:?} bytes, first other one {differs:?}");
    assert_eq!(noise.len(), kills * NOISE, "NEXUS_SEED={seed}: what the killer said");
    // Those of the killer and no other: who slanders the driver achieves nothing.
    assert_eq!(number(told, ", blinks "), kills as u64, "NEXUS_SEED={seed}: {told}");
}

#[test]
fn what_is_typed_comes_back_while_the_driver_dies() {
    console_storm(seed(1), 20);
}

#[test]
#[ignore = "minutes: twenty seeds, and ten thousand kills in a row"]
fn what_is_typed_comes_back_however_often_the_driver_dies() {
    for seed in seed(2)..seed(2) + 20 {
        console_storm(seed, 20);
    }
    console_storm(seed(2), 10_000);
}

#[test]
fn the_shell_restarts_the_console_and_tells_why_a_program_ended() {
    let commands = [
        "blink uart",
        "ps",
        "run touch read 0x10",
        "why touch",
        "why nobody",
        "kill uart",
        "echo still here",
        "poweroff",
    ];
    let outcome =
        Boot::of(&built(&profile("guests-micro"))).counted().script(script(commands)).run();
    expect_exit(&outcome, 0);
    let all = answers(&outcome);
    let of = |command: &str| {
        let found = all.iter().find(|a| a.command == command);
        found.unwrap_or_else(|| panic!("{command}: {}", outcome.text())).text()
    };
    let ps = of("ps");
    let uart = ps.lines().find(|l| l.contains(" uart ")).unwrap_or_else(|| panic!("{ps}"));
    assert!(uart.split_whitespace().any(|w| w == "1"), "blinks: {ps}");
    assert!(of("why touch").contains("page fault at 0x10"), "{}", of("why touch"));
    assert!(of("why touch").contains("touch+0x"), "{}", of("why touch"));
    assert!(of("why nobody").contains("nothing is known"), "{}", of("why nobody"));
    assert_eq!(of("kill uart"), "kill: uart: its policy is to restart");
    assert_eq!(of("echo still here"), "still here");
}

/// Who sits at `./nexus run` gets the source line behind each address that `why` prints; what the machine itself said is as before.
#[test]
fn a_person_is_told_the_source_line_behind_each_address() {
    let commands =
        ["run touch read 0x10", "why touch", "run misuse panic", "why misuse", "poweroff"];
    let ended = run(
        nexus(&["run", &profile("guests-micro"), "--timeout", "100"]),
        script(commands).as_bytes(),
    );
    assert_eq!(ended.code, Some(0), "{ended:?}");
    let remark = |image: &str| {
        let mut all = ended.out.lines().filter_map(|l| l.strip_prefix("  ")?.strip_prefix(image));
        all.next().unwrap_or_else(|| panic!("nothing about {image}:\n{}", ended.out))
    };
    let place = remark("touch+0x").split(": ").nth(1).expect("a function");
    let line = place.strip_prefix("touch::main (").and_then(|p| p.strip_suffix(')'));
    let (file, line) = line.and_then(|l| l.rsplit_once(':')).expect(place);
    assert!(file.ends_with("tests/guests/src/bin/touch.rs"), "{place}");
    let source = include_str!("../../../guests/src/bin/touch.rs");
    let line = source.lines().nth(line.parse::<usize>().expect("a number") - 1).expect("a line");
    assert!(line.contains("read_volatile"), "{place}: {line}");
    assert!(remark("misuse+0x").contains(": rt::start::panicked ("), "{}", ended.out);
    let lines: Vec<&str> = ended.out.lines().collect();
    let at = lines.iter().position(|l| l.contains("pc touch+0x")).expect("the post-mortem");
    // Program counter and return address; then what follows in the machine's own text.
    assert!(lines[at + 3].starts_with("  last call "), "{}", ended.out);
}

/// A driver dies with its device at work: the next instance finds the device as the image's steps leave it.
#[test]
fn a_device_is_at_rest_before_its_next_driver_runs() {
    let outcome = Boot::of(&built(&profile("restless"))).counted().script("poweroff\n").run();
    expect_exit(&outcome, 0);
    let text = outcome.text();
    let told: Vec<&str> = text.lines().filter(|l| l.starts_with("restless: match")).collect();
    // The later write counts, and the interrupt that the dead one had unmasked is masked.
    assert_eq!(told, ["restless: match 0x0, mask 0", "restless: match 0x2222, mask 0"], "{text}");
}

/// The same driver leaves its device in a state that a step waits for in vain: nobody drives it any more.
#[test]
fn a_device_that_does_not_come_to_rest_has_no_next_driver() {
    let built = seeded("restless", &[("\"calm\"", "\"stuck\"".into())]);
    // The poll takes a while, which `help` passes.
    let mut commands = vec!["help"; 12];
    commands.extend(["blink restless", "ps", "audit 60", "poweroff"]);
    let outcome = Boot::of(&built).counted().script(script(commands)).run();
    expect_exit(&outcome, 0);
    let all = answers(&outcome);
    let of = |command: &str| all.iter().find(|a| a.command == command).expect(command).text();
    assert_eq!(of("blink restless"), "blink: restless: not ready");
    let state = of("ps").lines().find(|l| l.contains(" restless ")).map(str::to_owned);
    assert!(state.is_some_and(|l| l.contains("quarantined")), "{}", outcome.text());
    assert!(of("audit 60").contains("quarantine"), "{}", outcome.text());
    assert_eq!(outcome.text().matches("restless: match").count(), 1, "{}", outcome.text());
}
