//! Pledges: every bit has a program that gives it up and uses it, and dies; and one that never had it, and is told so.
use std::fmt::Write;

use abi::call::Error;
use nexus::machine::Outcome;
use system::cores::boot;
use system::expect_exit;

/// What must become of a program: its attack's name, what it is given, how it ends when it gave the bit up, and what it
/// is told when it never had it.
struct Case {
    attack: &'static str,
    pledges: &'static str,
    given: &'static str,
    end: &'static str,
    told: Option<Error>,
}

const fn case(attack: &'static str, pledges: &'static str, told: Error) -> Case {
    Case { attack, pledges, given: "", end: "killed: pledge violation", told: Some(told) }
}

const CASES: [Case; 10] = [
    case("stdio", r#""STDIO""#, Error::BadSlot),
    case("rpath", r#""RPATH""#, Error::BadSlot),
    Case { told: Some(Error::Denied), ..case("wpath", r#""RPATH" "WPATH""#, Error::Denied) },
    Case {
        given: r#"channel 0x10001 to="peer" pledge="INET""#,
        ..case("inet", r#""INET""#, Error::BadSlot)
    },
    case("exec", r#""EXEC""#, Error::Denied),
    Case {
        given: r#"channel 0x10001 to="peer" pledge="BLOCK""#,
        ..case("block", r#""BLOCK""#, Error::BadSlot)
    },
    Case { given: r#"device "rtc""#, ..case("device", r#""DEVICE""#, Error::BadSlot) },
    Case {
        given: r#"device "gpio""#,
        end: "killed: page fault at 0x90303fc",
        ..case("window", r#""DEVICE""#, Error::BadSlot)
    },
    Case { given: "audit", ..case("audit", r#""AUDIT""#, Error::BadSlot) },
    case("stats", r#""AUDIT""#, Error::Denied),
];

/// What is left of the bits for the program that never had the one concerned.
fn never(case: &Case) -> &'static str {
    if case.attack == "wpath" { r#""RPATH""# } else { "" }
}

/// A profile with all of them, twice each, and who reads the chain.
pub(crate) fn profile() -> String {
    let mut text = String::from(
        r#"machine "qemu-virt-aarch64" { ram "512M"; cores 1; }
cell "pledge" {
    core 0
    ram "128M" at=0x50000000
    pledge "CONSOLE" "POWER" "OTHER"
    device "uart" class="CONSOLE" at=0x9000000 len=0x1000 irq=33
    device "rtc" class="OTHER" at=0x9010000 len=0x1000 irq=34
    device "gpio" class="OTHER" at=0x9030000 len=0x1000 irq=39
    kernel "rumpk"
    service "uart" {
        first
        spectrum "photon"; energy 100
        pledge "STDIO" "DEVICE"
        device "uart"
    }
    service "init" {
        subject-zero
        pledge "STDIO" "RPATH" "EXEC" "AUDIT"
        console "uart" output-only=#true
        power
    }
    service "peer" { image "forswear"; energy 100; pledge "INET" "BLOCK"; }
"#,
    );
    for case in &CASES {
        let Case { attack, pledges, given, .. } = case;
        let head = r#"image "forswear"; auto; energy 200"#;
        let _ = writeln!(
            text,
            "    service \"drops-{attack}\" {{ {head}; pledge {pledges}; args \"{attack}\"\n{given}\n}}"
        );
        let _ = writeln!(
            text,
            "    service \"never-{attack}\" {{ {head}; pledge {}; args \"{attack}\" \"never\"; }}",
            never(case)
        );
    }
    text.push_str(
        r#"    service "witness" {
        image "forswear"; auto; energy 400
        pledge "STDIO" "AUDIT"
        args "witness"
        console "uart" output-only=#true
        audit
    }
}
"#,
    );
    text
}

/// The services that attack.
pub(crate) fn attackers() -> impl Iterator<Item = String> {
    CASES.iter().flat_map(|c| ["drops", "never"].map(|how| format!("{how}-{}", c.attack)))
}

#[test]
fn who_gives_a_bit_up_and_uses_it_dies_and_who_never_had_it_is_told() {
    let outcome = boot(&profile()).run();
    expect_exit(&outcome, 0);
    judge(&outcome);
}

/// Every attack ended as it must.
pub(crate) fn judge(outcome: &Outcome) {
    let text = outcome.text();
    let end_of = |name: &str| {
        let start = format!("init: {name}: ");
        let line = text.lines().find_map(|l| l.trim_end().strip_prefix(&start));
        line.unwrap_or_else(|| panic!("{name} did not end:\n{text}")).to_owned()
    };
    let mut wrong = Vec::new();
    for case in &CASES {
        let dropped = end_of(&format!("drops-{}", case.attack));
        if !dropped.starts_with(case.end) {
            wrong.push(format!("{} after it was given up: {dropped}", case.attack));
        }
        // ProvChain says so, with the first 15 bytes of the name.
        let witnessed = text.contains(&format!("witness: drops-{}", case.attack));
        if witnessed != (case.end == "killed: pledge violation") {
            wrong.push(format!("{} in ProvChain: {witnessed}", case.attack));
        }
        let told = case.told.map_or(0, |e| (e as isize).unsigned_abs());
        let never = end_of(&format!("never-{}", case.attack));
        if never != format!("exit {told}") {
            wrong.push(format!("{} that was never there: {never}, not {told}", case.attack));
        }
    }
    assert!(wrong.is_empty(), "{}\n{text}", wrong.join("\n"));
}
