//! The VFS channel: requests come as copied messages, the answer is there at once.
//!
//! A request passes two doors: the pledge, whose loss ends the domain, and the veil, behind which a path is not there.
use crate::archive::{self, Found};
use crate::domain::Handle;
use crate::kernel::{DOMAINS, Kernel};
use crate::object::{Answer, Stop};
use abi::call::Error;
use abi::cap::{R, W};
use abi::pledge;
use abi::ring::Slot;
use abi::vfs::{self, FILE, HANDLES, PATH_MAX, Request, op};
use arch::{Machine, UserAddr};

/// Most bytes that one READ answers, so that no copy is a long stretch of the kernel.
const READ_MAX: usize = 8192;

/// A path as [`archive::check_path`] leaves it, in memory of its own.
struct Path {
    bytes: [u8; PATH_MAX],
    from: usize,
    len: usize,
}

impl Path {
    fn text(&self) -> &str {
        core::str::from_utf8(&self.bytes[self.from..self.from + self.len]).unwrap_or_default()
    }
}

impl<M: Machine> Kernel<M> {
    /// Handles one request; a second one before the first answer was taken is `Full`.
    pub(super) fn vfs(&mut self, message: &Slot) -> Answer {
        if self.domain().answer.is_some() {
            return Err(Error::Full.into());
        }
        let request = Request::decode(&message.payload).ok_or(Error::BadCall)?;
        let mut answer = vfs::Answer { value: 0, size: 0, kind: FILE, zero: [0; 28] };
        let status = match self.request(message.kind, &request, &mut answer) {
            Ok(()) => 0,
            Err(Stop::Error(error)) => error as i64,
            Err(other) => return Err(other),
        };
        let payload = answer.encode();
        let answer = Slot { kind: message.kind, flags: 0, len: 48, arg: status as u64, payload };
        self.domain_mut().answer = Some(answer);
        Ok(0)
    }

    fn request(&mut self, kind: u16, r: &Request, answer: &mut vfs::Answer) -> Result<(), Stop> {
        match kind {
            op::OPEN => self.open(r, answer)?,
            op::CLOSE => {
                self.open_file(r.handle)?;
                self.domain_mut().handles[r.handle as usize % HANDLES].address = 0;
            }
            op::READ => {
                self.need(pledge::RPATH)?;
                let handle = self.open_file(r.handle)?;
                let left = handle.len.saturating_sub(r.offset);
                let len = left.min(r.len as u64).min(READ_MAX as u64) as usize;
                self.copy_file(handle.address + r.offset.min(handle.len), len, r.data)?;
                (answer.value, answer.size) = (len as u64, handle.len);
            }
            op::STAT => {
                let path = self.path(r)?;
                let found = self.resolve(&path)?;
                (answer.size, answer.kind) = (found.len as u64, found.kind);
            }
            op::LIST => self.list(r, answer)?,
            _ => return Err(Error::BadCall.into()),
        }
        Ok(())
    }

    /// Everything there is so far can only be read: who asks for W is told so, unless it gave WPATH up.
    fn open(&mut self, r: &Request, answer: &mut vfs::Answer) -> Result<(), Stop> {
        if r.perms > 7 {
            return Err(Error::Denied.into());
        }
        let wanted = r.perms as u8;
        if wanted & W != 0 {
            self.need(pledge::WPATH)?;
        }
        let path = self.path(r)?;
        let found = self.resolve(&path)?;
        if wanted & !R != 0 {
            return Err(Error::Denied.into());
        }
        if found.kind != FILE {
            return Err(Error::BadCall.into());
        }
        if wanted & !self.veil().perms(path.text()) != 0 {
            return Err(Error::Denied.into());
        }
        let address = self.places.archive.0 + found.offset as u64;
        let handles = &mut self.domain_mut().handles;
        let free = handles.iter().position(|h| h.address == 0).ok_or(Error::Full)?;
        handles[free] = Handle { address, len: found.len as u64, rights: wanted };
        (answer.value, answer.size) = (free as u64, found.len as u64);
        Ok(())
    }

