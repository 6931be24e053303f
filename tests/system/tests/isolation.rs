//! Programs at EL0 that do what they must not: each is ended with the stated cause, and the shell
//! goes on.
use abi::boot::virt;
use abi::stats::end;
use system::session::{Answer, answers, profile, script};
use system::{Boot, built, expect_exit};

/// Where the kernel's image is linked: the upper half.
const LINEAR: u64 = 0xFFFF_FF80_0000_0000;

/// The end that a program must have.
#[derive(Clone, Copy, Debug)]
enum Must {
    /// Nothing happens to it.
    Exit(u64),
    /// A page fault at this address.
    FaultAt(u64),
    /// A page fault at the address that the program told before.
    FaultAsTold,
    /// It is the victim, tells where its secret is, and lives; a page fault there ends its attacker.
    AttackerFaultsAsTold,
    /// A page fault in the page that the program told before.
    FaultInToldPage,
    /// A misaligned access at the address that the program told before.
    Misaligned,
    /// One of the causes in [`abi::stats::end`], without an address.
    Cause(u8),
}

/// Programs that touch an address, with `read`, `write` and `execute`.
const ADDRESSES: [u64; 19] = [
    0,
    LINEAR + virt::KERNEL,
    LINEAR + virt::CELL0,
    LINEAR + virt::GICD,
    virt::KERNEL,
    virt::HANDOFF,
    virt::BEB,
    virt::FDT,
    virt::MANIFEST,
    virt::MEMMAP,
    virt::SECRET,
    virt::PROVCHAIN,
    virt::ARCHIVE,
    virt::UART,
    virt::GICD,
    virt::GICR,
    virt::RUMKV,
    virt::POST_MORTEM,
    virt::NEXUS_BOOT,
];

/// Instructions that end a program.
const ILLEGAL: [&str; 48] = [
    "wfi",
    "udf",
    "brk",
    "hvc",
    "hvc-nexus",
    "smc",
    "eret",
    "mrs-ttbr0",
    "msr-ttbr0",
    "mrs-ttbr1",
    "msr-vbar",
    "mrs-sctlr",
    "msr-sctlr",
    "mrs-tpidr-el1",
    "mrs-elr",
    "mrs-far",
    "mrs-currentel",
    "mrs-mpidr",
    "mrs-midr",
    "mrs-pfr0",
    "mrs-mmfr0",
    "mrs-hcr",
    "msr-daif",
    "msr-spsel",
    "msr-pan",
    "msr-tpidrro",
    "mrs-iar",
    "msr-sgi",
    "mrs-cntv-ctl",
    "msr-cntv-tval",
    "mrs-cntp-ctl",
    "mrs-cntpct",
    "mrs-pmccntr",
    "mrs-amcr",
    "tlbi",
    "at",
    "ic-ivau",
    "dc-civac",
    "dc-ivac",
    "mrs-ctr",
    "sve",
    "sme",
    "mops",
    "ld64b",
    "st64bv0",
    "mrs-scxtnum",
    "mrs-tpidr2",
    "cfp-rctx",
];

/// Instructions that a program may execute, or that must at least harm nobody.
const HARMLESS: [&str; 15] = [
    "nop",
    "mrs-dczid",
    "mrs-tpidr",
    "mrs-tpidrro",
    "mrs-cntvct",
    "mrs-cntfrq",
    "mrs-rndr",
    "dc-zva",
    "mrs-mdccsr",
    "mrs-dbgdtr",
    "pacga",
    "pacia",
    "mte-irg",
    "mte-stg",
    "wfet",
];

const MISUSE: [(&str, Must); 14] = [
    ("write-text", Must::FaultAsTold),
    ("write-rodata", Must::FaultAsTold),
    ("execute-stack", Must::FaultAsTold),
    ("execute-data", Must::FaultAsTold),
    ("jump-null", Must::FaultAt(0)),
    ("jump-odd", Must::Misaligned),
    ("stack-overflow", Must::FaultInToldPage),
    ("exclusive-misaligned", Must::Misaligned),
    ("read-domain", Must::AttackerFaultsAsTold),
    ("write-domain", Must::AttackerFaultsAsTold),
    ("fault-fiber", Must::FaultAt(16)),
    ("pledge-files", Must::Cause(end::PLEDGE)),
    ("pledge-console", Must::Cause(end::PLEDGE)),
    ("spin", Must::Cause(end::STRIKES)),
];

/// Every command with the end that it must have.
fn attacks() -> Vec<(String, Must)> {
    let mut all = vec![("run misuse nothing".to_string(), Must::Exit(0))];
    for at in ADDRESSES {
        for how in ["read", "write", "execute"] {
            all.push((format!("run touch {how} {at:#x}"), Must::FaultAt(at)));
        }
    }
    for at in [virt::SYSTABLE, virt::GATES] {
        all.push((format!("run touch write {at:#x}"), Must::FaultAt(at)));
        all.push((format!("run touch read {at:#x}"), Must::Exit(0)));
    }
    let at = virt::SYSTABLE;
    all.push((format!("run touch execute {at:#x}"), Must::FaultAt(at)));
    all.extend(MISUSE.map(|(name, must)| (format!("run misuse {name}"), must)));
    let illegal = |name| (format!("run instruction {name}"), Must::Cause(end::ILLEGAL));
    all.extend(ILLEGAL.map(illegal));
    all.extend(HARMLESS.map(|name| (format!("run instruction {name}"), Must::Exit(0))));
    all
}

