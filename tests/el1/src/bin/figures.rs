//! What RumKV costs, in instructions when the counter ticks once per instruction.
#![no_std]
#![no_main]

use core::sync::atomic::Ordering::Relaxed;

use abi::boot::virt::GICD;
use el1::{expect, gic, hypercall, instruction, line, memory, mrs, report, trap};

el1::kernel!(run);

/// The counter, ordered (Arm ARM DDI 0487, D12: an ISB before the read).
#[inline]
fn now() -> u64 {
    instruction!("isb");
    mrs!("cntvct_el0")
}

fn run() -> ! {
    report::begin();
    let hz = mrs!("cntfrq_el0");
    line!("counter {hz} Hz");
    let empty = cost(|| {});
    line!("empty {empty}");
    line!("hypercall-version {}", cost(|| _ = hypercall::hvc(0, 0)) - empty);
    line!("hypercall-counters {}", cost(|| _ = hypercall::hvc(4, 1)) - empty);
    line!("distributor-read-ctlr {}", cost(|| _ = memory::read32(GICD)) - empty);
    line!("distributor-read-typer {}", cost(|| _ = memory::read32(GICD + 4)) - empty);
    gic::begin();
    line!(
        "distributor-enable-write {}",
        cost(|| memory::write32(GICD + gic::ISENABLER + 4, 2)) - empty
    );
    line!(
        "distributor-disable-write {}",
        cost(|| memory::write32(GICD + gic::ICENABLER + 4, 2)) - empty
    );
    line!("id-register {}", cost(|| _ = mrs!("id_aa64pfr0_el1")) - empty);
    line!("psci-version {}", cost(|| _ = hypercall::smc([0x8400_0000, 0, 0, 0])) - empty);
    gic::enable(gic::VTIMER, 0x80);
    gic::enable(1, 0x80);
    let (least, most) = trap::timer_latency(16);
    report::scratch(0, least);
    line!("timer-interrupt-latency least {least} most {most}");
    sgi();
    report::pass()
}

/// Ticks of the cheapest of several runs (the emulator's first run of a piece of code is no dearer,
/// but the rounding of the counter moves).
fn cost(mut body: impl FnMut()) -> u64 {
    const TIMES: u64 = 64;
    let before = now();
    for _ in 0..TIMES {
        body();
    }
    (now() - before) / TIMES
}

/// From the write of ICC_SGI1R_EL1 to the first instruction of the vector.
fn sgi() {
    let before = trap::INTERRUPTS.load(Relaxed);
    gic::unmask();
    let start = now();
    gic::send_to_self(1);
    for _ in 0..100 {
        instruction!("nop");
    }
    gic::mask();
    let times = trap::INTERRUPTS.load(Relaxed) - before;
    expect!(2, times == 1, "SGI to self: {times} interrupts instead of one");
    line!("sgi-to-self {}", trap::ENTERED.load(Relaxed) - start);
}
