//! `map(slot, offset, len, perms, rec)`, and the pages behind it.
use super::Args;
use crate::kernel::{DOMAINS, Kernel, NONE};
use crate::object::{Answer, Body};
use abi::PAGE;
use abi::call::{Error, MapInfo};
use abi::cap::{R, W, verb};
use arch::{Machine, Memory, UserAddr};
use cap::Cap;

impl<M: Machine> Kernel<M> {
    pub(super) fn map(&mut self, args: &Args) -> Answer {
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
                    self.channel_unmap_own(channel, side)?;
                    return Ok(0);
                }
                if perms as u8 != R | W {
                    return Err(Error::Denied.into());
                }
                self.channel_map(channel, side)?
            }
            Body::Device { base, .. } => {
                self.map_window(&cap, base, offset as u64, len as u64, perms as u8)?
            }
            _ => return Err(Error::BadCall.into()),
        };
        if rec.0 != 0 {
            self.copy_out_words(rec, &info.encode())?;
        }
        Ok(info.tx_p as usize)
    }

    fn channel_unmap_own(&mut self, channel: u8, side: u8) -> Result<(), Error> {
        let mapped = self.channels[channel as usize].ends[side as usize & 1].mapped;
        if mapped != self.domain {
            return Err(Error::NotReady);
        }
        self.channel_unmap(channel, side);
        Ok(())
    }

    /// Maps or unmaps a part of a device window, in whole pages, inside the capability's range.
    fn map_window(
        &mut self,
        cap: &Cap,
        base: u64,
        offset: u64,
        len: u64,
        perms: u8,
    ) -> Result<MapInfo, Error> {
        let len = if len == 0 { cap.len.saturating_sub(offset) } else { len };
        let start = base + cap.sub_range(offset, len)?;
        let pages = |v: u64| v.is_multiple_of(PAGE as u64);
        if !pages(start) || !pages(len) || len == 0 {
            return Err(Error::BadAddress);
        }
        let mut info = MapInfo::zeroed();
        if perms == 0 {
            self.unmap_pages(self.domain, start, len);
        } else {
            // What was mapped with more would else stay in the TLB.
            self.unmap_pages(self.domain, start, len);
            self.map_pages(start, len, perms, Memory::Device)?;
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
        let domain = &mut self.domains[self.domain as usize % DOMAINS];
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

    /// Unmaps whatever the current domain mapped of an object.
    pub(crate) fn unmap_object(&mut self, object: u32) {
        match self.body(object) {
            Body::End { channel, side } => {
                let mapped = self.channels[channel as usize].ends[side as usize & 1].mapped;
                if mapped == self.domain && mapped != NONE {
                    self.channel_unmap(channel, side);
                }
            }
            Body::Device { base, len } => self.unmap_pages(self.domain, base, len),
            _ => {}
        }
    }
}
