//! `cores echo`, `cores ask N`, `cores spawn N`, `cores sleep`, `cores pause`: what domains on different cores do with each other.
//!
//! `echo` answers what `ask` asks through a channel of the manifest that both have mapped. `spawn` starts itself as
//! `cores child` where the kernel puts it, with a channel, talks to it, lets every other one end by itself and kills the
//! rest, and looks whether every core has as much free as before.
#![no_std]
#![no_main]

use abi::cap::slot;
use abi::stats::{SystemStats, end};
use rt::object::{Power, Wanted};
use rt::{Channel, Factory, println};

rt::entry!(main, kdl: r#"
name "cores"
kind "npk"
spectrum "void"
pledge "STDIO" "EXEC" "AUDIT"
stack "16K"
channels 4
"#);

/// The channel between `echo` and `ask`.
const NUMBER: u32 = 0x2_0000;
/// Where `spawn` wants its end of the channel to a child.
const LINK: u8 = 40;
/// How long the console may take, ns.
const PATIENCE: u64 = 500_000_000;
/// Kind of the message by which a child is told to end.
const LEAVE: u16 = 9;

fn main() -> usize {
    let mut words = rt::args();
    let (role, count) = (words.next(), words.next().and_then(|n| n.parse().ok()).unwrap_or(0u64));
    let done = match role {
        Some("echo") => echo(),
        Some("ask") => ask(count),
        Some("spawn") => spawn(count),
        Some("child") => child(),
        Some("sleep") => rt::Clock::OWN.sleep_until(u64::MAX),
        Some("pause") => rt::Clock::OWN.sleep_until(rt::Clock::OWN.now() + PATIENCE),
        _ => Err(rt::Error::BadCall),
    };
    match done {
        Ok(()) => 0,
        Err(error) => {
            println!("cores: {role:?}: {error:?}");
            1
        }
    }
}

fn echo() -> rt::Result<()> {
    let mut ends = Channel::find(NUMBER, 0)?.map()?;
    loop {
        let mut slot = ends.recv(None)?;
        slot.arg = slot.arg.wrapping_mul(3);
        ends.send(&slot)?;
    }
}

fn ask(count: u64) -> rt::Result<()> {
    let mut ends = Channel::find(NUMBER, 0)?.map()?;
    for n in 0..count {
        ends.send(&rt::channel::message(7, n, &[])?)?;
        let answer = ends.recv(None)?;
        if (answer.kind, answer.arg) != (7, n.wrapping_mul(3)) {
            println!("cores: request {n}, answer {}", answer.arg);
            return Err(rt::Error::Gone);
        }
    }
    println!("cores: {count} answers, each the right one");
    let _ = rt::console::sync(PATIENCE);
    Err(Power::off_by_any(slot::FIRST))
}

fn child() -> rt::Result<()> {
    let parent = Channel(slot::PARENT);
    loop {
        let message = parent.recv()?;
        if message.kind == LEAVE {
            return Ok(());
        }
        parent.send(&message)?;
    }
}

/// What each core has free and in use, but for what a program itself needs to ask.
fn totals() -> [[u64; 4]; 4] {
    let of = |s: SystemStats| [s.free, s.domains.into(), s.objects.into(), s.channels.into()];
    core::array::from_fn(|core| rt::stats::core(core as u32).map(of).unwrap_or_default())
}

fn spawn(count: u64) -> rt::Result<()> {
    let mut before = [[0; 4]; 4];
    let mut homes = [0u64; 4];
    for n in 0..count {
        if n == 2 {
            // What is left for ever after the first ones would be no leak.
            before = totals();
        }
        let fiber = Factory::OWN.image_linked("cores", b"child\0", Wanted::default(), LINK)?;
        let link = Channel(LINK);
        link.send(&rt::channel::message(7, n, &[])?)?;
        let answer = link.recv()?;
        if (answer.kind, answer.arg) != (7, n) {
            return Err(rt::Error::NotReady);
        }
        if n % 2 == 0 {
            link.send(&rt::channel::message(LEAVE, 0, &[])?)?;
        } else {
            fiber.kill()?;
        }
        let ended = fiber.end()?;
        homes[(ended.fiber >> 24) as usize % 4] += 1;
        let wanted = if n % 2 == 0 { end::EXIT } else { end::KILLED };
        if ended.end != wanted {
            println!("cores: child {n} ended by {}", ended.end);
        }
        rt::sys::mask(LINK, 0, 0, None)?;
    }
    let after = totals();
    println!("cores: {count} children, on each core {homes:?}");
    if before == after {
        println!("cores: every core has what it had");
    } else {
        println!("cores: before {before:?} after {after:?}");
    }
    Ok(())
}
