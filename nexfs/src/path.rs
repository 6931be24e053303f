//! Paths, and the way along one: folders are trees inside entries of trees. A change starts by owning every node on the way
//! down, so that each new pointer is written into its holder at once and nothing has to be carried back up.
use crate::bytes::put;
use crate::device::Device;
use crate::entry::{Kind, Object};
use crate::error::{Error, Part, Result};
use crate::layout::{DEPTH_MAX, NAME_MAX, PATH_MAX};
use crate::shape::{Node, value};
use crate::superblock::{Ptr, Which};
use crate::tree::seek;
use crate::volume::Volume;

/// Which tree a path is looked up in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place<'p> {
    /// The files and folders as they are now.
    Live(&'p str),
    /// As they were: `SNAPSHOT/PATH`; the empty path lists the snapshots.
    Snapshot(&'p str),
}

impl<'p> Place<'p> {
    pub(crate) fn split(self) -> (Which, &'p str) {
        match self {
            Place::Live(path) => (Which::Live, path),
            Place::Snapshot(path) => (Which::Snapshots, path),
        }
    }
}

/// Where an object is held.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Home<'p> {
    /// A tree of the superblock.
    Top(Which),
    /// The entry of a leaf of this generation.
    Entry { leaf: Ptr, name: &'p str },
}

/// The parts of a path; one slash in front is allowed.
pub(crate) fn parts(path: &str) -> impl Iterator<Item = &str> + Clone {
    let path = path.strip_prefix('/').unwrap_or(path);
    path.split('/').filter(move |_| !path.is_empty())
}

/// Whether a name can stand in a folder.
pub(crate) fn is_name(name: &[u8]) -> bool {
    let dots = name == b"." || name == b"..";
    !name.is_empty()
        && name.len() <= NAME_MAX
        && !dots
        && !name.iter().any(|b| matches!(b, 0 | b'/'))
}

/// Refuses what no path of a volume can be.
pub(crate) fn check(path: &str) -> Result<()> {
    let fits = path.len() <= PATH_MAX && parts(path).count() <= DEPTH_MAX;
    if fits && parts(path).all(|p| is_name(p.as_bytes())) { Ok(()) } else { Err(Error::Path) }
}

/// Folder and last name.
pub(crate) fn parent(path: &str) -> Result<(&str, &str)> {
    check(path)?;
    let path = path.strip_prefix('/').unwrap_or(path);
    if path.is_empty() {
        return Err(Error::Path);
    }
    Ok(path.rsplit_once('/').unwrap_or(("", path)))
}

impl<D: Device> Volume<'_, D> {
    fn top(&self, which: Which) -> Object {
        Object::new(Kind::Folder, 0).with_tree(self.sup.trees[which as usize])
    }

    /// The object at `path`, and how many nodes lie on the way to it.
    pub(crate) fn resolve(&mut self, which: Which, path: &str) -> Result<(Object, u64)> {
        check(path)?;
        let (mut object, mut nodes) = (self.top(which), 0);
        for name in parts(path) {
            if object.kind != Kind::Folder {
                return Err(Error::NotFolder);
            }
            nodes += u64::from(object.height);
            object = self.lookup(object.tree(), name.as_bytes())?.ok_or(Error::NotFound)?;
        }
        Ok((object, nodes))
    }

    /// As `resolve`, for a folder.
    pub(crate) fn folder(&mut self, which: Which, path: &str) -> Result<(Object, u64)> {
        let (object, nodes) = self.resolve(which, path)?;
        if object.kind == Kind::Folder {
            Ok((object, nodes + u64::from(object.height)))
        } else {
            Err(Error::NotFolder)
        }
    }

    /// As `resolve`, for a file.
    pub(crate) fn file(&mut self, which: Which, path: &str) -> Result<(Object, u64)> {
        let (object, nodes) = self.resolve(which, path)?;
        if object.kind == Kind::File { Ok((object, nodes)) } else { Err(Error::NotFile) }
    }

    /// Owns everything on the way to the object at `path`, which exists.
    pub(crate) fn home<'p>(&mut self, which: Which, path: &'p str) -> Result<Home<'p>> {
        let mut home = Home::Top(which);
        for name in parts(path) {
            let folder = self.get(home)?;
            let mut tree = folder.tree();
            let way = self.own_leaf(&mut tree, name.as_bytes())?;
            self.put(home, &folder.with_tree(tree))?;
            home = Home::Entry { leaf: way[0].at, name };
        }
        Ok(home)
    }

    /// The object held at `home`.
    pub(crate) fn get(&mut self, home: Home) -> Result<Object> {
        match home {
            Home::Top(which) => Ok(self.top(which)),
            Home::Entry { leaf, name } => {
                let block = self.node(Node::tree(leaf, 0))?;
                match seek(block, 0, name.as_bytes()) {
                    (at, true) => Self::object_at(block, at, leaf),
                    _ => Self::bad(Part::Tree, leaf),
                }
            }
        }
    }

    /// Writes the object held at `home`.
    pub(crate) fn put(&mut self, home: Home, object: &Object) -> Result<()> {
        match home {
            Home::Top(which) => self.sup.trees[which as usize] = object.tree(),
            Home::Entry { leaf, name } => {
                let block = self.edit(Node::tree(leaf, 0))?;
                let (at, found) = seek(block, 0, name.as_bytes());
                if !found {
                    return Self::bad(Part::Tree, leaf);
                }
                let place = value(block, at);
                put(block, place, &object.encode());
            }
        }
        Ok(())
    }

    /// Inserts or replaces an entry of the folder at `home`.
    pub(crate) fn insert_at(&mut self, home: Home, name: &[u8], object: &Object) -> Result<()> {
        let folder = self.get(home)?;
        let mut tree = folder.tree();
        self.insert(&mut tree, name, object)?;
        self.put(home, &Object { time: self.time, ..folder.with_tree(tree) })
    }

    /// Removes an entry of the folder at `home`.
    pub(crate) fn remove_at(&mut self, home: Home, name: &[u8]) -> Result<Option<Object>> {
        let folder = self.get(home)?;
        let mut tree = folder.tree();
        let removed = self.remove(&mut tree, name)?;
        self.put(home, &Object { time: self.time, ..folder.with_tree(tree) })?;
        Ok(removed)
    }
}
