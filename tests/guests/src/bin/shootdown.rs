//! `shootdown calls|loads ROUNDS READERS`, `shootdown tick NS`: after a REVOKE returned, nobody reads the page any more, on whatever core.
//!
//! Children on other cores hammer a page that this program grants them. In each round it revokes, and the moment the call returned it
//! writes a forbidden word into the page: a reader that ever sees it read what it should not reach. With `loads` the
//! readers load and compare, as fast as they can, and their page fault is the only end that is right, so that each round has readers
//! of its own. With `calls` they send the page's contents as a message, again and again: the kernel reads the page for
//! them, through the same translation, and says `BadAddress` when it is gone, so that the same readers serve for all rounds.
//!
//! `tick` has a timer armed at all times: QEMU's counted clock runs the cores in turn, and a timer bounds each one's turn.
#![no_std]
#![no_main]

use core::ptr::{with_exposed_provenance, with_exposed_provenance_mut};

use abi::cap::{R, W, slot, verb};
use abi::ring::Slot;
use abi::stats::end;
use rt::channel::message;
use rt::object::{Less, Power, Wanted, take};
use rt::{Channel, Clock, Error, Factory, Fiber, println, sys};

rt::entry!(main, kdl: r#"
name "shootdown"
kind "npk"
spectrum "void"
pledge "STDIO" "EXEC"
stack "16K"
channels 4
"#);

/// First of the channels to readers, and where a reader takes the page.
const LINK: u8 = 40;
const TAKEN: u8 = 20;
const READERS: usize = 3;
/// Kinds of messages: the reader has mapped the page; what stands in the page; the reader lost it.
const READY: u16 = 1;
const PAGE: u16 = 2;
const LOST: u16 = 3;
/// What may be read, with the round below, and what nobody may read.
const ALLOWED: u64 = 0xA110_0000_0000_0000;
const FORBIDDEN: u64 = 0xBAD0_0000_0000_0000;
/// Exit code of a reader that saw it.
const SEEN: usize = 66;
/// Longest random time between a reader's word and the REVOKE, ns.
const SPREAD: u64 = 40_000;
/// How long the console may take, ns.
const PATIENCE: u64 = 500_000_000;

fn main() -> usize {
    let mut words = rt::args();
    let role = words.next();
    let mut number = || words.next().and_then(|n| n.parse().ok()).unwrap_or(1);
    let done = match role {
        Some("calls") => calls(number(), number() as usize),
        Some("loads") => loads(number(), number() as usize),
        Some("by-call") => by_call(),
        Some("by-load") => return by_load(),
        Some("tick") => tick(number()),
        _ => Err(Error::BadCall),
    };
    if let Err(error) = done {
        println!("shootdown: {role:?}: {error:?}");
    }
    if matches!(role, Some("calls" | "loads")) {
        let _ = rt::console::sync(PATIENCE);
        let _ = Power::off_by_any(slot::FIRST);
    }
    1
}

/// The page and who reads it.
struct Round {
    /// Slot of the page, and its address.
    memory: u8,
    page: usize,
    readers: usize,
    random: u64,
}

impl Round {
    fn new(readers: usize) -> rt::Result<Self> {
        // Where the manifest put it: it is all that can be mapped.
        let mut found =
            (slot::FIRST..LINK).filter_map(|at| Some((at, sys::map(at, 0, 0, R | W).ok()?.0)));
        let (memory, page) = found.next().ok_or(Error::NotFound)?;
        Ok(Self { memory, page, readers: readers.min(READERS), random: 0x9E37_79B9_7F4A_7C15 })
    }

    /// A message that says `word`.
    fn write(&self, word: u64) -> rt::Result<()> {
        let bytes = abi::ring::Slot::encode(&message(PAGE, word, &[])?);
        for (n, part) in bytes[..16].chunks_exact(8).enumerate() {
            let value = u64::from_le_bytes(part.try_into().unwrap_or_default());
            // SAFETY: mapped by `new`, and this program's own.
            unsafe {
                with_exposed_provenance_mut::<u64>(self.page + n * 8).write_volatile(value);
            }
        }
        Ok(())
    }

    fn start(reader: usize, role: &[u8]) -> rt::Result<Fiber> {
        Factory::OWN.image_linked("shootdown", role, Wanted::default(), LINK + reader as u8)
    }

    /// Grants, waits until all readers read, revokes, and spoils the page.
    fn shoot(&mut self, n: u64) -> rt::Result<()> {
        self.write(ALLOWED | n)?;
        for reader in 0..self.readers {
            let less = Less { verbs: verb::MAP, perms: R, until: None };
            rt::object::grant(self.memory, LINK + reader as u8, less)?;
        }
        for reader in 0..self.readers {
            while Channel(LINK + reader as u8).recv()?.kind != READY {}
        }
        self.random ^= self.random << 13;
        self.random ^= self.random >> 7;
        self.random ^= self.random << 17;
        let until = Clock::OWN.now() + self.random % SPREAD;
        while Clock::OWN.now() < until {}
        rt::object::revoke(self.memory)?;
        self.write(FORBIDDEN | n)
    }
}

fn calls(rounds: u64, readers: usize) -> rt::Result<()> {
    let mut round = Round::new(readers)?;
    for reader in 0..round.readers {
        Round::start(reader, b"by-call\0")?;
    }
    let mut reads = 0;
    for n in 0..rounds {
        round.shoot(n)?;
        for reader in 0..round.readers {
            loop {
                let said = Channel(LINK + reader as u8).recv()?;
                match said.kind {
                    PAGE if said.arg == ALLOWED | n => {}
                    LOST => {
                        reads += said.arg;
                        break;
                    }
                    _ => {
                        println!("shootdown: round {n}: read {:#x} after the return", said.arg);
                        return Err(Error::Revoked);
                    }
                }
            }
        }
    }
    println!("shootdown: {rounds} revokes, {reads} reads, none after a return");
    Ok(())
}

/// Reads the page through the kernel until it is gone, round after round.
fn by_call() -> rt::Result<()> {
    let parent = Channel(slot::PARENT);
    loop {
        take(slot::PARENT, TAKEN, None)?;
        let (page, _) = sys::map(TAKEN, 0, 0, R)?;
        parent.send(&message(READY, 0, &[])?)?;
        let mut reads = 0;
        loop {
            let args = [slot::PARENT.into(), page, 16, 0, 0, 0];
            // SAFETY: the kernel only reads the page, if there is one.
            match unsafe { sys::call(abi::call::number::SEND, args) } {
                // Of a ring that is full it tells after it read.
                Ok(_) | Err(Error::Full) => reads += 1,
                Err(Error::BadAddress) => break,
                Err(other) => return Err(other),
            }
        }
        sys::mask(TAKEN, 0, 0, None)?;
        parent.send(&message(LOST, reads, &[])?)?;
    }
}

fn loads(rounds: u64, readers: usize) -> rt::Result<()> {
    let mut round = Round::new(readers)?;
    for n in 0..rounds {
        let mut fibers = [const { None }; READERS];
        for (reader, fiber) in fibers.iter_mut().enumerate().take(round.readers) {
            *fiber = Some(Round::start(reader, b"by-load\0")?);
        }
        round.shoot(n)?;
        for (reader, fiber) in fibers.into_iter().flatten().enumerate() {
            let ended = fiber.end()?;
            if (ended.end, ended.code) != (end::PAGE_FAULT, round.page as u64 + 8) {
                println!("shootdown: round {n}: a reader ended by {} {:#x}", ended.end, ended.code);
                return Err(Error::Revoked);
            }
            sys::mask(LINK + reader as u8, 0, 0, None)?;
        }
    }
    println!("shootdown: {rounds} revokes, each reader's next load was its last");
    Ok(())
}

fn tick(period: u64) -> rt::Result<()> {
    loop {
        Clock::OWN.sleep_until(Clock::OWN.now() + period)?;
    }
}

/// Loads from the page until that ends it, or until it sees what it must not.
fn by_load() -> usize {
    let page = take(slot::PARENT, TAKEN, None).and_then(|_| sys::map(TAKEN, 0, 0, R));
    let Ok((page, _)) = page else { return 1 };
    let ready = message(READY, 0, &[]).and_then(|m: Slot| Channel(slot::PARENT).send(&m));
    if ready.is_err() {
        return 1;
    }
    loop {
        // SAFETY: mapped above; when it is no more, the load ends this program, which is what is tried.
        let word = unsafe { with_exposed_provenance::<u64>(page + 8).read_volatile() };
        if word & FORBIDDEN == FORBIDDEN {
            return SEEN;
        }
    }
}
