//! Firmware calls of a cell: PSCI (Arm DEN 0022) and SMCCC (Arm DEN 0028), answered within the
//! cell's own cores.
use core::sync::atomic::Ordering::{Acquire, Relaxed, Release};

use abi::hypercall::cause;
use abi::pledge::hard;

use super::end::end;
use super::list;
use super::park::{kick, park};
use super::state::{CLAIMED, Core, Frame, OFF, PENDING};
use crate::instruction;
use crate::system::smc;

const NOT_SUPPORTED: i64 = -1;
const INVALID_PARAMETERS: i64 = -2;
const DENIED: i64 = -3;
const ALREADY_ON: i64 = -4;

const SMCCC_VERSION: u32 = 0x8000_0000;
const SMCCC_ARCH_FEATURES: u32 = 0x8000_0001;
/// ARCH_WORKAROUND_1, _2, _3: mitigations that only firmware can do.
const WORKAROUND_1: u32 = 0x8000_8000;
const WORKAROUND_2: u32 = 0x8000_7FFF;
const WORKAROUND_3: u32 = 0x8000_3FFF;
/// TRNG_VERSION to TRNG_RND (Arm DEN 0098).
const TRNG: u32 = 0x8400_0050;
const TRNG_RND: u32 = 0x8400_0053;
/// Bit of a function number: 64-bit arguments.
const SMC64: u32 = 1 << 30;

/// PSCI functions, counted from PSCI_VERSION.
const PSCI: u32 = 0x8400_0000;
const PSCI_VERSION: u32 = 0;
const CPU_SUSPEND: u32 = 1;
const CPU_OFF: u32 = 2;
const CPU_ON: u32 = 3;
const AFFINITY_INFO: u32 = 4;
const MIGRATE_INFO_TYPE: u32 = 6;
const SYSTEM_OFF: u32 = 8;
const SYSTEM_RESET: u32 = 9;

/// Which of them exist, and which also with 64-bit arguments.
const EXIST: u32 = 0b111_0101_1111;
const EXIST_64: u32 = 0b000_0001_1010;

/// Function in x0, arguments from x1 on; the answer in x0, for a call that is passed on in x0 to
/// x3.
#[inline(always)]
pub fn call(frame: &mut Frame, core: &Core) {
    let function = frame.x[0] as u32;
    let argument = frame.x[1];
    let feature = argument as u32;
    // Firmware is asked about what it is passed, and answers NOT_SUPPORTED for TRNG there.
    if is_passed(if function == SMCCC_ARCH_FEATURES { feature } else { function }) {
        return pass(frame);
    }
    frame.x[0] = match function {
        SMCCC_VERSION => 0x1_0001,
        SMCCC_ARCH_FEATURES if feature & !1 == SMCCC_VERSION => 0,
        _ if exists(function) => psci(frame, core, function & 15, argument),
        _ => NOT_SUPPORTED,
    } as u64;
}

/// A PSCI function that exists.
#[inline(always)]
fn psci(frame: &Frame, core: &Core, function: u32, argument: u64) -> i64 {
    let cell = core.cell;
    match function {
        PSCI_VERSION => 0x1_0001,
        CPU_SUSPEND => standby(),
        CPU_OFF | SYSTEM_OFF | SYSTEM_RESET if !cell.may(hard::POWER) => DENIED,
        SYSTEM_RESET => end(cause::RESET),
        // The last core's end is the cell's.
        CPU_OFF if cell.on.fetch_sub(1, Relaxed) != 1 => park(),
        CPU_OFF | SYSTEM_OFF => end(cause::OFF),
        CPU_ON if !cell.may(hard::CORES) => DENIED,
        CPU_ON | AFFINITY_INFO => match cell.core(argument) {
            None => INVALID_PARAMETERS,
            Some(of) if function == CPU_ON => on(of, frame.x[2], frame.x[3]),
            Some(of) => i64::from(of.state.load(Relaxed) & 3),
        },
        MIGRATE_INFO_TYPE => 2,
        // PSCI_FEATURES: all others are above, and the caller looked that it is one.
        _ if exists(argument as u32) || argument as u32 == SMCCC_VERSION => 0,
        _ => NOT_SUPPORTED,
    }
}

/// Starts a core of the own cell. An entry outside the cell's memory is found by the core itself,
/// and ends the cell.
#[inline(always)]
fn on(core: &Core, entry: u64, context: u64) -> i64 {
    match core.state.compare_exchange(OFF, CLAIMED, Acquire, Relaxed) {
        Ok(_) => {
            core.cell.on.fetch_add(1, Relaxed);
            core.entry.store(entry, Relaxed);
            core.context.store(context, Relaxed);
            core.state.store(PENDING, Release);
            kick(core);
            0
        }
        // On, or about to be: ON_PENDING is the next number.
        Err(state) => ALREADY_ON - i64::from(state >> 1 & 1),
    }
}

/// Whether a PSCI function exists.
#[inline(never)]
fn exists(function: u32) -> bool {
    let wide = function & SMC64 != 0;
    let n = (function & !SMC64).wrapping_sub(PSCI);
    n < 32 && (if wide { EXIST_64 } else { EXIST }) >> n & 1 != 0
}

#[inline(always)]
fn is_passed(function: u32) -> bool {
    matches!(function, WORKAROUND_1 | WORKAROUND_2 | WORKAROUND_3)
        || (function & !SMC64).wrapping_sub(TRNG) <= TRNG_RND - TRNG
}

/// Passes a call on to firmware.
#[inline(never)]
fn pass(frame: &mut Frame) {
    let [x0, x1, x2, x3] = smc(frame.x[0], [frame.x[1], frame.x[2], frame.x[3]]);
    frame.x[0] = x0;
    frame.x[1] = x1;
    frame.x[2] = x2;
    frame.x[3] = x3;
}

/// Every suspend is a standby: waits for a physical interrupt unless one is already presented to
/// the cell.
#[inline(never)]
fn standby() -> i64 {
    if list::free() == list::ALL {
        instruction!("wfi");
    }
    0
}
