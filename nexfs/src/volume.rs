//! A volume: the device, the working state between two commits, and the way from one to the next.
//!
//! The one rule of copy-on-write here: a block whose birth is the generation in work (`now`) was written since the last
//! commit, nobody else refers to it, and it may change in place; every other block is only read. A commit writes what is
//! dirty, flushes, writes the superblock, flushes again.
use crate::bytes::{put_u32, u32_at};
use crate::cache::{Cache, Slot};
use crate::crc;
use crate::device::Device;
use crate::error::{Error, Part, Result};
use crate::find::{erase, find, sector_shift, write_sector};
use crate::layout::{Geometry, HEAD};
use crate::shape::{CRC, Node, Sort, sound};
use crate::superblock::{MapEntry, Ptr, Superblock, Tree};

/// Fewest blocks of the cache; one more is used as scratch.
pub const CACHE_MIN: usize = 7;

/// Memory that the caller lends: the volume has none of its own.
pub struct Memory<'m> {
    /// Blocks: one for scratch, the rest is the cache; at least [`CACHE_MIN`] and one.
    pub bytes: &'m mut [u8],
    /// One per block of the cache.
    pub slots: &'m mut [Slot],
}

/// What a new volume is to be.
#[derive(Debug, Clone, Copy)]
pub struct Format {
    /// log2 of the block size, 11 to 16; 12 suits most.
    pub shift: u8,
    /// Tells volumes apart, and their old blocks: must be random.
    pub uuid: [u8; 16],
    /// A name, UTF-8, zeros behind it.
    pub label: [u8; 32],
}

/// A mounted volume.
#[allow(clippy::struct_excessive_bools, reason = "each is a state of its own")]
pub struct Volume<'m, D: Device> {
    pub(crate) device: D,
    pub(crate) g: Geometry,
    pub(crate) sup: Superblock,
    /// The generation in work: the last commit's and one.
    pub(crate) now: u64,
    pub(crate) cache: Cache<'m>,
    pub(crate) scratch: &'m mut [u8],
    /// The caller's clock, for times in entries.
    pub(crate) time: u64,
    /// Something changed since the last commit.
    pub(crate) changed: bool,
    /// A change is under way: an error now leaves the working state half done.
    pub(crate) applying: bool,
    pub(crate) broken: bool,
    /// Client and number of the request in work.
    pub(crate) request: Option<(u64, u64)>,
    /// Superblock copies that could not be read or were damaged at mount.
    pub(crate) bad_copies: u8,
    seed: u32,
    /// A bug for the proof to find: what is given back is taken again before the commit.
    #[cfg(test)]
    pub(crate) reuses: bool,
}

impl<'m, D: Device> Volume<'m, D> {
    /// Makes an empty volume over the whole device: a few sectors are written, whatever its size. A power cut on the way
    /// leaves no volume or the new one.
    pub fn format(device: &mut D, format: &Format) -> Result<()> {
        let shift = sector_shift(device, format.shift)?;
        let g = Geometry::new(format.shift, device.sectors() >> shift)?;
        let root = MapEntry { written: 0, free: g.blocks, pending: 0, copy: 0 };
        let mut sup = Superblock {
            generation: 1,
            uuid: format.uuid,
            total: g.total,
            shift: format.shift,
            cursor: 0,
            map: root,
            trees: [Tree::default(); 4],
            next_dead: 0,
            label: format.label,
            for_writers: 0,
            for_nobody: 0,
        };
        erase(device)?;
        // Two generations of nothing, so that all four copies are there from the start.
        for generation in 1..=2 {
            sup.generation = generation;
            for block in g.superblocks(generation) {
                write_sector(device, block << shift, &sup.encode())?;
            }
            device.flush()?;
        }
        Ok(())
    }

    /// Mounts the volume on `device`: reads the superblocks and nothing else, whatever its size.
    pub fn mount(mut device: D, memory: Memory<'m>) -> Result<Self> {
        let (sup, g, bad_copies) = find(&mut device)?;
        let Memory { bytes, slots } = memory;
        if bytes.len() < g.block() {
            return Err(Error::Memory);
        }
        let (scratch, bytes) = bytes.split_at_mut(g.block());
        let cache = Cache::new(slots, bytes, g.block());
        if cache.slots() < CACHE_MIN {
            return Err(Error::Memory);
        }
        let (now, seed) = (sup.generation + 1, sup.seed());
        Ok(Volume {
            device,
            g,
            sup,
            now,
            cache,
            scratch,
            time: 0,
            changed: false,
            applying: false,
            broken: false,
            request: None,
            bad_copies,
            seed,
            #[cfg(test)]
            reuses: false,
        })
    }

    /// Throws away what was not committed and reads the superblocks again.
    pub fn rollback(&mut self) -> Result<()> {
        self.broken = true;
        self.cache.clear();
        let (sup, g, bad) = find(&mut self.device)?;
        if g != self.g || sup.uuid != self.sup.uuid {
            return Err(Error::NotNexfs);
        }
        (self.sup, self.now, self.bad_copies) = (sup, sup.generation + 1, bad);
        (self.changed, self.applying, self.broken, self.request) = (false, false, false, None);
        Ok(())
    }

    /// Gives the device back. What was not committed is lost, as in a power cut.
    pub fn unmount(self) -> D {
        self.device
    }

