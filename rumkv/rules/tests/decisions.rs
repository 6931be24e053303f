//! The decoders against the layouts of the manuals.
use proptest::prelude::*;
use rules::abort::Access;
use rules::features::{COUNT, RULES, index};
use rules::lines::{CLUSTER, Group, Lines, decode, spread, target};

/// The per-line registers as the manual lists them (Arm IHI 0069, table 12-25): name, first offset,
/// bytes, bits per line, sizes of access, what RumKV makes of a write.
type Register = (&'static str, u32, u32, u32, &'static [u32], Group);
const REGISTERS: [Register; 10] = [
    ("IGROUPR", 0x80, 0x80, 1, &[4], Group::FIXED),
    ("ISENABLER", 0x100, 0x80, 1, &[4], Group::SET),
    ("ICENABLER", 0x180, 0x80, 1, &[4], Group::CLEAR),
    ("ISPENDR", 0x200, 0x80, 1, &[4], Group::SET),
    ("ICPENDR", 0x280, 0x80, 1, &[4], Group::CLEAR),
    ("ISACTIVER", 0x300, 0x80, 1, &[4], Group::SET),
    ("ICACTIVER", 0x380, 0x80, 1, &[4], Group::CLEAR_ACTIVE),
    ("IPRIORITYR", 0x400, 0x400, 8, &[1, 4], Group::PRIORITY),
    ("ICFGR", 0xC00, 0x100, 2, &[4], Group::FIXED),
    ("IROUTER", 0x6000, 0x2000, 64, &[8], Group::ROUTE),
];

#[test]
fn every_offset_and_size_decodes_as_the_manual_says() {
    for offset in 0..0x1_0000 {
        for size in [1, 2, 4, 8] {
            let expected = REGISTERS
                .iter()
                .find(|(_, at, len, ..)| (*at..at + len).contains(&offset))
                .filter(|(.., sizes, _)| sizes.contains(&size) && offset % size == 0)
                .map(|&(_, at, _, width, _, group)| Lines {
                    first: (offset - at) * 8 / width,
                    width,
                    group,
                });
            assert_eq!(decode(offset, size), expected, "{offset:#x}, {size}");
        }
    }
}

#[test]
fn no_access_reaches_a_line_beyond_1023() {
    let lines = (0..0x1_0000).flat_map(|o| [1, 2, 4, 8].map(|s| (o, s)));
    for (offset, size) in lines {
        if let Some(at) = decode(offset, size) {
            assert!(at.first + (size * 8).div_ceil(at.width) <= 1024, "{offset:#x}");
        }
    }
}

#[test]
fn what_belongs_to_lpis_and_messages_decodes_to_nothing() {
    // SETSPI_NSR and others, IGRPMODR, NSACR, SGIR, CPENDSGIR; PROPBASER, PENDBASER, SETLPIR of a
    // redistributor.
    for offset in [0x40, 0x48, 0x50, 0x58, 0xD00, 0xE00, 0xF00, 0xF10, 0xF20, 0x70, 0x78, 0x800] {
        assert_eq!(decode(offset, 4), None, "{offset:#x}");
    }
}

