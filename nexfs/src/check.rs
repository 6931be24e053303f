//! The check: walks everything that a volume refers to, verifies each node, each hash and each block of content, counts
//! who refers to what, and compares with the space map. Damage is named by path. The walk has no recursion: its stack is
//! lent, and a block that was walked once is not walked again, so that clones within clones end.
use crate::device::Device;
use crate::entry::{Kind, Object};
use crate::error::{Error, Part, Result};
use crate::fold;
use crate::layout::PATH_MAX;
use crate::map::{MANY, PENDING};
use crate::path::is_name;
use crate::shape::{Node, Sort, after, count, end, name, ptr, value};
use crate::superblock::{Ptr, Which};
use crate::volume::Volume;

/// A place on the way down. The caller lends an array: 64 are plenty for what people make.
#[derive(Debug, Clone, Copy, Default)]
pub struct Frame {
    at: Ptr,
    file: bool,
    level: u8,
    /// Next entry: an offset in a tree's node, an index in a file's.
    next: usize,
    /// A file's first block below here, its size, and the entry by which it is named.
    first: u64,
    size: u64,
    /// Length of the path when this was entered.
    path: usize,
}

/// Something that cannot be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Finding {
    /// A block is damaged or not what its pointer says.
    Damaged(Part, u64),
    /// The device could not read it.
    Unreadable(u64),
    /// The space map counts `counted` pointers to the block, there are `found`.
    References {
        /// The block.
        block: u64,
        /// As the space map has it.
        counted: u16,
        /// As the walk has it.
        found: u16,
    },
    /// The space map's sum says `counted` blocks are free, there are `found`.
    Free {
        /// As the superblock has it.
        counted: u64,
        /// As the leaves of the map have it.
        found: u64,
    },
    /// A superblock copy is missing.
    Superblocks(u8),
    /// Folders lie deeper than the lent stack.
    TooDeep,
}

/// Sums of a check.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Report {
    /// Findings.
    pub findings: u64,
    /// Blocks in use: content, and nodes of trees and files.
    pub used: u64,
    /// Files.
    pub files: u64,
    /// Folders, snapshots among them.
    pub folders: u64,
}

struct Walk<'w> {
    counts: &'w mut [u16],
    stack: &'w mut [Frame],
    depth: usize,
    path: [u8; PATH_MAX],
    len: usize,
    /// In the tree of the dead: files may have lost blocks, and nobody reads them.
    removed: bool,
    found: &'w mut dyn FnMut(&str, Finding),
    report: Report,
}

impl Walk<'_> {
    fn tell(&mut self, finding: Finding) {
        self.report.findings += 1;
        let path = core::str::from_utf8(&self.path[..self.len]).unwrap_or("?");
        (self.found)(path, finding);
    }

    fn enter(&mut self, name: &[u8]) {
        let room = PATH_MAX - self.len;
        let n = name.len().min(room.saturating_sub(1));
        if n > 0 {
            self.path[self.len] = b'/';
            self.path[self.len + 1..self.len + 1 + n].copy_from_slice(&name[..n]);
            self.len += n + 1;
        }
    }

    fn push(&mut self, frame: Frame) {
        match self.stack.get_mut(self.depth) {
            Some(place) => {
                *place = frame;
                self.depth += 1;
            }
            None => self.tell(Finding::TooDeep),
        }
    }

    fn error(&mut self, error: Error, at: Ptr) {
        self.tell(match error {
            Error::Damaged { part, block } => Finding::Damaged(part, block),
            _ => Finding::Unreadable(at.block),
        });
    }
}

