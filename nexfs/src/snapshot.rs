//! Snapshots and clones: one more pointer to a root. Whoever changes a node first that others refer to as well copies it,
//! and only then do its children get one more reference each (Rodeh, "B-trees, Shadowing, and Clones", 2008).
use crate::device::Device;
use crate::entry::{Kind, Object};
use crate::error::{Error, Result};
use crate::path::{Home, Place, is_name};
use crate::superblock::Which;
use crate::volume::Volume;

impl<D: Device> Volume<'_, D> {
    /// Everything up to now becomes lasting, so that nothing that two roots refer to can change in place.
    fn freeze(&mut self) -> Result<()> {
        let request = self.request;
        self.settle()?;
        self.request = request;
        Ok(())
    }

    fn share_root(&mut self, object: &Object) -> Result<()> {
        if object.root.is_none() { Ok(()) } else { self.share(object.root) }
    }

    /// Keeps all files and folders as they are, under `name`.
    pub fn snapshot(&mut self, name: &str) -> Result<()> {
        self.change(|v| {
            let snapshots = v.sup.trees[Which::Snapshots as usize];
            if !is_name(name.as_bytes()) {
                return Err(Error::Path);
            }
            if v.lookup(snapshots, name.as_bytes())?.is_some() {
                return Err(Error::Exists);
            }
            v.freeze()?;
            v.ensure(2 * u64::from(snapshots.height) + 2 + v.overhead(), v.reserve())?;
            let live =
                Object::new(Kind::Folder, v.time).with_tree(v.sup.trees[Which::Live as usize]);
            v.share_root(&live)?;
            v.insert_at(Home::Top(Which::Snapshots), name.as_bytes(), &live)?;
            v.answer(0)
        })
    }

    /// Gives a snapshot up. Its blocks come back bit by bit.
    pub fn remove_snapshot(&mut self, name: &str) -> Result<()> {
        self.change(|v| {
            let snapshots = v.sup.trees[Which::Snapshots as usize];
            let object = v.lookup(snapshots, name.as_bytes())?.ok_or(Error::NotFound)?;
            v.ensure(2 * u64::from(snapshots.height) + v.overhead(), 0)?;
            v.remove_at(Home::Top(Which::Snapshots), name.as_bytes())?;
            v.dispose(&object)?;
            v.answer(0)
        })
    }

    /// Makes `to` a file or folder with the content of `from`, sharing all blocks until one of the two changes.
    pub fn clone_to(&mut self, from: Place, to: &str) -> Result<()> {
        self.change(|v| {
            let (which, path) = from.split();
            v.resolve(which, path)?;
            if v.target(to)?.2.is_some() {
                return Err(Error::Exists);
            }
            v.freeze()?;
            let (folder, name, _, need) = v.target(to)?;
            v.ensure(need, v.reserve())?;
            // `ensure` may have committed; the object is the one of now.
            let object = v.resolve(which, path)?.0;
            v.share_root(&object)?;
            let home = v.home(Which::Live, folder)?;
            v.insert_at(home, name.as_bytes(), &object)?;
            v.answer(0)
        })
    }

    /// Makes all files and folders what they were in the snapshot `name`.
    pub fn restore(&mut self, name: &str) -> Result<()> {
        self.change(|v| {
            let snapshots = v.sup.trees[Which::Snapshots as usize];
            v.lookup(snapshots, name.as_bytes())?.ok_or(Error::NotFound)?;
            v.freeze()?;
            v.ensure(v.overhead(), 0)?;
            let snapshots = v.sup.trees[Which::Snapshots as usize];
            let object = v.lookup(snapshots, name.as_bytes())?.ok_or(Error::NotFound)?;
            v.share_root(&object)?;
            let old = Object::new(Kind::Folder, 0).with_tree(v.sup.trees[Which::Live as usize]);
            v.sup.trees[Which::Live as usize] = object.tree();
            v.dispose(&old)?;
            v.answer(0)
        })
    }
}
