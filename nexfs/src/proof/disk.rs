//! A device in memory that counts what is asked of it and keeps what was written since the last flush apart.
use std::vec::Vec;

use crate::{CACHE_MIN, Device, DeviceError, Format, Memory, Slot, Volume};

/// Bytes of a sector here.
pub const SECTOR: usize = 512;

/// One request that changed something.
#[derive(Debug, Clone)]
pub enum Event {
    Write(u64, Vec<u8>),
    Flush,
}

/// Sectors in memory. What was never written reads as zero.
#[derive(Debug, Clone, Default)]
pub struct Disk {
    pub bytes: Vec<u8>,
    /// All writes and flushes, if `record`.
    pub events: Vec<Event>,
    pub record: bool,
    pub reads: u64,
    pub writes: u64,
    pub written: u64,
    pub flushes: u64,
}

impl Disk {
    pub fn new(sectors: usize) -> Self {
        Disk { bytes: vec![0; sectors * SECTOR], ..Disk::default() }
    }

    /// A new volume of `blocks` blocks of 2^`shift` bytes.
    pub fn formatted(shift: u8, blocks: usize) -> Self {
        let mut disk = Disk::new(blocks << (shift - 9));
        Volume::format(&mut disk, &format(shift)).expect("format");
        disk
    }
}

pub fn format(shift: u8) -> Format {
    Format { shift, uuid: *b"0123456789abcdef", label: [0; 32] }
}

impl Device for &mut Disk {
    fn sector_size(&self) -> u32 {
        SECTOR as u32
    }

    fn sectors(&self) -> u64 {
        (self.bytes.len() / SECTOR) as u64
    }

    fn read(&mut self, sector: u64, buffer: &mut [u8]) -> Result<(), DeviceError> {
        self.reads += 1;
        let at = sector as usize * SECTOR;
        buffer.copy_from_slice(self.bytes.get(at..at + buffer.len()).ok_or(DeviceError(1))?);
        Ok(())
    }

    fn write(&mut self, sector: u64, buffer: &[u8]) -> Result<(), DeviceError> {
        self.writes += 1;
        self.written += buffer.len() as u64;
        let at = sector as usize * SECTOR;
        self.bytes.get_mut(at..at + buffer.len()).ok_or(DeviceError(2))?.copy_from_slice(buffer);
        if self.record {
            self.events.push(Event::Write(sector, buffer.to_vec()));
        }
        Ok(())
    }

    fn flush(&mut self) -> Result<(), DeviceError> {
        self.flushes += 1;
        if self.record {
            self.events.push(Event::Flush);
        }
        Ok(())
    }
}

impl Device for Disk {
    fn sector_size(&self) -> u32 {
        SECTOR as u32
    }

    fn sectors(&self) -> u64 {
        (self.bytes.len() / SECTOR) as u64
    }

    fn read(&mut self, sector: u64, buffer: &mut [u8]) -> Result<(), DeviceError> {
        (&mut &mut *self).read(sector, buffer)
    }

    fn write(&mut self, sector: u64, buffer: &[u8]) -> Result<(), DeviceError> {
        (&mut &mut *self).write(sector, buffer)
    }

    fn flush(&mut self) -> Result<(), DeviceError> {
        (&mut &mut *self).flush()
    }
}

/// Memory to lend.
pub struct Lent {
    bytes: Vec<u8>,
    slots: Vec<Slot>,
}

impl Lent {
    /// For a cache of `n` blocks of 2^`shift` bytes.
    pub fn new(shift: u8, n: usize) -> Self {
        Lent { bytes: vec![0; (n + 1) << shift], slots: vec![Slot::default(); n] }
    }

    /// The least there may be.
    pub fn least(shift: u8) -> Self {
        Self::new(shift, CACHE_MIN)
    }

    pub fn lend(&mut self) -> Memory<'_> {
        Memory { bytes: &mut self.bytes, slots: &mut self.slots }
    }
}

/// Checks a volume and returns what was found.
pub fn findings<D: Device>(
    volume: &mut Volume<'_, D>,
) -> Vec<(std::string::String, crate::Finding)> {
    let mut counts = vec![0; volume.geometry().blocks as usize];
    let mut stack = [crate::Frame::default(); 64];
    let mut all = Vec::new();
    let mut tell = |path: &str, finding| all.push((path.into(), finding));
    volume.check(&mut counts, &mut stack, &mut tell).expect("check");
    all
}
