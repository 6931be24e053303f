//! What holds for every table, shown on random ones.
mod good;

use abi::boot::{CellRecord, cell};
use cells::{LEAF, Machine, Reason, Span, Table, check, check_machine};
use good::{Draft, at, one, two};
use proptest::prelude::*;
use proptest::strategy::ValueTree;

fn any_record() -> impl Strategy<Value = CellRecord> {
    let small = prop_oneof![
        any::<u64>(),
        (0_u64..0x70000).prop_map(|n| n << 12),
        (0_u64..1100),
        Just(0),
        Just(u64::MAX),
    ];
    (0_u16..20, 0_u16..3, 0_u32..130, small.clone(), small.clone(), small)
        .prop_map(|(kind, owner, arg, a, b, c)| CellRecord { kind, cell: owner, arg, a, b, c })
}

/// Physical ranges that each have one owner, from the bytes alone and without the checker's help.
fn owned(draft: &Draft) -> Vec<(u64, u64)> {
    let of = |r: &CellRecord| match r.kind {
        cell::RAM | cell::DEVICE => Some((r.b, r.b + r.c)),
        cell::HYPERVISOR | cell::RESERVED => Some((r.a, r.a + r.c)),
        _ => None,
    };
    draft.records.iter().filter_map(of).collect()
}

fn sound(draft: &Draft) -> Result<(), TestCaseError> {
    let all = owned(draft);
    for (n, one) in all.iter().enumerate() {
        for two in &all[..n] {
            prop_assert!(one.1 <= two.0 || two.1 <= one.0, "{one:x?} and {two:x?}");
        }
    }
    for kind in [cell::CORE, cell::IRQ] {
        let mut list: Vec<_> =
            draft.records.iter().filter(|r| r.kind == kind).map(|r| r.a).collect();
        let before = list.len();
        list.sort_unstable();
        list.dedup();
        prop_assert_eq!(list.len(), before);
    }
    Ok(())
}

/// RAM, a reserved range or a device somewhere near what the good table has.
fn plausible() -> impl Strategy<Value = CellRecord> {
    let page = prop_oneof![0x57FF8_u64..0x58010, 0x403F0_u64..0x40410, 0x08FFE_u64..0x09012];
    let kind = prop_oneof![Just(cell::RAM), Just(cell::RESERVED), Just(cell::DEVICE)];
    (kind, 0_u16..2, page, 1_u64..8).prop_map(|(kind, owner, page, pages)| {
        let owner = if kind == cell::RESERVED { 0 } else { owner };
        let seen = if kind == cell::RAM { (page << 12) + (1 << 35) } else { page << 12 };
        let (a, b) = if kind == cell::RESERVED { (page << 12, 0) } else { (seen, page << 12) };
        CellRecord { kind, cell: owner, arg: 1, a, b, c: pages << 12 }
    })
}

