//! A mounted volume as the kernel sees it: numbered files and folders. What FUSE asks (`fuse.rs`) is done here.
//!
//! A file that is removed while somebody has it open gets a hidden name in the root folder until it is closed, as
//! libfuse does it: the volume goes by path and knows no file without one.
use std::collections::HashMap;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use fuser::{Errno, FileAttr, FileType, INodeNo};
use nexfs::{Error, Kind, Place, Space, Stat, Volume};

use super::Image;
use super::inodes::{Inodes, ROOT};

/// Start of hidden names.
const HIDDEN: &str = ".nexfs-removed-";

/// Whether [`Mounted::hide`] can have given this name.
fn is_hidden(name: &str, kind: Kind) -> bool {
    let number = name.strip_prefix(HIDDEN).map(str::parse::<u64>);
    kind == Kind::File && matches!(number, Some(Ok(_)))
}

/// What a listing has.
pub type Names = Vec<(String, Kind)>;

/// A volume, and what the kernel knows of it.
pub struct Mounted {
    volume: Volume<'static, Image>,
    snapshot: Option<String>,
    inodes: Inodes,
    /// How often each number is open.
    open: HashMap<u64, u32>,
    /// Folders that are open, as they were then.
    lists: HashMap<u64, Names>,
    next_list: u64,
    owner: (u32, u32),
}

fn errno(error: Error) -> Errno {
    match error {
        Error::NotFound => Errno::ENOENT,
        Error::Exists => Errno::EEXIST,
        Error::NotFolder => Errno::ENOTDIR,
        Error::NotFile => Errno::EISDIR,
        Error::NotEmpty => Errno::ENOTEMPTY,
        Error::Path | Error::IntoItself => Errno::EINVAL,
        Error::TooLarge => Errno::EFBIG,
        Error::NoSpace => Errno::ENOSPC,
        Error::ReadOnly => Errno::EROFS,
        _ => Errno::EIO,
    }
}

fn time(nanoseconds: u64) -> SystemTime {
    UNIX_EPOCH + Duration::from_nanos(nanoseconds)
}

/// Nanoseconds since 1970.
pub fn nanoseconds(time: SystemTime) -> u64 {
    time.duration_since(UNIX_EPOCH).map_or(0, |d| d.as_nanos() as u64)
}

impl Mounted {
    /// The volume of now, or of a snapshot, which can only be read.
    pub fn new(volume: Volume<'static, Image>, snapshot: Option<String>) -> Result<Self, Error> {
        let owner = (rustix::process::getuid().as_raw(), rustix::process::getgid().as_raw());
        let (inodes, open, lists) = (Inodes::default(), HashMap::new(), HashMap::new());
        let mut all = Mounted { volume, snapshot, inodes, open, lists, next_list: 1, owner };
        match &all.snapshot {
            Some(name) => drop(all.volume.stat(Place::Snapshot(name))?),
            None if all.volume.is_read_only() => {}
            None => all.remove_hidden()?,
        }
        Ok(all)
    }

    /// What a mount that was cut off left open. Only what [`Self::hide`] can have made: other names that begin so are somebody's.
    fn remove_hidden(&mut self) -> Result<(), Error> {
        let mut last = HIDDEN.to_owned();
        while let Some(entry) = self.volume.next_entry(Place::Live(""), &last)? {
            if !entry.name().starts_with(HIDDEN) {
                break;
            }
            entry.name().clone_into(&mut last);
            if is_hidden(&last, entry.stat.kind) {
                self.volume.unlink(&last)?;
            }
        }
        Ok(())
    }

    /// Whether nothing can be written.
    pub fn read_only(&self) -> bool {
        self.snapshot.is_some() || self.volume.is_read_only()
    }

    fn path(&self, number: u64) -> Result<String, Errno> {
        self.inodes.path(number).map(str::to_owned).ok_or(Errno::ENOENT)
    }

