//! What FUSE asks, translated: each question takes the lock, asks `mounted.rs` and answers.
use std::ffi::OsStr;
use std::sync::mpsc::Sender;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use fuser::{
    BsdFileFlags, Errno, FileHandle, FileType, Filesystem, FopenFlags, Generation, INodeNo,
    KernelConfig, LockOwner, OpenFlags, RenameFlags, ReplyAttr, ReplyCreate, ReplyData,
    ReplyDirectory, ReplyEmpty, ReplyEntry, ReplyOpen, ReplyStatfs, ReplyWrite, Request, TimeOrNow,
    WriteFlags,
};
use nexfs::Kind;

use super::mounted::Mounted;

/// How long the kernel may believe an answer. Nobody but it changes the volume.
const LASTS: Duration = Duration::from_mins(1);
/// Largest write that one request carries.
const WRITE_MAX: u32 = 1 << 20;
/// The number of an entry that was never asked for.
const UNKNOWN: u64 = 0xFFFF_FFFF;

/// The volume behind FUSE.
pub struct Fuse {
    mounted: Arc<Mutex<Mounted>>,
    /// Told when the kernel asks no more.
    ended: Sender<()>,
}

/// A thread that panicked left the volume between two operations, or broken, which it knows.
pub fn locked(mounted: &Mutex<Mounted>) -> MutexGuard<'_, Mounted> {
    mounted.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Fuse {
    /// Serves `mounted`.
    pub fn new(mounted: Arc<Mutex<Mounted>>, ended: Sender<()>) -> Self {
        Fuse { mounted, ended }
    }

    fn lock(&self) -> MutexGuard<'_, Mounted> {
        locked(&self.mounted)
    }

    fn make(&self, folder: INodeNo, name: &OsStr, kind: Kind) -> Result<fuser::FileAttr, Errno> {
        self.lock().make(folder.0, text(name)?, kind)
    }

    fn remove(&self, folder: INodeNo, name: &OsStr, reply: ReplyEmpty) {
        answer(text(name).and_then(|name| self.lock().remove(folder.0, name)), reply);
    }

    fn sync(&self, reply: ReplyEmpty) {
        answer(self.lock().sync().map_err(|_| Errno::EIO), reply);
    }
}

fn text(name: &OsStr) -> Result<&str, Errno> {
    name.to_str().ok_or(Errno::EILSEQ)
}

fn answer(done: Result<(), Errno>, reply: ReplyEmpty) {
    match done {
        Ok(()) => reply.ok(),
        Err(error) => reply.error(error),
    }
}

fn entry(found: Result<fuser::FileAttr, Errno>, reply: ReplyEntry) {
    match found {
        Ok(attributes) => reply.entry(&LASTS, &attributes, Generation(0)),
        Err(error) => reply.error(error),
    }
}

impl Filesystem for Fuse {
    fn init(&mut self, _: &Request, config: &mut KernelConfig) -> std::io::Result<()> {
        // A kernel that carries less says how much.
        let _ = config.set_max_write(WRITE_MAX).or_else(|most| config.set_max_write(most));
        Ok(())
    }

    fn destroy(&mut self) {
        let _ = self.ended.send(());
    }

    fn lookup(&self, _: &Request, parent: INodeNo, name: &OsStr, reply: ReplyEntry) {
        entry(text(name).and_then(|name| self.lock().lookup(parent.0, name)), reply);
    }

    fn forget(&self, _: &Request, ino: INodeNo, times: u64) {
        self.lock().forget(ino.0, times);
    }

    fn getattr(&self, _: &Request, ino: INodeNo, _: Option<FileHandle>, reply: ReplyAttr) {
        match self.lock().stat(ino.0) {
            Ok(attributes) => reply.attr(&LASTS, &attributes),
            Err(error) => reply.error(error),
        }
    }

    fn setattr(
        &self,
        _: &Request,
        ino: INodeNo,
        mode: Option<u32>,
        uid: Option<u32>,
        gid: Option<u32>,
        size: Option<u64>,
        _: Option<TimeOrNow>,
        mtime: Option<TimeOrNow>,
        _: Option<SystemTime>,
        _: Option<FileHandle>,
        _: Option<SystemTime>,
        _: Option<SystemTime>,
        _: Option<SystemTime>,
        _: Option<BsdFileFlags>,
        reply: ReplyAttr,
    ) {
        let mut mounted = self.lock();
        let done = mounted.stat(ino.0).and_then(|now| {
            // There are no permissions and owners to set: only what is so already.
            let same = mode.is_none_or(|mode| mode & 0o777 == u32::from(now.perm))
                && uid.is_none_or(|uid| uid == now.uid)
                && gid.is_none_or(|gid| gid == now.gid);
            if !same {
                return Err(Errno::EPERM);
            }
            if let Some(size) = size {
                mounted.truncate(ino.0, size)?;
            }
            match mtime {
                Some(TimeOrNow::SpecificTime(time)) => mounted.touch(ino.0, time)?,
                Some(TimeOrNow::Now) => mounted.touch(ino.0, SystemTime::now())?,
                None => {}
            }
            mounted.stat(ino.0)
        });
        match done {
            Ok(attributes) => reply.attr(&LASTS, &attributes),
            Err(error) => reply.error(error),
        }
    }

