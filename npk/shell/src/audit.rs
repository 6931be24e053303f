//! `audit`: the chain as a table, its head, and the whole of it as text for the host's `nexus audit verify`.
use core::fmt;

use abi::prov::{ProvRecord, boot, kind};
use abi::stats::end;
use prov::text::{BEGIN, parts};
use rt::audit::Audit;
use rt::{print, println};

use crate::words::Words;

/// Records that `audit` shows unless it is told how many.
const LAST: u64 = 20;

/// Does what the words after `audit` say.
pub fn run(words: &Words) {
    let Some(audit) = Audit::own() else { return println!("audit: not permitted") };
    let number = |word: Option<&str>, default| match word.map(str::parse::<u64>) {
        None => Some(default),
        Some(number) => number.ok(),
    };
    let written = match audit.count() {
        Ok(written) => written,
        Err(e) => return println!("audit: {}", rt::start::describe(e)),
    };
    match words.get(1) {
        Some("head") if words.len() == 2 => head(audit, written),
        Some("export") => match number(words.get(2), written) {
            Some(last) => export(audit, written.saturating_sub(last), written),
            None => println!("audit: export takes a number of records"),
        },
        word => match number(word, LAST).filter(|_| words.len() <= 2) {
            Some(last) => table(audit, written.saturating_sub(last), written),
            None => println!("audit: a number, `head` or `export`"),
        },
    }
}

/// Records `from` to `until`. Reading makes none, but printing may: a bound keeps it finite.
fn records(audit: Audit, from: u64, until: u64) -> impl Iterator<Item = [u8; ProvRecord::SIZE]> {
    let seq = |r: &[u8; ProvRecord::SIZE]| r.first_chunk().map_or(0, |s| u64::from_le_bytes(*s));
    audit.records(from).take_while(move |record| seq(record) < until)
}

fn head(audit: Audit, written: u64) {
    let last = records(audit, written.saturating_sub(1), written).last();
    match last.as_ref().and_then(|bytes| ProvRecord::decode(bytes)) {
        Some(record) => println!("{} {}", record.seq, Hex(&record.hash)),
        None => println!("audit: there is no record"),
    }
}

fn export(audit: Audit, from: u64, until: u64) {
    println!("{BEGIN}");
    for record in records(audit, from, until) {
        for part in parts(&record) {
            println!("{part}");
        }
        // A long export is honest work: giving way keeps it from counting as a strike.
        rt::sys::yield_();
    }
}

fn table(audit: Audit, from: u64, until: u64) {
    println!("{HEAD}");
    for record in records(audit, from, until) {
        if let Some(record) = ProvRecord::decode(&record) {
            print!("{}", Line(&record));
        }
        rt::sys::yield_();
    }
    for (core, stats) in (0..).map_while(|core| Some((core, rt::stats::core(core).ok()?))) {
        if stats.audits_lost != 0 {
            println!("core {core}: {} records lost on the way here", stats.audits_lost);
        }
    }
}

const HEAD: &str = "  SEQ       TIME KIND             FIBER WHAT";

struct Hex<'a>(&'a [u8]);

impl fmt::Display for Hex<'_> {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// One record as a line.
pub struct Line<'a>(pub &'a ProvRecord);

impl fmt::Display for Line<'_> {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        let record = self.0;
        let kind = kind::NAMES.get(record.kind as usize).copied().unwrap_or("unknown");
        let ms = record.time / 1_000_000;
        write!(f, "{:5} {:6}.{:03} {kind:16} ", record.seq, ms / 1000, ms % 1000)?;
        write!(f, "{:5} ", record.fiber)?;
        what(record, f)?;
        writeln!(f)
    }
}

/// What the kind says of object, status and data (docs/abi/provchain.md).
fn what(record: &ProvRecord, f: &mut fmt::Formatter) -> fmt::Result {
    let (object, status, data) = (record.object, record.status, &record.data);
    let word = |at: usize| data[at..].first_chunk().map_or(0, |b| u64::from_le_bytes(*b));
    let ended = end::NAMES.get(object as usize).copied().unwrap_or("unknown");
    match record.kind {
        kind::BOOT => match status {
            boot::MACHINE => write!(f, "machine {}", Hex(&data[..8])),
            boot::HEAD => write!(f, "after the chain with head {}", Hex(&data[..8])),
            boot::END => write!(f, "before: state {}, pc {:#x}", word(24) as u32, word(0)),
            _ => write!(f, "before: {}", abi::text(data)),
        },
        kind::IMAGE => write!(f, "hash {}", Hex(&data[..8])),
        kind::SPAWN => write!(f, "{} as {object}", abi::text(data)),
        kind::EXIT if object == u32::from(end::EXIT) => {
            write!(f, "{} with {status}", abi::text(&data[16..]))
        }
        kind::EXIT => write!(f, "{}: {ended}", abi::text(&data[16..])),
        kind::FAULT => {
            let name = abi::text(&data[16..]);
            write!(f, "{name}: {ended} at {:#x}, pc {:#x}", word(8), word(0))
        }
        kind::PLEDGE if status == 0 => write!(f, "{:#x} to {:#x}", word(0), word(8)),
        kind::PLEDGE_VIOLATION => write!(f, "{}: pc {:#x}", abi::text(&data[16..]), word(0)),
        kind::STRIKE => write!(f, "number {status}"),
        kind::CHECKPOINT => write!(f, "seal of record {object}, half {}", status + 1),
        kind::OVERRUN => write!(f, "{} dropped, {} lost", word(0), word(8)),
        kind::APPLICATION if object == u32::from(end::PANIC) => {
            write!(f, "last words: {}", abi::text(data))
        }
        _ => write!(f, "object {object}, status {status}"),
    }
}
