//! What nexus-boot would do with a cell table, and what it refuses to do.
mod support;
use abi::boot::{CellRecord, Handoff, cell};
use bundle::{Plan, Verified, verify};
use proptest::prelude::*;
use support::{bundle, cells, machine, record, root};

const KERNEL: &[u8] = &[0xA5; 513];
const ENTRY: u64 = 0x5008_0000;
const HANDOFF: u64 = 0x5002_0000;
/// Where the bundle lies.
const BUNDLE: std::ops::Range<u64> = 0x4800_0000..0x4800_4000;
const TAKEN: &[std::ops::Range<u64>] = &[0..0, BUNDLE];

/// A verified bundle with this cell table.
fn with<T>(table: &[u8], then: impl FnOnce(Verified) -> T) -> T {
    let files: [(&str, &[u8]); 4] =
        [("cells.bin", table), ("cell0/kernel", KERNEL), ("Boot/a", b"one"), ("Boot/b", b"two")];
    let bytes = bundle(&files);
    then(verify(&bytes, &root(), 0).unwrap())
}

fn refusal(table: &[u8]) -> String {
    with(table, |v| Plan::new(v, TAKEN).map_or_else(|r| r.to_string(), |_| "followed".into()))
}

/// The refusal of a table for the kernel at EL1 whose records were edited.
fn edited(edit: impl FnOnce(&mut Vec<CellRecord>)) -> String {
    let mut records = machine();
    edit(&mut records);
    refusal(&cells(0, ENTRY, HANDOFF, &records))
}

fn only(kind: u16) -> impl Fn(&&mut CellRecord) -> bool {
    move |r| r.kind == kind
}

#[test]
fn placements_are_contents_for_an_image_and_raw_blocks_for_an_archive() {
    with(&cells(0, ENTRY, HANDOFF, &machine()), |v| {
        let plan = Plan::new(v, TAKEN).unwrap();
        let all: Vec<_> = plan.placements().collect();
        assert_eq!(all.len(), 3);
        assert_eq!((all[0].to, all[0].len, all[0].bytes), (ENTRY, 0x1000, KERNEL));
        let raw = [v.member(2).unwrap().1.raw, v.member(3).unwrap().1.raw].concat();
        assert_eq!((all[1].to, all[1].bytes), (0x5020_0000, &raw[..]));
        assert_eq!(all[1].len, raw.len() as u64 + 1024, "two zero blocks end it");
        assert_eq!((all[2].to, all[2].len, all[2].bytes), (HANDOFF, 256, &[][..]));
    });
}

#[test]
fn the_kernel_is_told_what_is_its_own() {
    with(&cells(0, ENTRY, HANDOFF, &machine()), |v| {
        let plan = Plan::new(v, TAKEN).unwrap();
        let facts = Handoff {
            archive: 0x4800_0000,
            archive_len: 0x4000,
            fdt: 0x4820_0000,
            fdt_len: 0x10_0000,
            wall: 17,
            started: 18,
            seed: [19; 32],
            boot_base: 20,
            boot_len: 21,
            ..Handoff::zeroed()
        };
        let mut hasher = blake3::Hasher::new();
        v.entries().skip(1).for_each(|e| _ = hasher.update(&e.hash));
        let told = Handoff {
            magic: 0x4E58_484F,
            version: 1,
            size: 256,
            archive: 0x5020_0000,
            archive_len: 2 * 1024 + 1024,
            fdt: 0x5003_0000,
            fdt_len: 0x1000,
            manifest: 0x5004_0000,
            manifest_len: 0x2000,
            ram: 0x5000_0000,
            ram_len: 0x800_0000,
            beb: 0x5001_0000,
            beb_len: 0x1_0000,
            gicd: 0x0800_0000,
            gicr: 0x080A_0000,
            cores: 1,
            measurement: *hasher.finalize().as_bytes(),
            machine: v.machine,
            ..facts
        };
        assert_eq!(plan.kernel(&facts), told);
    });
}

/// Records with RumKV: its image is member 1 too, the kernel's load stays.
fn rumkv() -> Vec<CellRecord> {
    let mut records = machine();
    records.insert(0, record(cell::HYPERVISOR, 0, 0x4020_0000, 0, 0x20_0000));
    records.insert(1, record(cell::LOAD, 1, 0x4020_0000, 0, 0x1000));
    records.push(CellRecord { cell: 1, ..record(cell::CORE, 0, 1, 0, 0) });
    records
}

