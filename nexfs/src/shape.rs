//! Headers of nodes, and the check of everything inside a node when it comes from the device: every count, length and
//! pointer, so that the code behind it works on what can be. The checksum finds damage; this finds an image that somebody
//! made up and sealed.
use crate::bytes::{put, put_u16, put_u32, put_u64, u16_at, u32_at, u64_at};
use crate::entry::{Kind, Object, VALUE};
use crate::error::Part;
use crate::layout::{Geometry, HEAD, NAME_MAX};
use crate::superblock::{MapEntry, Ptr};

/// Offset of the checksum in a node.
pub(crate) const CRC: usize = 0;

/// What a node is. The numbers are those of the format.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Sort {
    Tree = 1,
    File = 2,
    Map = 3,
}

impl Sort {
    pub(crate) fn part(self) -> Part {
        match self {
            Sort::Tree => Part::Tree,
            Sort::File => Part::File,
            Sort::Map => Part::Map,
        }
    }
}

/// Which node is meant: what its header must say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Node {
    pub at: Ptr,
    pub sort: Sort,
    pub level: u8,
}

impl Node {
    pub(crate) fn tree(at: Ptr, level: u8) -> Self {
        Node { at, sort: Sort::Tree, level }
    }

    pub(crate) fn file(at: Ptr, level: u8) -> Self {
        Node { at, sort: Sort::File, level }
    }

    /// Whether `block` carries this node's header.
    pub(crate) fn matches(&self, block: &[u8]) -> bool {
        block.get(4) == Some(&(self.sort as u8))
            && block.get(5) == Some(&self.level)
            && u64_at(block, 8) == self.at.block
            && u64_at(block, 16) == self.at.birth
    }

    /// Writes the header, count and length zero.
    pub(crate) fn write_head(&self, block: &mut [u8]) {
        put(block, 4, &[self.sort as u8, self.level, 0, 0]);
        self.write_place(block);
        put_u32(block, 24, 0);
    }

    /// Writes place and birth into the header.
    pub(crate) fn write_place(&self, block: &mut [u8]) {
        put_u64(block, 8, self.at.block);
        put_u64(block, 16, self.at.birth);
    }
}

/// Children of a file's node.
pub(crate) fn count(block: &[u8]) -> usize {
    usize::from(u16_at(block, 6))
}

pub(crate) fn set_count(block: &mut [u8], count: usize) {
    put_u16(block, 6, count as u16);
}

/// Bytes of entries in a tree's node.
pub(crate) fn used(block: &[u8]) -> usize {
    u32_at(block, 24) as usize
}

pub(crate) fn set_used(block: &mut [u8], used: usize) {
    put_u32(block, 24, used as u32);
}

/// Bytes that follow the name in an entry of a tree's node.
pub(crate) fn tail(level: u8) -> usize {
    if level == 0 { VALUE } else { 16 }
}

/// End of the entries of a tree's node.
pub(crate) fn end(block: &[u8]) -> usize {
    HEAD + used(block)
}

/// The name of the entry at `at`.
pub(crate) fn name(block: &[u8], at: usize) -> &[u8] {
    let from = at + 2;
    block.get(from..from + usize::from(u16_at(block, at))).unwrap_or(&[])
}

/// Where the value or pointer of the entry at `at` lies.
pub(crate) fn value(block: &[u8], at: usize) -> usize {
    at + 2 + usize::from(u16_at(block, at))
}

/// The entry after the one at `at`.
pub(crate) fn after(block: &[u8], at: usize, level: u8) -> usize {
    value(block, at) + tail(level)
}

/// The pointer at `at`.
pub(crate) fn ptr(block: &[u8], at: usize) -> Ptr {
    Ptr { block: u64_at(block, at), birth: u64_at(block, at + 8) }
}

pub(crate) fn put_ptr(block: &mut [u8], at: usize, ptr: Ptr) {
    put_u64(block, at, ptr.block);
    put_u64(block, at + 8, ptr.birth);
}

/// Whether a pointer of a node born in `birth` can be.
fn pointer(g: &Geometry, p: Ptr, birth: u64) -> bool {
    g.number(p.block).is_some() && p.birth > 0 && p.birth <= birth
}

/// Whether all of the node's inside can be.
pub(crate) fn sound(g: &Geometry, node: Node, block: &[u8]) -> bool {
    match node.sort {
        Sort::Tree => tree(g, node, block),
        Sort::File => file(g, node, block),
        Sort::Map => map(g, node, block),
    }
}

fn tree(g: &Geometry, node: Node, block: &[u8]) -> bool {
    let (mut at, end, mut last) = (HEAD, end(block), None);
    if end > block.len() || end == HEAD {
        return false;
    }
    while at < end {
        let (name, value) = (name(block, at), value(block, at));
        let next = value + tail(node.level);
        let first = at == HEAD;
        if name.len() > NAME_MAX || next > end || (!first && last >= Some(name)) {
            return false;
        }
        let fits = if node.level == 0 {
            Object::decode(block, value).is_some_and(|o| object(g, &o, node.at.birth))
        } else {
            pointer(g, ptr(block, value), node.at.birth)
        };
        if !fits {
            return false;
        }
        (last, at) = (Some(name), next);
    }
    true
}

/// Whether an entry of a leaf born in `birth` can be.
fn object(g: &Geometry, o: &Object, birth: u64) -> bool {
    let root = pointer(g, o.root, birth);
    match o.kind {
        Kind::File if o.size == 0 => o.root.is_none() && o.height == 0,
        Kind::File => root && o.height == 0 && i64::try_from(o.size).is_ok(),
        Kind::Folder => o.tree().checked(g, birth) && (o.height == 0 || root),
        Kind::Client => o.root.is_none() && o.height == 0,
    }
}

fn file(g: &Geometry, node: Node, block: &[u8]) -> bool {
    let n = count(block);
    (1..=g.fanout()).contains(&n)
        && (0..n).all(|i| pointer(g, ptr(block, HEAD + 16 * i), node.at.birth))
}

fn map(g: &Geometry, node: Node, block: &[u8]) -> bool {
    let index = u64_at(block, 32);
    if node.level == 0 {
        return true;
    }
    let (children, level) = (g.map_inner(), usize::from(node.level) - 1);
    (0..children).all(|i| {
        let entry = MapEntry::decode(block, HEAD + MapEntry::SIZE * i as usize);
        let child = index.saturating_mul(children).saturating_add(i);
        entry.checked(g.below(level, child), node.at.birth)
    })
}

impl MapEntry {
    /// Bytes of an entry.
    pub(crate) const SIZE: usize = crate::layout::MAP_ENTRY;
}