#[test]
fn plausible_records_are_accepted_exactly_when_nothing_is_shared() {
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    let (mut accepted, mut refused) = (0, 0);
    for _ in 0..5000 {
        let more = plausible().new_tree(&mut runner).expect("value").current();
        let draft = two().with(more);
        match draft.verdict() {
            Ok(()) => {
                accepted += 1;
                sound(&draft).expect("one owner per page");
            }
            Err(fault) if fault.reason == Reason::Overlap => {
                refused += 1;
                assert!(sound(&draft).is_err() || fault.kind == cell::RESERVED, "{fault}");
            }
            Err(_) => {}
        }
    }
    assert!(accepted > 200 && refused > 200, "accepted {accepted}, refused {refused}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn random_bytes_are_refused(bytes in proptest::collection::vec(any::<u8>(), 0..600)) {
        if let Ok(table) = Table::decode(&bytes) {
            prop_assert!(check(&table).is_err());
        }
    }

    #[test]
    fn random_records_never_panic(
        records in proptest::collection::vec(any_record(), 0..12),
        rumkv in 0_u32..2,
        cells in 0_u16..4
    ) {
        let draft = Draft { records, ..one() }.count();
        let draft = draft.head(|h| (h.rumkv, h.cells) = (rumkv, cells));
        if draft.verdict().is_ok() {
            sound(&draft)?;
        }
    }

    #[test]
    fn one_more_record_breaks_or_keeps_the_rules(
        more in proptest::collection::vec(any_record(), 1..3)
    ) {
        let draft = more.into_iter().fold(two(), Draft::with);
        if draft.verdict().is_ok() {
            sound(&draft)?;
        }
    }

    #[test]
    fn one_changed_record_breaks_or_keeps_the_rules(n in 0_usize..26, new in any_record()) {
        let draft = two().edit(n, |r| *r = CellRecord { kind: r.kind, ..new });
        if draft.verdict().is_ok() {
            sound(&draft)?;
        }
    }

    #[test]
    fn one_flipped_bit_never_panics(bit in 0_usize..8 * 32 * 27) {
        let mut bytes = two().bytes();
        if let Some(byte) = bytes.get_mut(bit / 8) {
            *byte ^= 1 << (bit % 8);
        }
        let _ = Table::decode(&bytes).and_then(|table| check(&table));
    }

    #[test]
    fn truncated_tables_are_refused(len in 0_usize..32 * 22) {
        let bytes = one().bytes();
        prop_assume!(len < bytes.len());
        prop_assert!(Table::decode(&bytes[..len]).is_err());
    }

    #[test]
    fn pieces_are_the_window_and_none_crosses_a_table(
        base in 0_u64..1 << 24, len in 1_u64..1 << 24
    ) {
        let mut at = base;
        for piece in Span::new(base, len).expect("span").leaves() {
            prop_assert_eq!(piece.base, at);
            prop_assert_eq!(piece.base / LEAF, (piece.end() - 1) / LEAF);
            at = piece.end();
        }
        prop_assert_eq!(at, base + len);
    }

    #[test]
    fn overlap_is_symmetric_and_means_a_shared_byte(
        a in 0_u64..64, la in 1_u64..32, b in 0_u64..64, lb in 1_u64..32
    ) {
        let (one, two) = (Span::new(a, la).expect("span"), Span::new(b, lb).expect("span"));
        let shared = (a..a + la).any(|x| (b..b + lb).contains(&x));
        prop_assert_eq!(one.overlaps(two), shared);
        prop_assert_eq!(two.overlaps(one), shared);
        prop_assert_eq!(one.holds(two), (b..b + lb).all(|x| (a..a + la).contains(&x)));
    }
}

/// QEMU's `virt` as its device tree describes it, but for what a test takes away.
#[derive(Clone, Copy)]
struct Virt {
    ram: u64,
    reserved: (u64, u64),
    clock: bool,
    cores: u64,
}

const VIRT: Virt = Virt { ram: 512 << 20, reserved: (0x7F00_0000, 4096), clock: true, cores: 2 };

impl Machine for Virt {
    fn has_ram(&self, span: Span) -> bool {
        Span::new(0x4000_0000, self.ram).is_ok_and(|ram| ram.holds(span))
    }
    fn reserves(&self, span: Span) -> bool {
        Span::new(self.reserved.0, self.reserved.1).is_ok_and(|r| r.overlaps(span))
    }
    fn has_device(&self, span: Span) -> bool {
        let there: &[u64] = &[0x900_0000, 0x800_0000, 0x901_0000];
        let there = if self.clock { there } else { &there[..2] };
        there.contains(&span.base)
    }
    fn has_core(&self, affinity: u64) -> bool {
        affinity < self.cores
    }
}

fn against(machine: Virt) -> Option<(u32, Reason)> {
    let bytes = two().bytes();
    let table = Table::decode(&bytes).expect("good");
    check_machine(&table, &machine).err().map(|f| (f.record.expect("record"), f.reason))
}

#[test]
fn the_machine_must_have_what_the_table_gives_away() {
    assert_eq!(against(VIRT), None);
    let ram = Some((at::MACHINE_RAM as u32, Reason::FirmwareHasNoRam));
    assert_eq!(against(Virt { ram: 256 << 20, ..VIRT }), ram);
    let clock = Some((at::RTC as u32, Reason::FirmwareHasNoDevice));
    assert_eq!(against(Virt { clock: false, ..VIRT }), clock);
    assert_eq!(against(Virt { cores: 1, ..VIRT }), Some((22, Reason::FirmwareHasNoCore)));
    let reserved = Some((at::RAM as u32, Reason::FirmwareReserves));
    assert_eq!(against(Virt { reserved: (0x57FF_F000, 4096), ..VIRT }), reserved);
    let own = Some((at::HYPERVISOR as u32, Reason::FirmwareReserves));
    assert_eq!(against(Virt { reserved: (0x4020_0000, 4096), ..VIRT }), own);
}
