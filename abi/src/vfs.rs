//! Messages of the console channels and of the VFS channel (version 0).
use crate::record;

/// Console channels: the payload is `len` bytes of the stream.
pub const CONSOLE_DATA: u16 = 1;
/// Console out: no payload. The driver answers with the same kind and `arg`, in the channel's other direction, when all
/// that was sent before has left the machine; `poweroff` waits for it.
pub const CONSOLE_SYNC: u16 = 2;

/// Longest path in bytes.
pub const PATH_MAX: usize = 255;
/// Most open handles of a domain.
pub const HANDLES: usize = 16;

/// Kinds of a request; the answer has the same kind, its `arg` the status (as i64), its payload an [`Answer`].
pub mod op {
    /// Opens the path; value = handle.
    pub const OPEN: u16 = 1;
    /// Closes the handle.
    pub const CLOSE: u16 = 2;
    /// Reads up to `len` bytes at `offset` into the memory at `data`; value = bytes.
    pub const READ: u16 = 3;
    /// About the path.
    pub const STAT: u16 = 4;
    /// Entry number `offset` of the directory at the path: its name goes to the memory at `data`; value = bytes of the name.
    pub const LIST: u16 = 5;
}

record! {
    /// Payload of a request. The kernel copies path and data itself, from and to the caller's memory.
    Request: 48 {
        /// Address of the path.
        0 path: u64,
        /// Its length in bytes.
        8 path_len: u32,
        /// Handle, for READ and CLOSE.
        12 handle: u32,
        /// Offset in the file, or number of the entry.
        16 offset: u64,
        /// Address of the caller's buffer.
        24 data: u64,
        /// Its length in bytes.
        32 len: u32,
        /// Rights wanted by OPEN: R/W of [`crate::cap`].
        36 perms: u32,
        /// 0.
        40 zero: u64,
    }
}

/// A plain file.
pub const FILE: u32 = 0;
/// A directory.
pub const DIRECTORY: u32 = 1;

record! {
    /// Payload of an answer.
    Answer: 48 {
        /// By operation.
        0 value: u64,
        /// Size of the file in bytes.
        8 size: u64,
        /// [`FILE`] or [`DIRECTORY`].
        16 kind: u32,
        /// 0.
        20 zero: [u8; 28],
    }
}
