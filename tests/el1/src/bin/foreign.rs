//! The second cell attacks the first: SGIs of every group and form, its core by firmware calls, its
//! lines and routes; then its console. Whoever watches in the other cell must notice nothing.
//! Stated end: BEB OFF with code 0, and data access outside the map at the first console's window.
#![no_std]
#![no_main]

use abi::boot::virt::{GICD, UART, UART_INTID};
use el1::gic::{ICENABLER, IPRIORITYR, IROUTER, ISENABLER, ISPENDR};
use el1::hypercall::smc;
use el1::memory::{read32, write8, write32, write64};
use el1::{expect, instruction, line, mrs, msr, report};

el1::kernel!(run);

const INVALID: i64 = -2;
/// The neighbour's affinity.
const CORE: u64 = 0;

fn run() -> ! {
    report::begin();
    expect!(1, mrs!("mpidr_el1") & 0xFF == 1, "this is not core 1");
    msr!("icc_sre_el1", 7);
    instruction!("isb");
    // Longer than the neighbour takes to start.
    let end = mrs!("cntvct_el0") + mrs!("cntfrq_el0") / 25;
    while mrs!("cntvct_el0") < end {
        send();
        instruction!("yield");
    }
    for (function, answer) in
        [(0xC400_0003, INVALID), (0x8400_0003, INVALID), (0xC400_0004, INVALID)]
    {
        let got = smc([function, CORE, 0x5008_0000, 0])[0] as i64;
        expect!(2, got == answer, "{function:#x} of the neighbour's core: {got}");
    }
    // The neighbour's line: enabled, pending, routed here, most urgent.
    let (word, bit) = (u64::from(UART_INTID / 32) * 4, 1 << (UART_INTID % 32));
    write32(GICD + ISPENDR + word, bit);
    write32(GICD + ISENABLER + word, bit);
    write64(GICD + IROUTER + 8 * u64::from(UART_INTID), 1);
    write8(GICD + IPRIORITYR + u64::from(UART_INTID), 0);
    write32(GICD + ICENABLER + word, bit);
    let seen = read32(GICD + ISENABLER + word);
    expect!(3, seen & bit == 0, "the neighbour's line reads {seen:#x}");
    line!("the neighbour is out of reach");
    report::end_by(|| _ = read32(UART))
}

/// SGIs to core 0 by its affinity, to all but this one, to every group of cores.
fn send() {
    for intid in 0..16 {
        for value in [1, 1 << 40, 1 << 40 | 1, 0xFFFF, 0xFFFF | 1 << 16, !(0xF << 24)] {
            let value = value | intid << 24;
            msr!("icc_sgi1r_el1", value);
            msr!("icc_asgi1r_el1", value);
            msr!("icc_sgi0r_el1", value);
        }
    }
}
