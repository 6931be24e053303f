//! What reads: status, listing, content, hash.
use crate::device::Device;
use crate::entry::{Kind, Object};
use crate::error::{Error, Part, Result};
use crate::fold;
use crate::layout::{Geometry, NAME_MAX};
use crate::path::Place;
use crate::shape::Node;
use crate::superblock::Which;
use crate::tree::Name;
use crate::volume::Volume;

/// Longest run of blocks that one request to the device reads.
const RUN: usize = 16;

/// What is known of a file or folder without its content.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stat {
    /// File or folder.
    pub kind: Kind,
    /// Bytes of a file, 0 for a folder.
    pub size: u64,
    /// When it changed last: nanoseconds since 1970 in UTC, 0 if nobody knew.
    pub time: u64,
    /// When it was made.
    pub made: u64,
}

impl Stat {
    pub(crate) fn new(object: &Object) -> Self {
        Stat { kind: object.kind, size: object.size, time: object.time, made: object.made }
    }
}

/// An entry of a folder.
#[derive(Debug, Clone, Copy)]
pub struct Entry {
    name: Name,
    /// What it is.
    pub stat: Stat,
}

impl Entry {
    /// Its name, at most 255 bytes.
    pub fn name(&self) -> &str {
        core::str::from_utf8(self.name.bytes()).unwrap_or("?")
    }
}

/// How full a volume is, in blocks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Space {
    /// Bytes in a block.
    pub block: u32,
    /// Blocks that files, folders and their nodes can take.
    pub blocks: u64,
    /// Blocks that are free after the next commit. What was removed lately may still be on its way.
    pub free: u64,
}

impl<D: Device> Volume<'_, D> {
    fn whole(&self) -> Result<()> {
        if self.broken { Err(Error::Broken) } else { Ok(()) }
    }

    /// What stands at `place`.
    pub fn stat(&mut self, place: Place) -> Result<Stat> {
        self.whole()?;
        let (which, path) = place.split();
        Ok(Stat::new(&self.resolve(which, path)?.0))
    }

    /// The entry after the name `after` in the folder at `place`, in the order of the names' bytes; the first for `""`.
    pub fn next_entry(&mut self, place: Place, after: &str) -> Result<Option<Entry>> {
        self.whole()?;
        let (which, path) = place.split();
        let (folder, _) = self.folder(which, path)?;
        if after.len() > NAME_MAX {
            return Err(Error::Path);
        }
        let found = self.next(folder.tree(), Some(after.as_bytes()))?;
        Ok(found.map(|(name, object)| Entry { name, stat: Stat::new(&object) }))
    }

    /// Reads from byte `offset` on into `buffer`; how many bytes there were. Nothing that fails its check gets out: the
    /// buffer is zeroed then.
    pub fn read(&mut self, place: Place, offset: u64, buffer: &mut [u8]) -> Result<usize> {
        self.whole()?;
        let (which, path) = place.split();
        let (file, _) = self.file(which, path)?;
        let left = usize::try_from(file.size.saturating_sub(offset)).unwrap_or(usize::MAX);
        let n = left.min(buffer.len());
        let done = self.read_file(&file, offset, &mut buffer[..n]);
        if done.is_err() {
            buffer.fill(0);
        }
        done.map(|()| n)
    }

    /// Reads `buffer.len()` bytes, all below the size.
    fn read_file(&mut self, file: &Object, offset: u64, buffer: &mut [u8]) -> Result<()> {
        let (block, mut at) = (self.g.block(), 0);
        while at < buffer.len() {
            let (i, from) =
                ((offset + at as u64) >> self.g.shift, (offset + at as u64) as usize & (block - 1));
            let rest = &mut buffer[at..];
            if from == 0 && rest.len() >= block {
                at += self.read_run(file, i, rest)? * block;
                continue;
            }
            let (place, hash) = self.block_of(file, i)?;
            let n = rest.len().min(block - from);
            let bytes = self.data(place, &hash, i, self.content(file.size, i))?;
            rest[..n].copy_from_slice(&bytes[from..from + n]);
            at += n;
        }
        Ok(())
    }

    /// Reads whole blocks that lie side by side with one request, straight into the buffer. Returns how many.
    fn read_run(&mut self, file: &Object, i: u64, buffer: &mut [u8]) -> Result<usize> {
        let (block, mut hashes) = (self.g.block(), [[0; 32]; RUN]);
        let (first, hash) = self.block_of(file, i)?;
        if self.cache.find(first.block).is_some() {
            let bytes = self.data(first, &hash, i, block)?;
            buffer[..block].copy_from_slice(bytes);
            return Ok(1);
        }
        hashes[0] = hash;
        let (mut n, most) = (1, RUN.min(buffer.len() / block));
        while n < most {
            let (at, hash) = self.block_of(file, i + n as u64)?;
            if at.block != first.block + n as u64 || self.cache.find(at.block).is_some() {
                break;
            }
            hashes[n] = hash;
            n += 1;
        }
        let run = &mut buffer[..n * block];
        if self.g.number(first.block + n as u64 - 1).is_none() {
            return Self::bad(Part::Data, first);
        }
        self.device.read(first.block << self.sector_shift(), run)?;
        for (k, bytes) in run.chunks_exact(block).enumerate() {
            if fold::leaf((i + k as u64) << self.g.shift, bytes) != hashes[k] {
                return Err(Error::Damaged { part: Part::Data, block: first.block + k as u64 });
            }
        }
        Ok(n)
    }

    /// BLAKE3 of a file's content, the same that `b3sum` prints: from the top of the file's tree, not from its content.
    pub fn hash(&mut self, place: Place) -> Result<[u8; 32]> {
        self.whole()?;
        let (which, path) = place.split();
        let (file, _) = self.file(which, path)?;
        let levels = self.levels(file.size);
        if levels > 0 {
            let top = fold::root(self.node(Node::file(file.root, levels as u8))?);
            return top.ok_or(Error::Damaged { part: Part::File, block: file.root.block });
        }
        let size = file.size as usize;
        if size == 0 {
            return Ok(*blake3::hash(&[]).as_bytes());
        }
        let bytes = self.data(file.root, &file.hash, 0, size)?;
        Ok(*blake3::hash(&bytes[..size]).as_bytes())
    }

    /// How full the volume is.
    pub fn space(&self) -> Space {
        let pending = if self.sup.map.written == self.now { self.sup.map.pending } else { 0 };
        Space {
            block: self.g.block() as u32,
            blocks: self.g.blocks,
            free: self.available().saturating_add(pending).saturating_sub(self.reserve()),
        }
    }

    /// Sizes and places.
    pub fn geometry(&self) -> Geometry {
        self.g
    }

    /// Number of commits since the volume was made.
    pub fn generation(&self) -> u64 {
        self.sup.generation
    }

    /// The volume's name.
    pub fn label(&self) -> &str {
        let end = self.sup.label.iter().position(|&b| b == 0).unwrap_or(self.sup.label.len());
        core::str::from_utf8(&self.sup.label[..end]).unwrap_or("?")
    }

    /// Of the four copies of the superblock, how many were missing or damaged at mount: by a power cut during the last
    /// commit, or by damage. The next two commits repair it.
    pub fn bad_superblocks(&self) -> u8 {
        self.bad_copies
    }

    /// Whether the volume has features of which only reading is known here.
    pub fn is_read_only(&self) -> bool {
        self.sup.for_writers != 0
    }

    /// Whether removed files and folders still hold blocks.
    pub fn untidy(&self) -> bool {
        self.sup.trees[Which::Dead as usize].height > 0
    }
}
