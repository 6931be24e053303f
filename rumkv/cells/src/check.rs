//! The rules that concern one record, its cell and the machine's records.
use abi::PAGE;
use abi::boot::{Beb, CELL_FLAT, CellRecord, Handoff, cell, place};
use abi::pledge::hard;

use crate::overlap;
use crate::table::{Span, Table, physical};
use crate::{ADDRESS_END, AFFINITY, END_SPI, Fault, MAX_CORES, MAX_IRQS, MAX_WINDOWS, Reason};

/// Classes that a device or an interrupt may have; POWER and CORES are rights without a device.
const DEVICE_CLASSES: u32 = hard::CONSOLE | hard::BLOCK | hard::NET | hard::BRIDGE | hard::OTHER;
/// PPIs that no record gives: GIC maintenance 25, timers of EL2 26 and 28, physical timers 29 and
/// 30. The virtual timer, 27, is every cell's own without a record; to name it is allowed and
/// changes nothing.
const RESERVED_PPIS: [u64; 5] = [25, 26, 28, 29, 30];
/// Bytes of one frame of the interrupt controller (Arm IHI 0069, 12.1).
pub(crate) const GIC_FRAME: u64 = 0x1_0000;
const GICV3: u64 = 3;
/// Kind of an IOMMU.
const SMMUV3: u64 = 3;
/// Bytes of its registers: two frames of 64 KB (Arm IHI 0070, 6.1).
pub(crate) const SMMU_LEN: u64 = 0x2_0000;

/// Checks a whole table.
///
/// # Errors
/// The first [`Fault`], in the order: single records, what each cell must have, pairs of records.
pub fn check(table: &Table<'_>) -> Result<(), Fault> {
    for (n, r) in table.records() {
        shape(table, &r).map_err(|why| Fault::at(n, r.kind, why))?;
        within(table, &r).map_err(|why| Fault::at(n, r.kind, why))?;
    }
    counts(table)?;
    overlap::check(table)?;
    start(table)
}

/// What a record says by itself: kind, cell, alignment, range, values.
fn shape(table: &Table<'_>, r: &CellRecord) -> Result<(), Reason> {
    if r.kind == 0 || r.kind as usize >= cell::NAMES.len() {
        return Err(Reason::UnknownKind);
    }
    let of_machine = matches!(
        r.kind,
        cell::MACHINE_RAM
            | cell::HYPERVISOR
            | cell::RESERVED
            | cell::MACHINE_DEVICE
            | cell::INTERRUPT_CONTROLLER
            | cell::CLOCK
            | cell::POST_MORTEM
            | cell::CONSOLE
            | cell::IOMMU
    );
    if of_machine && r.cell != 0 {
        return Err(Reason::CellNotZero);
    }
    if r.cell >= table.header().cells {
        return Err(Reason::NoSuchCell);
    }
    if let Some(span) = physical(r) {
        aligned(r, span?)?;
    }
    values(r)
}

/// Page alignment and the 40 bits that both stages of translation reach.
fn aligned(r: &CellRecord, span: Span) -> Result<(), Reason> {
    let page = PAGE as u64;
    // A LOAD, an ARCHIVE or a PLACE ends where its contents end; everything that is owned ends with
    // a page.
    let whole = !matches!(r.kind, cell::LOAD | cell::ARCHIVE | cell::PLACE);
    if !span.base.is_multiple_of(page) || (whole && !span.len.is_multiple_of(page)) {
        return Err(Reason::NotAligned);
    }
    if span.end() > ADDRESS_END {
        return Err(Reason::BeyondAddress);
    }
    if matches!(r.kind, cell::RAM | cell::DEVICE) {
        let seen = Span::new(r.a, r.c)?;
        if !r.a.is_multiple_of(page) {
            return Err(Reason::NotAligned);
        }
        if seen.end() > ADDRESS_END {
            return Err(Reason::BeyondAddress);
        }
    }
    Ok(())
}

