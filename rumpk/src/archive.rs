//! The boot archive as a filesystem: ustar, read-only, read where it lies. Verified before the kernel ran.
use abi::vfs::{DIRECTORY, FILE, PATH_MAX};
use bundle::tar::Members;

/// A file or directory found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Found {
    /// [`FILE`] or [`DIRECTORY`].
    pub kind: u32,
    /// Offset of the contents in the archive.
    pub offset: usize,
    /// Bytes.
    pub len: usize,
}

/// The part of an absolute path after its first slash; `None` for what the contract refuses: relative, too long, empty
/// parts, `.` and `..`. One slash at the end is allowed.
pub fn check_path(path: &[u8]) -> Option<&str> {
    let path = core::str::from_utf8(path).ok()?;
    let rest = path.strip_prefix('/')?;
    let rest = rest.strip_suffix('/').filter(|rest| !rest.is_empty()).unwrap_or(rest);
    let fine = |part: &str| !part.is_empty() && part != "." && part != ".." && !part.contains('\0');
    (path.len() <= PATH_MAX && (rest.is_empty() || rest.split('/').all(fine))).then_some(rest)
}

/// What stands at `path` (as from [`check_path`]); the root is the directory of the mounts.
pub fn find(archive: &[u8], path: &str) -> Option<Found> {
    if path.is_empty() {
        return Some(Found { kind: DIRECTORY, offset: 0, len: 0 });
    }
    let mut directory = None;
    for member in Members::new(archive).map_while(Result::ok) {
        let name = member.name().trim_end_matches('/');
        if name == path && !member.directory {
            let offset = member.contents.as_ptr() as usize - archive.as_ptr() as usize;
            return Some(Found { kind: FILE, offset, len: member.contents.len() });
        }
        if child(name, path).is_some() || name == path {
            directory = Some(Found { kind: DIRECTORY, offset: 0, len: 0 });
        }
    }
    directory
}

/// Name of the first part of `name` below the directory `path`.
fn child<'a>(name: &'a str, path: &str) -> Option<&'a str> {
    let rest = match path {
        "" => name,
        path => name.strip_prefix(path)?.strip_prefix('/')?,
    };
    rest.split('/').next().filter(|part| !part.is_empty())
}

/// Entry number `index` of the directory `path`, in the archive's order, each name once.
pub fn entry<'a>(archive: &'a [u8], path: &str, index: u64) -> Option<(&'a str, Found)> {
    let mut before: u64 = 0;
    for (number, member) in Members::new(archive).map_while(Result::ok).enumerate() {
        let base = member.raw.as_ptr() as usize - archive.as_ptr() as usize;
        let name = name_in(archive, base);
        let Some(part) = child(name, path) else { continue };
        // Members of one directory need not stand together: seen before means not counted again.
        let seen = Members::new(archive)
            .map_while(Result::ok)
            .take(number)
            .any(|earlier| child(earlier.name(), path) == Some(part));
        if seen {
            continue;
        }
        if before == index {
            let end = part.as_ptr() as usize + part.len() - name.as_ptr() as usize;
            return Some((part, find(archive, &name[..end])?));
        }
        before += 1;
    }
    None
}

/// The name in a header without a prefix, borrowed from the archive; with one the entry has no name to borrow, and the
/// host tool makes none.
fn name_in(archive: &[u8], header: usize) -> &str {
    let field = &archive[header..header + 100];
    abi::text(field).trim_end_matches('/')
}

#[cfg(test)]
#[path = "archive_tests.rs"]
mod tests;
