//! ProvChain: what the kernel notes about events, as a chain in which each record carries the hash of the one before.
//!
//! [`Chain`] is the writer: a ring of [`RECORDS`] records in memory that the caller owns. Three quarters belong to events
//! of the kernel, one to applications, so that no application can push out what the kernel noted about it. A record may
//! be overwritten only when it is sealed, that is, signed and taken away by the service that holds the key; where there
//! is no such service, the oldest kernel records go, and are counted.
//!
//! [`verify`] is the reader: it names the first record of a saved chain that is not as it was written, and tells the part
//! that signatures vouch for from the tail behind the last one.
//!
//! Layout and kinds: `abi::prov`, docs/abi/provchain.md.
#![no_std]
#![forbid(unsafe_code)]

mod chain;
pub mod text;
mod verify;

pub use chain::{BYTES, Chain, Entry, Full, RECORDS, RESERVED, found};
pub use verify::{Anchor, Bad, Found, Report, SEAL_LEN, Signed, Verifier, seal_message, verify};

/// BLAKE3-256.
pub type Hash = [u8; 32];

/// Offset of the record's own hash, which covers everything before it.
pub(crate) const HASHED: usize = 96;

/// Whether a record carries its own hash: it was finished, and is not something else.
#[must_use]
pub fn is_whole(record: &[u8; abi::prov::ProvRecord::SIZE]) -> bool {
    hash_of(record) == record[HASHED..]
}

/// The hash that a record with these first bytes must carry.
#[must_use]
pub fn hash_of(record: &[u8; abi::prov::ProvRecord::SIZE]) -> Hash {
    *blake3::hash(&record[..HASHED]).as_bytes()
}
