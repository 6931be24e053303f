//! What a volume should hold, in ordinary maps, and the operations on both.
use std::collections::BTreeMap;
use std::string::{String, ToString};
use std::vec::Vec;

use crate::{Device, Error, Kind, Place, Volume};

/// Paths to contents; folders have none.
pub type Tree = BTreeMap<String, Option<Vec<u8>>>;

/// Everything that a volume holds.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Model {
    pub live: Tree,
    pub snapshots: BTreeMap<String, Tree>,
}

/// An operation on both.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Op {
    Create(String),
    Mkdir(String),
    Write(String, u64, Vec<u8>),
    Append(String, Vec<u8>),
    Truncate(String, u64),
    Rename(String, String),
    Unlink(String),
    RemoveAll(String),
    Snapshot(String),
    RemoveSnapshot(String),
    Restore(String),
    Clone(String, String),
    Sync,
}

fn folder_of(path: &str) -> &str {
    path.rsplit_once('/').map_or("", |(folder, _)| folder)
}

fn below(tree: &Tree, path: &str) -> Vec<String> {
    let prefix = path.to_string() + "/";
    tree.keys().filter(|k| k.starts_with(&prefix)).cloned().collect()
}

impl Model {
    fn is_folder(&self, path: &str) -> bool {
        path.is_empty() || self.live.get(path) == Some(&None)
    }

    fn addable(&self, path: &str) -> Result<(), Error> {
        self.holder(path)?;
        if self.live.contains_key(path) { Err(Error::Exists) } else { Ok(()) }
    }

    /// Whether the folder of `path` is one, as the volume says it.
    fn holder(&self, path: &str) -> Result<(), Error> {
        let mut at = String::new();
        for part in folder_of(path).split('/').filter(|p| !p.is_empty()) {
            at = if at.is_empty() { part.to_string() } else { at + "/" + part };
            match self.live.get(&at) {
                None => return Err(Error::NotFound),
                Some(Some(_)) => return Err(Error::NotFolder),
                Some(None) => {}
            }
        }
        Ok(())
    }

    fn content(&mut self, path: &str) -> Result<&mut Vec<u8>, Error> {
        self.holder(path)?;
        self.live.get_mut(path).ok_or(Error::NotFound)?.as_mut().ok_or(Error::NotFile)
    }

    /// Moves `from` and all below to `to`.
    fn carry(&mut self, from: &str, to: &str, keep: bool) {
        let mut all = below(&self.live, from);
        all.push(from.to_string());
        let copies: Vec<_> =
            all.iter().map(|k| (to.to_string() + &k[from.len()..], self.live[k].clone())).collect();
        if !keep {
            for k in &all {
                self.live.remove(k);
            }
        }
        self.live.extend(copies);
    }

    fn rename(&mut self, from: &str, to: &str) -> Result<(), Error> {
        self.holder(from)?;
        let moved = self.live.get(from).ok_or(Error::NotFound)?.is_some();
        if from == to {
            return Ok(());
        }
        if to.starts_with(&(from.to_string() + "/")) {
            return Err(Error::IntoItself);
        }
        self.holder(to)?;
        match (moved, self.live.get(to).map(Option::is_some)) {
            (_, None) | (true, Some(true)) => {}
            (true, Some(false)) => return Err(Error::NotFile),
            (false, Some(true)) => return Err(Error::NotFolder),
            (false, Some(false)) if below(&self.live, to).is_empty() => {}
            (false, Some(false)) => return Err(Error::NotEmpty),
        }
        self.carry(from, to, false);
        Ok(())
    }

