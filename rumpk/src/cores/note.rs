//! What a message between cores says.
//!
//! How many can be under way from one core to another, so that [`lane::PLACES`] (1024) suffice: a request for each of its
//! fibers (64) and an answer for each fiber of the other (64); the end of each of its fibers (64); one WATCH for each of its
//! far ends and one SIGNAL for each of the other's (two for a domain: 64 each, and 64 each for what is borrowed); one ORPHAN
//! for each far child (64); a WATCH and a SIGNAL of the audit chain; one GRANT of each fiber of the other two cores that passes here (128); one VOID for each thing lent and
//! one VOIDED for each borrowed (64 each). The rest, and at most [`AUDITS`], is for audit records, which are counted where
//! they do not fit.
use lane::Message;

/// Audit records that may be under way.
pub const AUDITS: u32 = 100;

/// Kinds.
pub mod kind {
    /// Answer to a request: `word` status, `a` value, `b` more.
    pub const ANSWER: u8 = 1;
    /// A child of ours, by `object` and `epoch` of our far object, ended; `word` its number.
    pub const ENDED: u8 = 2;
    /// Nobody asks for the end of this fiber any more; `word` 1: its parent restarted, and it ends.
    pub const ORPHAN: u8 = 3;
    /// Tell us when this object has something of `word`.
    pub const WATCH: u8 = 4;
    /// The object that we watch has `word`; 0: look again.
    pub const SIGNAL: u8 = 5;
    /// An audit record; coded by `crate::cores::share`.
    pub const AUDIT: u8 = 6;
    /// Start a domain; the wish stands in the parcel.
    pub const SPAWN: u8 = 16;
    /// Operation `word` on a FIBER object.
    pub const OPERATE: u8 = 17;
    /// How the fiber ended; `word` 1: and free its place.
    pub const TAKE_END: u8 = 18;
    /// Send the message in the parcel through an end.
    pub const SEND: u8 = 19;
    /// Receive a message from an end.
    pub const RECEIVE: u8 = 20;
    /// Statistics: `word` class, `a` place; `b` 1: the asker has AUDIT.
    pub const STATS: u8 = 21;
    /// May a domain of ours map this object?
    pub const MAP: u8 = 22;
    /// Append the record in the parcel to the chain; `a` records were refused before it.
    pub const APPEND: u8 = 23;
    /// Records of the chain from number `a` on, at most `b`.
    pub const READ: u8 = 24;
    /// The first record from number `a` on, as a message.
    pub const NEXT: u8 = 25;
    /// Switch off, by operation `word` of POWER, once the chain is sealed: nobody answers.
    pub const POWER: u8 = 26;
    /// Park the copy in the parcel, or pass it on; coded by `super::super::hand`.
    pub const GRANT: u8 = 32;
    /// Nobody has this object of ours any more: `word` our entry for it, and how many mappings we allowed.
    pub const VOID: u8 = 33;
    /// It is so: `word` the entry.
    pub const VOIDED: u8 = 34;
}

/// A message.
#[derive(Clone, Copy, Default, Debug, PartialEq, Eq)]
pub struct Note {
    pub kind: u8,
    /// Place and number of the fiber that asks.
    pub place: u8,
    pub fiber: u32,
    pub word: u32,
    /// Object and epoch, on the core that the message goes to unless the kind says otherwise.
    pub object: u32,
    pub epoch: u32,
    pub a: u64,
    pub b: u64,
}

impl Note {
    /// Asks for statistics: class, and the place of a fiber; whether the asker may see everybody's.
    pub fn stats(class: u32, index: usize, sees: bool) -> Self {
        let (a, b) = (index as u64, sees.into());
        Self { kind: kind::STATS, word: class, a, b, ..Self::default() }
    }

    pub fn encode(&self) -> Message {
        let head = u64::from(self.kind) | u64::from(self.place) << 8 | u64::from(self.word) << 32;
        let pair = |low: u32, high: u32| u64::from(low) | u64::from(high) << 32;
        let object = pair(self.object, self.epoch);
        [head, u64::from(self.fiber), object, self.a, self.b, 0, 0, 0]
    }

    pub fn decode(message: &Message) -> Self {
        let [head, fiber, object, a, b, ..] = *message;
        Self {
            kind: head as u8,
            place: (head >> 8) as u8,
            fiber: fiber as u32,
            word: (head >> 32) as u32,
            object: object as u32,
            epoch: (object >> 32) as u32,
            a,
            b,
        }
    }
}
