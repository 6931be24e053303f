//! More interrupts wait than there are list registers: all arrive, each once, the most urgent
//! first. Stated end: OFF with code 0.
#![no_std]
#![no_main]

use core::sync::atomic::Ordering::Relaxed;

use el1::random::Random;
use el1::{expect, gic, instruction, line, mrs, msr, report, trap};

el1::kernel!(run);

const ROUNDS: u64 = 200;

fn run() -> ! {
    report::begin();
    gic::begin();
    let mut random = Random::new(7);
    for round in 0..ROUNDS {
        let mut order: [u32; 16] = core::array::from_fn(|n| n as u32);
        shuffle(&mut order, &mut random);
        storm(round, order);
    }
    line!("{ROUNDS} storms of 16 software interrupts and the timer, in order of urgency");
    report::pass()
}

fn shuffle(order: &mut [u32; 16], random: &mut Random) {
    for n in (1..16).rev() {
        order.swap(n, (random.number() % (n as u64 + 1)) as usize);
    }
}

/// All SGIs and the timer, sent while interrupts are held back, in an order of sending of its own.
fn storm(round: u64, order: [u32; 16]) {
    // The n-th of `order` gets the n-th priority; the timer, in the middle, stands between the
    // eighth and the ninth.
    for (n, &intid) in (0_u8..).zip(&order) {
        gic::enable(intid, 0x20 + 0x10 * (n / 2) + 0x08 * (n % 2));
    }
    gic::enable(gic::VTIMER, 0xA8);
    trap::INTERRUPTS.store(0, Relaxed);
    let mut random = Random::new(round + 1);
    let mut sending = order;
    shuffle(&mut sending, &mut random);
    for (n, intid) in sending.into_iter().enumerate() {
        if n as u64 == round % 16 {
            msr!("cntv_cval_el0", mrs!("cntvct_el0"));
            msr!("cntv_ctl_el0", 1);
            instruction!("isb");
        }
        gic::send_to_self(u64::from(intid));
        // A second one while the first waits is the same one.
        gic::send_to_self(u64::from(intid));
    }
    gic::unmask();
    for _ in 0..2000 {
        instruction!("nop");
    }
    gic::mask();
    let times = trap::INTERRUPTS.load(Relaxed);
    expect!(1, times == 17, "round {round}: {times} interrupts");
    let got: [u32; 17] = core::array::from_fn(|n| trap::ORDER[n].load(Relaxed));
    let last = got[16];
    expect!(2, last == gic::VTIMER, "round {round}: the least urgent came before {last}");
    for (n, (is, must)) in got.iter().zip(&order).enumerate() {
        expect!(3, is == must, "round {round}: number {n} is {is}, not {must}: {got:?}");
    }
}
