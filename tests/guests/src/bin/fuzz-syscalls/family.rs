//! The children: expendable ones, the victim that must not change, and their ends.
use abi::call::{Error, want};
use abi::stats::end;
use rt::channel::message;
use rt::object::Wanted;
use rt::{Channel, Clock, Factory, Fiber, Result, println};

use crate::grammar::{CHANNELS, CHILDREN, TAKEN, TAKES, VICTIM, World};
use crate::random::Random;

/// Longest time that the victim may take to look at its memory, ns.
const PATIENCE_NS: u64 = 10_000_000_000;

/// Starts the victim; its FIBER slot, and where its memory is.
pub fn victim() -> Result<(Fiber, usize)> {
    let wanted = Wanted { energy: 100, ..Wanted::default() };
    let fiber = Factory::OWN.image_linked("fuzz-child", b"victim", wanted, VICTIM)?;
    Ok((fiber, ask()? as usize))
}

/// Asks the victim whether its memory is as it was: its address, or 0.
fn ask() -> Result<u64> {
    let channel = Channel(VICTIM);
    channel.send(&message(1, 0, &[])?)?;
    Ok(channel.recv_until(Some(Clock::OWN.now() + PATIENCE_NS))?.arg)
}

/// Whether nothing changed there.
pub fn intact(at: usize) -> bool {
    match ask() {
        Ok(answer) => answer == at as u64,
        Err(e) => {
            println!("fuzz: the victim does not answer: {}", rt::start::describe(e));
            false
        }
    }
}

/// Notes a FIBER slot that a spawn gave.
pub fn born(world: &mut World, slot: usize) {
    let before = &mut world.fibers[world.child];
    if *before != slot as u8 {
        end_one(Fiber(*before));
    }
    *before = slot as u8;
}

/// Takes the ends of children, ends some, and gives their channels back. An end that no child can have: its cause.
pub fn reap(world: &mut World, r: &mut Random) -> Option<u8> {
    let mut wrong = None;
    for child in 0..CHILDREN {
        let fiber = Fiber(world.fibers[child]);
        if r.once_in(3) {
            // It may have ended already.
            let _ = fiber.kill();
        }
        match fiber.try_end() {
            Ok(how) => {
                let known = [end::EXIT, end::KILLED, end::PAGE_FAULT, end::PLEDGE, end::ALIGNMENT];
                if !known.contains(&how.end) {
                    wrong = Some(how.end);
                }
            }
            Err(Error::BadSlot) => {}
            Err(_) => continue,
        }
        // The channel of one that ended stays a while, so that calls meet it.
        if r.once_in(2) {
            let _ = rt::sys::mask(CHANNELS + child as u8, 0, 0, None);
        }
    }
    wrong
}

/// Drops some of what children gave.
pub fn give_back(r: &mut Random) {
    for slot in TAKEN..TAKEN + TAKES as u8 {
        if r.once_in(3) {
            // It may be empty, or lack MASK.
            let _ = rt::sys::mask(slot, 0, 0, None);
        }
    }
}

/// Ends one and takes its end, which comes when its domain is taken apart. Of one that ended before, the slot is empty.
fn end_one(fiber: Fiber) {
    if fiber.kill().is_ok() {
        let _ = rt::wait::one(fiber.0, want::EVENT, Some(Clock::OWN.now() + PATIENCE_NS));
    }
    if fiber.try_end() == Err(Error::Revoked) {
        // Who was given a copy asked first: what is left is void and would keep its slot.
        let _ = rt::sys::mask(fiber.0, 0, 0, None);
    }
}

/// Ends all of them and empties the slots of their channels.
pub fn end_all(world: &World, victim: Fiber) {
    for fiber in world.fibers.map(Fiber).into_iter().chain([victim]) {
        end_one(fiber);
    }
    let taken = TAKEN..TAKEN + TAKES as u8;
    for slot in (CHANNELS..CHANNELS + CHILDREN as u8).chain([VICTIM]).chain(taken) {
        let _ = rt::sys::mask(slot, 0, 0, None);
    }
}
