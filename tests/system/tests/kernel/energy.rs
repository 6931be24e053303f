//! Kinetic Economy: whatever a domain does with what it is given, a Photon fiber beside it keeps its 2 ms.
use std::fmt::Write;

use nexus::machine::Outcome;
use system::cores::{on_cores, placed};
use system::{Boot, built, expect_exit, folder};

/// A Photon window, ns.
const WINDOW: u64 = 2_000_000;
/// Windows that the metronome counts.
const BEATS: u32 = 200;

/// A service of the profile that is tried: name, then what stands in its braces.
type Service<'a> = (&'a str, &'a str);

/// On how many cores, and on which of them the storm is; the metronome is on core 0, and who takes what a storm sends is, too.
#[derive(Clone, Copy)]
struct Cores {
    count: u8,
    storm: u8,
}

const ONE: Cores = Cores { count: 1, storm: 0 };
/// The storm beside the metronome, and on another core.
const MORE: [Cores; 4] = [
    Cores { count: 2, storm: 0 },
    Cores { count: 2, storm: 1 },
    Cores { count: 4, storm: 0 },
    Cores { count: 4, storm: 1 },
];
/// Windows on several cores.
const FEW_BEATS: u32 = 60;
/// Period of the timer that bounds how long QEMU lets one core run before the next, ns.
const TICK: u64 = 100_000;

/// Boots a cell with the console driver, subject zero, `metronome` for `beats` windows, and `services`.
fn boot(cores: Cores, name: &str, beats: u32, services: &[Service]) -> Outcome {
    let mut text = String::from(
        r#"machine "qemu-virt-aarch64" {
    ram "512M"
    cores 1
}
cell "storm" {
    core 0
    ram "128M" at=0x50000000
    pledge "CONSOLE" "POWER" "OTHER"
    device "uart" class="CONSOLE" at=0x9000000 len=0x1000 irq=33
    device "rtc" class="OTHER" at=0x9010000 len=0x1000 irq=34
    kernel "rumpk"
    service "uart" {
        first
        spectrum "photon"; energy 100
        pledge "STDIO" "DEVICE"
        device "uart"
    }
    service "init" {
        subject-zero
        spectrum "gravity"
        pledge "STDIO" "RPATH" "EXEC" "AUDIT"
        console "uart" output-only=#true
        power
    }
"#,
    );
    if cores.count > 1 {
        // Before any storm: a core that never sleeps would have the first slice for 100 ms.
        let _ = writeln!(
            text,
            "    service \"tick\" {{ image \"storm\"; auto; core {}; spectrum \"photon\"; energy 200; pledge \"STDIO\"; \
             args \"tick\" \"{TICK}\"; }}",
            cores.count - 1
        );
    }
    if beats != 0 {
        let _ = write!(
            text,
            r#"    service "metronome" {{
        auto
        spectrum "photon"; energy 100
        pledge "STDIO"
        args "{beats}"
        console "uart" output-only=#true
        power
    }}
"#
        );
    }
    for (service, inside) in services {
        let core = if *service == "sink" { 0 } else { cores.storm };
        let _ = writeln!(
            text,
            "    service \"{service}\" {{ image \"storm\"; auto; core {core}\n{inside}\n}}"
        );
    }
    if cores.count > 1 {
        text = placed(&text, "metronome", 0);
    }
    text.push_str("}\n");
    let text = on_cores(&text, cores.count);
    let folder = folder();
    let path = folder.path().join(format!("{name}.kdl"));
    std::fs::write(&path, text).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    let outcome = Boot::of(&built(&path.to_string_lossy())).counted().run();
    expect_exit(&outcome, 0);
    outcome
}

/// Numbers of a line that begins with `start`.
fn numbers<const N: usize>(outcome: &Outcome, start: &str) -> [u64; N] {
    let text = outcome.text();
    let line = text.lines().find(|l| l.starts_with(start)).unwrap_or_else(|| panic!("{text}"));
    let words = line.split(|c: char| !c.is_ascii_digit());
    let found: Vec<u64> = words.filter_map(|word| word.parse().ok()).collect();
    found.try_into().unwrap_or_else(|_| panic!("{line}"))
}

/// What the cell did while the metronome ran.
struct Meanwhile {
    calls: u64,
    interrupts: u64,
    domains: u64,
    idle_us: u64,
}

/// 200 windows beside `services`, which are on time, and nothing is held against it.
fn keeps_its_time(name: &str, services: &[Service]) -> (Outcome, Meanwhile) {
    on_time(ONE, name, BEATS, services)
}

