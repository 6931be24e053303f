//! Lets a device (QEMU's `edu`, a bus master with a buffer of its own) copy what the cell may not
//! touch. What came through stands in scratch word 1, one bit each; the test says which may.
//! Stated end: *off*.
#![no_std]
#![no_main]

use abi::boot::virt::{ARCHIVE, RUMKV, RUMKV_HANDOFF};
use abi::hypercall::PLEDGE;
use abi::pledge::hard;
use el1::hypercall::hvc;
use el1::memory::{read32, read64, write32, write64};
use el1::{expect, gic, instruction, line, mrs, msr, report};

el1::kernel!(run);

/// Function 0 of device 2 in the configuration space, and where its registers are put.
const CONFIGURATION: u64 = 0x40_1001_0000;
const WINDOW: u64 = 0x1000_0000;
/// The device's own buffer, as its registers name it.
const BUFFER: u64 = 0x4_0000;
const LEN: u64 = 64;
/// Memory of the cell that is free.
const OWN: u64 = ARCHIVE + 0x10_0000;

/// Lets the device copy [`LEN`] bytes.
fn copy(from: u64, to: u64) {
    const START: u64 = 1;
    const OUT: u64 = 2;
    instruction!("dsb sy");
    write64(WINDOW + 0x80, from);
    write64(WINDOW + 0x88, to);
    write64(WINDOW + 0x90, LEN);
    write64(WINDOW + 0x98, START | if from == BUFFER { OUT } else { 0 });
    sleep();
    while read64(WINDOW + 0x98) & START != 0 {}
    instruction!("dsb sy");
}

/// Waits as long as the device takes, and a little more; a machine that counts skips the time.
fn sleep() {
    msr!("cntv_cval_el0", mrs!("cntvct_el0") + mrs!("cntfrq_el0") / 8);
    msr!("cntv_ctl_el0", 1);
    while mrs!("isr_el1") == 0 {
        instruction!("wfi");
    }
    msr!("cntv_ctl_el0", 0);
    let line = mrs!("icc_iar1_el1");
    msr!("icc_eoir1_el1", line);
}

/// Copies from anywhere to the cell's own memory, by the device; answers what arrived.
fn fetch(from: u64) -> u64 {
    let marks = OWN + 0x1000;
    write64(marks, 0x5A5A_5A5A_5A5A_5A5A);
    copy(marks, BUFFER);
    copy(from, BUFFER);
    write64(OWN, 0);
    copy(BUFFER, OWN);
    read64(OWN)
}

/// Writes a value anywhere by the device.
fn store(to: u64, value: u64) {
    write64(OWN, value);
    copy(OWN, BUFFER);
    copy(BUFFER, to);
}

fn run() -> ! {
    const VALUE: u64 = 0x0123_4567_89AB_CDEF;
    /// The first two instructions of RumKV's image: `mov sp, x0` and the way back.
    const FIRST: u64 = 0x9100_001F;
    report::begin();
    gic::begin();
    gic::enable(gic::VTIMER, 0x80);
    expect!(1, read32(CONFIGURATION) == 0x11E8_1234, "no device: {:#x}", read32(CONFIGURATION));
    write32(CONFIGURATION + 0x10, WINDOW as u32);
    // Memory decode and bus master.
    write32(CONFIGURATION + 4, 6);
    write64(OWN + 0x2000, VALUE);
    let own = fetch(OWN + 0x2000) == VALUE;
    let read = fetch(RUMKV);
    // A page of RumKV's that nothing uses any more.
    store(RUMKV_HANDOFF, VALUE);
    let wrote = fetch(RUMKV_HANDOFF) == VALUE;
    let left = u64::from(hard::ALL & !hard::OTHER);
    let got = hvc(PLEDGE, left);
    expect!(2, got == (0, left), "PLEDGE: {got:?}");
    let after = fetch(OWN + 0x2000) == VALUE;
    line!("own {own}, read {read:#x}, wrote {wrote}, after the pledge {after}");
    let bits = [own, read & 0xFFFF_FFFF == FIRST, wrote, after];
    let word = bits.iter().rev().fold(0, |n, bit| n << 1 | u64::from(*bit));
    report::scratch(1, word);
    report::pass()
}
