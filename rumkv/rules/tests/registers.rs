//! `docs/rumkv-registers.md` against the code: same registers, same order, same values, same
//! meaning.
use rules::registers::{HCR_TTLB, TABLE};

const PAGE: &str = include_str!("../../../docs/rumkv-registers.md");
const CODE: &str = include_str!("../src/registers.rs");

/// Rows of the page: name, value, meaning.
fn rows() -> Vec<(&'static str, u64, &'static str)> {
    let row = |line: &'static str| {
        let mut cells = line.strip_prefix("| `")?.strip_suffix(" |")?.splitn(3, " | ");
        let name = cells.next()?.strip_suffix('`')?;
        let value = cells.next()?.replace('_', "");
        let value = match value.strip_prefix("0x") {
            Some(hex) => u64::from_str_radix(hex, 16),
            None => value.parse(),
        };
        Some((name, value.expect("a number"), cells.next()?))
    };
    PAGE.lines().filter_map(row).collect()
}

#[test]
fn the_page_says_what_the_code_writes() {
    let page: Vec<(&str, u64)> = rows().iter().map(|&(name, value, _)| (name, value)).collect();
    assert_eq!(page, TABLE);
}

#[test]
fn the_page_explains_what_the_code_explains() {
    for (name, _, meaning) in rows() {
        let at = CODE.find(&format!("    {name} = ")).expect("declared");
        let comment: Vec<&str> = CODE[..at]
            .lines()
            .rev()
            .map(str::trim)
            .take_while(|line| line.starts_with("///"))
            .map(|line| line.trim_start_matches("/// "))
            .collect();
        let comment: Vec<&str> = comment.into_iter().rev().collect();
        assert_eq!(comment.join(" "), meaning, "{name}");
    }
}

/// Every register of the table is written with the table's value: by init, or each time that a core
/// starts; what a cell changes while it runs, there.
#[test]
fn every_register_is_written() {
    let init =
        [include_str!("../../src/init/registers.rs"), include_str!("../../src/init/start.rs")]
            .concat();
    let start = include_str!("../../src/resident/park.rs");
    let uses = |text: &str, name: &str| {
        text.matches(&format!("value::{name})")).count()
            + text.matches(&format!("value::{name} |")).count()
            + text.matches(&format!("registers::{name},")).count()
    };
    for (name, _) in TABLE {
        let (once, each) = (uses(&init, name), uses(start, name));
        assert!(once <= 1 && each <= 1 && once + each > 0, "{name}: {once} in init, {each} later");
    }
    for name in [
        "SPSR_EL2",
        "SCTLR_EL1",
        "CPACR_EL1",
        "CNTKCTL_EL1",
        "CNTV_CTL_EL0",
        "MDSCR_EL1",
        "ICH_VMCR_EL2",
    ] {
        assert_eq!(uses(start, name), 1, "{name}");
    }
}

#[test]
fn the_counting_image_differs_by_one_bit() {
    assert_eq!(HCR_TTLB, 1 << 25);
    assert!(PAGE.contains("sets TTLB, bit 25 of `HCR_EL2`"));
}

/// Bits that the isolation of a cell rests on, by the manual's numbers rather than by the code's
/// lists.
#[test]
fn what_isolates_is_on() {
    let value = |name| TABLE.iter().find(|(n, _)| *n == name).expect("in the table").1;
    let hcr = value("HCR_EL2");
    for (bit, what) in [(0, "VM"), (3, "FMO"), (4, "IMO"), (5, "AMO"), (19, "TSC"), (31, "RW")] {
        assert!(hcr >> bit & 1 == 1, "HCR_EL2.{what}");
    }
    for (bit, what) in
        [(13, "TWI"), (14, "TWE"), (25, "TTLB"), (27, "TGE"), (29, "HCD"), (34, "E2H")]
    {
        assert!(hcr >> bit & 1 == 0, "HCR_EL2.{what}");
    }
    // WXN, M; EOImode; MPAM, trace and AMU trap.
    assert_eq!(value("SCTLR_EL2") & (1 << 19 | 1), 1 << 19 | 1);
    assert_eq!(value("ICC_CTLR_EL1") & 2, 2);
    assert_eq!(value("CPTR_EL2") & (1 << 20 | 1 << 30 | 1 << 12), 1 << 20 | 1 << 30 | 1 << 12);
}
