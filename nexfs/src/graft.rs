//! Changing trees of names: insertion splits on the way down, removal mends on the way up, both over nodes that belong to
//! this generation (`own`). No recursion: the path is an array.
use crate::bytes::{put, put_u16};
use crate::device::Device;
use crate::entry::{Object, VALUE};
use crate::error::{Part, Result};
use crate::layout::{HEAD, NAME_MAX, TREE_LEVELS};
use crate::shape::{Node, Sort, after, count, end, name, ptr, put_ptr, set_used, value};
use crate::superblock::{Ptr, Tree};
use crate::tree::{Name, pick, seek};
use crate::volume::Volume;

/// Bytes of the largest inner entry.
const INNER_MAX: usize = 2 + NAME_MAX + 16;

impl<D: Device> Volume<'_, D> {
    /// Makes `node` one that may be changed: itself if it was born in this generation, else a copy. The caller writes the
    /// new pointer where the old one stood. If somebody else refers to the old node too, its children have one more
    /// reference from now on.
    pub(crate) fn own(&mut self, node: Node) -> Result<Node> {
        self.node(node)?;
        if node.at.birth == self.now {
            return Ok(node);
        }
        let to = self.take()?;
        let moved = self.rebirth(node, to.block)?;
        if self.release(node.at)? > 1 {
            let mut cursor = 0;
            while let Some(child) = self.next_child(moved, &mut cursor)? {
                self.share(child)?;
            }
        }
        Ok(moved)
    }

    /// The next block that a node points to; `cursor` starts with 0.
    pub(crate) fn next_child(&mut self, node: Node, cursor: &mut usize) -> Result<Option<Ptr>> {
        let block = self.node(node)?;
        if node.sort == Sort::File {
            let i = *cursor;
            *cursor += 1;
            return Ok((i < count(block)).then(|| ptr(block, HEAD + 16 * i)));
        }
        let mut at = (*cursor).max(HEAD);
        while at < end(block) {
            let place = value(block, at) + if node.level == 0 { 24 } else { 0 };
            let child = ptr(block, place);
            at = after(block, at, node.level);
            *cursor = at;
            if !child.is_none() {
                return Ok(Some(child));
            }
        }
        Ok(None)
    }

    /// Owns the way to the leaf for `key` and returns it. The tree must not be empty.
    pub(crate) fn own_leaf(&mut self, tree: &mut Tree, key: &[u8]) -> Result<[Node; TREE_LEVELS]> {
        let Some(top) = tree.top() else { return Self::bad(Part::Tree, tree.root) };
        let mut node = self.own(top)?;
        tree.root = node.at;
        let mut path = [node; TREE_LEVELS];
        while node.level > 0 {
            let block = self.node(node)?;
            let place = value(block, pick(block, node.level, key));
            let child = Node::tree(ptr(block, place), node.level - 1);
            let child = self.own(child)?;
            put_ptr(self.edit(node)?, place, child.at);
            node = child;
            path[usize::from(node.level)] = node;
        }
        Ok(path)
    }

    /// Inserts or replaces the object of `key`.
    pub(crate) fn insert(&mut self, tree: &mut Tree, key: &[u8], object: &Object) -> Result<()> {
        let need = 2 + key.len() + VALUE;
        let mut node = self.own_root(tree, need)?;
        while node.level > 0 {
            let mut child = self.own_below(node, key)?;
            if !self.fits(child, need)? {
                self.split(node, child)?;
                child = self.own_below(node, key)?;
            }
            node = child;
        }
        let block = self.edit(node)?;
        let (at, found) = seek(block, 0, key);
        if !found {
            open(block, at, key, VALUE);
        }
        let place = value(block, at);
        put(block, place, &object.encode());
        Ok(())
    }

    /// The root, owned and with room; a new one if there was none or it had to be split.
    fn own_root(&mut self, tree: &mut Tree, need: usize) -> Result<Node> {
        let Some(top) = tree.top() else {
            let node = Node::tree(self.take()?, 0);
            self.fresh(node)?;
            *tree = Tree { root: node.at, height: 1 };
            return Ok(node);
        };
        let node = self.own(top)?;
        tree.root = node.at;
        if self.fits(node, need)? {
            return Ok(node);
        }
        if usize::from(tree.height) >= TREE_LEVELS {
            return Self::bad(Part::Tree, node.at);
        }
        let root = Node::tree(self.take()?, tree.height);
        let block = self.fresh(root)?;
        open(block, HEAD, &[], 16);
        let place = value(block, HEAD);
        put_ptr(block, place, node.at);
        *tree = Tree { root: root.at, height: tree.height + 1 };
        self.split(root, node)?;
        Ok(root)
    }

    /// Owns the child of `node` under which `key` lies.
    fn own_below(&mut self, node: Node, key: &[u8]) -> Result<Node> {
        let block = self.node(node)?;
        let place = value(block, pick(block, node.level, key));
        let child = Node::tree(ptr(block, place), node.level - 1);
        let child = self.own(child)?;
        put_ptr(self.edit(node)?, place, child.at);
        Ok(child)
    }

    /// Whether a leaf takes `need` more bytes, an inner node one more entry of any length.
    fn fits(&mut self, node: Node, need: usize) -> Result<bool> {
        let need = if node.level == 0 { need } else { INNER_MAX };
        let block = self.node(node)?;
        Ok(end(block) + need <= block.len())
    }

    /// Moves the upper half of `child`, a child of `parent`, into a new node beside it.
    ///
    /// Blocks of 2 KB and more: the halves differ by one entry at most, so that each has room for the largest entry.
    fn split(&mut self, parent: Node, child: Node) -> Result<()> {
        let block = self.node(child)?;
        let (at, end) = (middle(block, child.level), end(block));
        let key = Name::new(name(block, at));
        let moved = end.saturating_sub(at);
        let right = Node::tree(self.take()?, child.level);
        self.copy_out(child, at, moved)?;
        self.fresh(right)?;
        self.copy_in(right, HEAD, moved)?;
        set_used(self.edit(right)?, moved);
        let block = self.edit(child)?;
        set_used(block, at - HEAD);
        block[at..].fill(0);
        let block = self.edit(parent)?;
        let (at, _) = seek(block, parent.level, key.bytes());
        open(block, at, key.bytes(), 16);
        let place = value(block, at);
        put_ptr(block, place, right.at);
        Ok(())
    }
}

/// Opens a gap at `at` for an entry with `key` and `tail` bytes behind it. The caller has seen that it fits.
fn open(block: &mut [u8], at: usize, key: &[u8], tail: usize) {
    let (size, end) = (2 + key.len() + tail, end(block));
    block.copy_within(at..end, at + size);
    set_used(block, end + size - HEAD);
    put_u16(block, at, key.len() as u16);
    put(block, at + 2, key);
}

/// Takes the bytes of an entry out.
pub(crate) fn close(block: &mut [u8], at: usize, next: usize) {
    let end = end(block);
    block.copy_within(next..end, at);
    let end = end - (next - at);
    set_used(block, end - HEAD);
    block[end..].fill(0);
}

/// The entry that splits a node of at least two entries into the most equal halves.
fn middle(block: &[u8], level: u8) -> usize {
    let (end, mut at) = (end(block), after(block, HEAD, level));
    let half = HEAD + (end - HEAD) / 2;
    loop {
        let next = after(block, at, level);
        // Past the half: this start or the one after, whichever is nearer.
        if next >= end || at >= half || half - at <= next.saturating_sub(half) {
            return at;
        }
        at = next;
    }
}
