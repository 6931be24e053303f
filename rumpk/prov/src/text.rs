//! The chain as text: four short lines for each record, so that it survives a terminal of 80 columns and a log.
//!
//! `prov 17.2 <64 hex digits>` is the third quarter (32 bytes) of record 17. Lines of anything else may stand in between.
use abi::prov::ProvRecord;
use core::fmt::{self, Display};

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
        let digits = words.next().filter(|w| w.len() == 2 * PART && w.is_ascii())?;
        let mut bytes = [0; PART];
        for (to, pair) in bytes.iter_mut().zip(digits.as_bytes().chunks(2)) {
            *to = u8::from_str_radix(core::str::from_utf8(pair).ok()?, 16).ok()?;
        }
        let (seq, part) = (seq.parse().ok()?, part.parse().ok()?);
        (part < PARTS).then_some(Self { seq, part, bytes })
    }
}
