//! ION Ring: single-producer single-consumer ring in shared memory.
//!
//! Part P is writable by the producer only, part C by the consumer only, each on pages of its own.
//! Indices run freely modulo 2^32 from 0; slot = index AND (slots − 1).
use crate::record;

record! {
    /// Head of part P; the slots start at [`SLOTS_OFFSET`].
    ProducerHead: 8 {
        /// Index of the next slot to write.
        0 write: u32,
        /// 1: the producer waits for room.
        4 p_asleep: u32,
    }
}

record! {
    /// Part C.
    ConsumerHead: 8 {
        /// Index of the next slot to read.
        0 read: u32,
        /// 1: the consumer waits for a message.
        4 c_asleep: u32,
    }
}

/// Bytes from the start of P to slot 0.
pub const SLOTS_OFFSET: usize = 64;
/// Bytes of a slot.
pub const SLOT_LEN: usize = 64;
/// Most payload bytes inline.
pub const INLINE_MAX: usize = 48;
/// Slots of a ring unless the manifest says otherwise.
pub const DEFAULT_SLOTS: u32 = 32;
/// `flags` bit 0: the payload is a [`Descriptor`].
pub const FLAG_DESCRIPTOR: u16 = 1;

record! {
    /// One slot, and one message of `send` and `recv`.
    Slot: 64 {
        /// What the message is, by the channel's protocol.
        0 kind: u16,
        /// [`FLAG_DESCRIPTOR`] and zeros.
        2 flags: u16,
        /// Bytes of payload inline, at most [`INLINE_MAX`].
        4 len: u32,
        /// By the channel's protocol.
        8 arg: u64,
        /// Payload, or a [`Descriptor`] at its start.
        16 payload: [u8; 48],
    }
}

record! {
    /// Payload in the sender's buffer area.
    Descriptor: 16 {
        /// Bytes from the start of the area.
        0 offset: u64,
        /// Length in bytes.
        8 len: u32,
        /// 0.
        12 zero: u32,
    }
}

/// Numbers of well-known channels.
pub mod well_known {
    #![allow(missing_docs, reason = "the names are those of the table in docs/abi/rings.md")]
    pub const NET_RX: u32 = 0x0500;
    pub const NET_TX: u32 = 0x0501;
    pub const CONSOLE_IN: u32 = 0x1000;
    pub const CONSOLE_OUT: u32 = 0x1001;
    pub const VFS: u32 = 0x2000;
    pub const BLOCK: u32 = 0x3000;
}
