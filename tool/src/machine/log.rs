//! What QEMU's own log of a machine is asked for, and files that have no name.
use std::fs::File;
use std::io::{BufReader, PipeWriter, Read, Seek, SeekFrom, Write};
use std::os::fd::AsRawFd;
use std::thread::JoinHandle;

use rustix::fs::{MemfdFlags, memfd_create};

use super::exceptions::Exceptions;
use super::stretch::{Marks, Reader, Stretch};
use crate::failure::{Context, Failure};

/// What is watched in a machine from outside.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Watch {
    /// Nothing.
    Nothing,
    /// The exceptions that the processor takes (slow).
    Exceptions,
    /// The kernel's stretches (slower).
    Stretches(Marks),
}

/// What was seen.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Seen {
    /// The exceptions, if they were to be counted.
    pub exceptions: Option<Exceptions>,
    /// The longest stretch, if it was asked for.
    pub longest: Option<Stretch>,
}

/// A log that QEMU writes.
pub(super) enum Log {
    None,
    /// Small enough to be kept.
    Kept(File),
    /// Gigabytes: read while it is written. The pipe has no other writer than QEMU and this one, which goes last.
    Read(PipeWriter, JoinHandle<Stretch>),
}

impl Log {
    /// Where the log goes, and QEMU's arguments for it.
    pub(super) fn start(watch: Watch) -> Result<(Self, Vec<String>), Failure> {
        match watch {
            Watch::Nothing => Ok((Self::None, Vec::new())),
            Watch::Exceptions => {
                let file = anonymous("log", &[])?;
                let arguments = ["-d", "int", "-D", &path(&file)].map(String::from).into();
                Ok((Self::Kept(file), arguments))
            }
            Watch::Stretches(marks) => {
                let (from, to) = std::io::pipe().context(|| "make a pipe".into())?;
                let arguments = marks.arguments(&path(&to));
                let reader = Reader::new(marks);
                let read =
                    std::thread::spawn(|| reader.read(BufReader::with_capacity(1 << 20, from)));
                Ok((Self::Read(to, read), arguments))
            }
        }
    }

    /// What it says, after QEMU ended.
    pub(super) fn finish(self) -> Result<Seen, Failure> {
        let mut seen = Seen::default();
        match self {
            Self::None => {}
            Self::Kept(file) => {
                let log = whole(file)?;
                seen.exceptions = Some(Exceptions::count(&String::from_utf8_lossy(&log)));
            }
            Self::Read(writer, reader) => {
                drop(writer);
                seen.longest = reader.join().ok();
            }
        }
        Ok(seen)
    }
}

/// A file without a name that holds `bytes`.
pub(super) fn anonymous(name: &str, bytes: &[u8]) -> Result<File, Failure> {
    let fd = memfd_create(name, MemfdFlags::CLOEXEC).context(|| "make an anonymous file".into())?;
    let mut file = File::from(fd);
    file.write_all(bytes).context(|| format!("hold the {name} in memory"))?;
    Ok(file)
}

/// All of a file, whatever its position is.
pub(super) fn whole(mut file: File) -> Result<Vec<u8>, Failure> {
    let mut bytes = Vec::new();
    file.seek(SeekFrom::Start(0)).context(|| "read what QEMU wrote".into())?;
    file.read_to_end(&mut bytes).context(|| "read what QEMU wrote".into())?;
    Ok(bytes)
}

/// Under what name QEMU, our child, can open it.
pub(super) fn path(file: &impl AsRawFd) -> String {
    format!("/proc/{}/fd/{}", std::process::id(), file.as_raw_fd())
}
