//! The audit chain: appending to it, reading it, and sealing it.
use abi::boot::{SERVICE_SECRET, virt};
use abi::call::{Append, prov_op, want};
use abi::cap::Kind;
use abi::prov::{ProvRecord, kind};

use crate::{Error, Result, manifest, sys, wait};

/// Bytes of a record.
const RECORD: usize = ProvRecord::SIZE;
/// Records that one question asks for.
const BATCH: usize = 8;
/// Records of the kernel's ring.
const RING: u64 = virt::PROVCHAIN_LEN / RECORD as u64;
/// Bytes of an Ed25519 signature.
pub const SIGNATURE: usize = 64;

/// The right to append and read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Audit(pub u8);

impl Audit {
    /// The one that the manifest gives to the caller's service; `None` where it gives none.
    pub fn own() -> Option<Self> {
        manifest::own_grants(Kind::AUDIT).next().map(|grant| Self(grant.slot))
    }

    fn submit(self, head: &Append, data: &[u8]) -> Result {
        let mut buf = sys::Aligned::<{ Append::SIZE + SIGNATURE }>::ZERO;
        let whole = Append::SIZE + data.len();
        buf[..Append::SIZE].copy_from_slice(&head.encode());
        buf.get_mut(Append::SIZE..whole).ok_or(Error::TooBig)?.copy_from_slice(data);
        sys::prov(self.0, prov_op::APPEND, &mut buf[..whole])
    }

    /// Appends a record of the caller's; `data` has at most 32 bytes. The value is its number. [`Error::Full`]: the
    /// caller wrote 8 in this window, or applications have used their quarter; the record is dropped and counted.
    pub fn append(self, object: u32, status: i32, data: &[u8]) -> Result<u64> {
        let kind = kind::APPLICATION;
        Ok(self.submit(&Append { kind, object, status, ..Append::zeroed() }, data)? as u64)
    }

    /// Hands in a signature over the head after record `seq` (see `prov::seal_message`). Only for the service that
    /// the manifest gives the secret.
    pub fn seal(self, seq: u64, signature: &[u8; SIGNATURE]) -> Result<()> {
        let head = Append { kind: kind::CHECKPOINT, object: seq as u32, ..Append::zeroed() };
        self.submit(&head, signature).map(drop)
    }

    /// The records from number `from` on, oldest first, up to the newest there is now; from the oldest that is still
    /// there where `from` is older.
    pub fn records(self, from: u64) -> Records {
        Records { audit: self, next: from, batch: sys::Aligned::ZERO, at: 0, len: 0 }
    }

    /// Waits until there is reason to seal the chain: 256 records, little room, or the cell is being switched off.
    pub fn wait_for_seal(self) -> Result<()> {
        wait::one(self.0, want::EVENT, None)
    }

    /// Number of the next record: so many were written. The ring holds at most [`RING`], so halving finds it soon.
    pub fn count(self) -> Result<u64> {
        let oldest = self.records(0).next().ok_or(Error::Empty)?;
        let mut low = oldest.first_chunk().map_or(0, |seq| u64::from_le_bytes(*seq)) + 1;
        let mut step = RING / 2;
        while step != 0 {
            match self.probe(low + step - 1) {
                Ok(()) => low += step,
                Err(Error::Empty) => {}
                Err(e) => return Err(e),
            }
            step /= 2;
        }
        Ok(low)
    }

    /// Whether record `seq` was written.
    fn probe(self, seq: u64) -> Result<()> {
        let mut buf = sys::Aligned::<RECORD>::ZERO;
        buf[..8].copy_from_slice(&seq.to_le_bytes());
        sys::prov(self.0, prov_op::READ, &mut *buf).map(drop)
    }
}

/// Records, one after the other.
pub struct Records {
    audit: Audit,
    next: u64,
    batch: sys::Aligned<{ BATCH * RECORD }>,
    at: usize,
    len: usize,
}

impl Iterator for Records {
    type Item = [u8; RECORD];

    fn next(&mut self) -> Option<Self::Item> {
        while self.at == self.len {
            self.batch[..8].copy_from_slice(&self.next.to_le_bytes());
            // The kernel hashes a few at a time: 0 means that it is at it.
            self.len = sys::prov(self.audit.0, prov_op::READ, &mut *self.batch).ok()?;
            self.at = 0;
        }
        let record: &[u8; RECORD] = self.batch.get(self.at..)?.first_chunk()?;
        self.at += RECORD;
        self.next = record.first_chunk().map_or(u64::MAX, |seq| u64::from_le_bytes(*seq)) + 1;
        Some(*record)
    }
}

/// What the manifest lets this service alone read; `None` for any other.
pub fn secret() -> Option<&'static [u8]> {
    let own = crate::stats::own().ok()?;
    let service = manifest::of_cell()?.service(abi::text(&own.name))?;
    if service.flags & SERVICE_SECRET == 0 {
        return None;
    }
    let at = core::ptr::with_exposed_provenance::<u8>(virt::SECRET as usize);
    // SAFETY: the kernel maps this page read-only for the service with this flag, and nothing ever writes it.
    Some(unsafe { core::slice::from_raw_parts(at, virt::SECRET_LEN as usize) })
}
