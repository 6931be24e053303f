//! The 12 syscalls and the meta-slot.
//!
//! An entry is `extern "C" fn(a0..a5: usize) -> {status: isize, value: usize}`. Inside the trap the number
//! is in `x8`/`a7`/`rax`. Status 0 is success, a negative one is an [`Error`].
use crate::record;

/// Numbers of the calls, which are also the order of the entries in the SysTable.
pub mod number {
    #![allow(missing_docs, reason = "the names are those of the table in docs/abi/syscalls.md")]
    pub const META: usize = 0;
    pub const EXIT: usize = 1;
    pub const YIELD: usize = 2;
    pub const WAIT: usize = 3;
    pub const SPAWN: usize = 4;
    pub const SEND: usize = 5;
    pub const RECV: usize = 6;
    pub const MAP: usize = 7;
    pub const MASK: usize = 8;
    pub const GRANT: usize = 9;
    pub const PLEDGE: usize = 10;
    pub const TICK: usize = 11;
    pub const PROV: usize = 12;
    /// Names in the order of the numbers.
    pub const NAMES: [&str; 13] = [
        "meta", "exit", "yield", "wait", "spawn", "send", "recv", "map", "mask", "grant", "pledge",
        "tick", "prov",
    ];
}

/// What each call costs on top of its processor time, in J, by number; 1 J is 1 µs.
pub const COST_J: [u32; 13] = [1, 0, 0, 0, 500, 5, 2, 10, 3, 20, 0, 1, 5];
/// What ringing a doorbell that is already set costs, in J.
pub const COST_RING_SET_J: u32 = 1;

/// Why a call did nothing. One list for all calls; negative, so that a status is never ambiguous.
#[repr(isize)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Error {
    /// The number, operation or a fixed argument is not one of the contract's.
    BadCall = -1,
    /// The slot is out of range or empty.
    BadSlot = -2,
    /// Memory that the caller named is not its own, not mapped so, or misaligned.
    BadAddress = -3,
    /// The capability lacks the verb, the permission, the range or the depth.
    Denied = -4,
    /// The capability is older than its object's epoch or past its expiry.
    Revoked = -5,
    /// A `spawn` or `grant` would give more than the receiver may have.
    Pledge = -6,
    /// No such name, channel or object, or it is veiled.
    NotFound = -7,
    /// No room in the ring, the channel's places or the table.
    Full = -8,
    /// Nothing to receive.
    Empty = -9,
    /// A length above the limit.
    TooBig = -10,
    /// The deadline passed with nothing ready.
    TimedOut = -11,
    /// The admission does not fit into the energy there is.
    NoEnergy = -12,
    /// The caller's memory or the machine's is used up.
    NoMemory = -13,
    /// The place is taken.
    Exists = -14,
    /// The other side ended or was restarted.
    Gone = -15,
    /// The object is not in a state for this.
    NotReady = -16,
    /// Part of the contract and not built: `docs/limits.md` names it.
    Unsupported = -17,
}

impl Error {
    /// All errors, −1 first.
    pub const ALL: [Self; 17] = [
        Self::BadCall,
        Self::BadSlot,
        Self::BadAddress,
        Self::Denied,
        Self::Revoked,
        Self::Pledge,
        Self::NotFound,
        Self::Full,
        Self::Empty,
        Self::TooBig,
        Self::TimedOut,
        Self::NoEnergy,
        Self::NoMemory,
        Self::Exists,
        Self::Gone,
        Self::NotReady,
        Self::Unsupported,
    ];

    /// The error that a negative status stands for; `None` for a status outside the list.
    #[must_use]
    pub fn from_status(status: isize) -> Option<Self> {
        let index = usize::try_from(-1 - status).ok()?;
        Self::ALL.get(index).copied()
    }
}

/// Queries of `meta`. A query's input stands in the first 8 bytes of the buffer.
pub mod meta {
    /// Value: major << 16 | minor. No buffer.
    pub const VERSION: usize = 0;
    /// Fills a [`crate::stats::FiberStats`] about the caller.
    pub const SELF: usize = 1;
    /// Input: a channel number in the low 32 bits, in the high ones which of several (0: the first).
    /// Value: the slot that holds it.
    pub const SLOT: usize = 2;
    /// Input: a slot u64. Fills u64: the bus address of that DMA object.
    pub const BUS: usize = 3;
    /// Fills the buffer, at most 256 bytes, with random bytes.
    pub const RANDOM: usize = 4;
    /// Input: class u32, index u32. Fills a record of [`crate::stats`].
    pub const STATS: usize = 5;
    /// The most RANDOM gives in one call, in bytes.
    pub const RANDOM_MAX: usize = 256;
}

