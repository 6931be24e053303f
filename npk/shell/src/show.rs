//! How things are printed: one record per line, fields in a fixed order.
use core::fmt;

use abi::stats::{FiberStats, SystemStats, end, state};

/// ns in a second.
const SECOND: u64 = 1_000_000_000;
/// ns in a millisecond.
const MILLISECOND: u64 = 1_000_000;

/// A time: `12.345s`, `3m 4.005s`, `2h 3m 4.005s`, `1d 2h 3m 4.005s`.
pub struct Time(pub u64);

impl fmt::Display for Time {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        let (seconds, ms) = (self.0 / SECOND, self.0 % SECOND / MILLISECOND);
        let (days, hours, minutes) = (seconds / 86_400, seconds / 3600 % 24, seconds / 60 % 60);
        if days > 0 {
            write!(f, "{days}d ")?;
        }
        if seconds >= 3600 {
            write!(f, "{hours}h ")?;
        }
        if seconds >= 60 {
            write!(f, "{minutes}m ")?;
        }
        write!(f, "{}.{ms:03}s", seconds % 60)
    }
}

/// Head of the table that [`Fiber`] fills.
pub const FIBER_HEAD: &str = "   NO NAME             STATE     SPECTRUM ENERGY/BUDGET STRIKES MISSED BLINKS   MEMORY       TIME";

/// A line of `ps`: energy in J, memory in KB, time in ms.
pub struct Fiber<'a>(pub &'a FiberStats);

impl fmt::Display for Fiber<'_> {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        let s = self.0;
        let state = match state::NAMES.get(s.state as usize) {
            Some(name) => name,
            None => "unknown",
        };
        let spectrum = match abi::pledge::SPECTRA.get(s.spectrum as usize) {
            Some(name) => name,
            None => "unknown",
        };
        // The number begins with the core that made it.
        match (s.fiber >> 24, s.fiber & 0xFF_FFFF) {
            (0, number) => write!(f, "{number:5}")?,
            (core, number) => write!(f, "{core:2}:{number:<2}")?,
        }
        write!(f, " {:16} {state:9} {spectrum:8} ", abi::text(&s.name))?;
        if s.energy_budget == 0 {
            write!(f, "{:>13} ", "-")?;
        } else {
            write!(f, "{:6}/{:<6} ", s.energy_left, s.energy_budget)?;
        }
        let (memory, us) = (s.memory / 1024, s.time / 1000);
        write!(f, "{:7} {:6} {:6} {memory:7}K ", s.strikes, s.missed, s.blinks)?;
        write!(f, "{:6}.{:03}", us / 1000, us % 1000)?;
        if s.end == end::RUNS {
            return Ok(());
        }
        let mut how = abi::stats::FiberEnd::zeroed();
        (how.end, how.code, how.pc) = (s.end, s.code, s.pc);
        write!(f, " {}", rt::stats::Ended(&how))
    }
}

/// What `mem` prints: a name and a value on each line.
pub struct Memory<'a>(pub &'a SystemStats);

impl fmt::Display for Memory<'_> {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        let s = self.0;
        for (name, bytes) in
            [("ram", s.ram), ("free", s.free), ("largest", s.largest), ("kernel", s.kernel)]
        {
            writeln!(f, "{name:18} {:12} K", bytes / 1024)?;
        }
        for (name, count) in [
            ("fibers", s.fibers as u64),
            ("domains", s.domains as u64),
            ("calls", s.calls),
            ("switches", s.switches),
            ("timer-interrupts", s.timer_interrupts),
            ("device-interrupts", s.device_interrupts),
            ("tlb-maintenance", s.tlb_maintenance),
            ("idles", s.idles),
            ("faults", s.faults),
        ] {
            writeln!(f, "{name:18} {count:12}")?;
        }
        writeln!(f, "{:18} {:12} ms", "idle-time", s.idle_time / MILLISECOND)?;
        writeln!(f, "{:18} {:12} us", "first-npl", s.first_npl / 1000)
    }
}

/// A line of `ls`: size and name, a directory's with a slash.
pub struct Entry<'a>(pub &'a str, pub rt::fs::Stat);

impl fmt::Display for Entry<'_> {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        if self.1.directory {
            write!(f, "{:>10} {}/", "-", self.0)
        } else {
            write!(f, "{:10} {}", self.1.size, self.0)
        }
    }
}