impl<D: Device> Volume<'_, D> {
    /// Checks everything, damage to `found` with the path it lies at. `counts`: one per block of
    /// [`crate::Geometry::blocks`], zeroed here.
    ///
    /// # Errors
    /// `Memory` if `counts` is too short, `Broken`; damage is a finding, not an error.
    pub fn check(
        &mut self,
        counts: &mut [u16],
        stack: &mut [Frame],
        found: &mut dyn FnMut(&str, Finding),
    ) -> Result<Report> {
        self.settle_for_check()?;
        let blocks = usize::try_from(self.g.blocks).map_err(|_| Error::Memory)?;
        let counts = counts.get_mut(..blocks).ok_or(Error::Memory)?;
        counts.fill(0);
        let report = Report::default();
        let mut walk = Walk {
            counts,
            stack,
            depth: 0,
            path: [0; PATH_MAX],
            len: 0,
            removed: false,
            found,
            report,
        };
        if self.bad_copies > 0 {
            walk.tell(Finding::Superblocks(self.bad_copies));
        }
        for (which, title) in [
            (Which::Live, ""),
            (Which::Snapshots, "snapshot:"),
            (Which::Dead, "removed:"),
            (Which::Clients, "clients:"),
        ] {
            (walk.len, walk.removed) = (0, which == Which::Dead);
            walk.enter(title.as_bytes());
            let top = Object::new(Kind::Folder, 0).with_tree(self.sup.trees[which as usize]);
            self.visit(&mut walk, &top, 0);
            // The tree itself is no folder that anybody made.
            walk.report.folders -= 1;
            while walk.depth > 0 {
                self.step(&mut walk);
            }
        }
        walk.len = 0;
        self.compare(&mut walk);
        Ok(walk.report)
    }

    fn settle_for_check(&mut self) -> Result<()> {
        if self.broken { Err(Error::Broken) } else { self.commit() }
    }

    /// Counts a pointer. Whether the block is to be walked: it is inside, and this is the first pointer to it.
    fn first_time(&self, walk: &mut Walk, part: Part, at: Ptr) -> bool {
        let number = self.g.number(at.block).and_then(|n| usize::try_from(n).ok());
        let Some(count) = number.and_then(|n| walk.counts.get_mut(n)) else {
            walk.tell(Finding::Damaged(part, at.block));
            return false;
        };
        *count = count.saturating_add(1).min(MANY);
        let first = *count == 1;
        walk.report.used += u64::from(first);
        first
    }

    /// Walks an object's root next.
    fn visit(&mut self, walk: &mut Walk, object: &Object, path: usize) {
        match object.kind {
            Kind::File => walk.report.files += 1,
            Kind::Folder => walk.report.folders += 1,
            Kind::Client => return,
        }
        if object.root.is_none() {
            return;
        }
        let (file, size) = (object.kind == Kind::File, object.size);
        let level = if file { self.levels(size) as u8 } else { object.height - 1 };
        if file && level == 0 {
            let first = self.first_time(walk, Part::Data, object.root);
            if first {
                self.verify(walk, object.root, &object.hash, 0, size);
            }
            return;
        }
        let part = if file { Part::File } else { Part::Tree };
        if self.first_time(walk, part, object.root) {
            walk.push(Frame { at: object.root, file, level, next: 0, first: 0, size, path });
            if file {
                self.verify_node(walk, object.root, level, &object.hash);
            }
        }
    }

    /// One more entry of the topmost frame.
    fn step(&mut self, walk: &mut Walk) {
        let depth = walk.depth - 1;
        let frame = walk.stack[depth];
        let done =
            if frame.file { self.step_file(walk, frame) } else { self.step_tree(walk, frame) };
        match done {
            Ok(Some(next)) => walk.stack[depth].next = next,
            Ok(None) => {
                (walk.depth, walk.len) = (depth, frame.path);
            }
            Err(error) => {
                walk.error(error, frame.at);
                (walk.depth, walk.len) = (depth, frame.path);
            }
        }
    }

    /// The next entry of a tree's node. `None`: there is none.
    fn step_tree(&mut self, walk: &mut Walk, frame: Frame) -> Result<Option<usize>> {
        let node = Node::tree(frame.at, frame.level);
        let block = self.node(node)?;
        let at = frame.next.max(crate::layout::HEAD);
        if at >= end(block) {
            return Ok(None);
        }
        let next = after(block, at, frame.level);
        if frame.level > 0 {
            let child = ptr(block, value(block, at));
            if self.first_time(walk, Part::Tree, child) {
                let path = walk.len;
                walk.push(Frame { at: child, level: frame.level - 1, path, ..Frame::default() });
            }
            return Ok(Some(next));
        }
        let (object, len) = (Self::object_at(block, at, frame.at)?, walk.len);
        walk.enter(name(block, at));
        let title = name(block, at);
        let proper = is_name(title) && core::str::from_utf8(title).is_ok();
        if !proper && object.kind != Kind::Client && !walk.removed {
            walk.tell(Finding::Damaged(Part::Tree, frame.at.block));
        }
        let depth = walk.depth;
        self.visit(walk, &object, len);
        if walk.depth == depth {
            walk.len = len;
        }
        Ok(Some(next))
    }

    /// The next child of a file's node.
    fn step_file(&mut self, walk: &mut Walk, frame: Frame) -> Result<Option<usize>> {
        let node = Node { at: frame.at, sort: Sort::File, level: frame.level };
        let shift = self.g.fanout_shift() * (u32::from(frame.level) - 1);
        let block = self.node(node)?;
        let n = count(block);
        let Some((child, hash)) = fold::get(block, frame.next) else {
            return Ok(None);
        };
        let first = frame.first + ((frame.next as u64) << shift);
        let removed = walk.removed;
        if frame.level == 1 {
            if self.first_time(walk, Part::Data, child) && !removed {
                self.verify(walk, child, &hash, first, frame.size);
            }
        } else if self.first_time(walk, Part::File, child) {
            walk.push(Frame {
                at: child,
                level: frame.level - 1,
                first,
                next: 0,
                path: walk.len,
                ..frame
            });
            if !removed {
                self.verify_node(walk, child, frame.level - 1, &hash);
            }
        }
        // A file must have all blocks of its size; what was removed may have lost some already.
        let expected =
            self.g.blocks_of(frame.size).saturating_sub(frame.first).div_ceil(1 << shift);
        if frame.next + 1 == n && !removed && n as u64 != expected.min(self.g.fanout() as u64) {
            walk.tell(Finding::Damaged(Part::File, frame.at.block));
        }
        Ok(Some(frame.next + 1))
    }

    /// Whether a file's node folds to what its pointer says.
    fn verify_node(&mut self, walk: &mut Walk, at: Ptr, level: u8, hash: &fold::Hash) {
        if walk.removed {
            return;
        }
        match self.node(Node::file(at, level)) {
            Ok(block) if fold::consistent(block) && fold::top(block) == *hash => {}
            Ok(_) => walk.tell(Finding::Damaged(Part::File, at.block)),
            // The frame that was pushed tells it.
            Err(_) => {}
        }
    }

    /// Whether a block's content is what its pointer says. It is read from the device, not from the cache.
    fn verify(&mut self, walk: &mut Walk, at: Ptr, hash: &fold::Hash, i: u64, size: u64) {
        if walk.removed {
            return;
        }
        self.cache.forget(at.block);
        let len = self.content(size, i);
        if let Err(error) = self.data(at, hash, i, len) {
            walk.error(error, at);
        }
    }

    /// Compares what was counted with the space map, and the map's leaves with their sum.
    fn compare(&mut self, walk: &mut Walk) {
        let (mut free, mut unknown) = (0, false);
        for number in 0..walk.counts.len() {
            let at = Ptr { block: self.g.first + number as u64, birth: 0 };
            let found = walk.counts[number];
            match self.references(at) {
                Ok(counted) => {
                    let unused = matches!(counted, 0 | PENDING);
                    free += u64::from(unused);
                    if !(found == 0 && unused) && counted != found && counted != MANY {
                        walk.tell(Finding::References { block: at.block, counted, found });
                    }
                }
                Err(error) => {
                    unknown = true;
                    walk.error(error, at);
                }
            }
        }
        let counted = self.sup.map.free.saturating_add(self.sup.map.pending);
        if !unknown && counted != free {
            walk.tell(Finding::Free { counted, found: free });
        }
    }
}