    /// Path of a name in a folder.
    fn below(&self, folder: u64, name: &str) -> Result<String, Errno> {
        if name.len() > nexfs::NAME_MAX {
            return Err(Errno::ENAMETOOLONG);
        }
        let folder = self.path(folder)?;
        Ok(if folder.is_empty() { name.to_owned() } else { format!("{folder}/{name}") })
    }

    /// Runs a reading with the place that a path stands for.
    fn at<T>(
        &mut self,
        path: &str,
        run: impl FnOnce(&mut Volume<'static, Image>, Place) -> Result<T, Error>,
    ) -> Result<T, Errno> {
        let done = match &self.snapshot {
            None => run(&mut self.volume, Place::Live(path)),
            Some(name) if path.is_empty() => run(&mut self.volume, Place::Snapshot(name)),
            Some(name) => run(&mut self.volume, Place::Snapshot(&format!("{name}/{path}"))),
        };
        done.map_err(errno)
    }

    /// Runs a change at the time of now.
    fn change<T>(
        &mut self,
        run: impl FnOnce(&mut Volume<'static, Image>) -> Result<T, Error>,
    ) -> Result<T, Errno> {
        if self.read_only() {
            return Err(Errno::EROFS);
        }
        self.volume.set_time(nanoseconds(SystemTime::now()));
        run(&mut self.volume).map_err(errno)
    }

    fn attributes(&self, number: u64, stat: &Stat) -> FileAttr {
        let (kind, perm, nlink) = match stat.kind {
            Kind::Folder => (FileType::Directory, 0o755, 2),
            _ => (FileType::RegularFile, 0o644, 1),
        };
        FileAttr {
            ino: INodeNo(number),
            size: stat.size,
            blocks: stat.size.div_ceil(512),
            atime: time(stat.time),
            mtime: time(stat.time),
            ctime: time(stat.time),
            crtime: time(stat.made),
            kind,
            perm,
            nlink,
            uid: self.owner.0,
            gid: self.owner.1,
            rdev: 0,
            blksize: self.volume.geometry().block() as u32,
            flags: 0,
        }
    }

    /// Attributes of a number.
    pub fn stat(&mut self, number: u64) -> Result<FileAttr, Errno> {
        let path = self.path(number)?;
        let stat = self.at(&path, Volume::stat)?;
        Ok(self.attributes(number, &stat))
    }

    /// Tells the kernel of a name.
    pub fn lookup(&mut self, folder: u64, name: &str) -> Result<FileAttr, Errno> {
        let path = self.below(folder, name)?;
        let stat = self.at(&path, Volume::stat)?;
        let number = self.inodes.tell(&path);
        Ok(self.attributes(number, &stat))
    }

    /// The kernel forgets a number.
    pub fn forget(&mut self, number: u64, times: u64) {
        self.inodes.forget(number, times);
    }

    /// Makes a file or a folder and tells the kernel of it.
    pub fn make(&mut self, folder: u64, name: &str, kind: Kind) -> Result<FileAttr, Errno> {
        let path = self.below(folder, name)?;
        self.change(|v| if kind == Kind::Folder { v.mkdir(&path) } else { v.create(&path) })?;
        self.lookup(folder, name)
    }

    /// Gives a file that is open a hidden name; whether it was open.
    fn hide(&mut self, path: &str) -> Result<bool, Errno> {
        let number = self.inodes.number(path).filter(|n| self.open.contains_key(n));
        let Some(number) = number else { return Ok(false) };
        let hidden = format!("{HIDDEN}{number}");
        self.change(|v| v.rename(path, &hidden))?;
        self.inodes.moved(path, &hidden);
        Ok(true)
    }

    /// Removes a file or an empty folder.
    pub fn remove(&mut self, folder: u64, name: &str) -> Result<(), Errno> {
        let path = self.below(folder, name)?;
        if !self.hide(&path)? {
            self.change(|v| v.unlink(&path))?;
            self.inodes.gone(&path);
        }
        Ok(())
    }

    /// Moves a file or folder; what is at the new name is replaced.
    pub fn rename(
        &mut self,
        from: (u64, &str),
        to: (u64, &str),
        replace: bool,
    ) -> Result<(), Errno> {
        let (from, to) = (self.below(from.0, from.1)?, self.below(to.0, to.1)?);
        if !replace && self.at(&to, Volume::stat).is_ok() {
            return Err(Errno::EEXIST);
        }
        if from != to {
            self.at(&from, Volume::stat)?;
            self.hide(&to)?;
            self.change(|v| v.rename(&from, &to))?;
            self.inodes.moved(&from, &to);
        }
        Ok(())
    }

    /// Somebody opens a file.
    pub fn open(&mut self, number: u64) {
        *self.open.entry(number).or_default() += 1;
    }

    /// Somebody closes a file; the last one of a removed file removes its content.
    pub fn close(&mut self, number: u64) {
        let Some(n) = self.open.get_mut(&number) else { return };
        *n -= 1;
        if *n > 0 {
            return;
        }
        self.open.remove(&number);
        let hidden = format!("{HIDDEN}{number}");
        if self.inodes.path(number) == Some(&hidden) {
            // If that fails the next mount removes it.
            let _ = self.change(|v| v.unlink(&hidden));
            self.inodes.gone(&hidden);
        }
    }

    /// Reads.
    pub fn read(&mut self, number: u64, offset: u64, size: u32) -> Result<Vec<u8>, Errno> {
        let (path, mut buffer) = (self.path(number)?, vec![0; size as usize]);
        let n = self.at(&path, |v, place| v.read(place, offset, &mut buffer))?;
        buffer.truncate(n);
        Ok(buffer)
    }

    /// Writes.
    pub fn write(&mut self, number: u64, offset: u64, bytes: &[u8]) -> Result<(), Errno> {
        let path = self.path(number)?;
        self.change(|v| v.write(&path, offset, bytes))
    }

    /// Sets a file's size.
    pub fn truncate(&mut self, number: u64, size: u64) -> Result<(), Errno> {
        let path = self.path(number)?;
        self.change(|v| v.truncate(&path, size))
    }

    /// Sets the time of the last change.
    pub fn touch(&mut self, number: u64, time: SystemTime) -> Result<(), Errno> {
        let path = self.path(number)?;
        if number == ROOT {
            return Err(Errno::EPERM);
        }
        self.change(|v| v.touch(&path, nanoseconds(time)))
    }

    /// Makes everything lasting.
    pub fn sync(&mut self) -> Result<(), Error> {
        self.volume.sync()
    }

    /// Opens a folder: its entries as they are now, under a handle.
    pub fn open_list(&mut self, number: u64) -> Result<u64, Errno> {
        let path = self.path(number)?;
        let mut names = vec![(".".to_owned(), Kind::Folder), ("..".to_owned(), Kind::Folder)];
        let mut last = String::new();
        while let Some(entry) = self.at(&path, |v, place| v.next_entry(place, &last))? {
            entry.name().clone_into(&mut last);
            if !(number == ROOT && is_hidden(&last, entry.stat.kind)) {
                names.push((last.clone(), entry.stat.kind));
            }
        }
        let handle = self.next_list;
        self.next_list += 1;
        self.lists.insert(handle, names);
        Ok(handle)
    }

    /// What an open folder lists, and the number of each name that has one.
    pub fn list(&self, handle: u64) -> &[(String, Kind)] {
        self.lists.get(&handle).map_or(&[], Vec::as_slice)
    }

    /// Closes a folder.
    pub fn close_list(&mut self, handle: u64) {
        self.lists.remove(&handle);
    }

    /// How full it is.
    pub fn space(&self) -> Space {
        self.volume.space()
    }
}
