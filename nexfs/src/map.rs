//! The space map: how many pointers refer to each block. A tree of fixed shape in a place of its own, so that it needs no
//! space from itself: each node has two places and a commit's nodes go to the one that the last commit does not use.
//!
//! A leaf has 16 bits per block. What is given back by a generation stays `PENDING` in it, because the last commit still
//! refers to it; the first change of that leaf in a later generation turns it into free. Inner nodes carry the sums, so
//! that a search goes down instead of along, and how much is free is known without a walk.
use crate::bytes::{put_u16, put_u64, u16_at};
use crate::device::Device;
use crate::error::{Error, Part, Result};
use crate::layout::{HEAD, MAP_LEVELS};
use crate::shape::{Node, Sort};
use crate::superblock::{MapEntry, Ptr};
use crate::volume::Volume;

/// Given back by the generation that wrote the leaf.
pub(crate) const PENDING: u16 = 0xFFFF;
/// As many references as can be counted; such a block is never given back.
pub(crate) const MANY: u16 = 0xFFFE;

/// What happens to a block.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Change {
    Take,
    More,
    /// `true`: born in this generation, so nobody needs it any more.
    Less(bool),
}

/// The numbers of a leaf: before and after, and what that does to the sums.
fn change(before: u16, what: Change) -> Option<(u16, i64, i64)> {
    Some(match (what, before) {
        (Change::Take, 0) => (1, -1, 0),
        (Change::Take, _) | (_, 0 | PENDING) => return None,
        (_, MANY) => (MANY, 0, 0),
        (Change::More, n) => (n + 1, 0, 0),
        (Change::Less(true), 1) => (0, 1, 0),
        (Change::Less(false), 1) => (PENDING, 0, 1),
        (Change::Less(_), n) => (n - 1, 0, 0),
    })
}