    /// Writes everything that is dirty and makes it the volume's state: two flushes.
    pub(crate) fn commit(&mut self) -> Result<()> {
        if !self.changed {
            return Ok(());
        }
        self.broken = true;
        let mut from = 0;
        while let Some(slot) = self.cache.next_dirty(from) {
            self.write_back(slot)?;
            from = slot + 1;
        }
        self.device.flush()?;
        self.sup.generation = self.now;
        let shift = self.sector_shift();
        for block in self.g.superblocks(self.now) {
            write_sector(&mut self.device, block << shift, &self.sup.encode())?;
        }
        self.device.flush()?;
        self.now += 1;
        (self.changed, self.broken) = (false, false);
        Ok(())
    }

    /// log2 of sectors per block.
    pub(crate) fn sector_shift(&self) -> u32 {
        u32::from(self.g.shift) - self.device.sector_size().trailing_zeros()
    }

    /// Writes a dirty slot to its place.
    fn write_back(&mut self, slot: usize) -> Result<()> {
        let ((block, node), shift) = (self.cache.what(slot), self.sector_shift());
        let bytes = self.cache.bytes(slot);
        if node {
            let crc = crc::sealed(self.seed, bytes, CRC);
            put_u32(bytes, CRC, crc);
        }
        self.device.write(block << shift, bytes)?;
        self.cache.set_dirty(slot, false);
        Ok(())
    }

    /// A slot whose content is not needed any more.
    pub(crate) fn room(&mut self) -> Result<usize> {
        let victim = self.cache.victim().ok_or(Error::Memory)?;
        if victim.dirty {
            self.write_back(victim.slot)?;
        }
        self.cache.name(victim.slot, 0, false, false);
        Ok(victim.slot)
    }

    /// The bytes of a node, from the cache or from the device, checked.
    pub(crate) fn node(&mut self, node: Node) -> Result<&mut [u8]> {
        let slot = self.node_slot(node)?;
        Ok(self.cache.bytes(slot))
    }

    fn node_slot(&mut self, node: Node) -> Result<usize> {
        let bad = Error::Damaged { part: node.sort.part(), block: node.at.block };
        let inside = node.sort == Sort::Map || self.g.number(node.at.block).is_some();
        if !inside || node.at.birth > self.now {
            return Err(bad);
        }
        let slot = match self.cache.find(node.at.block) {
            Some(slot) => slot,
            None => self.load(node)?,
        };
        let (_, sealed) = self.cache.what(slot);
        if sealed && node.matches(self.cache.bytes(slot)) { Ok(slot) } else { Err(bad) }
    }

    fn load(&mut self, node: Node) -> Result<usize> {
        let (slot, shift) = (self.room()?, self.sector_shift());
        let (seed, g) = (self.seed, self.g);
        let bytes = self.cache.bytes(slot);
        self.device.read(node.at.block << shift, bytes)?;
        let sealed = crc::sealed(seed, bytes, CRC) == u32_at(bytes, CRC);
        if !sealed || !node.matches(bytes) || !sound(&g, node, bytes) {
            return Err(Error::Damaged { part: node.sort.part(), block: node.at.block });
        }
        self.cache.name(slot, node.at.block, true, false);
        Ok(slot)
    }

    /// The bytes of a node of this generation, to be changed.
    pub(crate) fn edit(&mut self, node: Node) -> Result<&mut [u8]> {
        let slot = self.node_slot(node)?;
        if node.at.birth != self.now {
            return Err(Error::Broken);
        }
        self.cache.set_dirty(slot, true);
        Ok(self.cache.bytes(slot))
    }

    /// A new node without content at `node.at`.
    pub(crate) fn fresh(&mut self, node: Node) -> Result<&mut [u8]> {
        self.cache.forget(node.at.block);
        let slot = self.room()?;
        self.cache.name(slot, node.at.block, true, true);
        let bytes = self.cache.bytes(slot);
        bytes.fill(0);
        node.write_head(bytes);
        Ok(bytes)
    }

    /// Moves a loaded node to `to`, born now. The old place keeps what it has.
    pub(crate) fn rebirth(&mut self, node: Node, to: u64) -> Result<Node> {
        let slot = self.node_slot(node)?;
        let moved = Node { at: Ptr { block: to, birth: self.now }, ..node };
        self.cache.forget(to);
        self.cache.name(slot, to, true, true);
        moved.write_place(self.cache.bytes(slot));
        Ok(moved)
    }

    /// Copies bytes of a node into the scratch block.
    pub(crate) fn copy_out(&mut self, node: Node, from: usize, len: usize) -> Result<()> {
        let slot = self.node_slot(node)?;
        self.scratch[..len].copy_from_slice(&self.cache.bytes(slot)[from..from + len]);
        Ok(())
    }

    /// Copies the start of the scratch block into a node of this generation.
    pub(crate) fn copy_in(&mut self, node: Node, to: usize, len: usize) -> Result<()> {
        self.edit(node)?;
        let slot = self.node_slot(node)?;
        self.cache.bytes(slot)[to..to + len].copy_from_slice(&self.scratch[..len]);
        Ok(())
    }

    /// Something in the volume cannot be.
    pub(crate) fn bad<T>(part: Part, at: Ptr) -> Result<T> {
        Err(Error::Damaged { part, block: at.block })
    }
}

const _: () = assert!(HEAD == 64);
