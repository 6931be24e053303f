//! NexFS as a store.
use nexfs::{Device, DeviceError, Error, Format, Memory, Slot, Volume};

use crate::disk::{Cost, Disk};
use crate::{BLOCK, Opened, Store};

/// Blocks of the cache.
const CACHE: usize = 15;
const SECTOR: usize = 512;

impl Device for &mut Disk {
    fn sector_size(&self) -> u32 {
        SECTOR as u32
    }
    fn sectors(&self) -> u64 {
        (self.bytes.len() / SECTOR) as u64
    }
    fn read(&mut self, sector: u64, buffer: &mut [u8]) -> Result<(), DeviceError> {
        self.read_at(sector as usize * SECTOR, buffer);
        Ok(())
    }
    fn write(&mut self, sector: u64, buffer: &[u8]) -> Result<(), DeviceError> {
        self.write_at(sector as usize * SECTOR, buffer);
        Ok(())
    }
    fn flush(&mut self) -> Result<(), DeviceError> {
        Ok(())
    }
}

/// A volume, and the memory that it borrows.
pub struct Nexus {
    disk: Disk,
    bytes: Vec<u8>,
    slots: Vec<Slot>,
}

struct File<'v, 'm, 'd> {
    volume: &'v mut Volume<'m, &'d mut Disk>,
    name: &'v str,
}

impl Opened for File<'_, '_, '_> {
    fn write(&mut self, at: u64, bytes: &[u8]) {
        self.volume.write(self.name, at, bytes).expect("write");
    }
    fn read(&mut self, at: u64, buffer: &mut [u8]) {
        let n = self.volume.read(nexfs::Place::Live(self.name), at, buffer).expect("read");
        assert_eq!(n, buffer.len());
    }
    fn sync(&mut self) {
        self.volume.sync().expect("sync");
    }
}

impl Nexus {
    pub fn new(blocks: usize) -> Self {
        let mut disk = Disk::new(blocks * BLOCK);
        let format = Format { shift: 12, uuid: *b"beside littlefs.", label: [0; 32] };
        Volume::format(&mut &mut disk, &format).expect("format");
        Nexus { disk, bytes: vec![0; (CACHE + 1) * BLOCK], slots: vec![Slot::default(); CACHE] }
    }
}

impl Store for Nexus {
    fn with_file(&mut self, name: &str, run: &mut dyn FnMut(&mut dyn Opened)) -> Cost {
        let cost = self.disk.cost.clone();
        let memory = Memory { bytes: &mut self.bytes, slots: &mut self.slots };
        let mut volume = Volume::mount(&mut self.disk, memory).expect("mount");
        match volume.create(name) {
            Ok(()) | Err(Error::Exists) => {}
            Err(other) => panic!("{other}"),
        }
        let before = cost.get();
        run(&mut File { volume: &mut volume, name });
        cost.get().since(before)
    }

    fn mount(&mut self) -> Cost {
        let before = self.disk.cost.get();
        let memory = Memory { bytes: &mut self.bytes, slots: &mut self.slots };
        Volume::mount(&mut self.disk, memory).map(drop).expect("mount");
        self.disk.cost.get().since(before)
    }
}
