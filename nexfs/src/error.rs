//! What can go wrong, and whose fault it is.
use crate::device::DeviceError;

/// The structure in which something was found that cannot be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// A superblock.
    Superblock,
    /// A node of the space map.
    Map,
    /// A node of a tree of names.
    Tree,
    /// A node of a file.
    File,
    /// A block of a file's content.
    Data,
}

/// Why an operation was refused or failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Error {
    /// The device failed.
    Device(DeviceError),
    /// What was read is not what was written: damage, or an image that nobody wrote. `block` counts from the volume's start.
    Damaged {
        /// In what.
        part: Part,
        /// Where.
        block: u64,
    },
    /// There is no superblock of NexFS.
    NotNexfs,
    /// The volume has a version of the format that this code does not know.
    Version(u32),
    /// The volume has features that a reader must know and this code does not: one bit each.
    Features(u64),
    /// The volume has features that a writer must know and this code does not: it can only be read.
    ReadOnly,
    /// The device's sector size, its size or the block size does not suit.
    Geometry,
    /// The memory that was lent does not hold the smallest cache.
    Memory,
    /// No such file, folder or snapshot.
    NotFound,
    /// There is one of that name.
    Exists,
    /// A path leads through a file, or a folder was expected.
    NotFolder,
    /// A file was expected.
    NotFile,
    /// The folder has entries.
    NotEmpty,
    /// The path is malformed: empty, `.` or `..` parts, a zero byte, too long or too deep.
    Path,
    /// A folder cannot move into itself.
    IntoItself,
    /// Files end before byte 2^63.
    TooLarge,
    /// Not enough free blocks. Nothing was changed.
    NoSpace,
    /// The client asks with a number that is older than its last one.
    Stale,
    /// An earlier operation failed while it changed the volume; [`crate::Volume::rollback`] goes back to the last commit.
    Broken,
}

impl From<DeviceError> for Error {
    fn from(error: DeviceError) -> Self {
        Error::Device(error)
    }
}

impl core::fmt::Display for Error {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Error::Device(DeviceError(code)) => write!(f, "the device failed ({code})"),
            Error::Damaged { part, block } => write!(f, "damaged: {part}, block {block}"),
            Error::NotNexfs => f.write_str("no NexFS volume"),
            Error::Version(version) => write!(f, "format version {version} is not known"),
            Error::Features(bits) => write!(f, "features {bits:#x} of the volume are not known"),
            Error::ReadOnly => f.write_str("the volume has features that only its reading allows"),
            Error::Geometry => {
                f.write_str("sector size, block size or size of the device does not suit")
            }
            Error::Memory => f.write_str("too little memory was lent"),
            Error::NotFound => f.write_str("no such file, folder or snapshot"),
            Error::Exists => f.write_str("there is one of that name"),
            Error::NotFolder => f.write_str("not a folder"),
            Error::NotFile => f.write_str("not a file"),
            Error::NotEmpty => f.write_str("the folder is not empty"),
            Error::Path => f.write_str("malformed path"),
            Error::IntoItself => f.write_str("a folder cannot move into itself"),
            Error::TooLarge => f.write_str("the file would be too large"),
            Error::NoSpace => f.write_str("no space left"),
            Error::Stale => f.write_str("the request is older than the last one"),
            Error::Broken => f.write_str("an earlier change failed; roll back first"),
        }
    }
}

impl core::fmt::Display for Part {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(match self {
            Part::Superblock => "superblock",
            Part::Map => "space map",
            Part::Tree => "tree of names",
            Part::File => "tree of a file",
            Part::Data => "content of a file",
        })
    }
}

impl core::error::Error for Error {}

/// Result of everything here.
pub type Result<T> = core::result::Result<T, Error>;