    fn list(&mut self, r: &Request, answer: &mut vfs::Answer) -> Result<(), Stop> {
        let path = self.path(r)?;
        if self.resolve(&path)?.kind == FILE {
            return Err(Error::BadCall.into());
        }
        let veil = self.veil();
        let shows = |path: &str| veil.shows(path);
        let (name, found) =
            archive::entry(self.archive(), path.text(), r.offset, shows).ok_or(Error::Empty)?;
        if name.len() > r.len as usize {
            return Err(Error::TooBig.into());
        }
        let mut copy = [0; PATH_MAX];
        let name_len = name.len().min(PATH_MAX);
        copy[..name_len].copy_from_slice(&name.as_bytes()[..name_len]);
        self.machine.copy_out(UserAddr(r.data), &copy[..name_len])?;
        *answer = vfs::Answer {
            value: name_len as u64,
            size: found.len as u64,
            kind: found.kind,
            zero: [0; 28],
        };
        Ok(())
    }

    /// The path of a request, in the kernel's own memory and in the form that the contract allows.
    fn path(&mut self, r: &Request) -> Result<Path, Stop> {
        let (mut bytes, len) = ([0; PATH_MAX], path_len(r)?);
        self.machine.copy_in(UserAddr(r.path), &mut bytes[..len])?;
        let rest = archive::check_path(&bytes[..len]).ok_or(Error::BadCall)?.len();
        Ok(Path { bytes, from: 1, len: rest })
    }

    /// What stands at the path, if the domain may read files and sees it.
    fn resolve(&self, path: &Path) -> Result<Found, Stop> {
        self.need(pledge::RPATH)?;
        if !self.veil().shows(path.text()) {
            return Err(Error::NotFound.into());
        }
        Ok(archive::find(self.archive(), path.text()).ok_or(Error::NotFound)?)
    }

    /// What the current domain sees.
    pub(crate) fn veil(&self) -> &veil::Veil {
        &self.veils[self.domain as usize % DOMAINS]
    }

    /// Closes the files that the domain may not read any more: by its pledge, or by what it sees.
    pub(crate) fn close_hidden(&mut self) {
        let reads = self.domain().pledge & pledge::RPATH != 0;
        for index in 0..HANDLES {
            let handle = self.domain().handles[index];
            let at = handle.address.wrapping_sub(self.places.archive.0) as usize;
            let seen = || {
                let name = archive::name_at(self.archive(), at);
                name.is_some_and(|name| handle.rights & !self.veil().perms(name) == 0)
            };
            if handle.address != 0 && !(reads && seen()) {
                self.domain_mut().handles[index].address = 0;
            }
        }
    }

    fn open_file(&self, number: u32) -> Result<Handle, Error> {
        let handle = self.domain().handles.get(number as usize).ok_or(Error::NotFound)?;
        if handle.address == 0 { Err(Error::NotFound) } else { Ok(*handle) }
    }

    /// Copies from the archive to the caller, a piece at a time, so that no large buffer stands on the kernel's stack.
    fn copy_file(&mut self, from: u64, len: usize, to: u64) -> Result<(), Stop> {
        let mut piece = [0; 256];
        for done in (0..len).step_by(piece.len()) {
            let now = (len - done).min(piece.len());
            piece[..now].copy_from_slice(self.machine.bytes(from + done as u64, now));
            let at = to.checked_add(done as u64).ok_or(Error::BadAddress)?;
            self.machine.copy_out(UserAddr(at), &piece[..now])?;
        }
        Ok(())
    }

    /// The verified archive.
    pub(crate) fn archive(&self) -> &[u8] {
        let (base, len) = self.places.archive;
        if len == 0 { &[] } else { self.machine.bytes(base, len as usize) }
    }
    /// The cell manifest; `None` if it does not decode.
    pub(crate) fn manifest(&self) -> Option<crate::manifest::Manifest<'_>> {
        let (base, len) = self.places.manifest;
        if len == 0 {
            return None;
        }
        crate::manifest::Manifest::new(self.machine.bytes(base, len as usize))
    }
}

/// Bytes of the request's path.
fn path_len(r: &Request) -> Result<usize, Error> {
    let len = r.path_len as usize;
    if len > PATH_MAX { Err(Error::TooBig) } else { Ok(len) }
}
