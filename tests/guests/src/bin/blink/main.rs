//! Actors of the crash storms, by the first argument: `victim` crashes as it is told and starts anew, `storm` crashes it and
//! measures, `ticker` is a Photon fiber beside them; `echo` gives back what it reads, `killer` restarts the console's driver,
//! `accuser` slanders it.
#![no_std]
#![no_main]

mod console;
mod storm;
mod victim;

use rt::println;

rt::entry!(main, kdl: r#"
name "blink"
kind "npk"
spectrum "photon"
energy 400
pledge "STDIO" "RPATH" "AUDIT"
policy "restart"
stack "32K"
fibers 1
channels 4
"#);

/// Messages between the storm and its victim.
pub mod say {
    /// The victim began; `arg`: when, ns.
    pub const BORN: u16 = 1;
    /// The victim is about to fault; `arg`: when, ns.
    pub const DYING: u16 = 2;
    /// To the victim: fault in the way `arg`.
    pub const CRASH: u16 = 3;
    /// To the victim, and its answer: the same `arg`.
    pub const PING: u16 = 4;
    /// To the victim: save the payload as its checkpoint.
    pub const SAVE: u16 = 5;
    /// To the ticker; its answer: the worst lateness so far, ns.
    pub const WORST: u16 = 6;
}

/// Number of the channel between storm and victim.
pub const VICTIM: u32 = 0x1_0001;
/// Number of the channel between storm and ticker.
pub const TICKER: u32 = 0x1_0002;

fn main() -> usize {
    let mut words = rt::args();
    let role = words.next().unwrap_or_default();
    let mut number = || words.next().and_then(guests::number).unwrap_or(0) as u64;
    match role {
        "victim" => victim::main(),
        "ticker" => victim::tick(),
        "storm" => storm::main(number(), number()),
        "echo" => console::echo(number() as usize, number() as u32),
        "killer" => console::kill(number(), number()),
        "accuser" => console::accuse(),
        _ => {
            println!("blink: there is no role {role}");
            2
        }
    }
}

/// Random numbers of a run: SplitMix64 (Steele, Lea and Flood, "Fast splittable pseudorandom number generators", 2014).
pub struct Random(pub u64);

impl Random {
    /// A number below `bound`.
    pub fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ z >> 30).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ z >> 27).wrapping_mul(0x94D0_49BB_1331_11EB);
        (z ^ z >> 31) % bound.max(1)
    }
}
