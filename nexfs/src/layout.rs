//! Where things lie on the device: numbers of the format, and the geometry that follows from block size and volume size.
//! The page `docs/nexfs.md` says the same byte for byte.
use crate::error::{Error, Result};

/// Version of the format: frozen by the images in `golden/`. What changes it later has a bit in one of the feature words.
pub const VERSION: u32 = 1;
/// First bytes of a superblock.
pub(crate) const MAGIC: [u8; 8] = *b"NexFS\r\n\x1A";
/// Bytes of a superblock that count: one sector of any device.
pub(crate) const SUPERBLOCK: usize = 512;
/// Bytes of the header of each node.
pub(crate) const HEAD: usize = 64;
/// Smallest block: an inner node must hold several of the longest names, so that one split always makes room.
pub const MIN_SHIFT: u8 = 11;
/// Largest block.
pub const MAX_SHIFT: u8 = 16;
/// Longest name, bytes.
pub const NAME_MAX: usize = 255;
/// Longest path, bytes.
pub const PATH_MAX: usize = 1024;
/// Most parts of a path.
pub const DEPTH_MAX: usize = 32;
/// Most levels of a tree of names.
pub(crate) const TREE_LEVELS: usize = 16;
/// Most levels of a file's nodes: 32 children each, blocks of 2 KB, 2^63 bytes.
pub(crate) const FILE_LEVELS: usize = 12;
/// Most levels of the space map.
pub(crate) const MAP_LEVELS: usize = 12;
/// Bytes of an entry of an inner node of the space map.
pub(crate) const MAP_ENTRY: usize = 32;
/// Superblocks at each end of the volume.
pub(crate) const ENDS: u64 = 2;

/// Sizes and places of one volume. Nothing here is stored but the two arguments of [`Geometry::new`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Geometry {
    /// log2 of the block size.
    pub shift: u8,
    /// Blocks of the volume.
    pub total: u64,
    /// First block that can be given out.
    pub first: u64,
    /// Blocks that can be given out.
    pub blocks: u64,
    /// Levels of the space map, leaves included.
    pub(crate) levels: usize,
    base: [u64; MAP_LEVELS],
}

impl Geometry {
    /// Geometry of a volume of `total` blocks of 2^`shift` bytes.
    ///
    /// # Errors
    /// `Geometry` if the block size is out of range or fewer than 32 blocks would be left.
    pub fn new(shift: u8, total: u64) -> Result<Self> {
        if !(MIN_SHIFT..=MAX_SHIFT).contains(&shift) || total < 64 {
            return Err(Error::Geometry);
        }
        let mut g = Geometry {
            shift,
            total,
            first: 0,
            blocks: total - 2 * ENDS,
            levels: 0,
            base: [0; MAP_LEVELS],
        };
        // The area is that of a map over all blocks: a few nodes more than needed, and no equation to solve.
        let area = g.place_levels()?;
        g.first = ENDS + area;
        g.blocks = (g.blocks.checked_sub(area)).filter(|&n| n >= 32).ok_or(Error::Geometry)?;
        g.place_levels()?;
        Ok(g)
    }

    /// Places the levels of the map over `self.blocks` and returns how many blocks they take.
    fn place_levels(&mut self) -> Result<u64> {
        let mut next = ENDS;
        for level in 0..MAP_LEVELS {
            let nodes = self.blocks.div_ceil(self.span(level));
            self.base[level] = next;
            next += 2 * nodes;
            self.levels = level + 1;
            if nodes == 1 {
                return Ok(next - ENDS);
            }
        }
        Err(Error::Geometry)
    }

    /// Bytes in a block.
    pub fn block(&self) -> usize {
        1 << self.shift
    }

    /// Children of a node of a file.
    pub(crate) fn fanout(&self) -> usize {
        self.block() / 64
    }

    /// log2 of [`Geometry::fanout`].
    pub(crate) fn fanout_shift(&self) -> u32 {
        u32::from(self.shift) - 6
    }

    /// Blocks that a leaf of the space map counts.
    pub(crate) fn map_leaf(&self) -> u64 {
        (self.block() - HEAD) as u64 / 2
    }

    /// Children of an inner node of the space map.
    pub(crate) fn map_inner(&self) -> u64 {
        ((self.block() - HEAD) / MAP_ENTRY) as u64
    }

    /// Blocks below one node of the space map.
    pub(crate) fn span(&self, level: usize) -> u64 {
        (0..level).fold(self.map_leaf(), |span, _| span.saturating_mul(self.map_inner()))
    }

    /// Blocks below the node `index` of `level`, fewer in the last one.
    pub(crate) fn below(&self, level: usize, index: u64) -> u64 {
        let span = self.span(level);
        self.blocks.saturating_sub(index.saturating_mul(span)).min(span)
    }

    /// The block of copy `copy` (0 or 1) of a node of the space map.
    pub(crate) fn map_place(&self, level: usize, index: u64, copy: u64) -> u64 {
        self.base.get(level).copied().unwrap_or(0) + 2 * index + (copy & 1)
    }

    /// The number in the space map of block `block`.
    pub(crate) fn number(&self, block: u64) -> Option<u64> {
        block.checked_sub(self.first).filter(|&n| n < self.blocks)
    }

    /// Where superblock `slot` lies: a copy at each end.
    pub(crate) fn superblocks(&self, slot: u64) -> [u64; 2] {
        [slot & 1, self.total - ENDS + (slot & 1)]
    }

    /// Blocks that `bytes` take.
    pub(crate) fn blocks_of(&self, bytes: u64) -> u64 {
        bytes.div_ceil(1 << self.shift)
    }

    /// Levels of nodes above a file's `blocks` blocks: none up to one block.
    pub(crate) fn file_levels(&self, blocks: u64) -> usize {
        let (mut levels, mut rest) = (0, blocks.max(1) - 1);
        while rest > 0 {
            rest >>= self.fanout_shift();
            levels += 1;
        }
        levels
    }
}
