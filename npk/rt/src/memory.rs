//! Memory that several domains may have mapped at a time: MEMORY objects, and the buffer areas of channels.
use core::sync::atomic::{AtomicU8, Ordering};

use abi::cap::{R, W};

use crate::{Error, Result, sys};

/// Memory, by the capability on it: the manifest's (`memory "name" bytes="64K"`), or one that was granted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Memory(pub u8);

impl Memory {
    /// Maps `len` bytes from `offset` on, whole pages, to read and, where `write`, to write.
    ///
    /// ```no_run
    /// use rt::memory::Memory;
    ///
    /// let frame = Memory(8).map(0, 64 << 10, true)?;
    /// frame.write(0, b"first pixels")?;
    /// # Ok::<(), rt::Error>(())
    /// ```
    pub fn map(self, offset: usize, len: usize, write: bool) -> Result<Area> {
        let perms = if write { R | W } else { R };
        let (address, _) = sys::map(self.0, offset, len, perms)?;
        // SAFETY: the kernel mapped as much, and nothing in Rust lies there.
        Ok(unsafe { Area::at(address, len, write) })
    }

    /// Unmaps it; who still uses an [`Area`] of it ends with a page fault.
    pub fn unmap(self) -> Result<()> {
        sys::map(self.0, 0, 0, 0).map(drop)
    }
}

/// Mapped bytes that others may write meanwhile: copied in and out one by one, never borrowed as plain bytes.
///
/// When its object is revoked or unmapped, an access is a page fault, which ends the domain.
#[derive(Clone, Copy, Debug)]
pub struct Area {
    bytes: &'static [AtomicU8],
    write: bool,
}

impl Area {
    /// The area of `len` bytes at `address`.
    ///
    /// # Safety
    /// The kernel mapped it there, to write where `write`, and nothing that Rust knows of lies in it. An unmapped
    /// one is only ever a fault.
    pub(crate) unsafe fn at(address: usize, len: usize, write: bool) -> Self {
        let first = core::ptr::with_exposed_provenance::<AtomicU8>(address);
        let empty = address == 0 || len == 0;
        // SAFETY: not null, and mapped by the caller's promise; atomics only.
        let bytes = if empty { &[] } else { unsafe { core::slice::from_raw_parts(first, len) } };
        Self { bytes, write }
    }

    /// Bytes.
    pub fn len(&self) -> usize {
        self.bytes.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    fn part(&self, at: usize, len: usize) -> Result<&'static [AtomicU8]> {
        let end = at.checked_add(len).ok_or(Error::TooBig)?;
        self.bytes.get(at..end).ok_or(Error::TooBig)
    }

    /// Copies from `at` on; [`Error::TooBig`] past the end.
    pub fn read(&self, at: usize, to: &mut [u8]) -> Result<()> {
        let part = self.part(at, to.len())?;
        for (to, from) in to.iter_mut().zip(part) {
            *to = from.load(Ordering::Relaxed);
        }
        Ok(())
    }

    /// Copies to `at` on; [`Error::TooBig`] past the end, [`Error::Denied`] where it is mapped to read only.
    pub fn write(&self, at: usize, from: &[u8]) -> Result<()> {
        if !self.write {
            return Err(Error::Denied);
        }
        for (to, from) in self.part(at, from.len())?.iter().zip(from) {
            to.store(*from, Ordering::Relaxed);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::{Area, AtomicU8, Error};

    #[test]
    fn an_area_has_an_end_and_may_be_read_only() {
        let bytes = Vec::leak((0..8).map(AtomicU8::new).collect::<Vec<_>>());
        let address = bytes.as_ptr().expose_provenance();
        // SAFETY: leaked, atomics only.
        let (both, read) = unsafe { (Area::at(address, 8, true), Area { bytes, write: false }) };
        let mut out = [0; 4];
        assert_eq!((both.read(4, &mut out), out), (Ok(()), [4, 5, 6, 7]));
        assert_eq!(both.read(5, &mut out), Err(Error::TooBig));
        assert_eq!(both.read(usize::MAX, &mut out), Err(Error::TooBig));
        assert_eq!(both.write(6, b"xy"), Ok(()));
        assert_eq!(both.write(7, b"xy"), Err(Error::TooBig));
        assert_eq!(read.write(0, b"x"), Err(Error::Denied));
        assert_eq!((read.read(4, &mut out), &out), (Ok(()), b"\x04\x05xy"));
        // SAFETY: no area at all.
        assert!(unsafe { Area::at(0, 0, true) }.is_empty());
    }
}
