//! Trees of names: B+ trees whose entries are sorted by the bytes of their names. A leaf's entry carries an object (80
//! bytes), an inner node's a pointer. Reading; what changes a tree is in `graft.rs`.
//!
//! The name in an inner entry is a lower bound of all below it; the first entry on the left edge has the empty name.
use crate::device::Device;
use crate::entry::Object;
use crate::error::{Error, Part, Result};
use crate::layout::{HEAD, NAME_MAX, TREE_LEVELS};
use crate::shape::{Node, after, end, name, ptr, value};
use crate::superblock::{Ptr, Tree};
use crate::volume::Volume;

/// A name that was read, in memory of its own.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Name {
    len: usize,
    bytes: [u8; NAME_MAX],
}

impl Name {
    pub(crate) fn new(name: &[u8]) -> Self {
        let mut bytes = [0; NAME_MAX];
        let len = name.len().min(NAME_MAX);
        bytes[..len].copy_from_slice(&name[..len]);
        Name { len, bytes }
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        &self.bytes[..self.len]
    }
}

/// Where the first entry at or after `key` starts (the end if there is none), and whether it is `key`.
pub(crate) fn seek(block: &[u8], level: u8, key: &[u8]) -> (usize, bool) {
    let (mut at, end) = (HEAD, end(block));
    while at < end {
        match name(block, at).cmp(key) {
            core::cmp::Ordering::Less => at = after(block, at, level),
            order => return (at, order.is_eq()),
        }
    }
    (at, false)
}

/// The entry of an inner node under which `key` lies: the last one not above it, or the first.
pub(crate) fn pick(block: &[u8], level: u8, key: &[u8]) -> usize {
    let (mut at, mut picked, end) = (HEAD, HEAD, end(block));
    while at < end && name(block, at) <= key {
        picked = at;
        at = after(block, at, level);
    }
    picked
}

impl Tree {
    /// The root, unless the tree is empty.
    pub(crate) fn top(&self) -> Option<Node> {
        let level = self.height.checked_sub(1)?;
        (usize::from(self.height) <= TREE_LEVELS).then_some(Node::tree(self.root, level))
    }
}

impl<D: Device> Volume<'_, D> {
    /// The object of `key`.
    pub(crate) fn lookup(&mut self, tree: Tree, key: &[u8]) -> Result<Option<Object>> {
        let Some(mut node) = tree.top() else { return Ok(None) };
        while node.level > 0 {
            node = self.below(node, key)?;
        }
        let block = self.node(node)?;
        let (at, found) = seek(block, 0, key);
        if found { Self::object_at(block, at, node.at).map(Some) } else { Ok(None) }
    }

    /// The child of an inner node under which `key` lies.
    fn below(&mut self, node: Node, key: &[u8]) -> Result<Node> {
        let block = self.node(node)?;
        let at = pick(block, node.level, key);
        Ok(Node::tree(ptr(block, value(block, at)), node.level - 1))
    }

    pub(crate) fn object_at(block: &[u8], at: usize, leaf: Ptr) -> Result<Object> {
        let bad = Error::Damaged { part: Part::Tree, block: leaf.block };
        Object::decode(block, value(block, at)).ok_or(bad)
    }

    /// The first entry whose name is after `key`, or the very first.
    pub(crate) fn next(
        &mut self,
        tree: Tree,
        key: Option<&[u8]>,
    ) -> Result<Option<(Name, Object)>> {
        let Some(mut node) = tree.top() else { return Ok(None) };
        // The nearest node to the right of the way down: where the next name is if the leaf has none.
        let mut right = None;
        while node.level > 0 {
            let block = self.node(node)?;
            let at = pick(block, node.level, key.unwrap_or(&[]));
            let next = after(block, at, node.level);
            if next < end(block) {
                right = Some(Node::tree(ptr(block, value(block, next)), node.level - 1));
            }
            node = Node::tree(ptr(block, value(block, at)), node.level - 1);
        }
        let found = self.next_in_leaf(node, key)?;
        match (found, right) {
            (None, Some(mut node)) => {
                while node.level > 0 {
                    node = self.below(node, &[])?;
                }
                self.next_in_leaf(node, None)
            }
            (found, _) => Ok(found),
        }
    }

    fn next_in_leaf(&mut self, leaf: Node, key: Option<&[u8]>) -> Result<Option<(Name, Object)>> {
        let block = self.node(leaf)?;
        let at = match key.map(|key| (key, seek(block, 0, key))) {
            Some((_, (at, true))) => after(block, at, 0),
            Some((_, (at, false))) => at,
            None => HEAD,
        };
        if at >= end(block) {
            return Ok(None);
        }
        Ok(Some((Name::new(name(block, at)), Self::object_at(block, at, leaf.at)?)))
    }
}
