//! Waits a little and ends: a service whose FIBER capability somebody else then holds in vain.
#![no_std]
#![no_main]
#![forbid(unsafe_code)]

use rt::Clock;

rt::entry!(main, kdl: r#"
name "fuzz-sacrifice"
kind "npk"
energy 50
pledge "STDIO"
stack "8K"
"#);

/// How long it lives, ns: until the services after it were started.
const LIFE_NS: u64 = 50_000_000;

fn main() {
    let _ = Clock::OWN.sleep_until(Clock::OWN.now() + LIFE_NS);
}
