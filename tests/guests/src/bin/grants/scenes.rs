//! What is tried.
use abi::call::{Error, Landed, REVOKE, WaitEntry, number as n, op, want};
use abi::cap::{Kind, MAX_DEPTH, MAX_MAPPERS, PARKED, R, slot, verb};
use abi::pledge::{RPATH, STDIO};
use abi::ring::Slot;
use abi::stats::{end, event};
use guests::order;
use rt::{Clock, println};

use crate::cast::{
    ALL, MEMORY, PARENT, Puppet, RW, Scene, TAKEN, drop_slot, grant, holds, must, refused, revoke,
    take,
};

/// What stands in the memory.
const WORD: u64 = 0x6E65_7875_7300_0001;

/// Given narrowed, with an event; used; and nothing of it after REVOKE, neither by call nor by pages.
pub fn given() -> Scene {
    let (puppet, other) = (Puppet::usual(0)?, Puppet::usual(1)?);
    must(grant(MEMORY, other.channel.0, ALL, RW, 0), (0, 0))?;
    must(other.take(TAKEN)?, (0, Landed::SIZE))?;
    let (status, at) = other.map(TAKEN, RW)?;
    holds(status == 0, at)?;
    other.poke(at, WORD)?;

    must(grant(MEMORY, puppet.channel.0, (verb::MAP | verb::GRANT).into(), R.into(), 0), (0, 0))?;
    let entry = WaitEntry { slot: slot::EVENTS, want: want::EVENT, got: 0, zero: 0 };
    puppet.poke(puppet.buffer, u32::from_le_bytes(entry.encode()).into())?;
    must(puppet.call(n::WAIT, [puppet.buffer, 1, 0, 0, 0, 0])?, (0, 1))?;
    let events = [slot::EVENTS.into(), puppet.buffer, Slot::SIZE, 0, 0, 0];
    holds(puppet.call(n::RECV, events)?.0 == 0, 0)?;
    let what = puppet.peek(puppet.buffer + 16)?;
    holds(what == u64::from(event::CAPABILITY) | (PARENT as u64) << 32, what as usize)?;
    holds(puppet.peek(puppet.buffer + 24)? as u32 == 1, 1)?;

    must(puppet.take(TAKEN)?, (0, Landed::SIZE))?;
    let landed = puppet.landed()?.0;
    let wanted = [Kind::MEMORY.0, verb::MAP | verb::GRANT, R, 1];
    holds(landed == wanted, u32::from_le_bytes(landed) as usize)?;
    must(puppet.map(TAKEN, RW)?, refused(Error::Denied))?;
    must(puppet.map(TAKEN, R.into())?, (0, at))?;
    holds(puppet.peek(at)? == WORD, at)?;
    let revokes = [TAKEN, REVOKE, 0, 0, 0, 0];
    must(puppet.call(n::GRANT, revokes)?, refused(Error::Denied))?;

    must(revoke(MEMORY), (0, 0))?;
    must(puppet.map(TAKEN, R.into())?, refused(Error::Revoked))?;
    must(puppet.call(n::MASK, [TAKEN, 0, 0, 0, 0, 0])?, (0, 0))?;
    must(puppet.call(n::MASK, [TAKEN, 0, 0, 0, 0, 0])?, refused(Error::BadSlot))?;
    let died = puppet.dies_of(false, at)?;
    holds(died == (end::PAGE_FAULT, at as u64), died.1 as usize)?;
    let died = other.dies_of(false, at)?;
    holds(died == (end::PAGE_FAULT, at as u64), died.1 as usize)
}

/// Slots that are not there, taken, or of the wrong kind.
fn refused_calls(puppet: &Puppet) -> Scene {
    let via = puppet.channel.0;
    for from in [63, 64, 200, 255] {
        must(grant(from, via, ALL, RW, 0), refused(Error::BadSlot))?;
        must(grant(MEMORY, from, ALL, RW, 0), refused(Error::BadSlot))?;
    }
    for from in [slot::SELF, slot::EVENTS, slot::CLOCK, slot::FACTORY, slot::VFS] {
        must(grant(from, via, ALL, RW, 0), refused(Error::Denied))?;
    }
    must(grant(MEMORY, slot::VFS, ALL, RW, 0), refused(Error::BadCall))?;
    must(grant(MEMORY, MEMORY, ALL, RW, 0), refused(Error::Denied))?;
    must(grant(MEMORY, via, 128, RW, 0), refused(Error::BadCall))?;
    must(grant(MEMORY, via, ALL, 8, 0), refused(Error::BadCall))?;
    must(grant(MEMORY, via, verb::SEND.into(), RW, 0), refused(Error::Denied))?;
    must(grant(MEMORY, via, ALL, RW, 1), refused(Error::Revoked))
}