/// The number behind `before`, in hexadecimal or decimal.
fn number_after(line: &str, before: &str) -> Option<u64> {
    let rest = line.split(before).nth(1)?;
    let word = rest.split([' ', '(', ')']).next()?;
    match word.strip_prefix("0x") {
        Some(digits) => u64::from_str_radix(digits, 16).ok(),
        None => word.parse().ok(),
    }
}

/// Compares what the shell told of a program's end with what it must be.
fn judge(answer: &Answer, must: Must) -> Result<(), String> {
    let name = answer.command.split(' ').nth(1).unwrap_or_default();
    let last = answer.lines.last().map(String::as_str).unwrap_or_default();
    let end = last.strip_prefix(&format!("{name}: ")).unwrap_or_default();
    let told = answer.lines.iter().find_map(|l| number_after(l, ": at "));
    let fault = number_after(end, "killed: page fault at ");
    let misaligned = number_after(end, "killed: misaligned access at ");
    let good = match must {
        Must::Exit(code) => number_after(end, "exit ") == Some(code),
        Must::FaultAt(at) => fault == Some(at),
        Must::FaultAsTold => fault.is_some() && fault == told,
        Must::AttackerFaultsAsTold => {
            let mut ends = answer.lines.iter().filter(|l| l.starts_with("attacker: "));
            let fault = ends.find_map(|l| number_after(l, "killed: page fault at "));
            let intact = answer.lines.iter().any(|l| l == "misuse: intact");
            fault.is_some() && fault == told && intact && end == "exit 0"
        }
        Must::FaultInToldPage => fault.is_some() && fault.map(|f| f & !0xFFF) == told,
        Must::Misaligned => misaligned.is_some() && misaligned == told,
        Must::Cause(cause) => {
            let named = format!("killed: {}", end::NAMES[usize::from(cause)]);
            end.split(" (").next() == Some(named.as_str())
        }
    };
    if good { Ok(()) } else { Err(format!("`{}`: {must:?}: `{last}`", answer.command)) }
}

/// All attacks in one session; afterwards the shell still does its work.
fn session(name: &str) -> Vec<Answer> {
    let attacks = attacks();
    let mut commands: Vec<&str> = attacks.iter().map(|(c, _)| c.as_str()).collect();
    commands.extend(["ps", "ls /Boot", "poweroff"]);
    let outcome = Boot::of(&built(&profile(name))).script(script(commands)).run();
    expect_exit(&outcome, 0);
    let all = answers(&outcome);
    assert_eq!(all.len(), attacks.len() + 3, "{}", outcome.text());
    let wrong: Vec<String> = all
        .iter()
        .zip(&attacks)
        .filter_map(|(answer, (command, must))| {
            assert_eq!(answer.command, *command);
            judge(answer, *must).err()
        })
        .collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    let [.., ps, ls, _] = &all[..] else { panic!("{all:?}") };
    for name in ["uart", "init", "shell"] {
        assert!(ps.text().contains(name), "{ps:?}");
    }
    assert_eq!(ps.lines.len(), 4, "something was left: {ps:?}");
    assert!(ls.text().contains("motd"), "{ls:?}");
    all
}

#[test]
fn every_attack_ends_as_stated_and_the_shell_goes_on_under_rumkv() {
    session("guests-core");
}

#[test]
fn every_attack_ends_as_stated_and_the_shell_goes_on_without_rumkv() {
    let all = session("guests-micro");
    // A program that does nothing is not taken for one that was ended.
    let nothing = &all[0];
    for must in [Must::FaultAt(0), Must::FaultAsTold, Must::Cause(end::ILLEGAL), Must::Exit(1)] {
        judge(nothing, must).expect_err("the judge sees ends that were not");
    }
}

#[test]
fn the_judge_finds_another_end() {
    let answer = |lines: &[&str]| Answer {
        command: "run misuse x".into(),
        lines: lines.iter().map(ToString::to_string).collect(),
    };
    let fault = answer(&["misuse: at 0x1000", "misuse: killed: page fault at 0x1000 (pc 0x8)"]);
    judge(&fault, Must::FaultAsTold).expect("as told");
    judge(&fault, Must::FaultAt(0x1000)).expect("there");
    judge(&fault, Must::FaultAt(0x1008)).expect_err("elsewhere");
    judge(&fault, Must::Misaligned).expect_err("another cause");
    judge(&fault, Must::Cause(end::ILLEGAL)).expect_err("another cause");
    let moved = answer(&["misuse: at 0x1000", "misuse: killed: page fault at 0x1001 (pc 0x8)"]);
    judge(&moved, Must::FaultAsTold).expect_err("another address");
    judge(&moved, Must::FaultInToldPage).expect("the same page");
    let told = ["misuse: at 0x1000", "attacker: killed: page fault at 0x1000 (pc 0x8)"];
    let mut victim = answer(&[told[0], told[1], "misuse: intact", "misuse: exit 0"]);
    judge(&victim, Must::AttackerFaultsAsTold).expect("as told");
    victim.lines[2] = "misuse: changed".into();
    judge(&victim, Must::AttackerFaultsAsTold).expect_err("the secret changed");
    let survived = answer(&[told[0], "attacker: exit 0", "misuse: intact", "misuse: exit 0"]);
    judge(&survived, Must::AttackerFaultsAsTold).expect_err("the attacker lives");
    judge(&answer(&[]), Must::Exit(0)).expect_err("no end told");
    judge(&answer(&["init: misuse: exit 0"]), Must::Exit(0)).expect_err("told by another");
}