    /// What the operation should do. Space is not modelled.
    pub fn apply(&mut self, op: &Op) -> Result<(), Error> {
        match op {
            Op::Create(p) => {
                self.addable(p)?;
                self.live.insert(p.clone(), Some(Vec::new()));
            }
            Op::Mkdir(p) => {
                self.addable(p)?;
                self.live.insert(p.clone(), None);
            }
            Op::Write(p, at, bytes) => {
                let (content, at) = (self.content(p)?, *at as usize);
                let end = at + bytes.len();
                if !bytes.is_empty() || end > content.len() {
                    content.resize(content.len().max(end), 0);
                    content[at..end].copy_from_slice(bytes);
                }
            }
            Op::Append(p, bytes) => self.content(p)?.extend(bytes),
            Op::Truncate(p, size) => self.content(p)?.resize(*size as usize, 0),
            Op::Rename(from, to) => self.rename(from, to)?,
            Op::Unlink(p) | Op::RemoveAll(p) => {
                self.holder(p)?;
                self.live.get(p).ok_or(Error::NotFound)?;
                let inside = below(&self.live, p);
                if matches!(op, Op::Unlink(_)) && !inside.is_empty() {
                    return Err(Error::NotEmpty);
                }
                for k in &inside {
                    self.live.remove(k);
                }
                self.live.remove(p);
            }
            Op::Snapshot(name) if self.snapshots.contains_key(name) => return Err(Error::Exists),
            Op::Snapshot(name) => drop(self.snapshots.insert(name.clone(), self.live.clone())),
            Op::RemoveSnapshot(name) => drop(self.snapshots.remove(name).ok_or(Error::NotFound)?),
            Op::Restore(name) => {
                self.live = self.snapshots.get(name).ok_or(Error::NotFound)?.clone();
            }
            Op::Clone(from, to) => {
                self.holder(from)?;
                self.live.get(from).ok_or(Error::NotFound)?;
                self.addable(to)?;
                if !self.is_folder(folder_of(to)) {
                    return Err(Error::NotFolder);
                }
                self.carry(from, to, true);
            }
            Op::Sync => {}
        }
        Ok(())
    }
}

/// Does the operation on a volume.
pub fn perform<D: Device>(v: &mut Volume<'_, D>, op: &Op) -> Result<(), Error> {
    match op {
        Op::Create(p) => v.create(p),
        Op::Mkdir(p) => v.mkdir(p),
        Op::Write(p, at, bytes) => v.write(p, *at, bytes),
        Op::Append(p, bytes) => v.append(p, bytes).map(drop),
        Op::Truncate(p, size) => v.truncate(p, *size),
        Op::Rename(from, to) => v.rename(from, to),
        Op::Unlink(p) => v.unlink(p),
        Op::RemoveAll(p) => v.remove_all(p),
        Op::Snapshot(name) => v.snapshot(name),
        Op::RemoveSnapshot(name) => v.remove_snapshot(name),
        Op::Restore(name) => v.restore(name),
        Op::Clone(from, to) => v.clone_to(Place::Live(from), to),
        Op::Sync => v.sync(),
    }
}

fn place(snapshot: bool, path: &str) -> Place<'_> {
    if snapshot { Place::Snapshot(path) } else { Place::Live(path) }
}

/// Everything below a folder, every content read.
fn walk<D: Device>(v: &mut Volume<'_, D>, snapshot: bool, root: &str) -> Result<Tree, Error> {
    let (mut all, mut todo) = (Tree::new(), vec![String::new()]);
    while let Some(folder) = todo.pop() {
        let mut last = String::new();
        let full = |path: &str| {
            [root, path].iter().filter(|p| !p.is_empty()).copied().collect::<Vec<_>>().join("/")
        };
        while let Some(entry) = v.next_entry(place(snapshot, &full(&folder)), &last)? {
            last = entry.name().to_string();
            let path = if folder.is_empty() { last.clone() } else { folder.clone() + "/" + &last };
            if entry.stat.kind == Kind::Folder {
                todo.push(path.clone());
                all.insert(path, None);
                continue;
            }
            let mut content = vec![0xEE; entry.stat.size as usize];
            let n = v.read(place(snapshot, &full(&path)), 0, &mut content)?;
            assert_eq!(n, content.len());
            assert_eq!(
                v.hash(place(snapshot, &full(&path)))?,
                *blake3::hash(&content).as_bytes(),
                "{path}"
            );
            all.insert(path, Some(content));
        }
    }
    Ok(all)
}

/// Everything that a volume holds.
pub fn everything<D: Device>(v: &mut Volume<'_, D>) -> Result<Model, Error> {
    let mut model = Model { live: walk(v, false, "")?, ..Model::default() };
    let mut last = String::new();
    while let Some(entry) = v.next_entry(Place::Snapshot(""), &last)? {
        last = entry.name().to_string();
        model.snapshots.insert(last.clone(), walk(v, true, &last)?);
    }
    Ok(model)
}
