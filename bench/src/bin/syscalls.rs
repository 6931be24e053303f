//! Each call a thousand times; switches inside a domain and between two; spawn; REVOKE beside many copies and mappings.
//!
//! It runs in Void with `bench-mate`, where nothing is ever throttled, so that a sample is the path and not the economy.
#![no_std]
#![no_main]

use abi::call::{
    Append, REVOKE, SPAWN_FIBER, SPAWN_IMAGE, Spawn, WaitEntry, meta, number, prov_op, want,
};
use abi::cap::{R, W, slot, verb};
use abi::ring::Slot;
use abi::systable::SysTable;
use bench::mate::{self, Mate};
use bench::{Spread, counter, entry, offset, overhead, timed, timed5};
use core::sync::atomic::{AtomicU64, Ordering};
use rt::{Clock, Fiber, Result, println, sys};

const ROUNDS: usize = 1000;
/// Slots of this program by its profile: audit, memory.
const AUDIT: u8 = 8;
const MEMORY: u8 = 9;
/// Free slots for the channels to its mates.
const MATES: u8 = 40;

/// One call, so often; `None` where one failed.
fn repeat(number: usize, args: [usize; 3], expect: isize) -> Option<Spread> {
    let mut spread = Spread::new();
    let call = entry(number);
    for _ in 0..ROUNDS {
        // SAFETY: the arguments are those of the callers below: records that nothing else uses.
        let t = unsafe { timed(call, args) };
        if t.status != expect {
            println!("call {number} answers {}", t.status);
            return None;
        }
        spread.add(t.after - t.before - overhead());
    }
    Some(spread)
}

/// The calls that need nobody else.
fn alone() -> Option<()> {
    repeat(number::META, [meta::VERSION, 0, 0], 0)?.show("call-meta");
    let list = [WaitEntry { slot: slot::EVENTS, want: want::EVENT, got: 0, zero: 0 }];
    let list = core::cell::UnsafeCell::new(list);
    let past = 1u64;
    let args = [list.get() as usize, 1, &raw const past as usize];
    repeat(number::WAIT, args, abi::call::Error::TimedOut as isize)?.show("call-wait");
    repeat(number::YIELD, [0; 3], 0)?.show("call-yield");
    let mut record = [0u64; 4];
    let record = record.as_mut_ptr() as usize;
    repeat(number::TICK, [slot::CLOCK.into(), 0, record], 0)?.show("call-tick");
    let all = u64::MAX;
    repeat(number::PLEDGE, [0, &raw const all as usize, 8], 0)?.show("call-pledge");
    repeat(number::MASK, [MEMORY.into(), usize::from(verb::ALL), 7], 0)?.show("call-mask");
    let mut spread = Spread::new();
    for _ in 0..ROUNDS {
        let before = counter();
        sys::map(MEMORY, 0, 4096, R | W).ok()?;
        spread.add(counter() - before - overhead());
        sys::map(MEMORY, 0, 0, 0).ok()?;
    }
    spread.show("call-map");
    Some(())
}

/// A record of ProvChain with 32 bytes of data; eight a window, so that none is dropped.
fn record() -> Option<()> {
    let mut head = Append::zeroed();
    head.kind = abi::prov::kind::APPLICATION;
    let mut text = sys::Aligned([b'.'; Append::SIZE + 32]);
    text[..Append::SIZE].copy_from_slice(&head.encode());
    let args = [AUDIT.into(), prov_op::APPEND, text.as_ptr() as usize, text.len(), 0];
    let mut spread = Spread::new();
    for round in 0..ROUNDS {
        if round.is_multiple_of(8) {
            Clock::OWN.sleep_until(Clock::OWN.now() + 60_000_000).ok()?;
        }
        // SAFETY: the kernel only reads the record.
        let t = unsafe { timed5(entry(number::PROV), args) };
        // Application records have their share of the chain until it is sealed.
        if t.status == abi::call::Error::Full as isize && round >= 100 {
            break;
        }
        if t.status != 0 {
            println!("prov answers {} to {round}", t.status);
            return None;
        }
        spread.add(t.after - t.before - overhead());
    }
    spread.show("call-prov");
    Some(())
}

static BORN: AtomicU64 = AtomicU64::new(0);
static LEFT: AtomicU64 = AtomicU64::new(0);
static STAYS: AtomicU64 = AtomicU64::new(0);