/// What a `wait` entry wants and got.
pub mod want {
    /// Something can be received.
    pub const READABLE: u8 = 1;
    /// Something can be sent.
    pub const WRITABLE: u8 = 2;
    /// The object has a latched event (IRQ, timer, child's end, a capability parked in the channel).
    pub const EVENT: u8 = 4;
    /// Ring this channel's doorbell first, at SEND's price.
    pub const RING: u8 = 8;
    /// Only in `got`: the slot is dead.
    pub const DEAD: u8 = 0x80;
}
/// Most entries of a `wait` list.
pub const WAIT_MAX: usize = 64;

record! {
    /// One entry of a `wait` list.
    WaitEntry: 4 {
        /// The slot waited on.
        0 slot: u8,
        /// Bits of [`want`].
        1 want: u8,
        /// Filled by the kernel: which of them hold.
        2 got: u8,
        /// 0.
        3 zero: u8,
    }
}

/// A message: the form of a ring slot without its unused end. `len` of a `send`: 16 to 64.
pub const MESSAGE_MIN: usize = 16;
/// Longest message in bytes.
pub const MESSAGE_MAX: usize = 64;

/// Operations of `send` with length 0.
pub mod op {
    /// CHANNEL: ring the doorbell.
    pub const DOORBELL: usize = 0;
    /// IRQ: unmask the line.
    pub const IRQ_UNMASK: usize = 0;
    /// FIBER: end it.
    pub const FIBER_KILL: usize = 1;
    /// FIBER: end and restart it.
    pub const FIBER_BLINK: usize = 2;
    /// FIBER: let it out of quarantine.
    pub const FIBER_RELEASE: usize = 3;
    /// POWER: switch the cell off.
    pub const POWER_OFF: usize = 0;
    /// POWER: reset the cell.
    pub const POWER_RESET: usize = 1;
}

/// Kind of the message that `send` on a CLOCK takes: the wall clock is now `arg` ns since the Unix epoch.
pub const CLOCK_SET: u16 = 1;

/// `spawn` of a new domain from an image.
pub const SPAWN_IMAGE: u32 = 0;
/// `spawn` of a fiber at an entry of the own domain.
pub const SPAWN_FIBER: u32 = 1;
/// No slot.
pub const NO_SLOT: u8 = 0xFF;
/// Longest argument block of a new fiber, in bytes.
pub const ARGS_MAX: usize = 1024;

record! {
    /// What `spawn` is asked for; the bytes after it, up to `len`, are the argument block.
    Spawn: 128 {
        /// [`SPAWN_IMAGE`] or [`SPAWN_FIBER`].
        0 op: u32,
        /// Where the caller wants its end of the channel to the child, or [`NO_SLOT`].
        4 channel_slot: u8,
        /// 0.
        5 zero: [u8; 3],
        /// IMAGE: pledge mask and spectrum of the child, ANDed with the manifest's; all ones: as there.
        8 pledge: u64,
        /// IMAGE: J per window; 0: as the manifest says.
        16 energy: u64,
        /// IMAGE: bytes of heap; 0: as the manifest says.
        24 memory: u64,
        /// FIBER: address of the entry.
        32 entry: u64,
        /// FIBER: bytes of stack, 0 for one page.
        40 stack: u64,
        /// IMAGE: name of a service of the cell's manifest, else of an image `/Boot/bin/NAME`.
        48 name: [u8; 64],
        /// 0.
        112 zero2: [u8; 16],
    }
}

record! {
    /// Sub-range for `mask`.
    Range: 16 {
        /// Bytes from the object's start.
        0 offset: u64,
        /// Length in bytes.
        8 len: u64,
    }
}

/// `via` of `grant` that means REVOKE.
pub const REVOKE: usize = usize::MAX;

/// Operations of `pledge`.
pub mod pledge_op {
    /// ANDs a u64 into the mask.
    pub const NARROW: usize = 0;
    /// Unveils a path ([`super::Unveil`], then the path).
    pub const UNVEIL: usize = 1;
    /// Locks the unveil list.
    pub const LOCK: usize = 2;
}

