//! `why`: how a fiber ended last.
use core::fmt;

use abi::call::number;
use abi::stats::{FiberEnd, FiberPostMortem};
use rt::println;
use rt::stats::{Ended, postmortems};

/// What became of the domain, by number.
const FATES: [&str; 3] = ["ended", "restarted", "in quarantine"];
/// Where the return address stands among the registers.
const RETURN: usize = 7;

/// A post-mortem on a few lines. `NAME+0x12` is an address in the image: the host tool adds the source line.
pub struct Why<'a>(pub &'a FiberPostMortem);

impl fmt::Display for Why<'_> {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        let p = self.0;
        let name = abi::text(&p.name);
        let mut how = FiberEnd::zeroed();
        (how.end, how.code, how.pc) = (p.cause, p.address, p.pc);
        let fate = FATES.get(p.fate as usize).copied().unwrap_or("unknown");
        writeln!(f, "{name} ({}): {}, {fate}", p.fiber, Ended(&how))?;
        let relative = |at: u64| at.wrapping_sub(p.base);
        write!(f, "  pc {name}+{:#x}, sp {:#x}", relative(p.pc), p.sp)?;
        writeln!(f, ", return {name}+{:#x}", relative(p.registers[RETURN]))?;
        let call = number::NAMES.get(p.last_call as usize).copied().unwrap_or("none");
        write!(f, "  last call {call}")?;
        if p.slot != 0xFF {
            write!(f, ", slot {}", p.slot)?;
        }
        if p.pledge != 0 {
            write!(f, ", needs pledge {:#x}", p.pledge)?;
        }
        write!(f, ", blinks before {}", p.blinks)?;
        let len = (p.message_len as usize).min(p.message.len());
        match core::str::from_utf8(&p.message[..len]) {
            Ok("") | Err(_) => Ok(()),
            Ok(said) => write!(f, "\n  said: {said}"),
        }
    }
}

/// Tells of the last end of a fiber, by name or number.
pub fn tell(what: &str) {
    let named = |p: &FiberPostMortem| what.parse() == Ok(p.fiber) || abi::text(&p.name) == what;
    match postmortems().filter(named).max_by_key(|p| p.time) {
        Some(found) => println!("{}", Why(&found)),
        None => println!("why: {what}: nothing is known"),
    }
}
