//! The bundle as what boots reads it: a strict ustar archive, its signed index, its cell table.
//!
//! Three readers share this crate: nexus-boot, the host tool that checks what it wrote, and the
//! kernel's read-only TAR filesystem ([`tar::Members`]). Everything here decides and nothing acts:
//! [`verify`] says whether the bytes are what the holder of the root key signed, [`Plan::new`]
//! whether nexus-boot can place them. No byte of a bundle is left to taste: the index's contents
//! are signed and its header has one form, its hashes cover every other member with header and
//! padding, and the archive ends in one way.
#![no_std]
#![forbid(unsafe_code)]

mod index;
mod plan;
pub mod tar;

pub use index::{Verified, verify};
pub use plan::{Placement, Plan};

/// A member's name as it stands in the index: UTF-8, padded with zeros.
pub type Name = [u8; 104];

/// Why a bundle is not started.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// The member at fault; "bundle" where it is the archive as a whole.
    pub member: Name,
    /// What is wrong with it.
    pub reason: &'static str,
}

impl Refusal {
    /// A refusal of the member called `member`.
    pub fn new(member: &str, reason: &'static str) -> Self {
        Self { member: abi::name(member), reason }
    }
}

impl core::fmt::Display for Refusal {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "{}: {}", abi::text(&self.member), self.reason)
    }
}

impl core::error::Error for Refusal {}
