//! A file's blocks: a tree of fixed fanout over them, as high as the size needs, so that nothing is balanced and nothing
//! moves. Content is checked against its chaining value each time it comes from the device.
use crate::device::Device;
use crate::entry::Object;
use crate::error::{Error, Part, Result};
use crate::fold::{self, Hash};
use crate::layout::FILE_LEVELS;
use crate::shape::{Node, count};
use crate::superblock::Ptr;
use crate::volume::Volume;

impl<D: Device> Volume<'_, D> {
    /// Levels of nodes of a file of this size.
    pub(crate) fn levels(&self, size: u64) -> usize {
        self.g.file_levels(self.g.blocks_of(size))
    }

    /// Which child of a node of `level` leads to block `i`.
    fn branch(&self, level: usize, i: u64) -> usize {
        let shift = self.g.fanout_shift() * (level as u32 - 1);
        (i >> shift) as usize & (self.g.fanout() - 1)
    }

    /// Bytes of block `i` of a file of `size` bytes that count.
    pub(crate) fn content(&self, size: u64, i: u64) -> usize {
        (size.saturating_sub(i << self.g.shift)).min(1 << self.g.shift) as usize
    }

    /// Pointer and value of block `i`, which lies below the size.
    pub(crate) fn block_of(&mut self, file: &Object, i: u64) -> Result<(Ptr, Hash)> {
        let (mut at, mut hash) = (file.root, file.hash);
        for level in (1..=self.levels(file.size)).rev() {
            let branch = self.branch(level, i);
            let node = Node::file(at, level as u8);
            match fold::get(self.node(node)?, branch) {
                Some(child) => (at, hash) = child,
                None => return Self::bad(Part::File, at),
            }
        }
        Ok((at, hash))
    }

    /// Makes `at` block `i` of the file, one of those that are there or the next one; gives an older one back.
    pub(crate) fn set_block(
        &mut self,
        file: &mut Object,
        i: u64,
        at: Ptr,
        hash: &Hash,
    ) -> Result<()> {
        let blocks = self.g.blocks_of(file.size);
        let levels = self.g.file_levels(blocks.max(i + 1));
        if blocks > 0 && levels > self.g.file_levels(blocks) {
            let top = Node::file(self.take()?, levels as u8);
            let (root, hash) = (file.root, file.hash);
            fold::set(self.fresh(top)?, 0, root, &hash);
            file.root = top.at;
        }
        if levels == 0 {
            return self.set_root(file, at, hash);
        }
        let mut path = [Ptr::default(); FILE_LEVELS + 1];
        file.root = if file.root.is_none() {
            Self::bad(Part::File, file.root)?
        } else {
            self.own(Node::file(file.root, levels as u8))?.at
        };
        path[levels] = file.root;
        for level in (2..=levels).rev() {
            let parent = Node::file(path[level], level as u8);
            path[level - 1] = self.own_branch(parent, self.branch(level, i))?;
        }
        let (leaf, branch) = (Node::file(path[1], 1), self.branch(1, i));
        if let Some((old, _)) = fold::get(self.node(leaf)?, branch)
            && old != at
        {
            self.release(old)?;
        }
        fold::set(self.edit(leaf)?, branch, at, hash);
        self.refold(file, &path, levels, i)
    }

    fn set_root(&mut self, file: &mut Object, at: Ptr, hash: &Hash) -> Result<()> {
        if !file.root.is_none() && file.root != at {
            self.release(file.root)?;
        }
        (file.root, file.hash) = (at, *hash);
        Ok(())
    }

    /// Owns the child `branch` of `parent`; a new node if it is the next one.
    fn own_branch(&mut self, parent: Node, branch: usize) -> Result<Ptr> {
        let block = self.node(parent)?;
        let (old, n) = (fold::get(block, branch), count(block));
        let at = match old {
            Some((at, _)) => self.own(Node::file(at, parent.level - 1))?.at,
            None if branch == n => {
                let node = Node::file(self.take()?, parent.level - 1);
                self.fresh(node)?;
                node.at
            }
            None => return Self::bad(Part::File, parent.at),
        };
        if old.map(|(at, _)| at) != Some(at) {
            let hash = old.map_or([0; 32], |(_, hash)| hash);
            fold::set(self.edit(parent)?, branch, at, &hash);
        }
        Ok(at)
    }

    /// Carries the value of the changed leaf over block `i` up to the file.
    fn refold(&mut self, file: &mut Object, path: &[Ptr], levels: usize, i: u64) -> Result<()> {
        for level in 1..=levels {
            let hash = fold::top(self.node(Node::file(path[level], level as u8))?);
            if level == levels {
                file.hash = hash;
                break;
            }
            let branch = self.branch(level + 1, i);
            let parent = Node::file(path[level + 1], level as u8 + 1);
            fold::set(self.edit(parent)?, branch, path[level], &hash);
        }
        Ok(())
    }

    /// The content of a block in the cache, checked: `len` bytes count.
    pub(crate) fn data(&mut self, at: Ptr, hash: &Hash, i: u64, len: usize) -> Result<&mut [u8]> {
        let bad = Error::Damaged { part: Part::Data, block: at.block };
        if self.g.number(at.block).is_none() {
            return Err(bad);
        }
        let slot = if let Some(slot) = self.cache.find(at.block) {
            slot
        } else {
            let (slot, shift) = (self.room()?, self.sector_shift());
            let bytes = self.cache.bytes(slot);
            self.device.read(at.block << shift, bytes)?;
            if fold::leaf(i << self.g.shift, &bytes[..len]) != *hash {
                return Err(bad);
            }
            self.cache.name(slot, at.block, false, false);
            slot
        };
        if self.cache.what(slot).1 { Err(bad) } else { Ok(self.cache.bytes(slot)) }
    }

    /// Writes `bytes` at `from` into block `i` of a file that will have `size` bytes; what lay there stays around it, and
    /// what lay past the old size reads as zero.
    pub(crate) fn patch(
        &mut self,
        file: &mut Object,
        i: u64,
        from: usize,
        bytes: &[u8],
        size: u64,
    ) -> Result<()> {
        let (old, len) = (self.content(file.size, i), self.content(size, i));
        let mut slot = None;
        if old > 0 {
            let (at, hash) = self.block_of(file, i)?;
            self.data(at, &hash, i, old)?;
            slot = (at.birth == self.now).then_some(at);
        }
        // A block of this generation changes in place; else the content moves to a new one.
        let at = match slot {
            Some(at) => at,
            None => self.move_data(file, i, old)?,
        };
        let found = self.cache.find(at.block).ok_or(Error::Broken)?;
        self.cache.set_dirty(found, true);
        let block = self.cache.bytes(found);
        block[old.min(len)..].fill(0);
        block[from..from + bytes.len()].copy_from_slice(bytes);
        let hash = fold::leaf(i << self.g.shift, &block[..len]);
        self.set_block(file, i, at, &hash)
    }

    /// Takes a block and puts the content of block `i` into the cache under it, zeros if there is none.
    fn move_data(&mut self, file: &Object, i: u64, old: usize) -> Result<Ptr> {
        let to = self.take()?;
        let slot = if old > 0 {
            let (at, hash) = self.block_of(file, i)?;
            self.data(at, &hash, i, old)?;
            self.cache.find(at.block).ok_or(Error::Broken)?
        } else {
            self.room()?
        };
        self.cache.forget(to.block);
        self.cache.name(slot, to.block, false, true);
        if old == 0 {
            self.cache.bytes(slot).fill(0);
        }
        Ok(to)
    }

    /// Cuts a file to `size` bytes, more than none and fewer than it has: what is behind goes to the dead.
    pub(crate) fn shorten(&mut self, file: &mut Object, size: u64) -> Result<()> {
        let (last, mut levels) = (self.g.blocks_of(size) - 1, self.levels(file.size));
        let target = self.g.file_levels(last + 1);
        let mut node = Node::file(file.root, levels as u8);
        if levels > 0 {
            node = self.own(node)?;
            file.root = node.at;
        }
        while node.level > 0 && levels > 0 {
            let level = usize::from(node.level);
            let branch = self.branch(level, last);
            self.drop_branches(node, branch + 1)?;
            if level == 1 {
                break;
            }
            let at = self.own_branch(node, branch)?;
            node = Node::file(at, node.level - 1);
        }
        while levels > target {
            let top = Node::file(file.root, levels as u8);
            let first = fold::get(self.node(top)?, 0);
            let Some((at, hash)) = first else { return Self::bad(Part::File, top.at) };
            self.release(top.at)?;
            (file.root, file.hash) = (at, hash);
            levels -= 1;
        }
        // The last block's value depends on where it ends, and all above on it.
        let old = self.content(file.size, last);
        file.size = (last << self.g.shift) + old as u64;
        self.patch(file, last, 0, &[], size)?;
        file.size = size;
        Ok(())
    }

    /// Gives all children of `node` from `from` on to the dead.
    fn drop_branches(&mut self, node: Node, from: usize) -> Result<()> {
        let level = usize::from(node.level);
        let span = self.g.fanout_shift() * (level as u32 - 1);
        if from > count(self.node(node)?) {
            return Self::bad(Part::File, node.at);
        }
        for i in from..count(self.node(node)?) {
            let Some((at, _)) = fold::get(self.node(node)?, i) else { break };
            let mut part = Object::new(crate::Kind::File, 0);
            // As many blocks as fit below: more than there may be in the last one, as `reclaim.rs` knows.
            (part.root, part.size) = (at, 1 << (span + u32::from(self.g.shift)));
            self.dispose(&part)?;
        }
        fold::cut(self.edit(node)?, from.max(1));
        Ok(())
    }
}