proptest! {
    #[test]
    fn spread_repeats_each_bit(
        lines in any::<u32>(), log in prop_oneof![Just(0_u32), Just(1), Just(3)]
    ) {
        let width = 1 << log;
        for bit in 0..32 {
            prop_assert_eq!(spread(lines, width) >> bit & 1, lines >> (bit / width) & 1);
        }
    }

    #[test]
    fn a_target_names_one_core(affinity in any::<u64>(), other in any::<u64>()) {
        let (one, two) = (affinity & 0xFF_00FF_FFFF, other & 0xFF_00FF_FFFF);
        prop_assert_eq!(target(one) == target(two), one == two);
        prop_assert_eq!((target(one) & !CLUSTER).count_ones(), 1);
        prop_assert_eq!(target(one) & !CLUSTER & !0xFFFF, 0);
    }

    #[test]
    fn a_masked_id_register_only_loses(real in any::<u64>()) {
        for rule in RULES {
            let seen = rule.seen(real);
            prop_assert_eq!(seen & !(rule.keep | rule.set), 0, "{}", rule.name);
            for at in (0..64).step_by(4) {
                let (before, after) = (real >> at & 0xF, seen >> at & 0xF);
                let fixed = rule.set >> at & 0xF;
                prop_assert!(after == fixed || after <= before, "{} {at}", rule.name);
            }
        }
    }

    #[test]
    fn a_load_leaves_what_the_processor_would(
        raw in any::<u64>(), sas in 0_u64..4, sse in 0_u64..2, sf in 0_u64..2
    ) {
        let access = Access::new(1 << 24 | sas << 22 | sse << 21 | sf << 15);
        let expected = match (sas, sse, sf) {
            (0, 0, _) => u64::from(raw as u8),
            (1, 0, _) => u64::from(raw as u16),
            (0, 1, 1) => raw as i8 as i64 as u64,
            (1, 1, 1) => raw as i16 as i64 as u64,
            (2, 1, 1) => raw as i32 as i64 as u64,
            (0, 1, _) => u64::from(raw as i8 as i32 as u32),
            (1, 1, _) => u64::from(raw as i16 as i32 as u32),
            (2, 0, _) | (2, 1, 0) => u64::from(raw as u32),
            (_, _, 0) if sse == 1 => raw & 0xFFFF_FFFF,
            _ => raw,
        };
        prop_assert_eq!(access.loaded(raw), expected);
    }
}

#[test]
fn id_registers_have_places_of_their_own() {
    let mut seen = [false; COUNT];
    for rule in RULES {
        let at = index(rule.crm, rule.op2).expect("AArch64");
        assert!(!std::mem::replace(&mut seen[at], true), "{}", rule.name);
    }
    assert_eq!(index(3, 7), None);
}

/// QEMU's `max` as it answers at EL2, and the fields that must be gone.
#[test]
fn hidden_features_are_hidden() {
    let all = u64::MAX;
    let seen = |name| RULES.iter().find(|r| r.name == name).expect(name).seen(all);
    let field = |name, at: u32| seen(name) >> at & 0xF;
    for (name, at, what) in [
        ("id_aa64pfr0_el1", 8, "EL2"),
        ("id_aa64pfr0_el1", 28, "RAS"),
        ("id_aa64pfr0_el1", 40, "MPAM"),
        ("id_aa64pfr0_el1", 44, "AMU"),
        ("id_aa64pfr1_el1", 8, "MTE"),
        ("id_aa64pfr1_el1", 24, "SME"),
        ("id_aa64dfr0_el1", 4, "trace"),
        ("id_aa64dfr0_el1", 8, "PMU"),
        ("id_aa64dfr0_el1", 32, "SPE"),
        ("id_aa64dfr0_el1", 40, "trace filter"),
        ("id_aa64dfr0_el1", 44, "TRBE"),
        ("id_aa64mmfr1_el1", 8, "VHE"),
        ("id_aa64mmfr1_el1", 16, "LOR"),
        ("id_aa64mmfr2_el1", 24, "nesting"),
    ] {
        assert_eq!(field(name, at), 0, "{what}");
    }
    assert_eq!(field("id_aa64pfr0_el1", 0), 1, "EL0 is AArch64 only");
    assert_eq!(field("id_aa64pfr0_el1", 32), 0xF, "SVE passes");
    assert_eq!(field("id_aa64mmfr0_el1", 0), 2, "40 bits");
}

#[test]
fn syndrome_fields() {
    let pair = Access::new(0x9200_0046);
    assert!(!pair.has_syndrome() && pair.is_write());
    let store = Access::new(1 << 24 | 2 << 22 | 7 << 16 | 1 << 6 | 0x06);
    assert_eq!((store.size(), store.register(), store.is_external()), (4, 7, false));
    assert!(Access::new(0x10).is_external() && Access::new(0x16).is_external());
    assert!(!Access::new(0x0E).is_external() && !Access::new(0x21).is_external());
}
