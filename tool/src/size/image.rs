//! Bytes of images, from their ELF files.
use object::{Object, ObjectSegment, ObjectSymbol};

use crate::failure::{Context, Failure};

/// Symbols between which everything lies that RumKV's init does not zero.
const RESIDENT: [&str; 2] = ["__resident_start", "__resident_end"];

/// Bytes of RumKV that stay after init.
pub fn resident(bytes: &[u8]) -> Result<u64, Failure> {
    let file = object::File::parse(bytes).context(|| "read RumKV's ELF".into())?;
    let [start, end] =
        RESIDENT.map(|name| file.symbols().find(|s| s.name() == Ok(name)).map(|s| s.address()));
    match (start, end) {
        (Some(start), Some(end)) if end > start => Ok(end - start),
        _ => Err(Failure::new(format!("RumKV's ELF has no {} and {}", RESIDENT[0], RESIDENT[1]))),
    }
}

/// Bytes that an image puts into memory: text, read-only data and data, without zeroed memory.
pub fn loaded(bytes: &[u8]) -> Result<u64, Failure> {
    let file = object::File::parse(bytes).context(|| "read an ELF".into())?;
    Ok(file.segments().map(|s| s.file_range().1).sum())
}
