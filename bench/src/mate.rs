//! `bench-mate` as who measures sees it: a domain that does what a message says, and answers with times.
use abi::call::number;
use abi::ring::Slot;
use rt::channel::{Channel, message};
use rt::object::Wanted;
use rt::{Error, Factory, Fiber, Result, sys};

use crate::{Timed, entry, timed};

/// Takes what is parked into slot `arg`, and keeps it.
pub const TAKE: u16 = 1;
/// Takes it and drops it; answers what the taking cost.
pub const TAKE_AND_DROP: u16 = 2;
/// Maps what is in slot `arg`.
pub const MAP: u16 = 3;
/// Ends.
pub const END: u16 = 4;
/// Does nothing but answer.
const HELLO: u16 = 5;

/// A mate, and the slot of the channel to it.
pub struct Mate {
    /// Slot of the channel, which neither side maps.
    pub channel: u8,
    fiber: Fiber,
}

/// What the answer says that it took.
#[must_use]
pub fn took(answer: &Slot) -> u64 {
    let mut raw = [0; 8];
    raw.copy_from_slice(&answer.payload[..8]);
    u64::from_le_bytes(raw)
}

impl Mate {
    /// A mate with a channel in the free slot `channel`.
    pub fn spawn(channel: u8) -> Result<Self> {
        let fiber = Factory::OWN.image_linked("bench-mate", &[], Wanted::default(), channel)?;
        let mate = Self { channel, fiber };
        // It is there when it answers.
        if mate.ask(HELLO, 0).is_some() { Ok(mate) } else { Err(Error::NotReady) }
    }

    /// Grants it a copy of what is in `slot`.
    pub fn grant(&self, slot: u8, verbs: u8, perms: u8) -> Result<Timed> {
        let call = entry(number::GRANT);
        // SAFETY: no memory is concerned.
        let t =
            unsafe { crate::timed5(call, [slot, self.channel, verbs, perms, 0].map(usize::from)) };
        good(t)
    }

    /// Sends it a message with a whole payload.
    pub fn tell(&self, kind: u16, arg: u64) -> Result<Timed> {
        let bytes = sys::Aligned(message(kind, arg, &[0; 48])?.encode());
        let args = [self.channel.into(), bytes.0.as_ptr() as usize, Slot::SIZE];
        // SAFETY: the kernel only reads the message.
        good(unsafe { timed(entry(number::SEND), args) })
    }

    /// Sends it a message and waits for the answer; `None` where it failed there.
    pub fn ask(&self, kind: u16, arg: u64) -> Option<Slot> {
        self.tell(kind, arg).ok()?;
        let answer = Channel(self.channel).recv().ok()?;
        (answer.kind == kind).then_some(answer)
    }

    /// Ends it, so that its slots are free again.
    pub fn end(&self) -> Option<()> {
        self.tell(END, 0).ok()?;
        self.fiber.end().ok()?;
        sys::mask(self.channel, 0, 0, None).ok()?;
        Some(())
    }
}

fn good(t: Timed) -> Result<Timed> {
    if t.status != 0 {
        rt::println!("a call answers {}", t.status);
    }
    if t.status == 0 { Ok(t) } else { Err(Error::from_status(t.status).unwrap_or(Error::BadCall)) }
}