record! {
    /// Header of an unveil record; the path follows, at most 255 bytes.
    Unveil: 8 {
        /// R/W/X bits of [`crate::cap`].
        0 perms: u32,
        /// Bytes of the path.
        4 path_len: u32,
    }
}

/// Operations of `tick`.
pub mod tick_op {
    /// Fills [`super::Time`].
    pub const TIME: usize = 0;
    /// Fills [`super::Energy`].
    pub const ENERGY: usize = 1;
    /// Reads a u64, the absolute time at which the slot becomes readable.
    pub const ARM: usize = 2;
    /// Cancels the timer.
    pub const CANCEL: usize = 3;
}

record! {
    /// Answer of `tick(TIME)`.
    Time: 16 {
        /// ns since boot.
        0 now: u64,
        /// ns since the Unix epoch, 0: unknown.
        8 wall: u64,
    }
}

record! {
    /// Answer of `tick(ENERGY)`.
    Energy: 32 {
        /// J left in this window; negative: debt.
        0 left: i64,
        /// J per window.
        8 budget: u64,
        /// Absolute end of the window, ns.
        16 deadline: u64,
        /// Strikes in a row.
        24 strikes: u32,
        /// Spectrum, 0 to 3.
        28 spectrum: u32,
    }
}

record! {
    /// What `prov(APPEND)` is given; the record's data, at most 32 bytes, or a signature of 64 follow.
    Append: 16 {
        /// APPLICATION; CHECKPOINT, from the service that holds the key.
        0 kind: u16,
        /// 0.
        2 zero: u16,
        /// APPLICATION: any. CHECKPOINT: number of the last record that the signature covers, low 32 bits.
        4 object: u32,
        /// APPLICATION: any. CHECKPOINT: 0.
        8 status: i32,
        /// 0.
        12 zero2: u32,
    }
}

/// Operations of `prov`.
pub mod prov_op {
    /// Appends an application record.
    pub const APPEND: usize = 0;
    /// Reads records back.
    pub const READ: usize = 1;
    /// Saves the Blink checkpoint.
    pub const SAVE: usize = 2;
    /// Loads the Blink checkpoint.
    pub const LOAD: usize = 3;
    /// Slot 0: where the instance before was stopped, [`super::LeftOff`]; `Empty` where nothing is to be known.
    pub const LEFT_OFF: usize = 4;
    /// Slot 0: what the instance before left undone is done; from here on a stop of this one is kept.
    pub const RESUMED: usize = 5;
    /// Most bytes of a checkpoint.
    pub const CHECKPOINT_MAX: usize = 4096;
}

record! {
    /// Where the instance before was stopped.
    LeftOff: 64 {
        /// Program counter: this instruction was not executed, the ones before it were.
        0 pc: u64,
        /// The first six argument registers at that moment.
        8 registers: [u64; 6],
        /// 0.
        56 zero: u64,
    }
}

record! {
    /// What `map` tells about a mapped object; for a channel, the address of every part.
    MapInfo: 64 {
        /// Address of the part this end produces into (P), or of the object.
        0 tx_p: u64,
        /// Address of its C part, written by the peer.
        8 tx_c: u64,
        /// Address of the P part that the peer produces into.
        16 rx_p: u64,
        /// Address of the C part that this end writes.
        24 rx_c: u64,
        /// Address of the buffer area that this end writes.
        32 tx_buffer: u64,
        /// Address of the buffer area that the peer writes.
        40 rx_buffer: u64,
        /// Slots of each ring, a power of two; 0 for an object without rings.
        48 slots: u32,
        /// Bytes of each buffer area.
        52 buffer_len: u32,
        /// Generation of the channel: rises when a side is restarted.
        56 generation: u32,
        /// Bytes of a slot: 64.
        60 slot_len: u32,
    }
}

record! {
    /// What `recv` into a slot tells about the capability that landed.
    Landed: 32 {
        /// Object kind.
        0 kind: u8,
        /// Verbs.
        1 verbs: u8,
        /// R/W/X.
        2 perms: u8,
        /// Depth.
        3 depth: u8,
        /// 0.
        4 zero: u32,
        /// Range: offset in bytes.
        8 offset: u64,
        /// Range: length in bytes.
        16 len: u64,
        /// Absolute expiry, ns.
        24 expiry: u64,
    }
}
