//! REVOKE between cores: after its return no reader on another core reads the page. The guest `shootdown` says how.
//!
//! QEMU runs the cores in turn, each for some microseconds, as a timer is armed at all times; each core's translations
//! are cached until they are invalidated. So both the message to the other core and its invalidation are seen to be missing:
//! `tests/mutations/shootdown.toml` leaves them out, one each.
use nexus::failure::code;
use std::time::Duration;
use system::{Boot, built, expect_exit, folder};

/// Longest turn of a core, ns: so many instructions.
const TURN_NS: u64 = 10_000;

/// Boots `shootdown ROLE ROUNDS` with a reader on each core but the first; what it printed.
fn shoot(role: &str, rounds: u64, cores: usize) -> String {
    let numbers = ["0 1", "0 1 2 3"][cores / 4];
    let readers = cores - 1;
    let text = format!(
        r#"machine "qemu-virt-aarch64" {{ ram "512M"; cores {cores}; }}
cell "shootdown" {{
    core {numbers}
    ram "128M" at=0x50000000
    pledge "CONSOLE" "POWER"
    device "uart" class="CONSOLE" at=0x9000000 len=0x1000 irq=33
    kernel "rumpk"
    service "uart" {{
        first
        spectrum "photon"; energy 100
        pledge "STDIO" "DEVICE"
        device "uart"
    }}
    service "init" {{
        subject-zero
        pledge "STDIO" "RPATH" "EXEC" "AUDIT"
        console "uart" output-only=#true
    }}
    service "shootdown" {{
        auto
        spectrum "void"
        pledge "STDIO" "EXEC"
        console "uart" output-only=#true
        core 0
        args "{role}" "{rounds}" "{readers}"
        memory "page" bytes="4K"
        power
        children memory="8M" places=16
    }}
    service "tick" {{
        image "shootdown"
        auto
        spectrum "void"
        pledge "STDIO"
        console "uart" output-only=#true
        core 0
        args "tick" "{TURN_NS}"
    }}
}}
"#
    );
    let folder = folder();
    let path = folder.path().join(format!("shootdown-{role}-{cores}.kdl"));
    std::fs::write(&path, text).expect("a profile");
    // On four cores a revoke takes a fifth of a second of the host's time.
    let patience = Duration::from_secs(300 + rounds);
    let outcome = Boot::of(&built(&path.to_string_lossy())).timeout(patience).run();
    expect_exit(&outcome, code::OK);
    outcome.text().replace('\r', "")
}

fn calls(rounds: u64, cores: usize) {
    let text = shoot("calls", rounds, cores);
    println!("{text}");
    assert!(text.contains(&format!("shootdown: {rounds} revokes, ")), "{text}");
    assert!(text.contains("none after a return"), "{text}");
}

fn loads(rounds: u64, cores: usize) {
    let text = shoot("loads", rounds, cores);
    println!("{text}");
    let line = format!("shootdown: {rounds} revokes, each reader's next load was its last");
    assert!(text.contains(&line), "{text}");
}

#[test]
fn ten_thousand_revokes_and_no_read_after_the_return() {
    calls(10_000, 2);
}

#[test]
fn readers_on_three_other_cores_lose_the_page_at_once() {
    calls(30, 4);
}

#[test]
fn the_next_load_after_a_revoke_is_the_last() {
    loads(300, 2);
    loads(20, 4);
}

#[test]
#[ignore = "minutes: run by --long"]
fn two_thousand_revokes_on_four_cores_and_ten_thousand_loads() {
    calls(2_000, 4);
    loads(10_000, 2);
}
