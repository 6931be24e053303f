//! Several cores: boot, placement, channels, children and their ends across cores.
use nexus::failure::code;
use nexus::machine::Outcome;
use system::{Boot, built, expect_exit, folder};

const NUMBERS: [&str; 3] = ["0", "0 1", "0 1 2 3"];

/// Boots a cell on `1 << which` cores with the console driver, subject zero, a shell that types `script`, and `services`.
fn boot(which: usize, services: &str, script: &str) -> Outcome {
    let text = format!(
        r#"machine "qemu-virt-aarch64" {{ ram "512M"; cores {}; }}
cell "cores" {{
    core {}
    ram "128M" at=0x50000000
    pledge "CONSOLE" "POWER"
    device "uart" class="CONSOLE" at=0x9000000 len=0x1000 irq=33
    kernel "rumpk"
    image "cores"
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
    service "shell" {{
        auto
        energy 1500
        pledge "STDIO" "RPATH" "EXEC" "AUDIT"
        console "uart"
        fiber "uart"
        power
        audit
        children memory="24M" places=64
    }}
{services}}}
"#,
        1 << which,
        NUMBERS[which]
    );
    let folder = folder();
    let path = folder.path().join(format!("cores-{}.kdl", 1 << which));
    std::fs::write(&path, text).expect("a profile");
    let boot = Boot::of(&built(&path.to_string_lossy()));
    let boot = if script.is_empty() { boot } else { boot.script(script) };
    let outcome = boot.run();
    expect_exit(&outcome, code::OK);
    outcome
}

/// `ask` on core `which` asks `echo` on core 0.
fn asking(which: usize, count: u64) -> String {
    let inside =
        r#"image "cores"; auto; spectrum "void"; pledge "STDIO"; console "uart" output-only=#true"#;
    format!(
        "    service \"echo\" {{ {inside}; core 0; args \"echo\"; }}\n    service \"ask\" {{ {inside}; core {which}; \
         args \"ask\" \"{count}\"; channel 0x20000 to=\"echo\"; power; }}\n"
    )
}

#[test]
fn the_shell_comes_up_on_one_two_and_four_cores() {
    for (which, last) in [(0, 0), (1, 1), (2, 3)] {
        let sleeper = format!(
            "    service \"sleeper\" {{ image \"cores\"; auto; spectrum \"void\"; pledge \"STDIO\"; core {last}; args \"sleep\"; }}\n"
        );
        let text = boot(which, &sleeper, "run cores pause\nps\npoweroff\n").text();
        for name in ["uart", "init", "shell"] {
            assert!(text.contains(name), "{which}: no {name} in:\n{text}");
        }
        let line = text.lines().find(|l| l.contains("sleeper")).unwrap_or_else(|| panic!("{text}"));
        let there = line.trim_start().starts_with(&format!("{last}:"));
        assert_eq!(there, last > 0, "{which}:\n{text}");
    }
}

#[test]
fn ten_thousand_requests_from_core_to_core() {
    let text = boot(1, &asking(1, 10_000), "").text();
    assert!(text.contains("cores: 10000 answers, each the right one"), "{text}");
}

/// Children wherever the kernel puts them: half end by themselves, half are killed.
fn children(which: usize, count: u64) {
    let text = boot(which, "", &format!("run cores spawn {count}\npoweroff\n")).text();
    assert!(text.contains(&format!("cores: {count} children")), "{text}");
    assert!(text.contains("cores: every core has what it had"), "{text}");
    let homes = text.split("on each core [").nth(1).and_then(|t| t.split(']').next());
    let homes: Vec<u64> =
        homes.unwrap_or("").split(", ").map(|n| n.parse().expect("a count")).collect();
    assert_eq!(homes.iter().sum::<u64>(), count, "{text}");
    // Core 0 has the services and their energy: no child goes there while another core is free.
    assert_eq!(homes[0], 0, "{text}");
}

#[test]
fn a_thousand_children_across_two_cores_leave_nothing() {
    children(1, 1000);
}

#[test]
fn a_thousand_children_across_four_cores_leave_nothing() {
    children(2, 1000);
}
