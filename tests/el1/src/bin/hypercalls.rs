//! Every hypercall with random arguments, and hvc with other immediates. Stated end: BEB OFF with
//! code 0, and, as the cell pledged POWER away, data access outside the map at 0x6000_0000.
#![no_std]
#![no_main]

use core::arch::asm;
use core::sync::atomic::Ordering::Relaxed;

use abi::call::Error;
use abi::hypercall::{CELL_OFF, COUNTERS, DOORBELL, PLEDGE, RUMKV_VERSION, VERSION, counter};
use abi::pledge::hard;
use el1::hypercall::hvc;
use el1::random::Random;
use el1::{expect, line, memory, report, trap};

el1::kernel!(run);

const CALLS: u64 = 200_000;
const UNSUPPORTED: i64 = Error::Unsupported as i64;

fn run() -> ! {
    report::begin();
    known();
    immediates();
    let answers = fuzz();
    line!(
        "{CALLS} calls: {} answered, {} unsupported, {} denied",
        answers[0],
        answers[1],
        answers[2]
    );
    // POWER is gone: nothing but this ends the cell.
    report::end_by(|| _ = memory::read32(0x6000_0000))
}

fn known() {
    expect!(1, hvc(VERSION, u64::MAX) == (0, RUMKV_VERSION), "VERSION");
    expect!(2, hvc(DOORBELL, 0) == (UNSUPPORTED, 0), "DOORBELL");
    expect!(
        3,
        hvc(COUNTERS, counter::COUNT as u64) == (UNSUPPORTED, 0),
        "COUNTERS beyond the last"
    );
    expect!(4, hvc(COUNTERS, u64::MAX) == (UNSUPPORTED, 0), "COUNTERS of a wild index");
    let (status, calls) = hvc(COUNTERS, counter::HYPERCALL);
    expect!(5, status == 0 && calls == 5, "hypercalls counted: {calls}");
    expect!(6, hvc(PLEDGE, u64::MAX) == (0, u64::from(hard::ALL)), "PLEDGE of everything");
    let rest = u64::from(hard::ALL & !hard::POWER);
    expect!(7, hvc(PLEDGE, rest) == (0, rest), "PLEDGE away POWER");
    expect!(8, hvc(PLEDGE, u64::MAX) == (0, rest), "PLEDGE widened");
    expect!(9, hvc(CELL_OFF, 0) == (Error::Denied as i64, 0), "CELL_OFF without POWER");
}

/// Another immediate is an undefined instruction, reported at the instruction.
fn immediates() {
    let before = trap::UNDEFINED.load(Relaxed);
    // SAFETY: three instructions that do not exist for a cell; the handler skips them.
    unsafe { asm!("hvc #0", "hvc #1", "hvc #0xFFFF", options(nostack)) }
    let times = trap::UNDEFINED.load(Relaxed) - before;
    expect!(10, times == 3, "other immediates: {times} of 3 undefined");
}

fn fuzz() -> [u64; 3] {
    let mut random = Random::new(0x4E58);
    let mut answers = [0; 3];
    let mut mask = u64::from(hard::ALL & !hard::POWER);
    for _ in 0..CALLS {
        let function = match random.number() & 3 {
            0 => random.nasty(),
            _ => random.number() % 6,
        };
        let argument =
            random.nasty() | if function == PLEDGE { u64::from(hard::CONSOLE) } else { 0 };
        let (status, value) = hvc(function, argument);
        match status {
            0 => answers[0] += 1,
            UNSUPPORTED => answers[1] += 1,
            s if s == Error::Denied as i64 => answers[2] += 1,
            _ => expect!(11, false, "function {function:#x}: status {status}"),
        }
        if function == PLEDGE {
            expect!(
                12,
                value == mask & argument,
                "mask {value:#x} from {mask:#x} and {argument:#x}"
            );
            mask = value;
        }
    }
    answers
}
