//! The table as a view over its bytes.
use abi::boot::{CELLS_MAGIC, CELLS_VERSION, CellRecord, CellsHeader, cell};

use crate::{Fault, LEAF, MAX_CELLS, Reason};

/// A range of addresses. Never empty, never wrapping: [`Span::new`] is the only way to one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    /// First byte.
    pub base: u64,
    /// Bytes, at least 1; `base + len` does not overflow.
    pub len: u64,
}

impl Span {
    /// The range of `len` bytes from `base`.
    ///
    /// # Errors
    /// [`Reason::Empty`] for no bytes, [`Reason::Wraps`] if the end is not an address.
    pub const fn new(base: u64, len: u64) -> Result<Self, Reason> {
        if len == 0 {
            return Err(Reason::Empty);
        }
        match base.checked_add(len) {
            Some(_) => Ok(Self { base, len }),
            None => Err(Reason::Wraps),
        }
    }

    /// First byte after the range.
    #[must_use]
    pub const fn end(self) -> u64 {
        self.base + self.len
    }

    /// The range in pieces of which none crosses a multiple of [`LEAF`].
    pub fn leaves(self) -> impl Iterator<Item = Self> {
        let mut base = self.base;
        core::iter::from_fn(move || {
            let len = (LEAF - base % LEAF).min(self.end() - base);
            let piece = Self::new(base, len).ok();
            base += len;
            piece
        })
    }

    /// Whether a byte is in both.
    #[must_use]
    pub const fn overlaps(self, other: Self) -> bool {
        self.base < other.end() && other.base < self.end()
    }

    /// Whether every byte of `inner` is in `self`.
    #[must_use]
    pub const fn holds(self, inner: Self) -> bool {
        self.base <= inner.base && inner.end() <= self.end()
    }
}

/// A decoded table: header read and counts right, records still unchecked (see [`crate::check`]).
#[derive(Clone, Copy, Debug)]
pub struct Table<'a> {
    header: CellsHeader,
    records: &'a [u8],
}

impl<'a> Table<'a> {
    /// Reads header and counts of `bytes`, which must be the table and nothing else.
    ///
    /// # Errors
    /// A [`Fault`] about the table as a whole: magic, version, length, number of cells, rumkv flag.
    pub fn decode(bytes: &'a [u8]) -> Result<Self, Fault> {
        let header = CellsHeader::decode(bytes).ok_or(Fault::table(Reason::TooShort))?;
        if header.magic != CELLS_MAGIC {
            return Err(Fault::table(Reason::Magic));
        }
        if header.version != CELLS_VERSION {
            return Err(Fault::table(Reason::Version));
        }
        let records = &bytes[CellsHeader::SIZE..];
        if records.len() as u64 != u64::from(header.count) * CellRecord::SIZE as u64 {
            return Err(Fault::table(Reason::Length));
        }
        if header.rumkv > 1 {
            return Err(Fault::table(Reason::RumkvFlag));
        }
        if header.cells == 0 || header.cells > MAX_CELLS {
            return Err(Fault::table(Reason::CellCount));
        }
        Ok(Self { header, records })
    }

    /// The header.
    #[must_use]
    pub const fn header(&self) -> &CellsHeader {
        &self.header
    }

    /// Every record with its number.
    pub fn records(&self) -> impl Iterator<Item = (u32, CellRecord)> + Clone + use<'a> {
        self.records
            .chunks_exact(CellRecord::SIZE)
            .filter_map(CellRecord::decode)
            .zip(0..)
            .map(swap)
    }

    /// The records of one kind.
    pub fn of(&self, kind: u16) -> impl Iterator<Item = (u32, CellRecord)> + Clone + use<'a> {
        self.records().filter(move |(_, r)| r.kind == kind)
    }

    /// The records of one kind that one cell owns.
    pub fn of_cell(
        &self,
        kind: u16,
        cell: u16,
    ) -> impl Iterator<Item = (u32, CellRecord)> + Clone + use<'a> {
        self.of(kind).filter(move |(_, r)| r.cell == cell)
    }

    /// The physical address of what cell `c` sees at `seen`; `None` if it is not RAM of the cell
    /// in one piece.
    #[must_use]
    pub fn physical(&self, c: u16, seen: u64, len: u64) -> Option<u64> {
        let inner = Span::new(seen, len).ok()?;
        let mut rams = self.of_cell(cell::RAM, c);
        let (_, r) = rams.find(|(_, r)| Span::new(r.a, r.c).is_ok_and(|s| s.holds(inner)))?;
        Some(r.b + (seen - r.a))
    }

    /// Where cell `c` sees the physical memory at `physical`; `None` as for [`Table::physical`].
    #[must_use]
    pub fn seen(&self, c: u16, physical: u64, len: u64) -> Option<u64> {
        let inner = Span::new(physical, len).ok()?;
        let mut rams = self.of_cell(cell::RAM, c);
        let (_, r) = rams.find(|(_, r)| Span::new(r.b, r.c).is_ok_and(|s| s.holds(inner)))?;
        Some(r.a + (physical - r.b))
    }

    /// The first record of one kind.
    #[must_use]
    pub fn first(&self, kind: u16) -> Option<(u32, CellRecord)> {
        self.of(kind).next()
    }
}

const fn swap((r, n): (CellRecord, u32)) -> (u32, CellRecord) {
    (n, r)
}

/// The physical memory a record speaks of; `None` for a kind that names none.
pub(crate) fn physical(r: &CellRecord) -> Option<Result<Span, Reason>> {
    let base = match r.kind {
        cell::MACHINE_RAM
        | cell::HYPERVISOR
        | cell::RESERVED
        | cell::MACHINE_DEVICE
        | cell::LOAD
        | cell::ARCHIVE
        | cell::BEB
        | cell::PLACE => r.a,
        cell::RAM | cell::DEVICE => r.b,
        cell::POST_MORTEM => return Some(Span::new(r.a, abi::PAGE as u64)),
        _ => return None,
    };
    Some(Span::new(base, r.c))
}