/// The values that each kind allows.
fn values(r: &CellRecord) -> Result<(), Reason> {
    match r.kind {
        cell::CELL if r.arg & !hard::ALL != 0 => Err(Reason::BadMask),
        // Cell 0 is nexus-boot's to prepare, and gets a handoff.
        cell::CELL if r.c & !CELL_FLAT != 0 || (r.c != 0 && r.cell == 0) => Err(Reason::BadValue),
        cell::CELL if !r.a.is_multiple_of(4) || !r.b.is_multiple_of(8) => Err(Reason::NotAligned),
        cell::CORE if r.a & !AFFINITY != 0 => Err(Reason::BadAffinity),
        cell::STREAM if r.a > u64::from(u32::MAX) => Err(Reason::BadValue),
        cell::DEVICE | cell::MACHINE_DEVICE | cell::STREAM => class(r.arg),
        cell::IOMMU if r.c != SMMUV3 => Err(Reason::BadValue),
        cell::IRQ => interrupt(r),
        cell::ARCHIVE if u64::from(r.arg) > r.b => Err(Reason::BadValue),
        cell::INTERRUPT_CONTROLLER if r.c != GICV3 => Err(Reason::BadValue),
        cell::INTERRUPT_CONTROLLER if !(r.a | r.b).is_multiple_of(GIC_FRAME) => {
            Err(Reason::NotAligned)
        }
        cell::CLOCK | cell::CONSOLE | cell::POST_MORTEM | cell::IOMMU
            if !r.a.is_multiple_of(PAGE as u64) =>
        {
            Err(Reason::NotAligned)
        }
        cell::INTERRUPT_CONTROLLER if r.a.max(r.b) >= ADDRESS_END => Err(Reason::BeyondAddress),
        cell::CLOCK | cell::CONSOLE | cell::IOMMU if r.a >= ADDRESS_END => {
            Err(Reason::BeyondAddress)
        }
        cell::BEB if r.c < Beb::SIZE as u64 => Err(Reason::BadValue),
        cell::PLACE if r.arg != place::FDT && r.arg != place::MANIFEST => Err(Reason::BadValue),
        _ => Ok(()),
    }
}

const fn class(arg: u32) -> Result<(), Reason> {
    if arg.is_power_of_two() && arg & DEVICE_CLASSES != 0 { Ok(()) } else { Err(Reason::BadClass) }
}

fn interrupt(r: &CellRecord) -> Result<(), Reason> {
    class(r.arg)?;
    if r.a < 16 || r.a >= END_SPI {
        return Err(Reason::BadInterrupt);
    }
    if RESERVED_PPIS.contains(&r.a) {
        return Err(Reason::ReservedInterrupt);
    }
    if r.b > 1 {
        return Err(Reason::BadValue);
    }
    Ok(())
}

/// Whether what a record names lies inside what its owner has.
fn within(table: &Table<'_>, r: &CellRecord) -> Result<(), Reason> {
    let Some(span) = physical(r) else { return Ok(()) };
    let span = span?;
    let rumkv = table.header().rumkv == 1;
    let in_ram = holds(table.of(cell::MACHINE_RAM), span);
    let in_own = rumkv && holds(table.of(cell::HYPERVISOR), span);
    let in_cell = holds(table.of_cell(cell::RAM, r.cell), span);
    let (good, reason) = match r.kind {
        cell::RAM | cell::HYPERVISOR | cell::RESERVED => (in_ram, Reason::NotInMachineRam),
        cell::DEVICE => {
            let same = table.of(cell::MACHINE_DEVICE).filter(|(_, m)| m.arg == r.arg);
            (holds(same, span), Reason::NotInMachineDevice)
        }
        // RumKV's image is loaded for cell 0's record space but lies in RumKV's memory.
        cell::LOAD => (in_cell || (in_own && r.cell == 0), Reason::NotInRam),
        cell::ARCHIVE | cell::BEB | cell::PLACE => (in_cell, Reason::NotInRam),
        cell::POST_MORTEM => (in_own || !rumkv, Reason::NotInHypervisor),
        _ => (true, Reason::NotInRam),
    };
    if good { Ok(()) } else { Err(reason) }
}

fn holds(mut records: impl Iterator<Item = (u32, CellRecord)>, inner: Span) -> bool {
    records.any(|(_, r)| matches!(physical(&r), Some(Ok(span)) if span.holds(inner)))
}

