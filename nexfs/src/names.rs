//! What changes names: create, mkdir, unlink, rename. Each one decides first, reading only; then it makes sure of space;
//! then it applies, and nothing but a device that fails can stop it.
use crate::device::Device;
use crate::entry::{Kind, Object};
use crate::error::{Error, Result};
use crate::path::{Home, parent, parts};
use crate::superblock::Which;
use crate::volume::Volume;

/// Blocks that an insertion into a tree of `height` may take: a split on each level and a new root.
fn insertion(height: u64) -> u64 {
    2 * height + 2
}

impl<D: Device> Volume<'_, D> {
    /// Runs an operation that changes something.
    pub(crate) fn change<T>(&mut self, run: impl FnOnce(&mut Self) -> Result<T>) -> Result<T> {
        if self.broken {
            return Err(Error::Broken);
        }
        if self.is_read_only() {
            return Err(Error::ReadOnly);
        }
        let done = run(self);
        // An error while the decision was made has changed nothing; one after it left half of it done.
        self.broken |= done.is_err() && self.applying;
        self.applying = false;
        self.request = None;
        done
    }

    /// Sets the clock that goes into entries from now on: nanoseconds since 1970 in UTC, 0 if nobody knows.
    pub fn set_time(&mut self, time: u64) {
        self.time = time;
    }

    /// Makes everything so far lasting.
    pub fn sync(&mut self) -> Result<()> {
        if self.is_read_only() { Ok(()) } else { self.change(Self::settle) }
    }

    /// Blocks that every operation may need beside its own: the client's record, and one entry of the dead.
    pub(crate) fn overhead(&self) -> u64 {
        let height = |which: Which| u64::from(self.sup.trees[which as usize].height);
        insertion(height(Which::Clients)) + insertion(height(Which::Dead))
    }

    /// Folder and name where a new entry goes, and what blocks that may take.
    pub(crate) fn target<'p>(
        &mut self,
        path: &'p str,
    ) -> Result<(&'p str, &'p str, Option<Object>, u64)> {
        let (folder, name) = parent(path)?;
        let (object, nodes) = self.folder(Which::Live, folder)?;
        let there = self.lookup(object.tree(), name.as_bytes())?;
        Ok((folder, name, there, nodes + insertion(u64::from(object.height)) + self.overhead()))
    }

    /// Makes an empty file.
    pub fn create(&mut self, path: &str) -> Result<()> {
        self.change(|v| v.make(path, Kind::File))
    }

    /// Makes an empty folder.
    pub fn mkdir(&mut self, path: &str) -> Result<()> {
        self.change(|v| v.make(path, Kind::Folder))
    }

    fn make(&mut self, path: &str, kind: Kind) -> Result<()> {
        let (folder, name, there, need) = self.target(path)?;
        if there.is_some() {
            return Err(Error::Exists);
        }
        self.ensure(need, self.reserve())?;
        let home = self.home(Which::Live, folder)?;
        let object = Object::new(kind, self.time);
        self.insert_at(home, name.as_bytes(), &object)?;
        self.answer(0)
    }

    /// Removes a file, or a folder that is empty. Works on a full volume too.
    pub fn unlink(&mut self, path: &str) -> Result<()> {
        self.change(|v| {
            let (folder, name, there, need) = v.target(path)?;
            let object = there.ok_or(Error::NotFound)?;
            if object.kind == Kind::Folder && !object.root.is_none() {
                return Err(Error::NotEmpty);
            }
            v.ensure(need, 0)?;
            let home = v.home(Which::Live, folder)?;
            v.remove_at(home, name.as_bytes())?;
            v.dispose(&object)?;
            v.answer(0)
        })
    }

    /// Removes a file or a folder with all that is in it, at once; its blocks come back bit by bit.
    pub fn remove_all(&mut self, path: &str) -> Result<()> {
        self.change(|v| {
            let (folder, name, there, need) = v.target(path)?;
            let object = there.ok_or(Error::NotFound)?;
            v.ensure(need, 0)?;
            let home = v.home(Which::Live, folder)?;
            v.remove_at(home, name.as_bytes())?;
            v.dispose(&object)?;
            v.answer(0)
        })
    }

    /// Moves a file or folder. What stands at `to` is replaced in the same instant: a file by a file, an empty folder by a
    /// folder.
    pub fn rename(&mut self, from: &str, to: &str) -> Result<()> {
        self.change(|v| v.rename_checked(from, to))
    }

    fn rename_checked(&mut self, from: &str, to: &str) -> Result<()> {
        let (from_folder, from_name, moved, need) = self.target(from)?;
        let moved = moved.ok_or(Error::NotFound)?;
        if parts(from).eq(parts(to)) {
            return Ok(());
        }
        let inside = parts(from).count() < parts(to).count()
            && parts(from).eq(parts(to).take(parts(from).count()));
        if inside {
            return Err(Error::IntoItself);
        }
        let (to_folder, to_name, old, more) = self.target(to)?;
        match (moved.kind, old.map(|o| (o.kind, o.root.is_none()))) {
            (_, None)
            | (Kind::File, Some((Kind::File, _)))
            | (Kind::Folder, Some((Kind::Folder, true))) => {}
            (Kind::Folder, Some((Kind::Folder, false))) => return Err(Error::NotEmpty),
            (Kind::Folder, _) => return Err(Error::NotFolder),
            _ => return Err(Error::NotFile),
        }
        self.ensure(need + more, self.reserve() / 2)?;
        let home = self.home(Which::Live, from_folder)?;
        self.remove_at(home, from_name.as_bytes())?;
        let home = self.home(Which::Live, to_folder)?;
        self.insert_at(home, to_name.as_bytes(), &moved)?;
        if let Some(old) = old {
            self.dispose(&old)?;
        }
        self.answer(0)
    }

    /// Sets when a file or folder changed last; the root folder and snapshots cannot be told.
    pub fn touch(&mut self, path: &str, time: u64) -> Result<()> {
        self.change(|v| {
            parent(path)?;
            let nodes = v.resolve(Which::Live, path)?.1;
            v.ensure(nodes + v.overhead(), v.reserve() / 2)?;
            let home = v.home(Which::Live, path)?;
            let object = v.get(home)?;
            v.put(home, &Object { time, ..object })?;
            v.answer(0)
        })
    }

    /// Announces request `number` of `client` before the operation that does it. `Some(answer)`: it was done, do not
    /// repeat it. `None`: do it; the number and its answer become lasting together with the operation.
    ///
    /// A client counts its requests up and asks for one at a time.
    pub fn begin(&mut self, client: u64, number: u64) -> Result<Option<u64>> {
        if self.broken {
            return Err(Error::Broken);
        }
        self.request = None;
        let last = self.lookup(self.sup.trees[Which::Clients as usize], &client.to_be_bytes())?;
        match last.map(|l| (number.cmp(&l.size), l.time)) {
            Some((core::cmp::Ordering::Less, _)) => Err(Error::Stale),
            Some((core::cmp::Ordering::Equal, answer)) => Ok(Some(answer)),
            _ => {
                self.request = Some((client, number));
                Ok(None)
            }
        }
    }

    /// Forgets a client that will not come back.
    pub fn forget_client(&mut self, client: u64) -> Result<()> {
        self.change(|v| {
            v.ensure(v.overhead(), 0)?;
            v.remove_at(Home::Top(Which::Clients), &client.to_be_bytes()).map(drop)
        })
    }

    /// Records the answer of the request in work.
    pub(crate) fn answer(&mut self, answer: u64) -> Result<()> {
        if let Some((client, number)) = self.request.take() {
            let record = Object { size: number, time: answer, ..Object::new(Kind::Client, 0) };
            self.insert_at(Home::Top(Which::Clients), &client.to_be_bytes(), &record)?;
        }
        Ok(())
    }
}
