//! Source lines for addresses in the console's output: a line that says `touch+0x1b4` (the shell's `why` does) is followed by one
//! that says which function and line of `touch` that is.
//!
//! Everything the machine prints passes at once and unchanged, prompts included: a remark is a line of its own behind the finished
//! line, so that nothing is held back and nothing rewritten. Any program can print such text. What it can get for that is a remark
//! about an image of the profile: names are compared with the known ones, addresses looked up in an ELF file that we built, and both
//! the length of a line and the number of different places that are looked up have a limit.
use std::collections::{BTreeMap, HashMap};
use std::fmt::Write as _;
use std::io::{self, Write};
use std::path::PathBuf;

use crate::symbol::Lines;

/// Bytes of a line that are looked at. A post-mortem is shorter.
const LONGEST: usize = 512;
/// Most remarks about one line.
const MOST: usize = 4;
/// Most different places that are looked up in one run: each costs us time and memory.
const PLACES: usize = 4096;

/// The ELF files of a cell's programs, by the names that their fibers have.
pub type Images = BTreeMap<String, PathBuf>;

/// Passes everything on, and adds the remarks.
pub struct Remarks {
    out: Box<dyn Write + Send>,
    images: Images,
    /// Opened when first needed; `None`: it has no lines.
    opened: HashMap<String, Option<Lines>>,
    /// What was found, so that a program that repeats itself costs nothing.
    known: HashMap<(String, u64), Option<String>>,
    /// The start of the line that is being printed.
    line: Vec<u8>,
}

impl Remarks {
    /// Remarks about `images` among what goes to `out`.
    #[must_use]
    pub fn new(images: Images, out: Box<dyn Write + Send>) -> Self {
        let (opened, known) = (HashMap::new(), HashMap::new());
        Self { out, images, opened, known, line: Vec::new() }
    }

    /// What is to be said about the line that just ended.
    fn remarks(&mut self) -> String {
        let line = std::mem::take(&mut self.line);
        let mut said = String::new();
        for place in places(&line).take(MOST) {
            if let Some(what) = self.look_up(&place) {
                let _ = writeln!(said, "  {}+{:#x}: {what}", place.image, place.address);
            }
        }
        said
    }

    fn look_up(&mut self, place: &Place) -> Option<String> {
        let elf = self.images.get(place.image)?;
        // A call's return address may already belong to the next line, or to the next function.
        let address = place.address.checked_sub(u64::from(place.returns))?;
        let key = (place.image.to_owned(), address);
        if let Some(found) = self.known.get(&key) {
            return found.clone();
        }
        if self.known.len() == PLACES {
            return None;
        }
        let lines = self.opened.entry(key.0.clone()).or_insert_with(|| Lines::open(elf));
        let found = lines.as_ref().and_then(|l| l.at(address));
        self.known.insert(key, found.clone());
        found
    }
}

impl Write for Remarks {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut passed = 0;
        for (i, &byte) in bytes.iter().enumerate() {
            if byte != b'\n' {
                if self.line.len() < LONGEST {
                    self.line.push(byte);
                }
                continue;
            }
            let said = self.remarks();
            if !said.is_empty() {
                self.out.write_all(&[&bytes[passed..=i], said.as_bytes()].concat())?;
                passed = i + 1;
            }
        }
        self.out.write_all(&bytes[passed..])?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

/// An address in an image, as a line has it.
#[derive(Debug, PartialEq, Eq)]
struct Place<'a> {
    image: &'a str,
    address: u64,
    /// It is where a call returns to.
    returns: bool,
}

/// All `NAME+0x12` of a line.
fn places(line: &[u8]) -> impl Iterator<Item = Place<'_>> {
    const MARK: &[u8] = b"+0x";
    let marks = line.windows(MARK.len()).enumerate().filter(|(_, w)| *w == MARK);
    marks.filter_map(|(at, _)| {
        let (before, after) = (&line[..at], &line[at + MARK.len()..]);
        let of_name = |b: &&u8| b.is_ascii_alphanumeric() || b"-_.".contains(b);
        let start = at - before.iter().rev().take_while(of_name).count();
        let digits = after.iter().take_while(|b| b.is_ascii_hexdigit()).count();
        let digits = std::str::from_utf8(&after[..digits]).ok()?;
        Some(Place {
            image: std::str::from_utf8(&before[start..]).ok()?,
            address: u64::from_str_radix(digits, 16).ok()?,
            returns: before[..start].ends_with(b"return "),
        })
    })
}
