//! Files, through the VFS channel: the other side is the kernel, so that the answer to a request is
//! there when `send` returns.
use abi::cap::{R, slot};
use abi::vfs::{Answer, DIRECTORY, PATH_MAX, Request, op};

use crate::channel::{Channel, message};
use crate::{Error, Result};

/// About a file or a directory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stat {
    /// Bytes; 0 for a directory.
    pub size: u64,
    /// A directory, not a file.
    pub directory: bool,
}

impl From<Answer> for Stat {
    fn from(a: Answer) -> Self {
        Self { size: a.size, directory: a.kind == DIRECTORY }
    }
}

fn ask(op: u16, request: &Request) -> Result<Answer> {
    let channel = Channel(slot::VFS);
    channel.send(&message(op, 0, &request.encode())?)?;
    let reply = channel.recv()?;
    match reply.arg as i64 as isize {
        0 => Answer::decode(&reply.payload).ok_or(Error::NotReady),
        status => Err(Error::from_status(status).unwrap_or(Error::Unsupported)),
    }
}

fn about(path: &str) -> Result<Request> {
    if path.len() > PATH_MAX {
        return Err(Error::TooBig);
    }
    let mut request = Request::zeroed();
    request.path = path.as_ptr().expose_provenance() as u64;
    request.path_len = path.len() as u32;
    Ok(request)
}

fn into(request: &mut Request, buf: &mut [u8]) {
    request.data = buf.as_mut_ptr().expose_provenance() as u64;
    request.len = u32::try_from(buf.len()).unwrap_or(u32::MAX);
}

/// About the file or directory at an absolute path.
pub fn stat(path: &str) -> Result<Stat> {
    ask(op::STAT, &about(path)?).map(Stat::from)
}

/// Entry number `index` of a directory: its name goes to `buf`. `None` past the last one.
pub fn list<'a>(path: &str, index: u64, buf: &'a mut [u8]) -> Result<Option<(&'a str, Stat)>> {
    let mut request = about(path)?;
    request.offset = index;
    into(&mut request, buf);
    let answer = match ask(op::LIST, &request) {
        Err(Error::Empty) => return Ok(None),
        other => other?,
    };
    let name = buf.get(..answer.value as usize).ok_or(Error::TooBig)?;
    Ok(Some((core::str::from_utf8(name).unwrap_or("?"), answer.into())))
}

/// An open file. Its handle is closed when it goes.
#[derive(Debug)]
pub struct File {
    handle: u32,
    stat: Stat,
}

/// Opens a file for reading.
pub fn open(path: &str) -> Result<File> {
    let mut request = about(path)?;
    request.perms = R as u32;
    let answer = ask(op::OPEN, &request)?;
    Ok(File { handle: answer.value as u32, stat: answer.into() })
}

impl File {
    /// Size when it was opened.
    pub fn stat(&self) -> Stat {
        self.stat
    }

    /// Reads up to `buf.len()` bytes at `offset`; the value is how many, at most 8 KB, 0 at the end.
    pub fn read(&self, offset: u64, buf: &mut [u8]) -> Result {
        let mut request = Request::zeroed();
        request.handle = self.handle;
        request.offset = offset;
        into(&mut request, buf);
        ask(op::READ, &request).map(|a| a.value as usize)
    }
}

impl Drop for File {
    fn drop(&mut self) {
        let mut request = Request::zeroed();
        request.handle = self.handle;
        // A handle that is gone already is as closed as one can be.
        let _ = ask(op::CLOSE, &request);
    }
}