fn refused_takes(puppet: &Puppet) -> Scene {
    let at = puppet.buffer;
    let taken = |into| [PARENT, at, Landed::SIZE, into, 0, 0];
    for into in [1, 2, 3, 6, 7] {
        must(puppet.call(n::RECV, taken(into))?, refused(Error::Exists))?;
    }
    for into in [64, 65, usize::MAX] {
        must(puppet.call(n::RECV, taken(into))?, refused(Error::BadSlot))?;
    }
    let short = [PARENT, at, Landed::SIZE - 1, TAKEN, 0, 0];
    must(puppet.call(n::RECV, short)?, refused(Error::BadCall))?;
    let nowhere = [PARENT, 64, Landed::SIZE, TAKEN, 0, 0];
    must(puppet.call(n::RECV, nowhere)?, refused(Error::BadAddress))?;
    let events = [slot::EVENTS.into(), at, Landed::SIZE, TAKEN, 0, 0];
    must(puppet.call(n::RECV, events)?, refused(Error::BadCall))
}

fn refused_all(puppet: &Puppet) -> Scene {
    refused_calls(puppet)?;
    must(puppet.take(TAKEN)?, refused(Error::Empty))?;
    must(grant(MEMORY, puppet.channel.0, ALL, RW, 0), (0, 0))?;
    refused_takes(puppet)?;
    // None of these took it.
    must(puppet.take(TAKEN)?, (0, Landed::SIZE))
}

pub fn forged() -> Scene {
    let puppet = Puppet::usual(0)?;
    refused_all(&puppet)?;
    puppet.leave()
}

/// Four places, and a REVOKE empties them.
pub fn full() -> Scene {
    let puppet = Puppet::usual(0)?;
    for _ in 0..PARKED {
        must(grant(MEMORY, puppet.channel.0, ALL, RW, 0), (0, 0))?;
    }
    must(grant(MEMORY, puppet.channel.0, ALL, RW, 0), refused(Error::Full))?;
    must(revoke(MEMORY), (0, 0))?;
    must(puppet.take(TAKEN)?, refused(Error::Empty))?;
    must(grant(MEMORY, puppet.channel.0, ALL, RW, 0), (0, 0))?;
    must(puppet.take(TAKEN)?, (0, Landed::SIZE))?;
    puppet.leave()
}

/// To the puppet and back, until GRANT is gone.
pub fn hops() -> Scene {
    let puppet = Puppet::usual(0)?;
    let mut from = usize::from(MEMORY);
    for depth in 1..=MAX_DEPTH {
        let into = TAKEN + usize::from(depth);
        if depth % 2 == 1 {
            must(grant(from as u8, puppet.channel.0, ALL, RW, 0), (0, 0))?;
            must(puppet.take(into)?, (0, Landed::SIZE))?;
            let (landed, _) = puppet.landed()?;
            let grants = landed[1] & verb::GRANT != 0;
            holds(landed[3] == depth && grants == (depth < MAX_DEPTH), landed[1].into())?;
        } else {
            must(puppet.call(n::GRANT, [from, PARENT, ALL, RW, 0, 0])?, (0, 0))?;
            must(take(puppet.channel.0, into), (0, Landed::SIZE))?;
        }
        from = into;
    }
    must(grant(from as u8, puppet.channel.0, ALL, RW, 0), refused(Error::Denied))?;
    must(revoke(from as u8), refused(Error::Denied))?;
    must(revoke(MEMORY), (0, 0))?;
    for depth in [2, 4] {
        must(drop_slot(TAKEN + depth), (0, 0))?;
    }
    puppet.leave()
}

/// A child without STDIO gets no memory; who has it and drops it gets what was parked no more.
pub fn pledge() -> Scene {
    let puppet = Puppet::new(0, 2 << 62 | RPATH)?;
    must(grant(MEMORY, puppet.channel.0, ALL, RW, 0), refused(Error::Pledge))?;
    puppet.leave()?;
    let puppet = Puppet::new(0, 2 << 62 | RPATH | STDIO)?;
    must(grant(MEMORY, puppet.channel.0, ALL, RW, 0), (0, 0))?;
    puppet.poke(puppet.buffer, 2 << 62 | RPATH)?;
    must(puppet.call(n::PLEDGE, [0, puppet.buffer, 8, 0, 0, 0])?, (0, 0))?;
    must(puppet.take(TAKEN)?, refused(Error::Empty))?;
    puppet.leave()
}

