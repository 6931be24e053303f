//! The VFS channel: requests come as copied messages, the answer is there at once.
use crate::archive::{self, Found};
use crate::domain::Handle;
use crate::kernel::Kernel;
use crate::object::{Answer, Stop};
use abi::call::Error;
use abi::cap::R;
use abi::ring::Slot;
use abi::vfs::{self, FILE, HANDLES, PATH_MAX, Request, op};
use arch::{Machine, UserAddr};

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
            op::OPEN => {
                let found = self.resolve(r)?;
                if r.perms as u8 & !R != 0 || r.perms > 7 {
                    return Err(Error::Denied.into());
                }
                if found.kind != FILE {
                    return Err(Error::BadCall.into());
                }
                let address = self.places.archive.0 + found.offset as u64;
                let handles = &mut self.domain_mut().handles;
                let free = handles.iter().position(|h| h.address == 0).ok_or(Error::Full)?;
                handles[free] = Handle { address, len: found.len as u64 };
                (answer.value, answer.size) = (free as u64, found.len as u64);
            }
            op::CLOSE => {
                self.open_file(r.handle)?;
                self.domain_mut().handles[r.handle as usize % HANDLES].address = 0;
            }
            op::READ => {
                let handle = self.open_file(r.handle)?;
                let left = handle.len.saturating_sub(r.offset);
                let len = left.min(r.len as u64) as usize;
                self.copy_file(handle.address + r.offset.min(handle.len), len, r.data)?;
                (answer.value, answer.size) = (len as u64, handle.len);
            }
            op::STAT => {
                let found = self.resolve(r)?;
                (answer.size, answer.kind) = (found.len as u64, found.kind);
            }
            op::LIST => self.list(r, answer)?,
            _ => return Err(Error::BadCall.into()),
        }
        Ok(())
    }

    fn list(&mut self, r: &Request, answer: &mut vfs::Answer) -> Result<(), Stop> {
        let (mut path, len) = ([0; PATH_MAX], path_len(r)?);
        self.machine.copy_in(UserAddr(r.path), &mut path[..len])?;
        let path = archive::check_path(&path[..len]).ok_or(Error::BadCall)?;
        let bytes = self.archive();
        let directory = archive::find(bytes, path).ok_or(Error::NotFound)?;
        if directory.kind == FILE {
            return Err(Error::BadCall.into());
        }
        let (name, found) = archive::entry(bytes, path, r.offset).ok_or(Error::Empty)?;
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

    fn resolve(&mut self, r: &Request) -> Result<Found, Stop> {
        let (mut path, len) = ([0; PATH_MAX], path_len(r)?);
        self.machine.copy_in(UserAddr(r.path), &mut path[..len])?;
        let path = archive::check_path(&path[..len]).ok_or(Error::BadCall)?;
        Ok(archive::find(self.archive(), path).ok_or(Error::NotFound)?)
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
