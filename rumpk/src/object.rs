//! Objects that capabilities name, and how a call ends.
use abi::call::Error;
use abi::cap::Kind;

use crate::cores::Home;

/// Objects that exist once: the capability says what, and the caller whose.
pub mod single {
    pub const SELF: u32 = 0;
    pub const EVENTS: u32 = 1;
    pub const CLOCK: u32 = 2;
    pub const FACTORY: u32 = 3;
    pub const AUDIT: u32 = 4;
    pub const POWER: u32 = 5;
    /// Number of them.
    pub const COUNT: u32 = 6;
}

/// What an object is. With a tag of its own, so that a free place is all zeros.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub enum Body {
    Free,
    /// One of [`single`].
    Single(Kind),
    /// One end of a channel.
    End {
        channel: u8,
        side: u8,
    },
    /// The channel whose other side is the kernel.
    Vfs {
        domain: u8,
    },
    /// A device window at its physical address.
    Device {
        base: u64,
        len: u64,
    },
    /// Memory of its owner's extent, at its physical address.
    Memory {
        base: u64,
        len: u64,
    },
    Irq {
        intid: u32,
    },
    Fiber {
        place: u8,
    },
    /// Nothing now: its owner's next instance will need a place.
    Kept,
    /// Something whose home is another core.
    Far(Far),
}

/// What a [`Far`] is at home.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum FarKind {
    Fiber,
    /// An end of a channel: its home sends and receives for us, unless it is mapped here.
    End,
    Memory,
    Device,
    Irq,
}

impl FarKind {
    const ALL: [Self; 5] = [Self::Fiber, Self::End, Self::Memory, Self::Device, Self::Irq];

    /// As it stands in a parcel.
    pub fn code(self) -> u8 {
        self as u8
    }
    pub fn of_code(code: u8) -> Option<Self> {
        Self::ALL.get(code as usize).copied()
    }
}

/// The parent of a child that has to end: who wanted it restarted meanwhile.
pub const DOOMED: u8 = crate::kernel::NONE - 1;

/// What is known here about an object of another core.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[allow(clippy::struct_excessive_bools, reason = "independent facts about one thing")]
pub struct Far {
    /// Epoch 0: a child that is being started.
    pub home: Home,
    pub kind: FarKind,
    /// Made for a child of one of our fibers, and not by the manifest.
    pub is_child: bool,
    /// Place of the fiber whose child it is; [`crate::kernel::NONE`]: nobody's; [`DOOMED`].
    pub parent: u8,
    /// Its home was asked to tell.
    pub watching: bool,
    /// What its home told last.
    pub got: u8,
    /// The child ended.
    pub ended: bool,
    /// And its parent did not take the event yet.
    pub untold: bool,
    /// Number of the child. Of a console that was lent at birth: slot, verbs and depth, by byte; else 0.
    pub id: u32,
    /// Energy that came out of the parent's domain, ns per window.
    pub carved: u32,
    /// Memory and places that came out of its account.
    pub pages: u32,
    pub places: u8,
}

impl Far {
    pub fn of(kind: FarKind, home: Home) -> Self {
        Self {
            home,
            kind,
            is_child: false,
            parent: crate::kernel::NONE,
            watching: false,
            got: 0,
            ended: false,
            untold: false,
            id: 0,
            carved: 0,
            pages: 0,
            places: 0,
        }
    }

    /// A console that the parent lent at birth.
    pub fn is_console(&self) -> bool {
        self.kind == FarKind::End && self.id != 0
    }
}

const _: () = assert!(size_of::<Body>() <= 32);

/// One place of the object table.
#[derive(Clone, Copy, Debug)]
pub struct Object {
    pub body: Body,
    /// Rises when the object ends: an older capability is void.
    pub epoch: u32,
    /// The latched bit: doorbell, interrupt.
    pub latched: bool,
    /// Of an interrupt: the domain in whose next window the line is unmasked, plus 1; 0: none waits for that.
    pub opens: u8,
    /// Cores that wait for it, as a mask.
    pub watchers: u8,
    /// Domain it belongs to; it ends with it. [`crate::kernel::NONE`]: nobody's.
    pub owner: u8,
    /// Fibers that wait for it, by place. A stale bit costs one look, a missing one would lose a wake-up.
    pub waiters: u64,
    /// Pledge bits that a user needs.
    pub pledge: u64,
}

impl Object {
    /// A free place.
    pub const FREE: Self = Self {
        body: Body::Free,
        epoch: 0,
        latched: false,
        watchers: 0,
        opens: 0,
        owner: 0,
        waiters: 0,
        pledge: 0,
    };

    pub fn new(body: Body, owner: u8, pledge: u64) -> Self {
        Self { body, owner, pledge, ..Self::FREE }
    }
    /// Free, or kept for this owner's next instance.
    pub fn is_free_for(&self, owner: u8) -> bool {
        self.is_free() || (self.is_kept() && self.owner == owner)
    }
    pub fn is_free(&self) -> bool {
        matches!(self.body, Body::Free)
    }
    /// Its owner's next instance will need the place.
    pub fn is_kept(&self) -> bool {
        matches!(self.body, Body::Kept)
    }
}

/// Why a call gives no value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stop {
    /// An answer to the caller.
    Error(Error),
    /// The caller goes on later; its frame gets the result then.
    Later,
    /// The caller used what its pledge gave up: its domain ends.
    Violation,
}

impl From<Error> for Stop {
    fn from(error: Error) -> Self {
        Self::Error(error)
    }
}
impl From<arch::BadAddress> for Stop {
    fn from(_: arch::BadAddress) -> Self {
        Self::Error(Error::BadAddress)
    }
}
impl From<arch::NoTable> for Stop {
    fn from(_: arch::NoTable) -> Self {
        Self::Error(Error::NoMemory)
    }
}

/// How a call ends: a value, or why not.
pub type Answer = Result<usize, Stop>;
