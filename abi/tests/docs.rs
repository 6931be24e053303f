//! The tables of `docs/abi/` against the code, in both directions.
//!
//! A table that is checked stands after a marker: `<!-- record call::Range 16 -->` (offset, field,
//! bytes), `<!-- numbers call::op -->` (value, name), `<!-- calls -->`, `<!-- errors -->`,
//! `<!-- kinds -->`, `<!-- spectra -->`. The last column, the meaning, is for people.
#[path = "golden/numbers.rs"]
mod numbers;
mod source;

use abi::call::{COST_J, Error, number};
use abi::cap::{Kind, verb};
use abi::record::FieldInfo;
use abi::{boot, hypercall, image, pledge, prov, stats};
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

/// One marked table: page, marker, cells without back quotes.
struct Table {
    page: String,
    marker: String,
    header: Vec<String>,
    rows: Vec<Vec<String>>,
}

fn cells(line: &str) -> Vec<String> {
    let inner = line.trim().trim_start_matches('|').trim_end_matches('|');
    let escaped = inner.replace("\\|", "\u{1}");
    escaped.split('|').map(|c| c.trim().trim_matches('`').replace('\u{1}', "|")).collect()
}

/// Every table of one page that is marked; a table whose head is that of a checked one must be.
fn parse(page: &str, text: &str) -> Vec<Table> {
    let mut out: Vec<Table> = Vec::new();
    let mut marker = None;
    let mut lines = text.lines().peekable();
    while let Some(line) = lines.next() {
        if let Some(m) = line.strip_prefix("<!-- ").and_then(|l| l.strip_suffix(" -->")) {
            marker = Some(m.to_owned());
            assert!(lines.peek().is_some_and(|l| l.starts_with('|')), "{page}: no table after {m}");
        } else if line.starts_with('|') {
            let header = cells(line);
            let rule = lines.next().unwrap_or("");
            assert!(rule.starts_with("|---"), "{page}: no rule under {line}");
            let mut rows = Vec::new();
            while let Some(row) = lines.next_if(|l| l.starts_with('|')) {
                rows.push(cells(row));
                assert_eq!(rows[rows.len() - 1].len(), header.len(), "{page}: columns of {row}");
            }
            let checked = ["offset", "value", "n", "status"].contains(&header[0].as_str());
            match marker.take() {
                Some(marker) => out.push(Table { page: page.to_owned(), marker, header, rows }),
                None => assert!(!checked, "{page}: {line} stands without a marker"),
            }
        }
    }
    out
}

fn tables() -> Vec<Table> {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/abi");
    let mut out = Vec::new();
    for entry in fs::read_dir(dir).expect("docs/abi exists") {
        let path = entry.expect("readable").path();
        let page = path.file_name().and_then(|n| n.to_str()).expect("ASCII name");
        out.extend(parse(page, &fs::read_to_string(&path).expect("UTF-8")));
    }
    out
}

/// A cell as a number: decimal or hexadecimal, with underscores, perhaps negative.
fn value(cell: &str) -> Option<i128> {
    let plain = cell.replace('_', "");
    match plain.strip_prefix("0x") {
        Some(hex) => i128::from_str_radix(hex, 16).ok(),
        None => plain.parse().ok(),
    }
}

/// Compares the columns before the meaning with what the code says, row by row.
fn compare(table: &Table, header: &[&str], want: &[Vec<String>]) {
    let at = format!("{}: <!-- {} -->", table.page, table.marker);
    let columns = header.len();
    assert_eq!(table.header[..table.header.len() - 1], *header, "{at}: columns");
    assert_eq!(table.header[columns], "meaning", "{at}: last column");
    for row in &table.rows {
        assert!(!row[columns].is_empty(), "{at}: {row:?} says nothing");
    }
    let same = |doc: &str, code: &str| match (value(doc), value(code)) {
        (Some(a), Some(b)) => a == b,
        _ => doc == code,
    };
    for (doc, code) in table.rows.iter().zip(want) {
        let equal = code.iter().zip(doc).all(|(c, d)| same(d, c));
        assert!(equal, "{at}: the page says {:?}, the code {code:?}", &doc[..columns]);
    }
    assert_eq!(table.rows.len(), want.len(), "{at}: rows (the code has {want:?})");
}

fn row(cells: &[&dyn ToString]) -> Vec<String> {
    cells.iter().map(|c| c.to_string()).collect()
}

fn one<'a>(tables: &'a [Table], marker: &str) -> &'a Table {
    let found: Vec<&Table> = tables.iter().filter(|t| t.marker == marker).collect();
    assert_eq!(found.len(), 1, "tables with the marker {marker}");
    found[0]
}

macro_rules! records {
    ($($($p:ident)::+),* $(,)?) => {
        const RECORDS: &[(&str, usize, &[FieldInfo])] =
            &[$((stringify!($($p)::+), abi::$($p)::+::SIZE, abi::$($p)::+::FIELDS)),*];
    };
}

