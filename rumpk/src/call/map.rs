//! `map(slot, offset, len, perms, rec)`, and the pages behind it.
use super::Args;
use crate::kernel::{DOMAINS, Kernel};
use crate::object::{Answer, Body};
use abi::PAGE;
use abi::call::{Error, MapInfo};
use abi::cap::{R, W, X, verb};
use arch::{Machine, Memory, UserAddr};
use cap::Cap;

impl<M: Machine> Kernel<M> {
    pub(crate) fn map(&mut self, args: &Args) -> Answer {
        let [slot, offset, len, perms, rec, _] = *args;
        let cap = self.lookup_for(slot, verb::MAP)?;
        if perms > 7 {
            return Err(Error::BadCall.into());
        }
        if perms as u8 & !cap.perms != 0 {
            return Err(Error::Denied.into());
        }
        let rec = UserAddr(rec as u64);
        if rec.0 != 0 {
            self.copy_out_words(rec, &[0; MapInfo::SIZE])?;
        }
        let info = match self.body(cap.object) {
            Body::End { channel, side } => {
                if offset != 0 || len != 0 {
                    return Err(Error::BadCall.into());
                }
                if perms == 0 {
                    self.channel_unmap_own(cap.object)?;
                    return Ok(0);
                }
                if perms as u8 != R | W {
                    return Err(Error::Denied.into());
                }
                self.check_mapping(cap.object, cap.expiry)?;
                self.channel_map(channel, side)?
            }
            Body::Device { base, .. } => self.map_window(&cap, base, Memory::Device, args)?,
            Body::Memory { base, .. } => self.map_window(&cap, base, Memory::Normal, args)?,
            Body::Far(_) => match self.map_far(&cap, args)? {
                Some(info) => info,
                None => return Ok(0),
            },
            _ => return Err(Error::BadCall.into()),
        };
        if perms != 0 {
            self.note_mapping(cap.object, cap.expiry);
        }
        if rec.0 != 0 {
            self.copy_out_words(rec, &info.encode())?;
        }
        Ok(info.tx_p as usize)
    }

    pub(crate) fn channel_unmap_own(&mut self, object: u32) -> Result<(), Error> {
        if !self.maps(object, self.domain) {
            return Err(Error::NotReady);
        }
        self.unmap_object(object, self.domain);
        Ok(())
    }

    /// Maps or unmaps a part of a device window or of memory, in whole pages, inside the capability's range. Unmapping
    /// without a range takes all that the domain has of it.
    pub(crate) fn map_window(
        &mut self,
        cap: &Cap,
        base: u64,
        memory: Memory,
        args: &Args,
    ) -> Result<MapInfo, Error> {
        let [_, offset, len, perms, ..] = *args;
        let (offset, perms) = (offset as u64, perms as u8);
        let mut info = MapInfo::zeroed();
        if (offset, len, perms) == (0, 0, 0) {
            self.unmap_object(cap.object, self.domain);
            return Ok(info);
        }
        let len = if len == 0 { cap.len.saturating_sub(offset) } else { len as u64 };
        let start = base + cap.sub_range(offset, len)?;
        let pages = |v: u64| v.is_multiple_of(PAGE as u64);
        if !pages(start) || !pages(len) || len == 0 {
            return Err(Error::BadAddress);
        }
        if perms & (W | X) == W | X {
            return Err(Error::Denied);
        }
        if perms != 0 {
            self.check_mapping(cap.object, cap.expiry)?;
        }
        // What was mapped with more would else stay in the TLB.
        if self.maps(cap.object, self.domain) {
            self.unmap_pages(self.domain, start, len);
        }
        if perms != 0 {
            if let Err(error) = self.map_pages(start, len, perms, memory) {
                self.unmap_pages(self.domain, start, len);
                return Err(error);
            }
            info.tx_p = start;
        }
        Ok(info)
    }

    /// Maps pages into the current domain at their own address.
    pub(crate) fn map_pages(
        &mut self,
        address: u64,
        len: u64,
        perms: u8,
        memory: Memory,
    ) -> Result<(), Error> {
        self.map_for(self.domain, address, len, perms, memory)
    }

    /// The same into any domain.
    pub(crate) fn map_for(
        &mut self,
        id: u8,
        address: u64,
        len: u64,
        perms: u8,
        memory: Memory,
    ) -> Result<(), Error> {
        let domain = &mut self.domains[id as usize % DOMAINS];
        let space = domain.space.ok_or(Error::Gone)?;
        let mapped =
            self.machine.map(&space, &mut domain.pool, address, address, len, perms, memory);
        mapped.map_err(|_| Error::NoMemory)
    }

    /// Removes pages from a domain.
    pub(crate) fn unmap_pages(&mut self, domain: u8, address: u64, len: u64) {
        let Some(domain) = self.domains.get(domain as usize) else { return };
        if let Some(space) = domain.space {
            self.machine.unmap(&space, address, len);
        }
    }
}
