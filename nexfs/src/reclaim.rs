//! Giving blocks back. What an unlink or a snapshot's end frees may be large, so it goes into the tree of the dead, and
//! commits take a bounded piece of it each. How far that is stands in the dead object itself: a file gets shorter, a folder
//! loses entries. A power cut in between repeats nothing and loses nothing.
use crate::device::Device;
use crate::entry::{Kind, Object};
use crate::error::{Error, Result};
use crate::fold;
use crate::graft::close;
use crate::layout::{HEAD, TREE_LEVELS};
use crate::shape::{Node, after, count, end, name, ptr, put_ptr, value};
use crate::superblock::Which;
use crate::tree::Name;
use crate::volume::Volume;

/// Pieces of the dead that one commit takes.
const PIECES: usize = 64;
/// Blocks that one piece may take while it frees.
const PIECE_NEEDS: u64 = 24;

impl<D: Device> Volume<'_, D> {
    /// Nobody names `object` any more: gives its blocks back, now if they are few.
    pub(crate) fn dispose(&mut self, object: &Object) -> Result<()> {
        if object.root.is_none() {
            return Ok(());
        }
        if object.kind == Kind::File && self.levels(object.size) <= 1 {
            return self.drop_small(object);
        }
        let key = self.sup.next_dead.to_be_bytes();
        self.sup.next_dead += 1;
        self.insert_at(crate::path::Home::Top(Which::Dead), &key, object)
    }

    /// A file of one block, or of one node and its blocks.
    fn drop_small(&mut self, file: &Object) -> Result<()> {
        if self.levels(file.size) == 1 && self.references(file.root)? == 1 {
            let node = Node::file(file.root, 1);
            for i in 0..count(self.node(node)?) {
                let Some((at, _)) = fold::get(self.node(node)?, i) else { break };
                self.release(at)?;
            }
        }
        self.release(file.root).map(drop)
    }

    /// Takes pieces of the dead, at most `pieces`. Returns how many there were.
    pub(crate) fn reclaim(&mut self, pieces: usize) -> Result<usize> {
        for done in 0..pieces {
            let tree = self.sup.trees[Which::Dead as usize];
            if self.available() < PIECE_NEEDS + 2 * u64::from(tree.height) {
                return Ok(done);
            }
            let Some((key, mut object)) = self.last_dead()? else { return Ok(done) };
            match object.kind {
                Kind::File => self.reclaim_file(&mut object)?,
                _ => self.reclaim_folder(&mut object)?,
            }
            let top = crate::path::Home::Top(Which::Dead);
            if object.root.is_none() {
                self.remove_at(top, key.bytes())?;
            } else {
                self.insert_at(top, key.bytes(), &object)?;
            }
        }
        Ok(pieces)
    }

    /// The youngest of the dead: what a folder left goes before the folder itself, and the tree stays small.
    fn last_dead(&mut self) -> Result<Option<(Name, Object)>> {
        let Some(mut node) = self.sup.trees[Which::Dead as usize].top() else { return Ok(None) };
        loop {
            let block = self.node(node)?;
            let (mut at, end) = (HEAD, end(block));
            while after(block, at, node.level) < end {
                at = after(block, at, node.level);
            }
            if node.level == 0 {
                return Ok(Some((
                    Name::new(name(block, at)),
                    Self::object_at(block, at, node.at)?,
                )));
            }
            node = Node::tree(ptr(block, value(block, at)), node.level - 1);
        }
    }

    /// Takes the last subtree of a dead file off: a node of level 1 at most, or all of what others refer to as well.
    fn reclaim_file(&mut self, file: &mut Object) -> Result<()> {
        let levels = self.levels(file.size);
        if levels <= 1 || self.references(file.root)? > 1 {
            self.drop_small(&Object { size: file.size.min(self.small()), ..*file })?;
            file.root = crate::superblock::Ptr::default();
            file.size = 0;
            return Ok(());
        }
        let mut node = self.own(Node::file(file.root, levels as u8))?;
        file.root = node.at;
        let mut path = [node; crate::layout::FILE_LEVELS + 1];
        loop {
            path[usize::from(node.level)] = node;
            let block = self.node(node)?;
            let last = count(block) - 1;
            let Some((at, hash)) = fold::get(block, last) else {
                return Self::bad(node.sort.part(), node.at);
            };
            let child = Node::file(at, node.level - 1);
            if child.level == 1 || self.references(at)? > 1 {
                let (kind, size) = (Kind::File, self.small());
                let part = Object { root: at, size, ..Object::new(kind, 0) };
                if child.level == 1 {
                    self.drop_small(&part)?;
                } else {
                    self.release(at)?;
                }
                return self.drop_last(file, &path, usize::from(node.level), levels);
            }
            let child = self.own(child)?;
            fold::set(self.edit(node)?, last, child.at, &hash);
            node = child;
        }
    }

    /// Size of a file with one node.
    fn small(&self) -> u64 {
        (self.g.fanout() as u64) << self.g.shift
    }

    /// Takes the last child off the node of `level`, and each node above that is empty then.
    fn drop_last(
        &mut self,
        file: &mut Object,
        path: &[Node],
        from: usize,
        levels: usize,
    ) -> Result<()> {
        for node in &path[from..=levels] {
            let block = self.edit(*node)?;
            let n = count(block);
            if n > 1 {
                fold::cut(block, n - 1);
                return Ok(());
            }
            self.release(node.at)?;
        }
        (file.root, file.size) = (crate::superblock::Ptr::default(), 0);
        Ok(())
    }

    /// Takes one entry, or one subtree that others refer to as well, off a dead folder.
    fn reclaim_folder(&mut self, folder: &mut Object) -> Result<()> {
        let mut tree = folder.tree();
        let Some(top) = tree.top() else { return Err(Error::Broken) };
        if self.references(tree.root)? > 1 {
            self.release(tree.root)?;
            *folder = folder.with_tree(crate::superblock::Tree::default());
            return Ok(());
        }
        let mut node = self.own(top)?;
        tree.root = node.at;
        let mut path = [node; TREE_LEVELS];
        loop {
            path[usize::from(node.level)] = node;
            let block = self.node(node)?;
            if node.level == 0 {
                let object = Self::object_at(block, HEAD, node.at)?;
                let next = after(block, HEAD, 0);
                close(self.edit(node)?, HEAD, next);
                self.dispose(&object)?;
                break;
            }
            let place = value(block, HEAD);
            let child = Node::tree(ptr(block, place), node.level - 1);
            if self.references(child.at)? > 1 {
                self.unlink_child(node, child.at)?;
                self.release(child.at)?;
                break;
            }
            let child = self.own(child)?;
            put_ptr(self.edit(node)?, place, child.at);
            node = child;
        }
        let emptied = usize::from(node.level);
        self.mend_from(&mut tree, &path, emptied)?;
        *folder = folder.with_tree(tree);
        Ok(())
    }

    /// Makes sure that `need` blocks can be taken and `spare` are left: gives dead objects back, and commits, as long as
    /// that helps. From here on the operation is being applied.
    pub(crate) fn ensure(&mut self, need: u64, spare: u64) -> Result<()> {
        while self.available() < need.saturating_add(spare) {
            let before = self.available();
            self.applying = true;
            let taken = self.reclaim(4 * PIECES)?;
            self.changed |= taken > 0;
            self.commit()?;
            self.applying = false;
            if taken == 0 && self.available() <= before {
                return Err(Error::NoSpace);
            }
        }
        (self.applying, self.changed) = (true, true);
        Ok(())
    }

    /// Blocks that ordinary changes leave, so that something can always be removed.
    pub(crate) fn reserve(&self) -> u64 {
        (self.g.blocks / 16).clamp(8, 96)
    }

    /// Makes all changes lasting. When it returns, they are; a power cut before leaves all or none of them.
    pub(crate) fn settle(&mut self) -> Result<()> {
        if self.changed {
            self.applying = true;
            self.reclaim(PIECES)?;
            self.commit()?;
            self.applying = false;
        }
        Ok(())
    }

    /// Gives up to `pieces` pieces of removed files and folders back. Returns whether there is more to do; for idle time.
    pub fn tidy(&mut self, pieces: usize) -> Result<bool> {
        self.change(|volume| {
            volume.ensure(0, 0)?;
            volume.reclaim(pieces)?;
            Ok(volume.sup.trees[Which::Dead as usize].height > 0)
        })
    }
}