records! {
    systable::SysTable, call::WaitEntry, call::Spawn, call::Range, call::Unveil, call::Time,
    call::Energy, call::MapInfo, call::Landed, ring::ProducerHead, ring::ConsumerHead, ring::Slot,
    ring::Descriptor, image::ImageHeader, image::Segment, image::ImageManifest, image::QuiesceStep, prov::ProvRecord, prov::Notice, call::Append, call::LeftOff,
    hypercall::PostMortem, boot::IndexHeader, boot::IndexEntry, boot::CellsHeader, boot::CellRecord,
    boot::Handoff, boot::MemoryRange, boot::CellManifest, boot::Service, boot::Link, boot::Grant,
    boot::Beb, stats::Event, stats::FiberStats, stats::FiberEnd, stats::FiberPostMortem, stats::Heap, stats::SystemStats, vfs::Request,
    vfs::Answer,
}

#[test]
fn every_record_has_its_table() {
    let tables = tables();
    let mut named: Vec<String> = RECORDS.iter().map(|r| r.0.replace(' ', "")).collect();
    for ((_, size, fields), name) in RECORDS.iter().zip(&named) {
        let want: Vec<_> = fields.iter().map(|f| row(&[&f.offset, &f.name, &f.len])).collect();
        let table = one(&tables, &format!("record {name} {size}"));
        compare(table, &["offset", "field", "bytes"], &want);
    }
    let marked = tables.iter().filter(|t| t.marker.starts_with("record ")).count();
    assert_eq!(marked, RECORDS.len(), "a page describes a record that is not there");
    let mut declared = source::records();
    declared.sort();
    named.sort();
    assert_eq!(declared, named, "the list in this test is not that of abi/src");
}

/// Modules whose numbers have names that programs print: the names, and the number of the first.
const PRINTED: &[(&str, &[&str], i128)] = &[
    ("call::number", &number::NAMES, 0),
    ("image::policy", &image::policy::NAMES, 0),
    ("image::quiesce", &image::quiesce::NAMES, 0),
    ("prov::kind", &prov::kind::NAMES, 0),
    ("hypercall::counter", &hypercall::counter::NAMES, 0),
    ("hypercall::cause", &hypercall::cause::NAMES, 1),
    ("stats::state", &stats::state::NAMES, 0),
    ("stats::end", &stats::end::NAMES, 0),
    ("boot::cell", &boot::cell::NAMES, 0),
    ("boot::beb", &boot::beb::NAMES, 1),
];

#[test]
fn every_number_stands_in_a_table_once() {
    let mut code = BTreeMap::new();
    for &(name, value, _) in numbers::ALL.iter().copied().flatten() {
        code.insert(name.replace(' ', ""), value);
    }
    for name in source::constants() {
        assert!(
            code.contains_key(&name),
            "abi/src declares {name}, the golden test does not know it"
        );
    }
    for table in tables().iter().filter(|t| t.marker.starts_with("numbers ")) {
        let module = &table.marker["numbers ".len()..];
        let printed = PRINTED.iter().find(|p| p.0 == module);
        let mut header = vec!["value", "name"];
        header.extend(printed.map(|_| "printed"));
        let mut want = Vec::new();
        for doc in &table.rows {
            let name = format!("{module}::{}", doc[1]);
            let value = code.remove(&name);
            let value = value
                .unwrap_or_else(|| panic!("{}: {name} is not in the code, or twice", table.page));
            let mut cells = row(&[&value, &doc[1]]);
            if let Some((_, names, first)) = printed {
                let name = usize::try_from(value - first).ok().and_then(|i| names.get(i));
                cells.push((*name.unwrap_or(&"-")).to_owned());
            }
            want.push(cells);
        }
        compare(table, &header, &want);
    }
    assert!(code.is_empty(), "no page tells of {:?}", code.keys());
}

#[test]
fn calls_and_errors() {
    let tables = tables();
    let calls: Vec<_> = number::NAMES.iter().zip(COST_J).enumerate().collect();
    let table = one(&tables, "calls");
    let capability = |i: usize| table.rows.get(i).map_or("", |r| r[3].as_str());
    let want: Vec<_> =
        calls.iter().map(|(i, (name, cost))| row(&[i, name, cost, &capability(*i)])).collect();
    compare(table, &["n", "call", "J", "capability"], &want);
    let want: Vec<_> =
        Error::ALL.iter().map(|e| row(&[&(*e as isize), &format!("{e:?}")])).collect();
    compare(one(&tables, "errors"), &["status", "name"], &want);
}

#[test]
fn kinds_and_spectra() {
    let tables = tables();
    let verbs = |kind: Kind| {
        let set: Vec<_> =
            (0..7).filter(|bit| kind.verbs() >> bit & 1 == 1).map(|bit| verb::NAMES[bit]).collect();
        if set.is_empty() { String::from("none") } else { set.join(" ") }
    };
    let want: Vec<_> = (Kind::NAMES.iter().enumerate())
        .map(|(i, name)| row(&[&i, name, &verbs(Kind(i as u8))]))
        .collect();
    compare(one(&tables, "kinds"), &["value", "name", "verbs"], &want);
    let want: Vec<_> = (0..4)
        .map(|i| row(&[&i, &pledge::SPECTRA[i], &pledge::WINDOW_NS[i], &pledge::BUDGET_J[i]]))
        .collect();
    compare(one(&tables, "spectra"), &["n", "name", "window ns", "budget J"], &want);
}