#[test]
fn rumkv_is_told_the_bundle_and_the_measurement_leaves_its_image_out() {
    with(&cells(1, 0x4020_0000, 0x403F_E000, &rumkv()), |v| {
        let plan = Plan::new(v, TAKEN).unwrap();
        assert_eq!(plan.placements().count(), 5, "two images, an archive, two handoffs");
        assert_eq!(plan.kernel_handoff, HANDOFF);
        let facts = Handoff { archive: 1, archive_len: 2, fdt: 3, fdt_len: 4, ..Handoff::zeroed() };
        let (told, kernel) = (plan.rumkv(&facts), plan.kernel(&facts));
        assert_eq!((told.archive, told.archive_len, told.fdt, told.fdt_len), (1, 2, 3, 4));
        let table = v.member(0).unwrap().1.contents;
        assert_eq!(told.cells, table.as_ptr().addr() as u64);
        assert_eq!(told.cells_len, table.len() as u64);
        assert_eq!((told.ram, told.ram_len), (0x4020_0000, 0x20_0000));
        assert_eq!((told.manifest, told.cores, told.beb), (0, 2, 0x5001_0000));
        assert_eq!((kernel.cells, kernel.cores, kernel.ram), (0, 1, 0x5000_0000));
        let without = with(&cells(0, ENTRY, HANDOFF, &machine()), |v| {
            Plan::new(v, TAKEN).unwrap().kernel(&facts).measurement
        });
        assert_eq!(kernel.measurement, without);
        assert_eq!(told.measurement, without);
    });
}

#[test]
fn a_table_that_is_malformed_is_refused() {
    let table = |change: fn(&mut Vec<u8>)| {
        let mut table = cells(0, ENTRY, HANDOFF, &machine());
        change(&mut table);
        refusal(&table)
    };
    assert_eq!(table(|_| ()), "followed");
    assert_eq!(table(Vec::clear), "cells.bin: too short");
    assert_eq!(table(|t| t.truncate(31)), "cells.bin: too short");
    assert_eq!(table(|t| t.truncate(32)), "cells.bin: malformed");
    assert_eq!(table(|t| _ = t.pop()), "cells.bin: malformed");
    assert_eq!(table(|t| t.push(0)), "cells.bin: malformed");
    for at in [0, 4, 8, 11, 13] {
        let mut bad = cells(0, ENTRY, HANDOFF, &machine());
        bad[at] ^= 0x80;
        assert_eq!(refusal(&bad), "cells.bin: malformed", "byte {at}");
    }
    let bad = cells(2, ENTRY, HANDOFF, &machine());
    assert_eq!(refusal(&bad), "cells.bin: malformed");
    let bad = cells(0, ENTRY, HANDOFF + 8, &machine());
    assert_eq!(refusal(&bad), "cells.bin: names two handoffs for one kernel");
    assert_eq!(edited(|r| r.retain(|r| r.kind != cell::CELL)), "cells.bin: has no cell 0");
}

#[test]
fn members_that_are_missing_or_do_not_fit_are_refused() {
    let said = "cells.bin: places a member that is missing or too long";
    let load = |change: fn(&mut CellRecord)| {
        edited(|r| r.iter_mut().filter(only(cell::LOAD)).for_each(change))
    };
    assert_eq!(load(|r| r.arg = 4), said);
    assert_eq!(load(|r| r.arg = u32::MAX), said);
    assert_eq!(load(|r| r.c = 512), said);
    assert_eq!(load(|r| r.c = 513), "followed");
    let archive = |change: fn(&mut CellRecord)| {
        edited(|r| r.iter_mut().filter(only(cell::ARCHIVE)).for_each(change))
    };
    assert_eq!(archive(|r| r.b = 4), said);
    assert_eq!(archive(|r| r.b = u64::MAX), said);
    assert_eq!(archive(|r| r.b = 1), said, "the last before the first");
    assert_eq!(archive(|r| r.b = 0), said);
    assert_eq!(archive(|r| r.c = 2 * 1024 + 1024), "followed");
    assert_eq!(archive(|r| r.c = 2 * 1024 + 1023), said);
}

