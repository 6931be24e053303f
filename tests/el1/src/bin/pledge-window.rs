//! Pledges away a window of two pages that lie in different translation tables, then touches the
//! second one. Stated end: BEB OFF with code 0, and data access outside the map at that page.
#![no_std]
#![no_main]

use abi::hypercall::PLEDGE;
use abi::pledge::hard;
use el1::hypercall::hvc;
use el1::memory::read32;
use el1::{expect, report};

el1::kernel!(run);

/// Where the cell sees the second page; the first ends there, and with it a table (2 MB).
const SECOND: u64 = 0x3020_0000;

fn run() -> ! {
    report::begin();
    let (one, two) = (read32(SECOND - 4), read32(SECOND));
    let left = u64::from(hard::ALL & !hard::OTHER);
    let got = hvc(PLEDGE, left);
    expect!(1, got == (0, left), "PLEDGE: {got:?}, after {one:#x} and {two:#x}");
    report::end_by(|| _ = read32(SECOND))
}
