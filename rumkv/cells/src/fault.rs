//! What is wrong with a table, and where.
use core::fmt;

use abi::boot::cell;

/// Why a table is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "each text below is the documentation")]
pub enum Reason {
    TooShort,
    Magic,
    Version,
    Length,
    CellCount,
    RumkvFlag,
    UnknownKind,
    NoSuchCell,
    CellNotZero,
    NotAligned,
    Empty,
    Wraps,
    BeyondAddress,
    Duplicate,
    Missing,
    Overlap,
    NotInMachineRam,
    NotInMachineDevice,
    NotInHypervisor,
    NotInRam,
    BadClass,
    BadMask,
    BadValue,
    BadInterrupt,
    ReservedInterrupt,
    BadAffinity,
    TooMany,
    EntryOutside,
    HandoffOutside,
    FirmwareHasNoRam,
    FirmwareReserves,
    FirmwareHasNoDevice,
    FirmwareHasNoCore,
}

impl Reason {
    /// The reason as a sentence without its subject.
    #[must_use]
    pub const fn text(self) -> &'static str {
        match self {
            Self::TooShort => "is shorter than its header",
            Self::Magic => "does not start with the magic of a cell table",
            Self::Version => "has a version that this program does not read",
            Self::Length => "has another length than its count of records says",
            Self::CellCount => "says another number of cells than it has cell records",
            Self::RumkvFlag => "says neither 0 nor 1 for rumkv",
            Self::UnknownKind => "is of an unknown kind",
            Self::NoSuchCell => "names a cell that does not exist",
            Self::CellNotZero => "belongs to the machine but names a cell",
            Self::NotAligned => "is not aligned",
            Self::Empty => "is empty",
            Self::Wraps => "wraps around the address space",
            Self::BeyondAddress => "lies beyond 40 bits of address",
            Self::Duplicate => "says the same a second time",
            Self::Missing => "lacks a record of this kind",
            Self::Overlap => "overlaps",
            Self::NotInMachineRam => "lies outside the machine's RAM",
            Self::NotInMachineDevice => "is no device of the machine, of that class",
            Self::NotInHypervisor => "lies outside RumKV's own memory",
            Self::NotInRam => "lies outside the RAM of its cell",
            Self::BadClass => "has a class that is not exactly one device class",
            Self::BadMask => "has a pledge mask with unknown bits",
            Self::BadValue => "has a value that its kind does not know",
            Self::BadInterrupt => "has an interrupt outside 16 to 1019",
            Self::ReservedInterrupt => "has an interrupt that RumKV or every core keeps",
            Self::BadAffinity => "has bits that are no affinity",
            Self::TooMany => "is one more than a cell may have",
            Self::EntryOutside => "has an entry outside the memory of its owner",
            Self::HandoffOutside => "has a handoff outside the memory of its owner",
            Self::FirmwareHasNoRam => "is RAM that the machine does not have",
            Self::FirmwareReserves => "is RAM that firmware reserves",
            Self::FirmwareHasNoDevice => "is a device that the machine does not have",
            Self::FirmwareHasNoCore => "is a core that the machine does not have",
        }
    }
}

/// A refusal: the record it is about, a second one if two collide, and the reason.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fault {
    /// Number of the record from 0; `None` for the table as a whole.
    pub record: Option<u32>,
    /// Kind of that record, or the kind that is missing; 0 for the table as a whole.
    pub kind: u16,
    /// Number and kind of the second record.
    pub other: Option<(u32, u16)>,
    /// Why.
    pub reason: Reason,
}

impl Fault {
    pub(crate) const fn table(reason: Reason) -> Self {
        Self { record: None, kind: 0, other: None, reason }
    }

    pub(crate) const fn missing(kind: u16) -> Self {
        Self { record: None, kind, other: None, reason: Reason::Missing }
    }

    pub(crate) const fn at(record: u32, kind: u16, reason: Reason) -> Self {
        Self { record: Some(record), kind, other: None, reason }
    }

    pub(crate) const fn between(one: (u32, u16), two: (u32, u16), reason: Reason) -> Self {
        Self { record: Some(one.0), kind: one.1, other: Some(two), reason }
    }
}

/// Name of a kind; `?` for one that does not exist.
fn name(kind: u16) -> &'static str {
    cell::NAMES.get(kind as usize).copied().unwrap_or("?")
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.record {
            Some(n) => write!(f, "record {n} ({})", name(self.kind))?,
            None => f.write_str("the cell table")?,
        }
        write!(f, " {}", self.reason.text())?;
        match (self.other, self.record) {
            (Some((n, kind)), _) => write!(f, ": record {n} ({})", name(kind)),
            (None, None) if self.kind != 0 => write!(f, ": {}", name(self.kind)),
            _ => Ok(()),
        }
    }
}

impl core::error::Error for Fault {}
