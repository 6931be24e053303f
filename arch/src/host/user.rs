//! What a fiber's own loads, stores and fetches do, with the rights of the active space.
use super::Host;
use super::mmu::{Leaf, Stale};
use abi::PAGE;
use abi::boot::virt;
use abi::cap::{R, W, X};
use std::vec::Vec;

/// Kind of access.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Access {
    /// A load.
    Read,
    /// A store.
    Write,
    /// An instruction fetch.
    Execute,
}

/// The access is not allowed, or nothing is there.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Fault {
    /// The first address that failed.
    pub address: u64,
    /// What was tried.
    pub access: Access,
}

impl Host {
    /// The fiber reads. Of a device it is one register of up to 4 bytes.
    pub fn load(&mut self, va: u64, to: &mut [u8]) -> Result<(), Fault> {
        for (start, len, leaf) in self.parts(va, to.len(), Access::Read)? {
            let pa = leaf.pa() + (start % PAGE as u64);
            let part = &mut to[(start - va) as usize..][..len];
            if leaf.is_device() {
                let value = device(pa).map_or(0, |offset| self.uart.read(offset));
                part.copy_from_slice(&value.to_le_bytes()[..len]);
            } else {
                part.copy_from_slice(self.ram.bytes(pa, len));
            }
        }
        Ok(())
    }

    /// The fiber writes. Nothing is written if any part of it may not be.
    pub fn store(&mut self, va: u64, from: &[u8]) -> Result<(), Fault> {
        for (start, len, leaf) in self.parts(va, from.len(), Access::Write)? {
            let pa = leaf.pa() + (start % PAGE as u64);
            let part = &from[(start - va) as usize..][..len];
            if leaf.is_device() {
                let mut value = [0; 4];
                value[..len].copy_from_slice(part);
                if let Some(offset) = device(pa) {
                    self.uart.write(offset, u32::from_le_bytes(value));
                }
            } else {
                self.mmu.written(pa, len);
                self.ram.bytes_mut(pa, len).copy_from_slice(part);
            }
        }
        Ok(())
    }

    /// The fiber fetches instructions. Panics where they were written and not made visible: the kernel's omission.
    pub fn fetch(&mut self, va: u64, to: &mut [u8]) -> Result<(), Fault> {
        for (start, len, leaf) in self.parts(va, to.len(), Access::Execute)? {
            let pa = leaf.pa() + (start % PAGE as u64);
            assert!(self.mmu.is_synced(pa), "code at {pa:#x} was written and not synchronised");
            to[(start - va) as usize..][..len].copy_from_slice(self.ram.bytes(pa, len));
        }
        Ok(())
    }

    /// TLB entries that are not what the tables say: each is a forgotten invalidation.
    #[must_use]
    pub fn stale(&self) -> Vec<Stale> {
        self.mmu.stale(&self.ram)
    }

    /// The pieces of an access, page by page, all of them allowed.
    fn parts(
        &mut self,
        va: u64,
        len: usize,
        access: Access,
    ) -> Result<Vec<(u64, usize, Leaf)>, Fault> {
        let needs = match access {
            Access::Read => R,
            Access::Write => W,
            Access::Execute => X,
        };
        let end = va.checked_add(len as u64).ok_or(Fault { address: va, access })?;
        let (mut parts, mut at) = (Vec::new(), va);
        while at < end {
            let next = end.min((at / PAGE as u64 + 1) * PAGE as u64);
            let found = self.mmu.translate(&self.ram, at).filter(|l| l.perms() & needs != 0);
            let leaf = found.ok_or(Fault { address: at, access })?;
            let size = (next - at) as usize;
            assert!(!leaf.is_device() || size <= 4, "a device has registers of 4 bytes");
            parts.push((at, size, leaf));
            at = next;
        }
        Ok(parts)
    }
}

/// Offset in the PL011's window; nothing else answers on the bus.
fn device(pa: u64) -> Option<u64> {
    pa.checked_sub(virt::UART).filter(|&offset| offset < PAGE as u64)
}
