//! Line editor: bytes of a terminal in, edited lines and what to show out.
//!
//! [`Editor::feed`] takes one byte at a time, so that input may come in pieces of any size, and
//! what follows a line end stays with the caller.
#![cfg_attr(not(test), no_std)]
#![forbid(unsafe_code)]

mod buffer;
mod editor;
mod history;
mod key;

pub use buffer::Buffer;
pub use editor::{Completer, Editor, Outcome};
pub use history::History;
pub use key::{Decoder, Key};

#[cfg(test)]
mod tests;
