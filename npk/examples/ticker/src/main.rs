//! Two timers side by side: `ticker SLOW FAST`, in milliseconds. The slow one ticks three times.
#![no_std]
#![no_main]
#![forbid(unsafe_code)]

extern crate alloc;

use alloc::vec::Vec;
use core::cell::RefCell;

use rt::task::{self, Either};
use rt::{Clock, println};

rt::entry!(main, "../manifest.kdl");
rt::heap!();

/// ns in a millisecond.
const MILLISECOND: u64 = 1_000_000;

fn main() -> rt::Result<()> {
    let mut words = rt::args().map(|word| word.parse().unwrap_or(1));
    let (slow, fast) = (words.next().unwrap_or(50), words.next().unwrap_or(20));
    let start = Clock::OWN.now();
    let ticks = RefCell::new(Vec::new());
    // Times are absolute, so that no error adds up.
    let tick = async |name: &'static str, period: u64, times: u64| {
        for n in 1..=times {
            task::sleep_until(start + n * period * MILLISECOND).await?;
            ticks.borrow_mut().push((name, n * period));
        }
        Ok(())
    };
    let both = task::select(tick("slow", slow, 3), tick("fast", fast, u64::MAX));
    let (Either::First(ended) | Either::Second(ended)) = task::block_on(both);
    for (name, at) in ticks.take() {
        println!("{at} ms: {name}");
    }
    ended
}
