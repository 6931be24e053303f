//! The ProvChain record.
use crate::record;

record! {
    /// One link of the audit chain.
    ProvRecord: 128 {
        /// Number of the record, from 0.
        0 seq: u64,
        /// ns since boot.
        8 time: u64,
        /// [`kind`].
        16 kind: u16,
        /// Cell.
        18 cell: u16,
        /// Fiber.
        20 fiber: u32,
        /// Object.
        24 object: u32,
        /// Result.
        28 status: i32,
        /// By kind.
        32 data: [u8; 32],
        /// Hash of the record before; zeros in record 0.
        64 prev: [u8; 32],
        /// BLAKE3-256 over the 96 bytes before.
        96 hash: [u8; 32],
    }
}

record! {
    /// What `recv` on AUDIT tells of a record: the payload of a message whose `kind` is the record's and whose `arg` is
    /// its number, low 32 bits, and its object.
    Notice: 48 {
        /// ns since boot.
        0 time: u64,
        /// Fiber.
        8 fiber: u32,
        /// Result.
        12 status: i32,
        /// By kind.
        16 data: [u8; 32],
    }
}

/// `status` of a BOOT record: what its data is.
pub mod boot {
    /// Hash of the machine: BLAKE3-256 of the bundle's index.
    pub const MACHINE: i32 = 0;
    /// Hash of the last record before the reset, where RAM kept it.
    pub const HEAD: i32 = 1;
    /// How the boot before ended: pc u64, address u64, syndrome u64, state u32, code u32 of its Boot Error Buffer.
    pub const END: i32 = 2;
    /// A piece of that buffer's text; `object` counts from 0.
    pub const TEXT: i32 = 3;
}

/// Records between two signed checkpoints.
pub const CHECKPOINT_EVERY: u64 = 256;

/// Record kinds.
pub mod kind {
    #![allow(missing_docs, reason = "the names are those of the table in docs/abi/provchain.md")]
    pub const BOOT: u16 = 0;
    pub const IMAGE: u16 = 1;
    pub const SPAWN: u16 = 2;
    pub const EXIT: u16 = 3;
    pub const FAULT: u16 = 4;
    pub const BLINK: u16 = 5;
    pub const QUARANTINE: u16 = 6;
    pub const GRANT: u16 = 7;
    pub const REVOKE: u16 = 8;
    pub const PLEDGE: u16 = 9;
    pub const PLEDGE_VIOLATION: u16 = 10;
    pub const STRIKE: u16 = 11;
    pub const CHECKPOINT: u16 = 12;
    pub const OVERRUN: u16 = 13;
    pub const APPLICATION: u16 = 14;
    /// Names in the order of the numbers.
    pub const NAMES: [&str; 15] = [
        "boot",
        "image",
        "spawn",
        "exit",
        "fault",
        "blink",
        "quarantine",
        "grant",
        "revoke",
        "pledge",
        "pledge violation",
        "strike",
        "checkpoint",
        "overrun",
        "application",
    ];
}