impl<D: Device> Volume<'_, D> {
    /// Blocks that can be taken now.
    pub(crate) fn available(&self) -> u64 {
        self.sup.map.available(self.g.blocks, self.now)
    }

    /// How many pointers refer to the block.
    pub(crate) fn references(&mut self, at: Ptr) -> Result<u16> {
        let number = self.number(at)?;
        let (mut entry, mut level) = (self.sup.map, self.g.levels - 1);
        loop {
            let index = number / self.g.span(level);
            let Some(node) = self.map_node(level, index, entry) else { return Ok(0) };
            if level == 0 {
                let at = HEAD + 2 * (number % self.g.map_leaf()) as usize;
                return Ok(u16_at(self.node(node)?, at));
            }
            level -= 1;
            let child = number / self.g.span(level) % self.g.map_inner();
            entry = MapEntry::decode(self.node(node)?, HEAD + MapEntry::SIZE * child as usize);
        }
    }

    /// Takes a free block, the next one after the last that was taken.
    pub(crate) fn take(&mut self) -> Result<Ptr> {
        #[cfg(test)]
        if self.reuses {
            self.sup.cursor = 0;
        }
        let number = self.search()?;
        self.count(number, Change::Take)?;
        self.sup.cursor = number + 1;
        Ok(Ptr { block: self.g.first + number, birth: self.now })
    }

    /// One more pointer refers to the block.
    pub(crate) fn share(&mut self, at: Ptr) -> Result<()> {
        let number = self.number(at)?;
        self.count(number, Change::More).map(drop)
    }

    /// One pointer less. Returns how many there were before.
    pub(crate) fn release(&mut self, at: Ptr) -> Result<u16> {
        let number = self.number(at)?;
        let fresh = at.birth == self.now;
        #[cfg(test)]
        let fresh = fresh || self.reuses;
        let before = self.count(number, Change::Less(fresh))?;
        if before == 1 {
            self.cache.forget(at.block);
        }
        Ok(before)
    }

    fn number(&self, at: Ptr) -> Result<u64> {
        self.g.number(at.block).ok_or(Error::Damaged { part: Part::Map, block: at.block })
    }

    /// The node that `entry` points to; none if it was never written.
    fn map_node(&self, level: usize, index: u64, entry: MapEntry) -> Option<Node> {
        let at = Ptr { block: self.g.map_place(level, index, entry.copy), birth: entry.written };
        (entry.written > 0).then_some(Node { at, sort: Sort::Map, level: level as u8 })
    }

    /// Changes a block's number and the sums above. Returns the number before.
    fn count(&mut self, number: u64, what: Change) -> Result<u16> {
        let mut path = [Ptr::default(); MAP_LEVELS];
        let top = self.g.levels - 1;
        let mut entry = self.sup.map;
        for level in (0..=top).rev() {
            let node = self.own_map(level, number / self.g.span(level), &mut entry)?;
            path[level] = node.at;
            self.put_entry(&path, level + 1, number, entry)?;
            if level > 0 {
                let child = self.child_offset(level, number);
                entry = MapEntry::decode(self.node(node)?, child);
            }
        }
        let at = HEAD + 2 * (number % self.g.map_leaf()) as usize;
        let leaf = Node { at: path[0], sort: Sort::Map, level: 0 };
        let bytes = self.edit(leaf)?;
        let before = u16_at(bytes, at);
        let Some((after, free, pending)) = change(before, what) else {
            return Self::bad(Part::Map, leaf.at);
        };
        put_u16(bytes, at, after);
        if (free, pending) != (0, 0) {
            for level in 1..=top + 1 {
                self.add(&path, level, number, free, pending)?;
            }
        }
        Ok(before)
    }

    /// Offset in the node of `level` over `number` of the entry of the child over it.
    fn child_offset(&self, level: usize, number: u64) -> usize {
        HEAD + MapEntry::SIZE * (number / self.g.span(level - 1) % self.g.map_inner()) as usize
    }

    /// Writes the entry of the node below `level` over `number`; above the top it is the superblock's.
    fn put_entry(
        &mut self,
        path: &[Ptr],
        level: usize,
        number: u64,
        entry: MapEntry,
    ) -> Result<()> {
        if level == self.g.levels {
            self.sup.map = entry;
            return Ok(());
        }
        let at = self.child_offset(level, number);
        let node = Node { at: path[level], sort: Sort::Map, level: level as u8 };
        entry.encode(self.edit(node)?, at);
        Ok(())
    }

    /// Adds to the sums in the entry of the node below `level` over `number`.
    fn add(
        &mut self,
        path: &[Ptr],
        level: usize,
        number: u64,
        free: i64,
        pending: i64,
    ) -> Result<()> {
        let mut entry = if level == self.g.levels {
            self.sup.map
        } else {
            let at = self.child_offset(level, number);
            let node = Node { at: path[level], sort: Sort::Map, level: level as u8 };
            MapEntry::decode(self.node(node)?, at)
        };
        let sums =
            entry.free.checked_add_signed(free).zip(entry.pending.checked_add_signed(pending));
        let Some(sums) = sums else { return Self::bad(Part::Map, path[level - 1]) };
        (entry.free, entry.pending) = sums;
        self.put_entry(path, level, number, entry)
    }

    /// Makes the node under `entry` one of this generation, and `entry` with it.
    fn own_map(&mut self, level: usize, index: u64, entry: &mut MapEntry) -> Result<Node> {
        let old = self.map_node(level, index, *entry);
        match old {
            Some(node) if entry.written == self.now => {
                self.edit(node)?;
                Ok(node)
            }
            Some(node) => {
                let to = self.g.map_place(level, index, entry.copy ^ 1);
                self.node(node)?;
                let moved = self.rebirth(node, to)?;
                if level == 0 {
                    free_pending(self.edit(moved)?);
                }
                *entry = MapEntry {
                    written: self.now,
                    free: entry.free.saturating_add(entry.pending),
                    pending: 0,
                    copy: entry.copy ^ 1,
                };
                Ok(moved)
            }
            None => {
                let free = self.g.below(level, index);
                *entry = MapEntry { written: self.now, free, pending: 0, copy: 0 };
                let at = Ptr { block: self.g.map_place(level, index, 0), birth: self.now };
                let node = Node { at, sort: Sort::Map, level: level as u8 };
                put_u64(self.fresh(node)?, 32, index);
                Ok(node)
            }
        }
    }

    /// The next free block from the cursor on, or else from the start.
    fn search(&mut self) -> Result<u64> {
        if self.available() == 0 {
            return Err(Error::NoSpace);
        }
        for start in [self.sup.cursor, 0] {
            let mut from = start;
            while from < self.g.blocks {
                match self.descend(from)? {
                    Ok(number) => return Ok(number),
                    Err(next) => from = next,
                }
            }
        }
        Self::bad(Part::Map, Ptr::default())
    }

    /// Goes down towards `from`, past what is full. `Ok`: a free block. `Err`: none before the number given.
    fn descend(&mut self, mut from: u64) -> Result<core::result::Result<u64, u64>> {
        let (mut entry, mut level) = (self.sup.map, self.g.levels - 1);
        loop {
            let span = self.g.span(level);
            let index = from / span;
            let past = (index.saturating_add(1)).saturating_mul(span);
            let Some(node) = self.map_node(level, index, entry) else { return Ok(Ok(from)) };
            if level == 0 {
                return self.scan(node, from).map(|found| found.ok_or(past));
            }
            (level, entry) = match self.free_child(node, from, past)? {
                Some((child, entry)) => {
                    from = child;
                    (level - 1, entry)
                }
                None => return Ok(Err(past)),
            };
        }
    }

    /// In an inner node: the first child at or after the one over `from` that has something free, and where it starts.
    fn free_child(&mut self, node: Node, from: u64, past: u64) -> Result<Option<(u64, MapEntry)>> {
        let (g, now, level) = (self.g, self.now, usize::from(node.level));
        let (span, mut number) = (g.span(level - 1), from);
        let bytes = self.node(node)?;
        while number < past.min(g.blocks) {
            let index = number / span;
            let at = HEAD + MapEntry::SIZE * (index % g.map_inner()) as usize;
            let entry = MapEntry::decode(bytes, at);
            if entry.available(g.below(level - 1, index), now) > 0 {
                return Ok(Some((number, entry)));
            }
            number = (index + 1).saturating_mul(span);
        }
        Ok(None)
    }

    /// In a leaf: the first free block at or after `from`.
    fn scan(&mut self, leaf: Node, from: u64) -> Result<Option<u64>> {
        let (n, blocks, old) = (self.g.map_leaf(), self.g.blocks, leaf.at.birth < self.now);
        let (first, slot) = (from - from % n, (from % n) as usize);
        let below = n.min(blocks - first) as usize;
        let bytes = self.node(leaf)?;
        let free = (slot..below).find(|&i| {
            let count = u16_at(bytes, HEAD + 2 * i);
            count == 0 || (old && count == PENDING)
        });
        Ok(free.map(|i| first + i as u64))
    }
}

/// What an earlier generation gave back is free now.
fn free_pending(leaf: &mut [u8]) {
    for at in (HEAD..leaf.len()).step_by(2) {
        if u16_at(leaf, at) == PENDING {
            put_u16(leaf, at, 0);
        }
    }
}