/// What there must be, and how often.
fn counts(table: &Table<'_>) -> Result<(), Fault> {
    let rumkv = table.header().rumkv == 1;
    for (kind, least) in [
        (cell::MACHINE_RAM, true),
        (cell::HYPERVISOR, rumkv),
        (cell::POST_MORTEM, rumkv),
        (cell::INTERRUPT_CONTROLLER, true),
        (cell::CONSOLE, rumkv),
        (cell::CLOCK, false),
        (cell::IOMMU, table.of(cell::STREAM).next().is_some()),
    ] {
        let mut all = table.of(kind);
        if all.next().is_none() && least {
            return Err(Fault::missing(kind));
        }
        if let (Some((n, _)), true) = (all.next(), kind != cell::MACHINE_RAM) {
            return Err(Fault::at(n, kind, Reason::Duplicate));
        }
    }
    if table.of(cell::CELL).count() != table.header().cells as usize {
        return Err(Fault::table(Reason::CellCount));
    }
    (0..table.header().cells).try_for_each(|c| cell_counts(table, c))
}

fn cell_counts(table: &Table<'_>, c: u16) -> Result<(), Fault> {
    for kind in [cell::CELL, cell::RAM, cell::CORE] {
        if table.of_cell(kind, c).next().is_none() {
            return Err(Fault::missing(kind));
        }
    }
    let limits = [
        (cell::CELL, 1, Reason::Duplicate),
        (cell::BEB, 1, Reason::Duplicate),
        (cell::ARCHIVE, 1, Reason::Duplicate),
        (cell::CORE, MAX_CORES, Reason::TooMany),
        (cell::IRQ, MAX_IRQS, Reason::TooMany),
    ];
    for (kind, most, reason) in limits {
        if let Some((n, _)) = table.of_cell(kind, c).nth(most) {
            return Err(Fault::at(n, kind, reason));
        }
    }
    match windows(table, c).nth(MAX_WINDOWS) {
        Some((n, kind)) => Err(Fault::at(n, kind, Reason::TooMany)),
        None => Ok(()),
    }
}

/// The number of a device or stream record, once for each entry that it takes in RumKV's table of
/// windows.
fn windows(table: &Table<'_>, c: u16) -> impl Iterator<Item = (u32, u16)> {
    let pieces = |r: &CellRecord| Span::new(r.a, r.c).into_iter().flat_map(Span::leaves);
    let devices =
        table.of_cell(cell::DEVICE, c).flat_map(move |(n, r)| pieces(&r).map(move |_| (n, r.kind)));
    devices.chain(table.of_cell(cell::STREAM, c).map(|(n, r)| (n, r.kind)))
}

/// Entry and handoff of each cell, and of the program that nexus-boot starts.
fn start(table: &Table<'_>) -> Result<(), Fault> {
    for (n, r) in table.of(cell::CELL) {
        if !seen_in_ram(table, r.cell, r.a, 4) {
            return Err(Fault::at(n, r.kind, Reason::EntryOutside));
        }
        if !seen_in_ram(table, r.cell, r.b, Handoff::SIZE as u64) {
            return Err(Fault::at(n, r.kind, Reason::HandoffOutside));
        }
    }
    let header = table.header();
    let inside = |at, len| match header.rumkv {
        1 => Span::new(at, len).is_ok_and(|span| holds(table.of(cell::HYPERVISOR), span)),
        _ => seen_in_ram(table, 0, at, len),
    };
    if !header.entry.is_multiple_of(4) || !inside(header.entry, 4) {
        return Err(Fault::table(Reason::EntryOutside));
    }
    if !header.handoff.is_multiple_of(8) || !inside(header.handoff, Handoff::SIZE as u64) {
        return Err(Fault::table(Reason::HandoffOutside));
    }
    Ok(())
}

/// Whether a cell sees RAM at an intermediate address.
fn seen_in_ram(table: &Table<'_>, c: u16, at: u64, len: u64) -> bool {
    let Ok(inner) = Span::new(at, len) else { return false };
    table
        .of_cell(cell::RAM, c)
        .any(|(_, r)| Span::new(r.a, r.c).is_ok_and(|span| span.holds(inner)))
}
