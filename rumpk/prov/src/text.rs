//! The chain as text: four short lines for each record, so that it survives a terminal of 80 columns and a log.
//!
//! `prov 17.2 <64 hex digits>` is the third quarter (32 bytes) of record 17. Lines of anything else may stand in between.
use abi::prov::ProvRecord;
use core::fmt::{self, Display};

/// 32 bytes of 64 hexadecimal digits, and nothing else.
#[must_use]
pub fn hex(digits: &str) -> Option<[u8; 32]> {
    let mut bytes = [0; PART];
    if digits.len() != 2 * PART || !digits.bytes().all(|b| b.is_ascii_hexdigit()) {
        return None;
    }
    for (to, pair) in bytes.iter_mut().zip(digits.as_bytes().chunks(2)) {
        *to = u8::from_str_radix(core::str::from_utf8(pair).ok()?, 16).ok()?;
    }
    Some(bytes)
}

/// A key file: one line of 64 hexadecimal digits; empty lines and those that begin with `#` do not count.
#[must_use]
pub fn key(file: &str) -> Option<[u8; 32]> {
    let mut lines = file.lines().map(str::trim).filter(|l| !l.is_empty() && !l.starts_with('#'));
    let (line, None) = (lines.next()?, lines.next()) else { return None };
    hex(line)
}

/// What an export prints first: of several in one log the last one counts.
pub const BEGIN: &str = "prov begin";
/// What begins such a line.
const MARK: &str = "prov ";
/// Bytes of a line.
const PART: usize = 32;
/// Lines of a record.
pub const PARTS: usize = ProvRecord::SIZE / PART;

/// One quarter of a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Part {
    /// Number of the record.
    pub seq: u64,
    /// Which quarter, from 0.
    pub part: usize,
    /// Its bytes.
    pub bytes: [u8; PART],
}

impl Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{MARK}{}.{} ", self.seq, self.part)?;
        self.bytes.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// The lines of a record.
pub fn parts(record: &[u8; ProvRecord::SIZE]) -> impl Iterator<Item = Part> {
    let seq = record.first_chunk().map_or(0, |seq| u64::from_le_bytes(*seq));
    record.as_chunks().0.iter().enumerate().map(move |(part, &bytes)| Part { seq, part, bytes })
}

impl Part {
    /// Reads a line; `None`: it is none of these. Blanks, carriage returns and what stands before the mark are ignored.
    #[must_use]
    pub fn read(line: &str) -> Option<Self> {
        let at = line.find(MARK)?;
        let mut words = line[at + MARK.len()..].split_ascii_whitespace();
        let (seq, part) = words.next()?.split_once('.')?;
        let bytes = hex(words.next()?)?;
        let (seq, part) = (seq.parse().ok()?, part.parse().ok()?);
        (part < PARTS).then_some(Self { seq, part, bytes })
    }
}
