//! Giving up rights: one-way, for the whole domain.
use abi::call::{Unveil, pledge_op};
use abi::vfs::PATH_MAX;

use crate::{Error, Result, sys};

/// ANDs `mask` into the domain's mask; the spectrum in its upper bits becomes the smaller of both.
pub fn narrow(mask: u64) -> Result<()> {
    sys::pledge(pledge_op::NARROW, &*sys::Aligned(mask.to_le_bytes())).map(drop)
}

/// Shows a path with `perms` (R/W/X of [`abi::cap`]); the first one hides everything else.
pub fn unveil(path: &str, perms: u8) -> Result<()> {
    let mut record = sys::Aligned::<{ Unveil::SIZE + PATH_MAX }>::ZERO;
    let head = Unveil { perms: perms as u32, path_len: path.len() as u32 };
    let len = Unveil::SIZE + path.len();
    record.get_mut(Unveil::SIZE..len).ok_or(Error::TooBig)?.copy_from_slice(path.as_bytes());
    record[..Unveil::SIZE].copy_from_slice(&head.encode());
    sys::pledge(pledge_op::UNVEIL, &record[..len]).map(drop)
}

/// Ends unveiling.
pub fn lock() -> Result<()> {
    sys::pledge(pledge_op::LOCK, &[]).map(drop)
}
