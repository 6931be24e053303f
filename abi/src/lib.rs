//! The contract of Nexus: what every layer agrees on.
//!
//! Numbers, layouts and prices, and nothing that runs. The design calls it frozen or provisional
//! part by part; the golden tests in `tests/golden.rs` fail when a byte of either moves, so that no
//! change goes unnoticed, and a change to a frozen part needs a decision record and a CHANGELOG line.
//!
//! | module | holds | state |
//! |---|---|---|
//! | [`systable`] | the 240-byte table every fiber is given | frozen |
//! | [`call`] | the 12 syscalls and the meta-slot: numbers, prices, errors, records | frozen |
//! | [`cap`] | object kinds, verbs, permissions, slots at birth | frozen |
//! | [`pledge`] | the 64-bit mask, spectra, the hard pledges of a cell | frozen |
//! | [`ring`] | ION Ring layout, slots, well-known channels | frozen |
//! | [`image`] | the flat image of an NPL or NPK and its manifest | frozen |
//! | [`prov`] | the ProvChain record | frozen |
//! | [`hypercall`] | RumKV's calls, trap counters, post-mortem | frozen, post-mortem provisional |
//! | [`boot`] | cell table, handoff, cell manifest, Boot Error Buffer, addresses of the board | provisional |
//! | [`stats`] | events and statistics | provisional |
//! | [`vfs`] | messages of the VFS and console channels | provisional |
#![no_std]
#![forbid(unsafe_code)]

pub mod boot;
pub mod call;
pub mod cap;
pub mod hypercall;
pub mod image;
pub mod pledge;
pub mod prov;
pub mod record;
pub mod ring;
pub mod stats;
pub mod systable;
pub mod vfs;

/// Bytes of a page, the grain of every mapping.
pub const PAGE: usize = 4096;

/// A name in a fixed field: the bytes of `s`, cut to `N`, padded with zeros.
#[must_use]
pub fn name<const N: usize>(s: &str) -> [u8; N] {
    let mut out = [0; N];
    for (to, from) in out.iter_mut().zip(s.bytes()) {
        *to = from;
    }
    out
}

/// The text of a fixed name field: up to the first zero; `?` where it is not UTF-8.
#[must_use]
pub fn text(field: &[u8]) -> &str {
    let end = field.iter().position(|&b| b == 0).unwrap_or(field.len());
    core::str::from_utf8(&field[..end]).unwrap_or("?")
}
