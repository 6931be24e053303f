//! What client and server agree on.
#![no_std]
#![forbid(unsafe_code)]

/// The channel's number, as the profile has it.
pub const CHANNEL: u32 = 0x10010;
/// A request: text. The answer has the same kind and argument.
pub const SHOUT: u16 = 1;
