//! Firmware calls: PSCI within the own core, every other number NOT_SUPPORTED. Stated end: BEB OFF
//! with code 0, and, as nothing else can end the cell by then, data access outside the map at
//! 0x6000_0000.
#![no_std]
#![no_main]

use abi::pledge::hard;
use el1::hypercall::{hvc, smc};
use el1::random::Random;
use el1::{expect, gic, line, memory, mrs, msr, report};

el1::kernel!(run);

const NOT_SUPPORTED: i64 = -1;
const INVALID: i64 = -2;
const DENIED: i64 = -3;
const ALREADY_ON: i64 = -4;
const FUZZ: u64 = 200_000;

fn call(function: u64, argument: u64) -> i64 {
    smc([function, argument, 0x5008_0000, 0])[0] as i64
}

fn run() -> ! {
    report::begin();
    known();
    cores();
    standby();
    fuzz();
    denied()
}

fn known() {
    for (function, argument, answer, what) in [
        (0x8400_0000, 0, 0x1_0001, "PSCI_VERSION"),
        (0x8000_0000, 0, 0x1_0001, "SMCCC_VERSION"),
        (0x8000_0001, 0x8000_0000, 0, "ARCH_FEATURES of SMCCC_VERSION"),
        (0x8000_0001, 0x8000_1234, NOT_SUPPORTED, "ARCH_FEATURES of nothing"),
        (0x8400_0006, 0, 2, "MIGRATE_INFO_TYPE"),
        (0x8400_000A, 0x8400_0008, 0, "FEATURES of SYSTEM_OFF"),
        (0x8400_000A, 0xC400_0003, 0, "FEATURES of CPU_ON"),
        (0x8400_000A, 0x8000_0000, 0, "FEATURES of SMCCC_VERSION"),
        (0x8400_000A, 0x8400_0005, NOT_SUPPORTED, "FEATURES of MIGRATE"),
        (0x8400_000A, 0xC400_0008, NOT_SUPPORTED, "FEATURES of SYSTEM_OFF with 64 bits"),
        (0x8400_0005, 0, NOT_SUPPORTED, "MIGRATE"),
        (0x8400_0012, 0, NOT_SUPPORTED, "SYSTEM_RESET2"),
        (0xC400_000E, 0, NOT_SUPPORTED, "SYSTEM_SUSPEND"),
    ] {
        let got = call(function, argument);
        expect!(1, got == answer, "{what}: {got}");
    }
}

fn cores() {
    let own = mrs!("mpidr_el1") & 0xFF_00FF_FFFF;
    for (function, core, answer) in [
        (0xC400_0003, own, ALREADY_ON),
        (0xC400_0003, own + 1, INVALID),
        (0xC400_0003, own | 1 << 31, INVALID),
        (0xC400_0003, u64::MAX, INVALID),
        (0x8400_0003, own, ALREADY_ON),
        (0xC400_0004, own, 0),
        (0xC400_0004, own + 1, INVALID),
    ] {
        let got = call(function, core);
        expect!(2, got == answer, "{function:#x} of core {core:#x}: {got}");
    }
}

/// A suspend returns when an interrupt waits, not before.
fn standby() {
    gic::begin();
    gic::enable(gic::VTIMER, 0x80);
    let deadline = mrs!("cntvct_el0") + mrs!("cntfrq_el0") / 100;
    msr!("cntv_cval_el0", deadline);
    msr!("cntv_ctl_el0", 1);
    let got = call(0xC400_0001, 0);
    let back = mrs!("cntvct_el0");
    expect!(
        3,
        got == 0 && back >= deadline,
        "CPU_SUSPEND: {got}, back {back}, deadline {deadline}"
    );
    let got = call(0x8400_0001, 0);
    expect!(4, got == 0, "CPU_SUSPEND with an interrupt waiting: {got}");
    msr!("cntv_ctl_el0", 0);
}

/// Without POWER nothing that a cell can say ends it or another; suspends are left out, they would
/// wait.
fn fuzz() {
    let rest = u64::from(hard::ALL & !hard::POWER);
    let got = hvc(1, rest);
    expect!(5, got == (0, rest), "PLEDGE: {got:?}");
    let mut random = Random::new(0x5C);
    let mut supported = 0;
    for _ in 0..FUZZ {
        let function = match random.number() & 3 {
            0 => random.nasty(),
            1 => 0x8400_0000 | random.number() & 0x4000_001F,
            2 => 0x8000_0000 | random.number() & 0x4000_FFFF,
            _ => random.number() & 0xFFFF_FFFF,
        };
        if function & 0xBFFF_FFFF == 0x8400_0001 {
            continue;
        }
        let got = call(function, random.nasty());
        supported += u64::from(got != NOT_SUPPORTED);
    }
    line!("{FUZZ} firmware calls, {supported} not NOT_SUPPORTED");
}

fn denied() -> ! {
    for function in [0x8400_0008, 0x8400_0009, 0x8400_0002] {
        let got = call(function, 0);
        expect!(6, got == DENIED, "{function:#x} without POWER: {got}");
    }
    let got = hvc(1, 0);
    expect!(7, got == (0, 0), "PLEDGE to nothing: {got:?}");
    let got = call(0xC400_0003, 0);
    expect!(8, got == DENIED, "CPU_ON without CORES: {got}");
    line!("the cell cannot end itself any more: it reads what it does not own");
    report::end_by(|| _ = memory::read32(0x6000_0000))
}