/// A fiber of this domain: notes when it began, gives way as often as it is told to, notes when it ends.
extern "C" fn born(_: *const u8, _: usize, _: *const SysTable) -> ! {
    BORN.store(counter(), Ordering::Relaxed);
    while STAYS.load(Ordering::Relaxed) != 0 {
        // SAFETY: no memory is concerned.
        let t = unsafe { timed(entry(number::YIELD), [0; 3]) };
        BORN.store(t.after, Ordering::Relaxed);
    }
    LEFT.store(counter(), Ordering::Relaxed);
    sys::exit(0)
}

fn spawn_fiber() -> Result<Fiber> {
    rt::Factory::OWN.fiber(born, 0, &[])
}

/// spawn, yield to it, exit back to here; and a yield inside the domain.
fn fibers() -> Option<()> {
    let (mut spawn, mut exit) = (Spread::new(), Spread::new());
    let mut desc = Spawn::zeroed();
    (desc.op, desc.channel_slot) = (SPAWN_FIBER, abi::call::NO_SLOT);
    desc.entry = born as *const () as u64;
    let desc = sys::Aligned(desc.encode());
    let args = [slot::FACTORY.into(), desc.0.as_ptr() as usize, Spawn::SIZE];
    for _ in 0..ROUNDS {
        LEFT.store(0, Ordering::Relaxed);
        // SAFETY: the entry has the contract's type and cannot return.
        let t = unsafe { timed(entry(number::SPAWN), args) };
        if t.status != 0 {
            println!("spawn answers {}", t.status);
            return None;
        }
        spawn.add(t.after - t.before - overhead());
        let child = Fiber(t.value as u8);
        // It may have run before the call came back.
        let mut back = t.after;
        while LEFT.load(Ordering::Relaxed) == 0 {
            // SAFETY: no memory is concerned.
            back = unsafe { timed(entry(number::YIELD), [0; 3]) }.after;
        }
        exit.add(back - LEFT.load(Ordering::Relaxed) - overhead());
        child.end().ok()?;
    }
    spawn.show("call-spawn");
    exit.show("call-exit");
    let mut inside = Spread::new();
    STAYS.store(1, Ordering::Relaxed);
    let child = spawn_fiber().ok()?;
    sys::yield_();
    for _ in 0..ROUNDS {
        // SAFETY: no memory is concerned.
        let t = unsafe { timed(entry(number::YIELD), [0; 3]) };
        inside.add(BORN.load(Ordering::Relaxed) - t.before - overhead());
    }
    STAYS.store(0, Ordering::Relaxed);
    child.end().ok()?;
    inside.show("switch-inside");
    Some(())
}

/// send, recv, grant and TAKE with a mate; the switch to it.
fn with_mate() -> Option<()> {
    let mate = Mate::spawn(MATES).inspect_err(|e| println!("spawn answers {e:?}")).ok()?;
    let (mut send, mut recv) = (Spread::new(), Spread::new());
    let mut across = Spread::new();
    let (mut grant, mut take) = (Spread::new(), Spread::new());
    for _ in 0..ROUNDS {
        let kind = mate::TAKE_AND_DROP;
        let t = mate.grant(MEMORY, verb::MAP | verb::MASK, R).ok()?;
        grant.add(t.after - t.before - overhead());
        let t = mate.tell(kind, 20).ok()?;
        send.add(t.after - t.before - overhead());
        // SAFETY: no memory is concerned.
        let away = unsafe { timed(entry(number::YIELD), [0; 3]) };
        let mut buf = sys::Aligned::<{ Slot::SIZE }>::ZERO;
        let args = [mate.channel.into(), buf.0.as_mut_ptr() as usize, Slot::SIZE];
        // SAFETY: the kernel writes the buffer only.
        let t = unsafe { timed(entry(number::RECV), args) };
        let answer = Slot::decode(&buf.0)?;
        if (t.status, answer.kind) != (0, kind) {
            println!("recv answers {}, of kind {}", t.status, answer.kind);
            return None;
        }
        recv.add(t.after - t.before - overhead());
        across.add(answer.arg - away.before - overhead());
        take.add(mate::took(&answer));
    }
    send.show("call-send");
    recv.show("call-recv");
    across.show("switch-across");
    grant.show("call-grant");
    take.show("call-recv-take");
    mate.end()
}

