//! Reads RumKV's memory. With RumKV as it is the cell ends and the post-mortem names cause and
//! address; in the image that is built without the check the read succeeds.
#![no_std]
#![no_main]

use abi::boot::virt::RUMKV;
use el1::{line, memory, mrs, report};

el1::kernel!(run);

fn run() -> ! {
    report::begin();
    report::scratch(0, mrs!("cntvct_el0"));
    let word = memory::read32(RUMKV);
    report::scratch(1, u64::from(word));
    line!("read succeeded");
    report::pass()
}