#[test]
fn names_in_the_pages_are_those_that_programs_print() {
    let text = |page: &str| {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/abi").join(page);
        fs::read_to_string(path).expect("the page exists")
    };
    for (page, names) in
        [("pledges.md", pledge::NAMES.as_slice()), ("hypercalls.md", &pledge::hard::NAMES)]
    {
        for name in names {
            assert!(text(page).contains(&format!("`{name}`")), "{page}: {name}");
        }
    }
}

#[test]
#[should_panic(expected = "the page says")]
fn a_row_that_differs_is_found() {
    let page = "<!-- record call::Range 16 -->\n\
                | offset | field | bytes | meaning |\n|---|---|---|---|\n\
                | 0 | `offset` | 8 | start |\n| 8 | `len` | 4 | length |\n";
    let fields = abi::call::Range::FIELDS;
    let want: Vec<_> = fields.iter().map(|f| row(&[&f.offset, &f.name, &f.len])).collect();
    compare(&parse("page", page)[0], &["offset", "field", "bytes"], &want);
}

#[test]
#[should_panic(expected = "rows")]
fn a_missing_row_is_found() {
    let page =
        "<!-- errors -->\n| status | name | meaning |\n|---|---|---|\n| -1 | `BadCall` | text |\n";
    let want = [row(&[&-1, &"BadCall"]), row(&[&-2, &"BadSlot"])];
    compare(&parse("page", page)[0], &["status", "name"], &want);
}

/// What a section of `syscalls.md` has to say about a call, in this order.
const PARTS: [&str; 6] = ["Purpose", "Blocks", "Arguments", "Result", "Errors", "Energy"];

/// The parts of one section: text after each `- **Name**:`, without the tables that follow.
fn parts(section: &str) -> Vec<(String, String)> {
    let mut out: Vec<(String, String)> = Vec::new();
    for line in section.lines().skip(1).skip_while(|l| l.is_empty()) {
        if let Some((name, text)) = line.strip_prefix("- **").and_then(|l| l.split_once("**:")) {
            out.push((name.to_owned(), text.trim().to_owned()));
        } else if line.is_empty() {
            break;
        } else if let Some(last) = out.last_mut() {
            last.1 = format!("{} {}", last.1, line.trim());
        }
    }
    out
}

/// Every problem of the page: a call without a section, a part that is missing or says nothing, another price
/// than the code's, an error that does not exist.
fn problems(page: &str) -> Vec<String> {
    let mut out = Vec::new();
    for (i, name) in number::NAMES.iter().enumerate() {
        let head = format!("\n## {i} `{name}(");
        let Some(at) = page.find(&head) else {
            out.push(format!("{name}: no section"));
            continue;
        };
        let section = &page[at + 1..];
        let section = &section[..section.find("\n## ").unwrap_or(section.len())];
        let found = parts(section);
        let names: Vec<&str> = found.iter().map(|p| p.0.as_str()).collect();
        if names != PARTS || found.iter().any(|p| p.1.is_empty()) {
            out.push(format!("{name}: its parts are {names:?}"));
            continue;
        }
        if !found[5].1.starts_with(&format!("{} J.", COST_J[i])) {
            out.push(format!(
                "{name}: the code charges {} J, the page says {}",
                COST_J[i], found[5].1
            ));
        }
        let known: Vec<String> = Error::ALL.iter().map(|e| format!("{e:?}")).collect();
        let words = found[4].1.split('`').skip(1).step_by(2);
        let errors = words.filter(|w| w.starts_with(char::is_uppercase));
        out.extend(
            errors
                .filter(|w| !known.iter().any(|k| k == w))
                .map(|w| format!("{name}: no error {w}")),
        );
    }
    out
}

fn syscalls() -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/abi/syscalls.md");
    fs::read_to_string(path).expect("the page exists")
}

#[test]
fn every_call_has_its_six_parts_and_its_price() {
    assert_eq!(problems(&syscalls()), Vec::<String>::new());
}

#[test]
fn a_page_that_is_wrong_is_found() {
    let page = syscalls();
    let broken = |from: &str, to: &str| {
        assert!(page.contains(from), "{from}");
        problems(&page.replacen(from, to, 1)).len()
    };
    assert_eq!(broken("- **Energy**: 500 J.", "- **Energy**: 50 J."), 1);
    assert_eq!(broken("- **Blocks**: never.\n", ""), 1);
    assert_eq!(broken("## 9 `grant(", "## 9 `give("), 1);
    assert_eq!(broken("`TooBig`,", "`TooLarge`,"), 1);
}