#[test]
fn a_placement_must_lie_in_ram_and_over_nothing() {
    let load = |to: u64, len: u64| {
        let move_it = |r: &mut CellRecord| (r.a, r.c) = (to, len);
        edited(|r| r.iter_mut().filter(only(cell::LOAD)).for_each(move_it))
    };
    let no_ram = "cells.bin: places something where the machine has no RAM";
    assert_eq!(load(0x3FFF_F000, 0x1000), no_ram);
    assert_eq!(load(0x3FFF_F000, 0x1001), no_ram);
    assert_eq!(load(0x6000_0000, 0x1000), no_ram);
    assert_eq!(load(0x5FFF_F001, 0x1000), no_ram);
    assert_eq!(load(0x0900_0000, 0x1000), no_ram);
    assert_eq!(load(u64::MAX, 0x1000), "cells.bin: places something past the last address");
    assert_eq!(load(0x4000_0000, u64::MAX), "cells.bin: places something past the last address");
    let over = "cells.bin: places something over what is in use";
    assert_eq!(load(0x4800_0000, 0x1000), over);
    assert_eq!(load(0x4800_3FFF, 0x1000), over);
    assert_eq!(load(0x47FF_F001, 0x1000), over);
    assert_eq!(load(0x4700_0000, 0x0200_0000), over);
    let twice = "cells.bin: places two things in one place";
    assert_eq!(load(0x5020_0000, 0x1000), twice, "the archive");
    assert_eq!(load(0x501F_F001, 0x1000), twice);
    assert_eq!(load(HANDOFF, 0x1000), twice, "the handoff");
    let outside = "cells.bin: starts outside what is loaded";
    assert_eq!(load(0x4800_4000, 0x1000), outside, "just after the bundle");
    assert_eq!(load(0x501F_F000, 0x1000), outside, "just before the archive");
}

#[test]
fn the_first_instruction_must_be_loaded() {
    let entry = |entry| refusal(&cells(0, entry, HANDOFF, &machine()));
    let outside = "cells.bin: starts outside what is loaded";
    assert_eq!(entry(ENTRY + 512), "followed");
    for wrong in [0, ENTRY - 4, ENTRY + 1, ENTRY + 2, ENTRY + 516, HANDOFF, u64::MAX - 3] {
        assert_eq!(entry(wrong), outside, "{wrong:#x}");
    }
    let rumkv = |handoff| refusal(&cells(1, 0x4020_0000, handoff, &rumkv()));
    assert_eq!(rumkv(0x403F_E000), "followed");
    assert_eq!(rumkv(0x4020_0FFF), "cells.bin: places two things in one place");
    assert_eq!(rumkv(HANDOFF), "cells.bin: places two things in one place");
    assert_eq!(rumkv(0x4800_3F80), "cells.bin: places something over what is in use");
}

fn any_record() -> impl Strategy<Value = CellRecord> {
    let near = prop_oneof![
        any::<u64>(),
        0..5u64,
        (0x4000_0000..0x6000_0000u64).prop_map(|a| a & !0xFFF),
        Just(u64::MAX),
    ];
    (0..19u16, 0..2u16, 0..6u32, near.clone(), near.clone(), near)
        .prop_map(|(kind, cell, arg, a, b, c)| CellRecord { kind, cell, arg, a, b, c })
}

proptest! {
    #[test]
    fn what_is_followed_keeps_the_rules(records in proptest::collection::vec(any_record(), 0..6)) {
        let all = [machine(), records].concat();
        with(&cells(0, ENTRY, HANDOFF, &all), |v| {
            let Ok(plan) = Plan::new(v, TAKEN) else { return };
            let spans: Vec<_> = plan.placements().map(|p| (p.to, p.to + p.len)).collect();
            for (n, (from, to)) in spans.iter().enumerate() {
                let past = |r: &CellRecord| u128::from(r.a) + u128::from(r.c);
                let ram = |r: &CellRecord| r.a <= *from && u128::from(*to) <= past(r);
                assert!(all.iter().filter(|r| r.kind == cell::MACHINE_RAM).any(ram));
                let meets = |a: u64, b: u64| *from < b && a < *to;
                assert!(!TAKEN.iter().any(|t| meets(t.start, t.end)));
                assert!(!spans[..n].iter().any(|s| meets(s.0, s.1)));
            }
            plan.kernel(&Handoff::zeroed());
            plan.rumkv(&Handoff::zeroed());
        });
    }
}