    fn mkdir(&self, _: &Request, parent: INodeNo, name: &OsStr, _: u32, _: u32, reply: ReplyEntry) {
        entry(self.make(parent, name, Kind::Folder), reply);
    }

    fn create(
        &self,
        _: &Request,
        parent: INodeNo,
        name: &OsStr,
        _: u32,
        _: u32,
        _: i32,
        reply: ReplyCreate,
    ) {
        match self.make(parent, name, Kind::File) {
            Ok(attributes) => {
                self.lock().open(attributes.ino.0);
                let (handle, flags) = (FileHandle(0), FopenFlags::empty());
                reply.created(&LASTS, &attributes, Generation(0), handle, flags);
            }
            Err(error) => reply.error(error),
        }
    }

    fn unlink(&self, _: &Request, parent: INodeNo, name: &OsStr, reply: ReplyEmpty) {
        self.remove(parent, name, reply);
    }

    fn rmdir(&self, _: &Request, parent: INodeNo, name: &OsStr, reply: ReplyEmpty) {
        self.remove(parent, name, reply);
    }

    fn rename(
        &self,
        _: &Request,
        parent: INodeNo,
        name: &OsStr,
        newparent: INodeNo,
        newname: &OsStr,
        flags: RenameFlags,
        reply: ReplyEmpty,
    ) {
        if !(flags - RenameFlags::RENAME_NOREPLACE).is_empty() {
            reply.error(Errno::EINVAL);
            return;
        }
        let names = text(name).and_then(|from| text(newname).map(|to| (from, to)));
        let replace = !flags.contains(RenameFlags::RENAME_NOREPLACE);
        let done = names.and_then(|(from, to)| {
            self.lock().rename((parent.0, from), (newparent.0, to), replace)
        });
        answer(done, reply);
    }

    fn open(&self, _: &Request, ino: INodeNo, _: OpenFlags, reply: ReplyOpen) {
        self.lock().open(ino.0);
        reply.opened(FileHandle(0), FopenFlags::FOPEN_KEEP_CACHE);
    }

    fn read(
        &self,
        _: &Request,
        ino: INodeNo,
        _: FileHandle,
        offset: u64,
        size: u32,
        _: OpenFlags,
        _: Option<LockOwner>,
        reply: ReplyData,
    ) {
        match self.lock().read(ino.0, offset, size) {
            Ok(bytes) => reply.data(&bytes),
            Err(error) => reply.error(error),
        }
    }

    fn write(
        &self,
        _: &Request,
        ino: INodeNo,
        _: FileHandle,
        offset: u64,
        data: &[u8],
        _: WriteFlags,
        _: OpenFlags,
        _: Option<LockOwner>,
        reply: ReplyWrite,
    ) {
        match self.lock().write(ino.0, offset, data) {
            Ok(()) => reply.written(data.len() as u32),
            Err(error) => reply.error(error),
        }
    }

    fn flush(&self, _: &Request, _: INodeNo, _: FileHandle, _: LockOwner, reply: ReplyEmpty) {
        // Closing makes nothing lasting: that is `fsync`, or a few seconds.
        reply.ok();
    }

    fn release(
        &self,
        _: &Request,
        ino: INodeNo,
        _: FileHandle,
        _: OpenFlags,
        _: Option<LockOwner>,
        _: bool,
        reply: ReplyEmpty,
    ) {
        self.lock().close(ino.0);
        reply.ok();
    }

    fn fsync(&self, _: &Request, _: INodeNo, _: FileHandle, _: bool, reply: ReplyEmpty) {
        self.sync(reply);
    }

    fn fsyncdir(&self, _: &Request, _: INodeNo, _: FileHandle, _: bool, reply: ReplyEmpty) {
        self.sync(reply);
    }

    fn opendir(&self, _: &Request, ino: INodeNo, _: OpenFlags, reply: ReplyOpen) {
        match self.lock().open_list(ino.0) {
            Ok(handle) => reply.opened(FileHandle(handle), FopenFlags::empty()),
            Err(error) => reply.error(error),
        }
    }

    fn readdir(
        &self,
        _: &Request,
        _: INodeNo,
        fh: FileHandle,
        offset: u64,
        mut reply: ReplyDirectory,
    ) {
        let from = usize::try_from(offset).unwrap_or(usize::MAX);
        for (i, (name, kind)) in self.lock().list(fh.0).iter().enumerate().skip(from) {
            let kind = match kind {
                Kind::Folder => FileType::Directory,
                _ => FileType::RegularFile,
            };
            if reply.add(INodeNo(UNKNOWN), i as u64 + 1, kind, name) {
                break;
            }
        }
        reply.ok();
    }

    fn releasedir(&self, _: &Request, _: INodeNo, fh: FileHandle, _: OpenFlags, reply: ReplyEmpty) {
        self.lock().close_list(fh.0);
        reply.ok();
    }

    fn statfs(&self, _: &Request, _: INodeNo, reply: ReplyStatfs) {
        let space = self.lock().space();
        let names = nexfs::NAME_MAX as u32;
        reply.statfs(space.blocks, space.free, space.free, 0, 0, space.block, names, space.block);
    }
}
