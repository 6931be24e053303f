//! What a switch between domains and an idle minute must not cost. TLB maintenance is counted
//! twice: by the kernel, and from QEMU's log of what trapped under the RumKV that traps it.
use nexus::bench::run::{Run, Runs, figures};
use nexus::failure::code;
use nexus::machine::Outcome;
use nexus::machine::exceptions::Exceptions;
use nexus::machine::log::Watch;
use std::time::Duration;
use system::{Boot, built, expect_exit, folder, kernel_profile, workspace};

/// What one storm left.
#[derive(Clone, Copy, Debug)]
struct Storm {
    /// Rounds whose answer was right.
    rounds: u64,
    /// As the kernel counted during the rounds.
    switches: u64,
    /// As the kernel counted during the rounds.
    own: u64,
    /// TLBIs that trapped to RumKV from boot to the end.
    trapped: u64,
}

fn observed(profile: &str) -> (Outcome, Exceptions) {
    let mut boot = Boot::of(&built(profile)).counted().timeout(Duration::from_mins(5));
    boot.options.watch = Watch::Exceptions;
    let outcome = boot.run();
    expect_exit(&outcome, code::OK);
    let exceptions = outcome.seen.exceptions.expect("counted exceptions");
    (outcome, exceptions)
}

fn number(text: &str, name: &str) -> u64 {
    let mut values = text.lines().filter_map(|l| l.trim().strip_prefix(name)?.trim().parse().ok());
    values.next().unwrap_or_else(|| panic!("no `{name}` in:\n{text}"))
}

/// Boots the profile with other arguments.
fn storm(arguments: &str) -> Storm {
    let path = workspace().root.join("tests/system/profiles/switch-storm.kdl");
    let text = std::fs::read_to_string(path).expect("the profile");
    let changed = text.replace("args \"10000\"", &format!("args {arguments}"));
    assert!(changed.contains(&format!("args {arguments}\n")), "{changed}");
    let folder = folder();
    let path = folder.path().join("switch-storm.kdl");
    std::fs::write(&path, changed).expect("a profile");
    let (outcome, exceptions) = observed(&path.to_string_lossy());
    let text = outcome.text();
    let storm = Storm {
        rounds: number(&text, "rounds "),
        switches: number(&text, "switches "),
        own: number(&text, "tlb-maintenance "),
        trapped: exceptions.tlb_maintenance,
    };
    println!("{arguments}: {storm:?}");
    storm
}

#[test]
fn switches_between_domains_need_no_tlb_maintenance() {
    let [few, many] = ["\"10\"", "\"10000\""].map(storm);
    assert_eq!((few.rounds, many.rounds), (10, 10_000));
    assert!(many.switches - few.switches >= 2 * 9_990, "{few:?} {many:?}");
    assert_eq!((few.own, many.own), (0, 0));
    assert_eq!(few.trapped, many.trapped);
    // The same machine with something to count: both counters see it.
    let unmapping = storm("\"10\" \"unmap\"");
    assert_eq!(unmapping.rounds, 10);
    assert!(unmapping.own >= 10, "{unmapping:?}");
    assert_eq!(unmapping.trapped - few.trapped, unmapping.own, "{few:?} {unmapping:?}");
}

#[test]
fn the_log_and_rumkv_count_the_same_tlb_maintenance() {
    for (rumkv, wanted) in [("rumkv-count-tlb", 100), ("rumkv", 0)] {
        let folder = folder();
        let profile = kernel_profile(folder.path(), "el1-tlb", Some(rumkv));
        let (outcome, exceptions) = observed(&profile.to_string_lossy());
        let own = outcome.beb.expect("a boot error buffer").head.scratch[0];
        assert_eq!((own, exceptions.tlb_maintenance), (wanted, wanted), "{rumkv}");
    }
}

#[test]
fn an_idle_minute_has_no_trap_and_no_timer_interrupt() {
    let run = |name: &str| {
        let path = workspace().root.join(format!("bench/{name}.kdl"));
        let (outcome, exceptions) = observed(&path.to_string_lossy());
        // The armed wake alone is seen: the log was not empty.
        assert!(exceptions.to_el2 > 0);
        (name.to_string(), Run::of(&outcome).expect("figures"))
    };
    let found = figures(&Runs::from(["idle-1", "idle-2"].map(run))).expect("figures");
    for name in ["idle-traps", "idle-timer-interrupts"] {
        let figure = found.iter().find(|f| f.name == name);
        assert_eq!(figure.map(|f| f.value), Some(0), "{name}");
    }
}