/// Mapped until its time, and not a moment longer, though the puppet makes no call.
pub fn expiry() -> Scene {
    // Of the lowest spectrum, so that it may compute as long as nobody else wants to.
    let puppet = Puppet::new(0, STDIO)?;
    let until = Clock::OWN.now() + 40_000_000;
    must(grant(MEMORY, puppet.channel.0, ALL, RW, until), (0, 0))?;
    must(puppet.take(TAKEN)?, (0, Landed::SIZE))?;
    holds(puppet.landed()?.1 == until, 0)?;
    // Passed on, it lives no longer.
    must(puppet.call(n::GRANT, [TAKEN, PARENT, ALL, RW, 0, 0])?, (0, 0))?;
    must(take(puppet.channel.0, TAKEN), (0, Landed::SIZE))?;
    let (status, at) = puppet.map(TAKEN, RW)?;
    holds(status == 0, at)?;
    let died = puppet.dies_of(true, at)?;
    let now = Clock::OWN.now();
    holds(died == (end::PAGE_FAULT, at as u64), died.1 as usize)?;
    holds((until..until + 10_000_000).contains(&now), now as usize)?;
    must(grant(TAKEN as u8, TAKEN as u8, ALL, RW, 0), refused(Error::Revoked))?;
    must(drop_slot(TAKEN), (0, 0))
}

/// A puppet gives orders to another over a borrowed end, until that is revoked; its peer notices nothing.
pub fn end() -> Scene {
    let (puppet, other) = (Puppet::usual(0)?, Puppet::usual(1)?);
    must(grant(other.channel.0, puppet.channel.0, verb::SEND.into(), 0, 0), (0, 0))?;
    must(puppet.take(TAKEN)?, (0, Landed::SIZE))?;
    puppet.poke(puppet.buffer, u64::from(order::WHERE))?;
    puppet.poke(puppet.buffer + 8, 0)?;
    let send = [TAKEN, puppet.buffer, 16, 0, 0, 0];
    must(puppet.call(n::SEND, send)?, (0, 0))?;
    let said = other.answer()?.0 as usize;
    holds(said == other.buffer, said)?;
    must(puppet.map(TAKEN, RW)?, refused(Error::Denied))?;
    must(revoke(other.channel.0), (0, 0))?;
    must(puppet.call(n::SEND, send)?, refused(Error::Revoked))?;
    must(puppet.call(n::SEND, [TAKEN, op::DOORBELL, 0, 0, 0, 0])?, refused(Error::Revoked))?;
    holds(other.peek(other.buffer)? == 0, 0)?;
    puppet.leave()?;
    other.leave()
}

/// Eight domains map an object, the ninth is refused; all of them lose it at once.
pub fn nine() -> Scene {
    let mut cast: [Option<Puppet>; MAX_MAPPERS + 1] = [const { None }; MAX_MAPPERS + 1];
    let mut at = 0;
    for (index, place) in cast.iter_mut().enumerate() {
        let puppet = Puppet::usual(index as u8)?;
        must(grant(MEMORY, puppet.channel.0, ALL, RW, 0), (0, 0))?;
        must(puppet.take(TAKEN)?, (0, Landed::SIZE))?;
        let left = puppet.map(TAKEN, RW)?;
        if index < MAX_MAPPERS {
            holds(left.0 == 0, index)?;
            at = left.1;
            puppet.poke(at, WORD)?;
        } else {
            must(left, refused(Error::Full))?;
        }
        *place = Some(puppet);
    }
    must(revoke(MEMORY), (0, 0))?;
    for puppet in cast.into_iter().flatten() {
        let died = puppet.dies_of(false, at)?;
        holds(died == (end::PAGE_FAULT, at as u64), died.1 as usize)?;
    }
    Ok(())
}

/// Time of one REVOKE, ns; a counted machine's are instructions.
fn timed() -> Scene<u64> {
    let before = Clock::OWN.now();
    must(revoke(MEMORY), (0, 0))?;
    Ok(Clock::OWN.now() - before)
}

/// REVOKE costs the same with one copy and with 64. The first round is not told: it fills the audit's list of
/// records that wait for their hash, so that both of the others pay for one.
pub fn copies() -> Scene {
    const EACH: usize = 32;
    let cast = [Puppet::usual(0)?, Puppet::usual(1)?];
    let mut times = [0; 3];
    for (time, each) in times.iter_mut().zip([EACH, 1, EACH]) {
        for puppet in &cast[..each.min(2)] {
            for copy in 0..each {
                must(grant(MEMORY, puppet.channel.0, ALL, RW, 0), (0, 0))?;
                must(puppet.take(TAKEN + copy)?, (0, Landed::SIZE))?;
            }
        }
        *time = timed()?;
        for puppet in &cast[..each.min(2)] {
            for copy in 0..each {
                must(puppet.map(TAKEN + copy, RW)?, refused(Error::Revoked))?;
                must(puppet.call(n::MASK, [TAKEN + copy, 0, 0, 0, 0, 0])?, (0, 0))?;
            }
        }
    }
    println!("grants: revoke: {} ns with 1 copy, {} ns with {}", times[1], times[2], 2 * EACH);
    let [one, other] = cast;
    one.leave()?;
    other.leave()
}
