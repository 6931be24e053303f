//! ustar as POSIX.1-2017 pax describes it ("ustar Interchange Format"), read strictly and in place.
use crate::{Name, Refusal};
use abi::boot::NAME_MAX;

/// Bytes of a block: a header takes one, contents are padded to a multiple.
pub const BLOCK: usize = 512;
/// Bytes of the two zero blocks that end an archive.
pub const END: usize = 2 * BLOCK;

/// One file or directory of an archive.
#[derive(Clone, Copy, Debug)]
pub struct Member<'a> {
    /// Path, the header's prefix included, at most [`NAME_MAX`] bytes.
    pub name: Name,
    /// Typeflag '5'; what is none is an ordinary file.
    pub directory: bool,
    /// The file's bytes.
    pub contents: &'a [u8],
    /// Header, contents and padding.
    pub raw: &'a [u8],
}

impl<'a> Member<'a> {
    /// Reads the member that starts at the first byte of `rest`. Devices, links and extended
    /// headers are refused, and so is padding that is not zero.
    pub fn parse(rest: &'a [u8]) -> Result<Self, Refusal> {
        let refuse = |reason| Refusal::new("bundle", reason);
        let head: &[u8; BLOCK] = rest.first_chunk().ok_or(refuse("truncated"))?;
        let name = name(head).ok_or(refuse("a member has no valid name"))?;
        let refuse = |reason| Refusal { member: name, reason };
        let need = |held: bool, reason| held.then_some(()).ok_or(refuse(reason));
        let directory = head[156] == b'5';
        let len = octal(&head[124..136]).ok_or(refuse("size is not octal"))?;
        need(head[257..265] == *b"ustar\x0000", "header is not ustar")?;
        need(octal(&head[148..156]) == Some(sum(head)), "header checksum differs")?;
        need(directory || head[156] == b'0', "neither a file nor a directory")?;
        need(!directory || len == 0, "a directory with contents")?;
        let raw = rest.get(..BLOCK + len.next_multiple_of(BLOCK)).ok_or(refuse("truncated"))?;
        let (contents, padding) = raw[BLOCK..].split_at(len);
        need(padding.iter().all(|&b| b == 0), "padding is not zero")?;
        Ok(Self { name, directory, contents, raw })
    }

    /// The name as text.
    pub fn name(&self) -> &str {
        abi::text(&self.name)
    }
}

/// The members of an archive in order. The first thing that is not as it must be ends the iteration
/// with a refusal; only exactly two zero blocks, with nothing after them, end it without one.
#[derive(Clone, Debug)]
pub struct Members<'a>(Option<&'a [u8]>);

impl<'a> Members<'a> {
    /// Starts at the archive's first byte.
    pub fn new(archive: &'a [u8]) -> Self {
        Self(Some(archive))
    }
}

impl<'a> Iterator for Members<'a> {
    type Item = Result<Member<'a>, Refusal>;
    fn next(&mut self) -> Option<Self::Item> {
        let rest = self.0.take().filter(|rest| **rest != [0; END])?;
        let member = Member::parse(rest);
        self.0 = member.ok().map(|m| &rest[m.raw.len()..]);
        Some(member)
    }
}

/// Prefix, slash and name of a header.
fn name(head: &[u8; BLOCK]) -> Option<Name> {
    let text = |field| <[u8]>::split(field, |&b| b == 0).next().unwrap_or_default();
    let (prefix, base) = (text(&head[345..500]), text(&head[..100]));
    let path = [prefix, if prefix.is_empty() { b"" } else { b"/" }, base];
    let mut name = [0; size_of::<Name>()];
    for (to, from) in name.iter_mut().zip(path.into_iter().flatten()) {
        *to = *from;
    }
    let short = path.into_iter().flatten().count() <= NAME_MAX;
    (short && !base.is_empty() && core::str::from_utf8(&name).is_ok()).then_some(name)
}

/// Octal digits, at least one, then only NUL or space. Twelve digits fit.
fn octal(field: &[u8]) -> Option<usize> {
    let end = field.iter().position(|b| !matches!(b, b'0'..=b'7')).unwrap_or(field.len());
    let (digits, rest) = field.split_at(end);
    let valid = !digits.is_empty() && rest.iter().all(|b| matches!(b, 0 | b' '));
    valid.then(|| digits.iter().fold(0, |n, digit| n << 3 | usize::from(digit - b'0')))
}

/// Sum of the header's bytes, its checksum field taken as eight spaces.
fn sum(head: &[u8; BLOCK]) -> usize {
    let bytes = |part: &[u8]| part.iter().map(|&b| usize::from(b)).sum::<usize>();
    bytes(&head[..148]) + 8 * usize::from(b' ') + bytes(&head[156..])
}
