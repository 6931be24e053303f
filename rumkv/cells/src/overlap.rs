//! The rules between two records: a page, a core, an interrupt has one owner.
//!
//! Pairs are compared in n²: a table has some tens of records, and a sorted copy would need memory
//! that init lacks.
use abi::boot::{CELL_FLAT, CellRecord, Handoff, cell};

use crate::check::{GIC_FRAME, SMMU_LEN};
use crate::table::{Span, Table, physical};
use crate::{Fault, Reason};

/// Checks every pair of records.
///
/// # Errors
/// A [`Fault`] that names the later record and the earlier one that it collides with.
pub(crate) fn check(table: &Table<'_>) -> Result<(), Fault> {
    for (n, r) in table.records() {
        for (m, s) in table.records().take(n as usize) {
            if let Some(reason) = collide(table, &r, &s) {
                return Err(Fault::between((n, r.kind), (m, s.kind), reason));
            }
        }
    }
    Ok(())
}

fn collide(table: &Table<'_>, r: &CellRecord, s: &CellRecord) -> Option<Reason> {
    let twice = match (r.kind, s.kind) {
        (cell::CORE, cell::CORE) | (cell::IRQ, cell::IRQ) | (cell::STREAM, cell::STREAM) => {
            r.a == s.a
        }
        (cell::PLACE, cell::PLACE) => r.cell == s.cell && r.arg == s.arg,
        _ => false,
    };
    if twice {
        return Some(Reason::Duplicate);
    }
    let physical = exclusive(r.kind, s.kind) && any_overlap(&spans(table, r), &spans(table, s));
    let seen = r.cell == s.cell && any_overlap(&seen(r), &seen(s));
    (physical
        || seen
        || seen_in_gic(r, s)
        || seen_in_gic(s, r)
        || placed(table, r, s)
        || placed(table, s, r))
    .then_some(Reason::Overlap)
}

/// Whether the two kinds may not share a physical page.
fn exclusive(r: u16, s: u16) -> bool {
    let owner = |k| {
        matches!(
            k,
            cell::RAM
                | cell::DEVICE
                | cell::HYPERVISOR
                | cell::RESERVED
                | cell::INTERRUPT_CONTROLLER
                | cell::IOMMU
        )
    };
    let machine = |k| {
        matches!(
            k,
            cell::MACHINE_RAM | cell::MACHINE_DEVICE | cell::INTERRUPT_CONTROLLER | cell::IOMMU
        )
    };
    let filled = |k| matches!(k, cell::LOAD | cell::ARCHIVE | cell::BEB | cell::POST_MORTEM);
    // A PLACE names what a LOAD filled; two PLACEs, or a PLACE over the BEB, are two things in one
    // page.
    let placed = |k| matches!(k, cell::PLACE | cell::BEB | cell::POST_MORTEM | cell::ARCHIVE);
    (owner(r) && owner(s))
        || (machine(r) && machine(s))
        || (filled(r) && filled(s))
        || (placed(r) && placed(s))
}

/// What a record occupies physically; the interrupt controller has a distributor and two frames per
/// core.
fn spans(table: &Table<'_>, r: &CellRecord) -> [Option<Span>; 2] {
    if r.kind == cell::INTERRUPT_CONTROLLER {
        let cores = table.of(cell::CORE).count() as u64;
        let redistributors = Span::new(r.b, (2 * cores * GIC_FRAME).max(GIC_FRAME)).ok();
        return [Span::new(r.a, GIC_FRAME).ok(), redistributors];
    }
    if r.kind == cell::IOMMU {
        return [Span::new(r.a, SMMU_LEN).ok(), None];
    }
    [physical(r).and_then(Result::ok), None]
}

/// What a cell sees of a record, at intermediate addresses.
fn seen(r: &CellRecord) -> [Option<Span>; 2] {
    match r.kind {
        cell::RAM | cell::DEVICE => [Span::new(r.a, r.c).ok(), None],
        _ => [None; 2],
    }
}

/// Whether a cell would see memory or a device where it must find the interrupt controller (at its
/// physical address).
fn seen_in_gic(r: &CellRecord, gic: &CellRecord) -> bool {
    if gic.kind != cell::INTERRUPT_CONTROLLER {
        return false;
    }
    let frames = [Span::new(gic.a, GIC_FRAME).ok(), Span::new(gic.b, 2 * GIC_FRAME).ok()];
    any_overlap(&seen(r), &frames)
}

/// Whether something is loaded over the page in which a cell's handoff is written.
fn placed(table: &Table<'_>, r: &CellRecord, owner: &CellRecord) -> bool {
    let fills = matches!(r.kind, cell::LOAD | cell::ARCHIVE | cell::BEB | cell::PLACE);
    if owner.kind != cell::CELL || !fills || r.cell != owner.cell || owner.c & CELL_FLAT != 0 {
        return false;
    }
    let at = table.physical(owner.cell, owner.b, Handoff::SIZE as u64);
    let handoff = at.and_then(|at| Span::new(at, Handoff::SIZE as u64).ok());
    any_overlap(&[physical(r).and_then(Result::ok), None], &[handoff, None])
}

fn any_overlap(one: &[Option<Span>; 2], two: &[Option<Span>; 2]) -> bool {
    let mut pairs = one.iter().flatten().flat_map(|a| two.iter().flatten().map(move |b| (a, b)));
    pairs.any(|(a, b)| a.overlaps(*b))
}
