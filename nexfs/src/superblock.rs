//! The superblock: where a commit becomes true. Generation `g` lies in slot `g & 1`, one copy at each end of the volume.
//! A commit writes the slot of the older generation, so that a torn write leaves the newer one; the second copy repairs
//! a sector that went bad later.
use crate::bytes::{put, put_u32, put_u64, u32_at, u64_at};
use crate::crc;
use crate::error::{Error, Part, Result};
use crate::layout::{Geometry, MAGIC, SUPERBLOCK, TREE_LEVELS, VERSION};

/// A block, and the generation that wrote it. Block 0 is a superblock and stands for "none".
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Ptr {
    pub block: u64,
    pub birth: u64,
}

impl Ptr {
    pub(crate) fn is_none(self) -> bool {
        self.block == 0
    }
}

/// A tree of names: its root and how many levels it has; none if empty.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Tree {
    pub root: Ptr,
    pub height: u8,
}

/// The trees that a superblock holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Which {
    /// Files and folders.
    Live = 0,
    /// Snapshots: each entry is a folder.
    Snapshots = 1,
    /// Objects that nobody names any more and whose blocks are still to be given back.
    Dead = 2,
    /// The last request of each client.
    Clients = 3,
}

/// How a node of the space map stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct MapEntry {
    /// Generation that wrote it; 0: never written, all below is free.
    pub written: u64,
    /// Free blocks below.
    pub free: u64,
    /// Blocks below that were given back by generation `written` and are free after it.
    pub pending: u64,
    /// Which of the node's two places.
    pub copy: u64,
}

/// All that a commit makes true.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Superblock {
    pub generation: u64,
    pub uuid: [u8; 16],
    pub total: u64,
    pub shift: u8,
    /// Where the search for a free block goes on.
    pub cursor: u64,
    pub map: MapEntry,
    pub trees: [Tree; 4],
    /// Key of the next dead object.
    pub next_dead: u64,
    pub label: [u8; 32],
    /// Features that only writers must know; with one of them the volume is read only here.
    pub for_writers: u64,
    /// Features that nobody must know. Kept.
    pub for_nobody: u64,
}

/// Offsets of the feature words: what readers, what writers and what nobody must know.
const FEATURES: [usize; 3] = [264, 272, 280];

impl Superblock {
    /// The bytes of the first sector.
    pub(crate) fn encode(&self) -> [u8; SUPERBLOCK] {
        let mut b = [0; SUPERBLOCK];
        put(&mut b, 0, &MAGIC);
        put_u32(&mut b, 8, VERSION);
        put_u64(&mut b, 16, self.generation);
        put(&mut b, 24, &self.uuid);
        put_u64(&mut b, 40, self.total);
        put(&mut b, 48, &[self.shift]);
        put_u64(&mut b, 56, self.cursor);
        self.map.encode(&mut b, 64);
        for (i, tree) in self.trees.iter().enumerate() {
            put_u64(&mut b, 96 + 32 * i, tree.root.block);
            put_u64(&mut b, 104 + 32 * i, tree.root.birth);
            put(&mut b, 112 + 32 * i, &[tree.height]);
        }
        put_u64(&mut b, 224, self.next_dead);
        put(&mut b, 232, &self.label);
        put_u64(&mut b, FEATURES[1], self.for_writers);
        put_u64(&mut b, FEATURES[2], self.for_nobody);
        let crc = crc::sealed(0, &b, 12);
        put_u32(&mut b, 12, crc);
        b
    }

    /// Reads what `encode` wrote; `None` if the bytes are not a superblock, or a damaged one.
    pub(crate) fn decode(b: &[u8; SUPERBLOCK]) -> Option<Result<(Self, Geometry)>> {
        if b[..8] != MAGIC || crc::sealed(0, b, 12) != u32_at(b, 12) {
            return None;
        }
        let version = u32_at(b, 8);
        if version != VERSION {
            return Some(Err(Error::Version(version)));
        }
        let [for_readers, for_writers, for_nobody] = FEATURES.map(|at| u64_at(b, at));
        if for_readers != 0 {
            return Some(Err(Error::Features(for_readers)));
        }
        let mut s = Superblock {
            generation: u64_at(b, 16),
            uuid: [0; 16],
            total: u64_at(b, 40),
            shift: b[48],
            cursor: u64_at(b, 56),
            map: MapEntry::decode(b, 64),
            trees: [Tree::default(); 4],
            next_dead: u64_at(b, 224),
            label: [0; 32],
            for_writers,
            for_nobody,
        };
        s.uuid.copy_from_slice(&b[24..40]);
        s.label.copy_from_slice(&b[232..264]);
        for (i, tree) in s.trees.iter_mut().enumerate() {
            let root = Ptr { block: u64_at(b, 96 + 32 * i), birth: u64_at(b, 104 + 32 * i) };
            *tree = Tree { root, height: b[112 + 32 * i] };
        }
        Some(s.checked().map(|g| (s, g)))
    }

    /// The checksum was right; this is against an image that somebody made up.
    fn checked(&self) -> Result<Geometry> {
        let bad = Error::Damaged { part: Part::Superblock, block: 0 };
        let g = Geometry::new(self.shift, self.total).map_err(|_| bad)?;
        let trees = self.trees.iter().all(|t| t.checked(&g, self.generation));
        let map = self.map.checked(g.blocks, self.generation);
        let generation = self.generation > 0 && self.generation < u64::MAX - 1;
        if trees && map && generation && self.cursor <= g.blocks { Ok(g) } else { Err(bad) }
    }

    /// What the checksums of all nodes start from, so that a node of an earlier volume in the same place is none of this one.
    pub(crate) fn seed(&self) -> u32 {
        crc::crc32c(0, &self.uuid)
    }
}

impl Tree {
    /// Whether root and height can be: both none, or a block of the volume under a height that is allowed.
    pub(crate) fn checked(&self, g: &Geometry, generation: u64) -> bool {
        match self.height {
            0 => self.root == Ptr::default(),
            height => {
                usize::from(height) <= TREE_LEVELS
                    && g.number(self.root.block).is_some()
                    && self.root.birth <= generation
            }
        }
    }
}

impl MapEntry {
    pub(crate) fn encode(&self, block: &mut [u8], at: usize) {
        for (i, value) in [self.written, self.free, self.pending, self.copy].into_iter().enumerate()
        {
            put_u64(block, at + 8 * i, value);
        }
    }

    pub(crate) fn decode(block: &[u8], at: usize) -> Self {
        let [written, free, pending, copy] = [0, 8, 16, 24].map(|i| u64_at(block, at + i));
        MapEntry { written, free, pending, copy }
    }

    /// Whether the numbers can be, over `below` blocks.
    pub(crate) fn checked(&self, below: u64, generation: u64) -> bool {
        let sum = self.free.checked_add(self.pending);
        self.written <= generation && self.copy <= 1 && sum.is_some_and(|sum| sum <= below)
    }

    /// Blocks that generation `generation` may take, of `below`.
    pub(crate) fn available(&self, below: u64, generation: u64) -> u64 {
        match self.written {
            0 => below,
            written if written < generation => self.free.saturating_add(self.pending),
            _ => self.free,
        }
    }
}
