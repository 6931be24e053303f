//! What the cell must have as much of after the run as before: memory, objects, channels, domains, places of fibers.
use abi::stats::SystemStats;
use rt::{Clock, println, stats};

/// How long what ended may take to be gone, ns of guest time.
const PATIENCE_NS: u64 = 5_000_000_000;
/// Time between two looks, ns.
const PAUSE_NS: u64 = 10_000_000;

/// Cores that are looked at; of those that there are not, all is zero.
const CORES: usize = 4;

/// What one core's tables hold.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
struct Core {
    free: u64,
    largest: u64,
    objects: u32,
    channels: u32,
    domains: u32,
}

/// Everything counted, and this program's own slots.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Picture {
    cores: [Core; CORES],
    /// Places taken in the tables of fibers, also by fibers that ended.
    places: usize,
    slots: u32,
}

/// As it is now; all zeros where the kernel does not say.
fn now() -> Picture {
    let mut cores = [Core::default(); CORES];
    for (index, core) in (0..).zip(&mut cores) {
        let s = stats::core(index).unwrap_or(SystemStats::zeroed());
        *core = Core {
            free: s.free,
            largest: s.largest,
            objects: s.objects,
            channels: s.channels,
            domains: s.domains,
        };
    }
    Picture {
        cores,
        places: stats::fibers().count(),
        slots: stats::own().map_or(0, |own| own.slots),
    }
}

fn pause() {
    let _ = Clock::OWN.sleep_until(Clock::OWN.now() + PAUSE_NS);
}

/// The picture once nothing changes any more: services that end by themselves have ended.
pub fn settled() -> Picture {
    let until = Clock::OWN.now() + PATIENCE_NS;
    let (mut before, mut same) = (now(), 0);
    while same < 10 && Clock::OWN.now() < until {
        pause();
        let next = now();
        same = if next == before { same + 1 } else { 0 };
        before = next;
    }
    before
}

/// Whether all is as it was; says what is not.
pub fn none(before: &Picture) -> bool {
    let until = Clock::OWN.now() + PATIENCE_NS;
    while now() != *before && Clock::OWN.now() < until {
        pause();
    }
    let after = now();
    if after == *before {
        println!("fuzz: no leak: {before:?}");
        return true;
    }
    println!("fuzz: leak: before {before:?}");
    println!("fuzz: leak: after  {after:?}");
    for f in stats::fibers() {
        println!("fuzz: leak: fiber {} of {} state {} end {}", f.fiber, f.parent, f.state, f.end);
    }
    for slot in abi::cap::slot::FIRST..abi::cap::SLOTS as u8 {
        // Asks for nothing less: what it answers tells what is there.
        match rt::sys::mask(slot, 127, 7, None) {
            Err(abi::call::Error::BadSlot) => {}
            answer => println!("fuzz: leak: slot {slot} {answer:?}"),
        }
    }
    false
}
