//! A list of broken tables: each is refused for the reason that it was broken for, naming the
//! record.
mod good;

use abi::boot::{CellRecord, cell, virt};
use abi::pledge::hard;
use cells::{Fault, Reason};
use good::{Draft, at, one, record, two};

#[test]
fn the_good_tables_pass() {
    assert_eq!(one().verdict(), Ok(()));
    assert_eq!(two().verdict(), Ok(()));
}

#[test]
fn a_table_without_rumkv_passes() {
    let draft = one()
        .without(at::LOAD_RUMKV)
        .without(at::POST_MORTEM)
        .without(at::HYPERVISOR)
        .head(|h| (h.rumkv, h.entry, h.handoff) = (0, 0x5008_0000, 0x5002_0000));
    assert_eq!(draft.verdict(), Ok(()));
}

/// One broken table: its name, the table, the reason, the record that the fault must name.
type Case = (&'static str, Draft, Reason, Option<usize>);

fn whole() -> Vec<Case> {
    vec![
        ("magic", one().head(|h| h.magic ^= 1), Reason::Magic, None),
        ("version", one().head(|h| h.version = 2), Reason::Version, None),
        ("count too small", one().head(|h| h.count -= 1), Reason::Length, None),
        ("count too big", one().head(|h| h.count += 1), Reason::Length, None),
        ("no cells", one().head(|h| h.cells = 0), Reason::CellCount, None),
        ("cells without record", one().head(|h| h.cells = 2), Reason::CellCount, None),
        ("too many cells", one().head(|h| h.cells = 9), Reason::CellCount, None),
        ("flag", one().head(|h| h.rumkv = 2), Reason::RumkvFlag, None),
        ("entry outside", one().head(|h| h.entry = 0x5008_0000), Reason::EntryOutside, None),
        ("entry odd", one().head(|h| h.entry += 2), Reason::EntryOutside, None),
        ("handoff outside", one().head(|h| h.handoff = 0x4040_0000), Reason::HandoffOutside, None),
        ("handoff over end", one().head(|h| h.handoff = 0x403F_FF80), Reason::HandoffOutside, None),
        ("no ram of machine", one().without(at::MACHINE_RAM), Reason::NotInMachineRam, Some(5)),
        ("no hypervisor", one().without(at::HYPERVISOR), Reason::NotInHypervisor, Some(6)),
        ("no post-mortem", one().without(at::POST_MORTEM), Reason::Missing, None),
        ("no controller", one().without(at::GIC), Reason::Missing, None),
        ("no console", one().without(at::CONSOLE), Reason::Missing, None),
        ("no cell", one().without(at::CELL), Reason::CellCount, None),
        ("no core", one().without(at::CORE), Reason::Missing, None),
        ("two clocks", one().with(one().records[at::CLOCK]), Reason::Duplicate, Some(21)),
    ]
}

fn single() -> Vec<Case> {
    let edit = |n, change: fn(&mut abi::boot::CellRecord)| one().edit(n, change);
    vec![
        ("kind 0", edit(at::CLOCK, |r| r.kind = 0), Reason::UnknownKind, Some(at::CLOCK)),
        ("kind 20", edit(at::CLOCK, |r| r.kind = 20), Reason::UnknownKind, Some(at::CLOCK)),
        ("cell 1", edit(at::IRQ, |r| r.cell = 1), Reason::NoSuchCell, Some(at::IRQ)),
        ("machine of cell", edit(at::UART, |r| r.cell = 1), Reason::CellNotZero, Some(at::UART)),
        ("ram odd", edit(at::RAM, |r| r.b += 1), Reason::NotAligned, Some(at::RAM)),
        ("ram seen odd", edit(at::RAM, |r| r.a += 1), Reason::NotAligned, Some(at::RAM)),
        ("ram length odd", edit(at::RAM, |r| r.c += 1), Reason::NotAligned, Some(at::RAM)),
        ("ram empty", edit(at::RAM, |r| r.c = 0), Reason::Empty, Some(at::RAM)),
        ("ram wraps", edit(at::RAM, |r| r.c = u64::MAX - 4095), Reason::Wraps, Some(at::RAM)),
        ("seen wraps", edit(at::RAM, |r| r.a = u64::MAX - 4095), Reason::Wraps, Some(at::RAM)),
        ("41 bits", edit(at::RAM, |r| r.a = 1 << 40), Reason::BeyondAddress, Some(at::RAM)),
        ("ram not there", edit(at::RAM, |r| r.b = 0x6000_0000), Reason::NotInMachineRam, Some(11)),
        (
            "ram over end",
            edit(at::RAM, |r| r.c = 256 << 20 | 4096),
            Reason::NotInMachineRam,
            Some(11),
        ),
        (
            "device not there",
            edit(at::DEVICE, |r| r.b = 0xA00_0000),
            Reason::NotInMachineDevice,
            Some(12),
        ),
        (
            "device class",
            edit(at::DEVICE, |r| r.arg = hard::NET),
            Reason::NotInMachineDevice,
            Some(12),
        ),
        ("two classes", edit(at::DEVICE, |r| r.arg = 3), Reason::BadClass, Some(at::DEVICE)),
        ("no class", edit(at::IRQ, |r| r.arg = 0), Reason::BadClass, Some(at::IRQ)),
        ("class POWER", edit(at::IRQ, |r| r.arg = hard::POWER), Reason::BadClass, Some(at::IRQ)),
        ("SGI", edit(at::IRQ, |r| r.a = 15), Reason::BadInterrupt, Some(at::IRQ)),
        ("special", edit(at::IRQ, |r| r.a = 1020), Reason::BadInterrupt, Some(at::IRQ)),
        ("LPI", edit(at::IRQ, |r| r.a = 8192), Reason::BadInterrupt, Some(at::IRQ)),
        ("maintenance", edit(at::IRQ, |r| r.a = 25), Reason::ReservedInterrupt, Some(at::IRQ)),
        ("timer of EL2", edit(at::IRQ, |r| r.a = 26), Reason::ReservedInterrupt, Some(at::IRQ)),
        ("physical timer", edit(at::IRQ, |r| r.a = 30), Reason::ReservedInterrupt, Some(at::IRQ)),
        ("trigger", edit(at::IRQ, |r| r.b = 2), Reason::BadValue, Some(at::IRQ)),
        ("mask", edit(at::CELL, |r| r.arg = 128), Reason::BadMask, Some(at::CELL)),
        ("flags", edit(at::CELL, |r| r.c = 1), Reason::BadValue, Some(at::CELL)),
        ("cell entry", edit(at::CELL, |r| r.a = 0x4FFF_FFFC), Reason::EntryOutside, Some(at::CELL)),
        ("cell entry odd", edit(at::CELL, |r| r.a += 2), Reason::NotAligned, Some(at::CELL)),
        ("cell handoff", edit(at::CELL, |r| r.b = 0x57FF_FF80), Reason::HandoffOutside, Some(9)),
        ("affinity", edit(at::CORE, |r| r.a = 1 << 31), Reason::BadAffinity, Some(at::CORE)),
        ("GICv2", edit(at::GIC, |r| r.c = 2), Reason::BadValue, Some(at::GIC)),
        ("GIC odd", edit(at::GIC, |r| r.a += 4096), Reason::NotAligned, Some(at::GIC)),
        ("load outside", edit(at::LOAD_KERNEL, |r| r.a = 0x4900_0000), Reason::NotInRam, Some(18)),
        ("archive of cell", edit(at::ARCHIVE, |r| r.arg = 10), Reason::BadValue, Some(at::ARCHIVE)),
        ("BEB outside", edit(at::BEB, |r| r.a = 0x4FFF_8000), Reason::NotInRam, Some(at::BEB)),
        ("place", edit(at::PLACE_FDT, |r| r.arg = 3), Reason::BadValue, Some(at::PLACE_FDT)),
        (
            "post-mortem",
            edit(at::POST_MORTEM, |r| r.a = 0x4040_0000),
            Reason::NotInHypervisor,
            Some(7),
        ),
    ]
}

fn pairs() -> Vec<Case> {
    let ram = |a, b, c| record(cell::RAM, 0, 0, [a, b, c]);
    let ram1 = |a, b, c| record(cell::RAM, 1, 0, [a, b, c]);
    vec![
        ("ram twice", one().with(ram(0x7000_0000, 0x57FF_F000, 4096)), Reason::Overlap, Some(21)),
        ("seen twice", one().with(ram(0x5000_0000, 0x5900_0000, 4096)), Reason::Overlap, Some(21)),
        ("over RumKV", one().with(ram(0x7000_0000, 0x403F_F000, 4096)), Reason::Overlap, Some(21)),
        (
            "over reserved",
            one().with(ram(0x7000_0000, 0x4100_0000, 4096)),
            Reason::Overlap,
            Some(21),
        ),
        (
            "sees the GIC",
            one().with(ram(0x080A_0000, 0x5900_0000, 4096)),
            Reason::Overlap,
            Some(21),
        ),
        ("device twice", one().with(one().records[at::DEVICE]), Reason::Overlap, Some(21)),
        ("irq twice", one().with(one().records[at::IRQ]), Reason::Duplicate, Some(21)),
        ("core twice", one().with(one().records[at::CORE]), Reason::Duplicate, Some(21)),
        ("cell twice", one().with(one().records[at::CELL]), Reason::CellCount, None),
        ("place twice", one().with(one().records[at::PLACE_FDT]), Reason::Duplicate, Some(21)),
        ("load over load", one().with(one().records[at::LOAD_KERNEL]), Reason::Overlap, Some(21)),
        (
            "load over BEB",
            one().edit(at::LOAD_KERNEL, |r| r.a = 0x5001_0000),
            Reason::Overlap,
            Some(18),
        ),
        (
            "load over handoff",
            one().edit(18, |r| r.a = 0x5001_F000 + 0x1000),
            Reason::Overlap,
            Some(18),
        ),
        (
            "two owners of a page",
            two().with(ram1(0x7000_0000, 0x5000_0000, 4096)),
            Reason::Overlap,
            Some(26),
        ),
        ("core of two", two().edit(22, |r| r.a = 0), Reason::Duplicate, Some(22)),
        ("irq of two", two().edit(25, |r| r.a = 33), Reason::Duplicate, Some(25)),
        (
            "device of two",
            two().with(record(cell::DEVICE, 0, hard::OTHER, [0x901_0000, 0x901_0000, 4096])),
            Reason::Overlap,
            Some(26),
        ),
        ("cell 1 without ram", two().without(23), Reason::Missing, None),
        ("stream of two", streams([(0, 8), (1, 8)]), Reason::Duplicate, Some(28)),
        ("stream without IOMMU", streams([(0, 8), (1, 9)]).without(26), Reason::Missing, None),
        (
            "IOMMU in a window",
            streams([(0, 8), (1, 9)]).edit(26, |r| r.a = virt::UART - 0x1_0000),
            Reason::Overlap,
            Some(26),
        ),
        (
            "IOMMU of another kind",
            streams([(0, 8), (1, 9)]).edit(26, |r| r.c = 2),
            Reason::BadValue,
            Some(26),
        ),
        (
            "IOMMU twice",
            streams([(0, 8), (1, 9)]).with(iommu(0x907_0000)),
            Reason::Duplicate,
            Some(29),
        ),
        (
            "stream without class",
            streams([(0, 8), (1, 9)]).edit(27, |r| r.arg = 0),
            Reason::BadClass,
            Some(27),
        ),
    ]
}

fn iommu(at: u64) -> CellRecord {
    record(cell::IOMMU, 0, 0, [at, 0, 3])
}

/// Two cells with an IOMMU, record 26, and streams behind it.
fn streams(of: [(u16, u64); 2]) -> Draft {
    let stream = |(owner, id)| record(cell::STREAM, owner, hard::OTHER, [id, 0, 0]);
    of.map(stream).into_iter().fold(two().with(iommu(0x905_0000)), Draft::with)
}

#[test]
fn streams_of_cells_are_accepted() {
    assert_eq!(streams([(0, 8), (1, 9)]).verdict(), Ok(()));
}

#[test]
fn each_broken_table_is_refused_for_its_reason() {
    let cases: Vec<Case> = [whole(), single(), pairs()].into_iter().flatten().collect();
    assert!(cases.len() >= 25);
    for (name, draft, reason, record) in cases {
        let Err(fault) = draft.verdict() else { panic!("{name}: accepted") };
        assert_eq!(fault.reason, reason, "{name}: {fault}");
        assert_eq!(fault.record.map(|n| n as usize), record, "{name}: {fault}");
    }
}

#[test]
fn too_many_of_a_kind_are_refused() {
    let mut cores = one();
    for n in 1..=cells::MAX_CORES as u64 {
        cores = cores.with(record(cell::CORE, 0, 0, [n, 0, 0]));
    }
    assert_eq!(cores.verdict().map_err(|f| f.reason), Err(Reason::TooMany));
    let mut irqs = one();
    for n in 0..cells::MAX_IRQS as u64 {
        irqs = irqs.with(record(cell::IRQ, 0, hard::OTHER, [100 + n, 0, 0]));
    }
    assert_eq!(irqs.verdict().map_err(|f| f.reason), Err(Reason::TooMany));
}

#[test]
fn a_window_counts_once_for_each_table_that_it_touches() {
    let with = |[base, len]: [u64; 2]| {
        one()
            .with(record(cell::MACHINE_DEVICE, 0, hard::OTHER, [base, 0, len]))
            .with(record(cell::DEVICE, 0, hard::OTHER, [base, base, len]))
            .verdict()
    };
    // The console is one; what touches fifteen tables more fits, a page more on either side not.
    let most = (cells::MAX_WINDOWS as u64 - 1) * cells::LEAF;
    assert_eq!(with([0x1000_0000, most]), Ok(()));
    for window in [[0x1000_0000, most + 4096], [0x1000_0000 - 4096, most + 4096]] {
        let fault = with(window).expect_err("too many");
        assert_eq!((fault.record, fault.reason), (Some(22), Reason::TooMany));
    }
    // A stream counts as one.
    let many = (0..cells::MAX_WINDOWS as u64).fold(streams([(0, 8), (1, 9)]), |draft, n| {
        draft.with(record(cell::STREAM, 0, hard::OTHER, [100 + n, 0, 0]))
    });
    let fault = many.verdict().expect_err("too many");
    assert_eq!((fault.kind, fault.reason), (cell::STREAM, Reason::TooMany));
}

#[test]
fn a_fault_names_both_records() {
    let fault = one()
        .with(record(cell::RAM, 0, 0, [0x7000_0000, 0x4030_0000, 4096]))
        .verdict()
        .expect_err("overlap");
    assert_eq!(fault.other, Some((at::HYPERVISOR as u32, cell::HYPERVISOR)));
    assert_eq!(fault.to_string(), "record 21 (ram) overlaps: record 6 (hypervisor)");
    let missing: Fault = one().without(at::CONSOLE).verdict().expect_err("missing");
    assert_eq!(missing.to_string(), "the cell table lacks a record of this kind: console");
}
