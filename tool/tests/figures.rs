//! Figures that follow from what several machines left.
use abi::boot::{BEB_MAGIC, Beb, beb};
use abi::hypercall::{POST_MORTEM_MAGIC, PostMortem, cause};
use nexus::bench::run::{Run, Runs, figures};
use nexus::budget::Figure;
use nexus::machine::exceptions::Exceptions;
use nexus::machine::log::Seen;
use nexus::machine::verdict::{BootError, judge};
use nexus::machine::{End, Outcome};

fn outcome(transcript: &str, text: &str, scratch: [u64; 2], dead_at: Option<u64>) -> Outcome {
    let head = Beb { magic: BEB_MAGIC, state: beb::OFF, scratch, ..Beb::zeroed() };
    let boot = BootError { head, text: text.into() };
    let post = PostMortem {
        magic: POST_MORTEM_MAGIC,
        cause: if dead_at.is_some() { cause::DATA } else { cause::OFF },
        time: dead_at.unwrap_or(0),
        ..PostMortem::zeroed()
    };
    Outcome {
        transcript: transcript.into(),
        second: Vec::new(),
        cells: vec![post],
        exit: judge(Some(&boot), std::slice::from_ref(&post), true),
        beb: Some(boot),
        post_mortem: Some(post),
        audit: None,
        seen: Seen::default(),
        end: End::Stopped,
    }
}

fn run(outcome: &Outcome) -> Run {
    Run::of(outcome).expect("a run")
}

fn value(found: &[Figure], name: &str) -> Option<u64> {
    found.iter().find(|f| f.name == name).map(|f| f.value)
}

#[test]
fn figures_come_from_console_and_boot_error_buffer() {
    let run = run(&outcome("figure a 1 us\r\n", "figure b 2 us\nc 3\nd e\n", [0; 2], None));
    assert_eq!(run.notes.get("c"), Some(&3));
    let found = figures(&Runs::from([("x".into(), run)])).expect("figures");
    assert_eq!((value(&found, "a"), value(&found, "b")), (Some(1), Some(2)));
}

#[test]
fn two_machines_must_agree_on_a_figure() {
    let one = run(&outcome("figure a 1 us\n", "", [0; 2], None));
    let two = run(&outcome("figure a 2 us\n", "", [0; 2], None));
    let same = Runs::from([("x".into(), one.clone()), ("y".into(), one.clone())]);
    assert_eq!(figures(&same).expect("figures").len(), 1);
    assert!(figures(&Runs::from([("x".into(), one), ("y".into(), two)])).is_err());
}

#[test]
fn the_figures_of_rumkv_follow_from_its_test_kernels() {
    let notes = "hypercall-version 70\ndistributor-enable-write 5\ndistributor-disable-write 9\n";
    let runs = Runs::from([
        ("el1-figures".into(), run(&outcome("", notes, [0; 2], None))),
        ("el1-fault-dies".into(), run(&outcome("", "", [1000, 0], Some(1400)))),
        ("el1-interrupt".into(), run(&outcome("", "", [10, 150], None))),
        ("el1-interrupt-bare".into(), run(&outcome("", "", [10, 30], None))),
    ]);
    let found = figures(&runs).expect("figures");
    let of = |name| value(&found, name);
    assert_eq!(of("hypercall"), Some(70));
    assert_eq!(of("gicd-write"), Some(9));
    assert_eq!(of("gicd-read"), None);
    assert_eq!(of("stage2-fault-to-dead"), Some(400));
    assert_eq!(of("interrupt-share"), Some(120));
}

#[test]
fn a_cell_that_did_not_die_gives_no_figure_of_its_death() {
    let runs = Runs::from([("el1-fault-dies".into(), run(&outcome("", "", [1, 0], None)))]);
    assert_eq!(figures(&runs), Ok(Vec::new()));
}

#[test]
fn an_idle_minute_is_a_difference() {
    let idle = |to_el2| Run {
        exceptions: Some(Exceptions { to_el2, ..Exceptions::default() }),
        ..Run::default()
    };
    let runs = Runs::from([("idle-1".into(), idle(40)), ("idle-2".into(), idle(43))]);
    let found = figures(&runs).expect("figures");
    assert_eq!(value(&found, "idle-traps"), Some(3));
}

#[test]
fn exceptions_are_counted_by_target() {
    let log = "\
Taking exception 11 [Hypervisor Call] on CPU 0
...from EL1 to EL2
...with ESR 0x16/0x5a004e58
Exception return from AArch64 EL2 to AArch64 EL1 PC 0x50081234
Taking exception 5 [IRQ] on CPU 0
...from EL0 to EL2
Taking exception 15 [Virtual IRQ] on CPU 0
...from EL0 to EL1
Taking exception 2 [SVC] on CPU 0
...from EL0 to EL1
";
    assert_eq!(Exceptions::count(log), Exceptions { to_el2: 2, tlb_maintenance: 0 });
}

#[test]
fn tlb_maintenance_is_counted_by_its_syndrome() {
    // TLBI VMALLE1 and TLBI VAE1IS, x0; then an interrupt beside the syndrome before it, an ICC
    // register, a TLBI that stays at EL1, and a call of the same bits.
    let cases = [
        (1, "Undefined Instruction", "EL1 to EL2", "0x18/0x621023ee"),
        (1, "Undefined Instruction", "EL1 to EL2", "0x18/0x62122006"),
        (5, "IRQ", "EL1 to EL2", "0x18/0x62122006"),
        (1, "Undefined Instruction", "EL1 to EL2", "0x18/0x62322fd6"),
        (1, "Undefined Instruction", "EL1 to EL1", "0x18/0x62122006"),
        (2, "SVC", "EL0 to EL2", "0x15/0x56122006"),
    ];
    let log = cases.map(|(number, name, way, syndrome)| {
        format!(
            "Taking exception {number} [{name}] on CPU 0\n...from {way}\n...with ESR {syndrome}\n"
        )
    });
    assert_eq!(Exceptions::count(&log.concat()), Exceptions { to_el2: 5, tlb_maintenance: 2 });
}
