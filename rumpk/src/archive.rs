//! The boot archive as a filesystem: ustar, read-only, read where it lies. Verified before the kernel ran.
//!
//! There is no index: a look for a path reads one header after the other, about a hundred instructions for each file of
//! the archive. The kernel's stretches stay short as long as an archive has a few dozen.
use abi::vfs::{DIRECTORY, FILE, PATH_MAX};
use bundle::tar::BLOCK;

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
        return Some(DIRECTORY_FOUND);
    }
    let mut directory = None;
    for member in members(archive) {
        let Some(rest) = member.name.strip_prefix(path.as_bytes()) else { continue };
        match rest {
            [] if !member.directory => return Some(member.found()),
            [] | [b'/', ..] => directory = Some(DIRECTORY_FOUND),
            _ => {}
        }
    }
    directory
}

/// Path of the file whose contents begin at `offset`, as [`Found`] said.
pub fn name_at(archive: &[u8], offset: usize) -> Option<&str> {
    member(archive, offset.checked_sub(BLOCK)?).and_then(|m| core::str::from_utf8(m.name).ok())
}

/// Name of the first part of `name` below the directory `path`.
fn child<'a>(name: &'a [u8], path: &str) -> Option<&'a [u8]> {
    let rest = match path {
        "" => name,
        path => name.strip_prefix(path.as_bytes())?.strip_prefix(b"/")?,
    };
    rest.split(|&b| b == b'/').next().filter(|part| !part.is_empty())
}

/// Entry number `index` of the directory `path`, in the archive's order, each name once, of those whose whole path
/// `shows` lets through.
pub fn entry<'a>(
    archive: &'a [u8],
    path: &str,
    index: u64,
    shows: impl Fn(&str) -> bool,
) -> Option<(&'a str, Found)> {
    let skip = if path.is_empty() { 0 } else { path.len() + 1 };
    let mut before: u64 = 0;
    let mut last: &[u8] = &[];
    for (number, member) in members(archive).enumerate() {
        let Some(part) = child(member.name, path) else { continue };
        let folder = member.directory || skip + part.len() < member.name.len();
        // Members of one directory need not stand together: seen before means not counted again.
        let seen = || {
            let mut earlier = members(archive).take(number);
            earlier.any(|earlier| child(earlier.name, path) == Some(part))
        };
        if part == last || folder && seen() {
            continue;
        }
        last = part;
        let Ok(whole) = core::str::from_utf8(&member.name[..skip + part.len()]) else { continue };
        if !shows(whole) {
            continue;
        }
        if before == index {
            let found = if folder { DIRECTORY_FOUND } else { member.found() };
            return Some((&whole[skip..], found));
        }
        before += 1;
    }
    None
}

const DIRECTORY_FOUND: Found = Found { kind: DIRECTORY, offset: 0, len: 0 };

/// One file or directory of the archive.
struct Member<'a> {
    /// Path without a slash at its end.
    name: &'a [u8],
    directory: bool,
    offset: usize,
    len: usize,
}

impl Member<'_> {
    fn found(&self) -> Found {
        Found { kind: FILE, offset: self.offset, len: self.len }
    }
}

/// The members, as fast as a look at each header allows: the loader has verified every byte of them and read them
/// strictly (crate `bundle`), which costs a thousand instructions for each. What is no header ends the archive.
fn members(archive: &[u8]) -> impl Iterator<Item = Member<'_>> {
    let mut at = 0;
    core::iter::from_fn(move || {
        let member = member(archive, at)?;
        at = member.offset + member.len.next_multiple_of(BLOCK);
        Some(member)
    })
}

/// The member whose header begins at `at`. Names with a prefix field are not read: the host tool writes none.
fn member(archive: &[u8], at: usize) -> Option<Member<'_>> {
    let head: &[u8; BLOCK] = archive.get(at..)?.first_chunk()?;
    let end = head[..100].iter().position(|&b| b == 0).unwrap_or(100);
    let name = head[..end].strip_suffix(b"/").unwrap_or(&head[..end]);
    let digits = head[124..136].iter().take_while(|b| matches!(b, b'0'..=b'7'));
    let len = digits.fold(0, |n, digit| n << 3 | usize::from(digit - b'0'));
    let offset = at + BLOCK;
    archive.get(offset..offset.checked_add(len)?)?;
    (!name.is_empty()).then_some(Member { name, directory: head[156] == b'5', offset, len })
}

#[cfg(test)]
#[path = "archive_tests.rs"]
mod tests;
