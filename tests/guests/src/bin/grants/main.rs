//! `grants`: capabilities given, taken back and abused, with children that do as they are told.
//!
//! Each scenario begins with puppets of its own and says at its end whether everything came as the contract has it. The last
//! line tells what a REVOKE costs with one copy and with 64.
#![no_std]
#![no_main]

mod cast;
mod scenes;

use rt::println;

rt::entry!(main, kdl: r#"
name "grants"
kind "npk"
energy 4000
pledge "STDIO" "RPATH" "EXEC"
stack "32K"
channels 1
"#);

/// A scenario: its name, and what it does.
type Scene = (&'static str, fn() -> Result<(), cast::Wrong>);

const SCENES: [Scene; 9] = [
    ("given, used and revoked", scenes::given),
    ("forged and refused", scenes::forged),
    ("the fifth waits for room", scenes::full),
    ("four hops and no more", scenes::hops),
    ("beyond the pledge", scenes::pledge),
    ("an expiry while it is mapped", scenes::expiry),
    ("an end of another's channel", scenes::end),
    ("nine domains", scenes::nine),
    ("sixty-four copies", scenes::copies),
];

fn main() -> usize {
    let mut failed = 0;
    for (name, scene) in SCENES {
        match scene() {
            Ok(()) => println!("grants: {name}: ok"),
            Err(cast::Wrong { line, got, value }) => {
                println!("grants: {name}: line {line}: {got} {value:#x}");
                failed += 1;
            }
        }
    }
    let homes = cast::HOMES.load(core::sync::atomic::Ordering::Relaxed);
    println!("grants: puppets ran on cores {homes:#b}");
    failed
}