fn on_time(cores: Cores, name: &str, beats: u32, services: &[Service]) -> (Outcome, Meanwhile) {
    let outcome = boot(cores, "storm", beats, services);
    let (count, on) = (cores.count, cores.storm);
    let bound = if count == 1 { 0 } else { TICK / u64::from(count) };
    let [late, _, _, missed, strikes] = numbers(&outcome, "metronome: ");
    let [calls, interrupts, domains, idle_us] = numbers(&outcome, "meanwhile: ");
    println!(
        "{count} cores, beside {name} on core {on}: {late} ns late at most (+- {bound}); {calls} calls, {interrupts} interrupts, \
         {domains} domains, {idle_us} us idle"
    );
    assert!(late < WINDOW, "{name}: {late} ns late");
    assert_eq!((missed, strikes), (0, 0), "{name}");
    (outcome, Meanwhile { calls, interrupts, domains, idle_us })
}

#[test]
fn alone() {
    let (outcome, cell) = keeps_its_time("nothing", &[]);
    let [timers] = numbers(&outcome, "timer: ");
    assert_eq!(timers, u64::from(BEATS), "one for each beat: there is no tick");
    assert!(cell.idle_us > 300_000 && cell.calls < 2_000, "{} us idle", cell.idle_us);
}

/// The third window in a row without a yield ends it; in Void nobody is promised anything, and it takes what is left.
#[test]
fn a_spinner() {
    for (spectrum, energy) in [("photon", 600), ("matter", 3000)] {
        let spin = format!(r#"spectrum "{spectrum}"; energy {energy}; args "spin""#);
        let (outcome, _) = keeps_its_time(&format!("a {spectrum} spinner"), &[("spin", &spin)]);
        let text = outcome.text();
        assert!(text.contains("init: spin: killed: third strike"), "{text}");
    }
    let void = r#"spectrum "void"; args "spin""#;
    let (_, cell) = keeps_its_time("a spinner in Void", &[("spin", void)]);
    assert_eq!(cell.idle_us, 0, "it takes what is left");
}

#[test]
fn a_syscall_storm() {
    let calls = r#"spectrum "photon"; energy 600; pledge "STDIO"; args "calls""#;
    let (_, cell) = keeps_its_time("a syscall storm", &[("calls", calls)]);
    assert!(cell.calls > 20_000, "{} calls", cell.calls);
}

#[test]
fn a_doorbell_storm() {
    let sink = r#"spectrum "photon"; energy 200; pledge "STDIO"; args "sink""#;
    let bell = r#"spectrum "photon"; energy 300; pledge "STDIO"; args "bell"
        channel 0x10001 to="sink" pledge="STDIO""#;
    let (_, cell) = keeps_its_time("a doorbell storm", &[("sink", sink), ("bell", bell)]);
    assert!(cell.calls > 10_000, "{} calls", cell.calls);
}

#[test]
fn a_ring_flood() {
    let sink = r#"spectrum "photon"; energy 200; pledge "STDIO"; args "sink""#;
    let flood = r#"spectrum "photon"; energy 300; pledge "STDIO"; args "flood"
        channel 0x10001 to="sink" pledge="STDIO" slots=1024"#;
    let (_, cell) = keeps_its_time("a ring flood", &[("sink", sink), ("flood", flood)]);
    assert!(cell.calls > 50_000, "{} calls", cell.calls);
}

/// A device whose line is never quiet, and a driver that unmasks it again and again.
#[test]
fn an_interrupt_storm() {
    let driver = r#"spectrum "photon"; energy 400; pledge "STDIO" "DEVICE"; args "interrupts"
        device "rtc"; console "uart" output-only=#true"#;
    let (outcome, cell) = keeps_its_time("an interrupt storm", &[("driver", driver)]);
    assert!(outcome.text().contains("storm: 100 interrupts"), "{}", outcome.text());
    assert!(cell.interrupts > 5_000, "{} interrupts", cell.interrupts);
}

/// The longest stretch of the kernel that a call may be, ns at an instruction each.
const STRETCH: u64 = 20_000;

/// The kernel enters and removes thousands of pages at a time, and is not preempted.
#[test]
fn a_storm_of_large_maps() {
    let sink = r#"spectrum "photon"; energy 100; pledge "STDIO"; args "sink""#;
    let maps = r#"spectrum "void"; pledge "STDIO"; args "maps"
        memory "large" bytes="8M"
        channel 0x10001 to="sink" pledge="STDIO" buffer="4M""#;
    let (outcome, cell) = keeps_its_time("large maps", &[("sink", sink), ("maps", maps)]);
    let [late, ..] = numbers::<5>(&outcome, "metronome: ");
    assert!(cell.calls > 2_000, "{} calls", cell.calls);
    assert!(late < STRETCH, "{late} ns late");
}

#[test]
fn a_fork_bomb() {
    let fork = r#"spectrum "matter"; energy 3000; pledge "STDIO" "RPATH" "EXEC"; args "fork""#;
    let (_, cell) = keeps_its_time("a fork bomb", &[("fork", fork)]);
    assert!(cell.domains > 4, "{} domains", cell.domains);
}

/// The same storms on two and four cores, beside the metronome and on another core.
fn on_more_cores(name: &str, services: &[Service], most: impl Fn(&Meanwhile) -> (u64, u64)) {
    for cores in MORE {
        let (_, cell) = on_time(cores, name, FEW_BEATS, services);
        let (did, at_least) = most(&cell);
        assert!(did > at_least, "{name} on core {} of {}: {did}", cores.storm, cores.count);
    }
}

#[test]
fn a_spinner_on_more_cores() {
    let spin = r#"spectrum "void"; args "spin""#;
    on_more_cores("a spinner", &[("spin", spin)], |_| (1, 0));
}

#[test]
fn a_syscall_storm_on_more_cores() {
    let calls = r#"spectrum "photon"; energy 600; pledge "STDIO"; args "calls""#;
    on_more_cores("a syscall storm", &[("calls", calls)], |cell| (cell.calls, 2_000));
}

/// Rung from another core, a doorbell interrupts the metronome's.
#[test]
fn a_doorbell_storm_on_more_cores() {
    let sink = r#"spectrum "photon"; energy 200; pledge "STDIO"; args "sink""#;
    let bell = r#"spectrum "photon"; energy 300; pledge "STDIO"; args "bell"
        channel 0x10001 to="sink" pledge="STDIO""#;
    on_more_cores("a doorbell storm", &[("sink", sink), ("bell", bell)], |c| (c.calls, 1_000));
}

#[test]
fn a_ring_flood_on_more_cores() {
    let sink = r#"spectrum "photon"; energy 200; pledge "STDIO"; args "sink""#;
    let flood = r#"spectrum "photon"; energy 300; pledge "STDIO"; args "flood"
        channel 0x10001 to="sink" pledge="STDIO" slots=1024"#;
    on_more_cores("a ring flood", &[("sink", sink), ("flood", flood)], |c| (c.calls, 1_000));
}

#[test]
fn an_interrupt_storm_on_more_cores() {
    let driver = r#"spectrum "photon"; energy 400; pledge "STDIO" "DEVICE"; args "interrupts"
        device "rtc"; console "uart" output-only=#true"#;
    on_more_cores("an interrupt storm", &[("driver", driver)], |c| (c.interrupts, 500));
}

#[test]
fn a_fork_bomb_on_more_cores() {
    let fork = r#"spectrum "matter"; energy 3000; pledge "STDIO" "RPATH" "EXEC"; args "fork""#;
    on_more_cores("a fork bomb", &[("fork", fork)], |cell| (cell.domains, 5));
}

fn honest(ms: u32) {
    let work = |spectrum, energy| {
        let rest = r#"pledge "STDIO"; console "uart" output-only=#true"#;
        format!(r#"spectrum "{spectrum}"; energy {energy}; args "work" "{ms}"; {rest}"#)
    };
    let (photon, matter) = (work("photon", 300), work("matter", 1000));
    let outcome = boot(ONE, "work", 0, &[("photon", &photon), ("matter", &matter)]);
    let text = outcome.text();
    let lines: Vec<&str> = text.lines().filter(|l| l.starts_with("storm: worked")).collect();
    println!("{}", lines.join("\n"));
    let clean = lines.iter().filter(|l| l.ends_with("0 strikes, 0 missed")).count();
    assert_eq!((lines.len(), clean), (2, 2), "{text}");
}

/// Full load that yields is throttled, never struck.
#[test]
fn honest_load_earns_no_strike() {
    honest(1000);
}

#[test]
#[ignore = "ten seconds of the guest's time take a while"]
fn ten_honest_seconds_earn_no_strike() {
    honest(10_000);
}
