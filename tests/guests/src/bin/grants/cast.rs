//! The puppets, and the same strings for this program itself.
use core::sync::atomic::{AtomicU64, Ordering::Relaxed};

use abi::call::{Error, Landed, REVOKE, number as n};
use abi::cap::{R, W, verb};
use guests::order;
use rt::channel::message;
use rt::object::Wanted;
use rt::{Channel, Clock, Factory, Fiber};

/// The MEMORY object of the manifest.
pub const MEMORY: u8 = abi::cap::slot::FIRST;
/// Where a puppet takes what it is granted.
pub const TAKEN: usize = 20;
/// Its channel to this program.
pub const PARENT: usize = abi::cap::slot::PARENT as usize;
pub const ALL: usize = verb::ALL as usize;
pub const RW: usize = (R | W) as usize;
/// Longest time that a puppet may take to answer, ns.
const PATIENCE_NS: u64 = 5_000_000_000;
/// Where channels to puppets stand.
const FIRST_CHANNEL: u8 = 40;

/// What did not come as it should: where, and the status and value that came.
pub struct Wrong {
    pub line: u32,
    pub got: isize,
    pub value: usize,
}

impl From<Error> for Wrong {
    #[track_caller]
    fn from(error: Error) -> Self {
        let line = core::panic::Location::caller().line();
        Self { line, got: error as isize, value: 0 }
    }
}

pub type Scene<T = ()> = Result<T, Wrong>;
/// Status and value of a call.
pub type Left = (isize, usize);

/// What an error leaves.
pub fn refused(error: Error) -> Left {
    (error as isize, 0)
}

/// Fails unless a call left what it should.
#[track_caller]
pub fn must(left: Left, wanted: Left) -> Scene {
    let line = core::panic::Location::caller().line();
    if left == wanted { Ok(()) } else { Err(Wrong { line, got: left.0, value: left.1 }) }
}

/// Fails unless something holds; `value` is told.
#[track_caller]
pub fn holds(what: bool, value: usize) -> Scene {
    let line = core::panic::Location::caller().line();
    if what { Ok(()) } else { Err(Wrong { line, got: 0, value }) }
}

/// Buffer of this program's own calls.
static BUFFER: [AtomicU64; 64] = [const { AtomicU64::new(0) }; 64];

fn buffer() -> usize {
    BUFFER.as_ptr().expose_provenance()
}

fn call(number: usize, args: [usize; 6]) -> Left {
    // SAFETY: what it may write to is the buffer, made of atomics.
    let left = unsafe { guests::trap(number, args) };
    (left.status, left.value)
}

/// `grant` by this program until `expiry`, 0: for ever.
pub fn grant(slot: u8, via: u8, verbs: usize, perms: usize, expiry: u64) -> Left {
    BUFFER[0].store(expiry, Relaxed);
    let at = if expiry == 0 { 0 } else { buffer() };
    call(n::GRANT, [slot.into(), via.into(), verbs, perms, at, 0])
}

pub fn revoke(slot: u8) -> Left {
    call(n::GRANT, [slot.into(), REVOKE, 0, 0, 0, 0])
}

/// `recv` into a slot by this program.
pub fn take(via: u8, into: usize) -> Left {
    call(n::RECV, [via.into(), buffer(), Landed::SIZE, into, 0, 0])
}

/// Drops a capability.
pub fn drop_slot(slot: usize) -> Left {
    call(n::MASK, [slot, 0, 0, 0, 0, 0])
}

/// Cores on which puppets ended, one bit each.
pub static HOMES: AtomicU64 = AtomicU64::new(0);

/// A child that does as it is told.
pub struct Puppet {
    pub fiber: Fiber,
    pub channel: Channel,
    /// Its buffer.
    pub buffer: usize,
}

impl Puppet {
    /// Number `index` of a scenario; ANDed with its manifest's mask.
    pub fn new(index: u8, mask: u64) -> Scene<Self> {
        let at = FIRST_CHANNEL + index;
        let wanted = Wanted { energy: 50, pledge: mask, memory: 0 };
        let fiber = Factory::OWN.image_linked("puppet", b"", wanted, at)?;
        let mut puppet = Self { fiber, channel: Channel(at), buffer: 0 };
        puppet.buffer = puppet.order(order::WHERE, 0, &[])?.0 as usize;
        Ok(puppet)
    }

    /// One with all that its manifest allows.
    pub fn usual(index: u8) -> Scene<Self> {
        Self::new(index, u64::MAX)
    }

    fn tell(&self, kind: u16, arg: u64, payload: &[u8]) -> Scene {
        Ok(self.channel.send(&message(kind, arg, payload)?)?)
    }

    fn order(&self, kind: u16, arg: u64, payload: &[u8]) -> Scene<Left> {
        self.tell(kind, arg, payload)?;
        self.answer()
    }

    /// What it answers.
    #[track_caller]
    pub fn answer(&self) -> Scene<Left> {
        let said = self.channel.recv_until(Some(Clock::OWN.now() + PATIENCE_NS))?;
        let value = u64::from_le_bytes(said.payload[..8].try_into().unwrap_or_default());
        Ok((said.arg as isize, value as usize))
    }

    /// A call of its own.
    #[track_caller]
    pub fn call(&self, number: usize, args: [usize; 6]) -> Scene<Left> {
        let mut payload = [0; 48];
        for (to, arg) in payload.chunks_exact_mut(8).zip(args) {
            to.copy_from_slice(&(arg as u64).to_le_bytes());
        }
        self.order(order::CALL, number as u64, &payload)
    }

    /// What it reads at an address.
    pub fn peek(&self, at: usize) -> Scene<u64> {
        Ok(self.order(order::PEEK, at as u64, &[])?.0 as u64)
    }

    pub fn poke(&self, at: usize, value: u64) -> Scene {
        self.order(order::POKE, at as u64, &value.to_le_bytes()).map(drop)
    }

    pub fn map(&self, slot: usize, perms: usize) -> Scene<Left> {
        self.call(n::MAP, [slot, 0, 0, perms, 0, 0])
    }

    /// Takes what waits at its channel to this program.
    pub fn take(&self, into: usize) -> Scene<Left> {
        self.call(n::RECV, [PARENT, self.buffer, Landed::SIZE, into, 0, 0])
    }

    /// Kind, verbs, permissions and depth of what it took last, and until when.
    pub fn landed(&self) -> Scene<([u8; 4], u64)> {
        let head = self.peek(self.buffer)?.to_le_bytes();
        Ok(([head[0], head[1], head[2], head[3]], self.peek(self.buffer + 24)?))
    }

    /// It reads an address until that ends it: the cause, and the address that the kernel names.
    pub fn dies_of(self, stare: bool, at: usize) -> Scene<(u8, u64)> {
        self.tell(if stare { order::STARE } else { order::PEEK }, at as u64, &[])?;
        self.ended()
    }

    fn ended(self) -> Scene<(u8, u64)> {
        let end = self.fiber.end()?;
        HOMES.fetch_or(1 << (end.fiber >> 24), Relaxed);
        must(drop_slot(self.channel.0.into()), (0, 0))?;
        Ok((end.end, end.code))
    }

    /// Ends it.
    pub fn leave(self) -> Scene {
        self.fiber.kill()?;
        self.ended().map(drop)
    }
}
