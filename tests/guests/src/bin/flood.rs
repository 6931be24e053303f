//! Floods the audit chain: appends as often as it is told and says how often it was let.
#![no_std]
#![no_main]
#![forbid(unsafe_code)]

use rt::audit::Audit;
use rt::{Clock, Error, println};

rt::entry!(main, kdl: r#"
name "flood"
version 1
kind "npk"
spectrum "matter"
energy 2000
pledge "STDIO" "AUDIT"
stack "16K"
heap "0"
channels 1
"#);

/// How often the program that sleeps wakes up, ns.
const NAP_NS: u64 = 50_000_000;

/// `flood sleep`: says so, and sleeps for ever. `flood N`: exit code 0 if each attempt was taken or dropped, 2 if one got another answer.
fn main() -> usize {
    if rt::args().next() == Some("sleep") {
        println!("sleeping");
        loop {
            let _ = Clock::OWN.sleep_until(Clock::OWN.now() + NAP_NS);
        }
    }
    let tries = rt::args().next().and_then(|word| word.parse().ok()).unwrap_or(1000);
    let Some(audit) = Audit::own() else {
        println!("flood: not given AUDIT");
        return 1;
    };
    let (mut taken, mut dropped) = (0, 0);
    for n in 0..tries {
        match audit.append(n, 0, b"flood") {
            Ok(_) => taken += 1,
            Err(Error::Full) => dropped += 1,
            Err(e) => {
                println!("flood: {e:?}");
                return 2;
            }
        }
        // An honest flood: whoever gives way is throttled and not struck.
        if n % 64 == 0 {
            rt::sys::yield_();
        }
    }
    println!("flood: {taken} taken, {dropped} dropped");
    0
}
