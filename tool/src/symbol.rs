//! Names and source lines of addresses, from the ELF files a machine was made of.
use std::borrow::Cow;
use std::path::{Path, PathBuf};

use addr2line::Loader;
use object::{Object, ObjectSegment};

/// The function and source line at `pc`, from the first ELF that has code there.
#[must_use]
pub fn locate(elves: &[PathBuf], pc: u64) -> Option<String> {
    elves.iter().find_map(|elf| locate_in(elf, pc))
}

fn locate_in(elf: &Path, pc: u64) -> Option<String> {
    let name = elf.file_name()?.to_string_lossy();
    Some(format!("{name}: {}", Lines::open(elf)?.at(pc)?))
}

/// Functions and lines of one ELF file.
pub struct Lines {
    loader: Loader,
    /// First address and the one behind the last, of each segment.
    segments: Vec<(u64, u64)>,
}

impl Lines {
    /// `None` if it is no ELF file that can be read.
    #[must_use]
    pub fn open(elf: &Path) -> Option<Self> {
        let bytes = std::fs::read(elf).ok()?;
        let file = object::File::parse(&*bytes).ok()?;
        let segments = file.segments().map(|s| (s.address(), s.address().saturating_add(s.size())));
        let segments = segments.collect();
        Some(Self { loader: Loader::new(elf).ok()?, segments })
    }

    /// The function and source line at `pc`; `None` if nothing of the program is there.
    #[must_use]
    pub fn at(&self, pc: u64) -> Option<String> {
        if !self.segments.iter().any(|&(from, to)| (from..to).contains(&pc)) {
            return None;
        }
        let symbol = self.loader.find_symbol(pc).map(|s| demangle(s).to_string());
        let symbol = symbol.unwrap_or_else(|| format!("{pc:#x}"));
        let place = line(&self.loader, pc).map(|l| format!(" ({l})"));
        Some(format!("{symbol}{}", place.unwrap_or_default()))
    }
}

/// The innermost source line that is ours: an inlined read of the standard library tells nobody
/// anything.
fn line(loader: &Loader, pc: u64) -> Option<String> {
    let mut frames = loader.find_frames(pc).ok()?;
    let mut first = None;
    while let Ok(Some(frame)) = frames.next() {
        let Some(location) = frame.location else { continue };
        let Some(file) = location.file else { continue };
        let line = format!("{file}:{}", location.line.unwrap_or(0));
        if !file.starts_with("/rustc/") {
            return Some(line);
        }
        first.get_or_insert(line);
    }
    first
}

fn demangle(symbol: &str) -> Cow<'_, str> {
    addr2line::demangle_auto(Cow::from(symbol), None)
}
