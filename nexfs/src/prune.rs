//! Removal from trees of names, and what keeps them small: nodes that become empty go, small ones join a neighbour.
use crate::device::Device;
use crate::entry::Object;
use crate::error::{Part, Result};
use crate::graft::close;
use crate::layout::{HEAD, TREE_LEVELS};
use crate::shape::{Node, after, end, ptr, put_ptr, set_used, used, value};
use crate::superblock::{Ptr, Tree};
use crate::tree::seek;
use crate::volume::Volume;

/// The way from a leaf (place 0) up to the root.
pub(crate) type Path = [Node; TREE_LEVELS];

/// Offsets of the entry that points to `at` and of the one after it.
fn find(block: &[u8], level: u8, at: Ptr) -> Option<(usize, usize)> {
    let (mut entry, end) = (HEAD, end(block));
    while entry < end {
        let next = after(block, entry, level);
        if ptr(block, value(block, entry)) == at {
            return Some((entry, next));
        }
        entry = next;
    }
    None
}

impl<D: Device> Volume<'_, D> {
    /// Removes `key` and returns its object, whose blocks are the caller's from now on.
    pub(crate) fn remove(&mut self, tree: &mut Tree, key: &[u8]) -> Result<Option<Object>> {
        let Some(object) = self.lookup(*tree, key)? else { return Ok(None) };
        let path = self.own_leaf(tree, key)?;
        let block = self.edit(path[0])?;
        let (at, _) = seek(block, 0, key);
        let next = after(block, at, 0);
        close(block, at, next);
        self.mend(tree, &path)?;
        Ok(Some(object))
    }

    /// As `mend` from level `from` on, and nothing is joined: what others refer to as well is left as it is.
    pub(crate) fn mend_from(&mut self, tree: &mut Tree, path: &Path, from: usize) -> Result<()> {
        for level in from..usize::from(tree.height).saturating_sub(1) {
            if used(self.node(path[level])?) > 0 {
                break;
            }
            self.unlink_child(path[level + 1], path[level].at)?;
            self.release(path[level].at)?;
        }
        if let Some(top) = tree.top()
            && used(self.node(top)?) == 0
        {
            self.release(top.at)?;
            *tree = Tree::default();
        }
        Ok(())
    }

    /// After a leaf lost an entry: removes nodes that are empty, joins small ones, and takes levels off.
    fn mend(&mut self, tree: &mut Tree, path: &Path) -> Result<()> {
        for level in 0..usize::from(tree.height).saturating_sub(1) {
            let (node, parent) = (path[level], path[level + 1]);
            let block = self.node(node)?;
            let (bytes, room) = (used(block), block.len() - HEAD);
            if bytes == 0 {
                self.unlink_child(parent, node.at)?;
                self.release(node.at)?;
            } else if bytes < room / 4 {
                self.join(parent, node, room)?;
            } else {
                break;
            }
        }
        self.lower(tree)
    }

    /// Takes levels off that have a single child, and the root if it is empty.
    fn lower(&mut self, tree: &mut Tree) -> Result<()> {
        while let Some(top) = tree.top() {
            let block = self.node(top)?;
            if used(block) == 0 {
                *tree = Tree::default();
            } else if top.level > 0 && after(block, HEAD, top.level) == end(block) {
                let child = ptr(block, value(block, HEAD));
                *tree = Tree { root: child, height: tree.height - 1 };
            } else {
                break;
            }
            self.release(top.at)?;
        }
        Ok(())
    }

    /// Takes the entry that points to `child` out of an inner node. The first entry's name stays, because it is the lower
    /// bound by which the node itself is found: the second entry's pointer moves under it.
    pub(crate) fn unlink_child(&mut self, parent: Node, child: Ptr) -> Result<()> {
        let block = self.edit(parent)?;
        let Some((at, next)) = find(block, parent.level, child) else {
            return Self::bad(Part::Tree, parent.at);
        };
        if at > HEAD || next == end(block) {
            close(block, at, next);
            return Ok(());
        }
        let (second, past) = (value(block, next), after(block, next, parent.level));
        let moved = ptr(block, second);
        let place = value(block, at);
        put_ptr(block, place, moved);
        close(block, next, past);
        Ok(())
    }

    /// Joins `node` with the neighbour to its right, or to its left, if both fit in three quarters of a node.
    fn join(&mut self, parent: Node, node: Node, room: usize) -> Result<()> {
        let block = self.node(parent)?;
        let (mut before, mut at, end) = (None, HEAD, end(block));
        let mut right = None;
        while at < end {
            let (this, next) = (ptr(block, value(block, at)), after(block, at, parent.level));
            if this == node.at {
                right = (next < end).then(|| ptr(block, value(block, next)));
                break;
            }
            (before, at) = (Some(this), next);
        }
        let sides = [right.map(|r| (node.at, r)), before.map(|l| (l, node.at))];
        for (left, right) in sides.into_iter().flatten() {
            let (left, right) = (Node::tree(left, node.level), Node::tree(right, node.level));
            if used(self.node(left)?) + used(self.node(right)?) <= room / 4 * 3 {
                return self.absorb(parent, left, right);
            }
        }
        Ok(())
    }

    /// Moves all entries of `right` to the end of `left`.
    fn absorb(&mut self, parent: Node, left: Node, right: Node) -> Result<()> {
        let owned = self.own(left)?;
        let block = self.edit(parent)?;
        let Some((at, _)) = find(block, parent.level, left.at) else {
            return Self::bad(Part::Tree, parent.at);
        };
        let place = value(block, at);
        put_ptr(block, place, owned.at);
        let moved = self.own(right)?;
        let bytes = used(self.node(moved)?);
        self.copy_out(moved, HEAD, bytes)?;
        let to = end(self.node(owned)?);
        self.copy_in(owned, to, bytes)?;
        set_used(self.edit(owned)?, to + bytes - HEAD);
        // The parent still names `right` by its old place if it had to be copied.
        self.unlink_child(parent, right.at)?;
        self.release(moved.at)?;
        Ok(())
    }
}