/// REVOKE of the memory beside `copies` of it with two mates, or `mappings` with as many.
fn revoke() -> Option<u64> {
    let args = [MEMORY.into(), REVOKE, 0];
    // SAFETY: no memory is concerned.
    let t = unsafe { timed(entry(number::GRANT), args) };
    (t.status == 0).then(|| t.after - t.before - overhead())
}

fn copies(count: u8) -> Option<()> {
    let mates = [Mate::spawn(MATES).ok()?, Mate::spawn(MATES + 1).ok()?];
    for n in 0..count {
        let mate = &mates[usize::from(n) % 2];
        mate.grant(MEMORY, verb::MAP | verb::MASK, R).ok()?;
        mate.ask(mate::TAKE, 20 + u64::from(n) / 2)?;
    }
    println!("figure revoke-copies-{count} {} instructions", revoke()?);
    mates.iter().try_for_each(Mate::end)
}

fn mappings(count: u8) -> Option<()> {
    let mut mates = [const { None }; 8];
    for (n, place) in mates.iter_mut().take(count.into()).enumerate() {
        let mate = Mate::spawn(MATES + n as u8).ok()?;
        mate.grant(MEMORY, verb::MAP | verb::MASK, R).ok()?;
        mate.ask(mate::TAKE, 20)?;
        mate.ask(mate::MAP, 20)?;
        *place = Some(mate);
    }
    println!("figure revoke-mappings-{count} {} instructions", revoke()?);
    mates.iter().flatten().try_for_each(Mate::end)
}

/// From a spawn's call to the first instruction of the image, which ends with the counter as its code.
fn spawn_image() -> Option<()> {
    let mut spread = Spread::new();
    let mut desc = Spawn::zeroed();
    (desc.op, desc.channel_slot, desc.pledge) = (SPAWN_IMAGE, abi::call::NO_SLOT, u64::MAX);
    desc.name = abi::name("bench-first");
    let desc = sys::Aligned(desc.encode());
    let args = [slot::FACTORY.into(), desc.0.as_ptr() as usize, Spawn::SIZE];
    for _ in 0..100 {
        // SAFETY: an image; no entry of the own one runs.
        let t = unsafe { timed(entry(number::SPAWN), args) };
        if t.status != 0 {
            println!("spawn answers {}", t.status);
            return None;
        }
        let end = Fiber(t.value as u8).end().ok()?;
        spread.add(end.code - t.before);
    }
    spread.show("spawn-to-first");
    Some(())
}

/// From the timer's time to the first instruction after `wait`, the core asleep before.
fn from_sleep() -> Option<()> {
    let mut spread = Spread::new();
    for _ in 0..100 {
        let (from, at) = offset()?;
        let deadline = at + 1_000_000;
        // SAFETY: the kernel only reads the deadline.
        let t = unsafe { timed(entry(number::WAIT), [8, 0, &raw const deadline as usize]) };
        spread.add(t.after - (from + 1_000_000));
    }
    spread.show("wake-from-wfi");
    Some(())
}

/// Measures something; `None` where it failed.
type Step = fn() -> Option<()>;

fn main() -> usize {
    let _ = Clock::OWN.sleep_until(Clock::OWN.now() + 100_000_000);
    let steps: [(&str, Step); 10] = [
        ("alone", alone),
        ("a record", record),
        ("fibers", fibers),
        ("with a mate", with_mate),
        ("1 copy", || copies(1)),
        ("64 copies", || copies(64)),
        ("1 mapping", || mappings(1)),
        ("8 mappings", || mappings(8)),
        ("spawn", spawn_image),
        ("sleep", from_sleep),
    ];
    let mut code = 0;
    for (what, step) in steps {
        if step().is_none() {
            println!("failed: {what}");
            code = 1;
        }
    }
    code
}

rt::entry!(main, kdl: "name \"bench-syscalls\"\nversion 1\nkind \"npk\"\nspectrum \"void\"\nenergy 0\npledge \"STDIO\" \"EXEC\" \"RPATH\" \"AUDIT\"\npolicy \"never\"\nstack \"64K\"\nheap \"0\"\nfibers 4\ndevices 0\nchannels 16\n");
