//! Fuzz target: the cell table, as RumKV gets it.
mod good;

use cells::{Span, Table, check};
use good::{one, two};

/// Physical ranges of the kinds that have one owner, from the records alone.
fn owned(table: &Table<'_>) -> Vec<Span> {
    use abi::boot::cell;
    let owned = |kind| matches!(kind, cell::RAM | cell::HYPERVISOR | cell::RESERVED);
    let records = table.records().filter(|(_, r)| owned(r.kind));
    records
        .filter_map(|(_, r)| {
            let base = if r.kind == cell::RAM { r.b } else { r.a };
            Span::new(base, r.c).ok()
        })
        .collect()
}

#[test]
fn cell_table() {
    fuzz::run("cell-table", &[one().bytes(), two().bytes()], |bytes| {
        let Ok(table) = Table::decode(bytes) else { return };
        if check(&table).is_err() {
            return;
        }
        let owned = owned(&table);
        for (n, a) in owned.iter().enumerate() {
            for b in &owned[..n] {
                assert!(a.end() <= b.base || b.end() <= a.base, "{a:?} and {b:?}");
            }
        }
    });
}
