//! The images of a cell after the first, on that cell's own core: verified, placed, told where
//! things are.
//!
//! nexus-boot verified the index, and with it the hash of every member; of these cells it verified
//! no contents and placed nothing. A cell whose images differ is entered with an empty map: it is
//! dead before its first instruction, its post-mortem says so, and the others do not notice.
use abi::boot::{
    CELL_FLAT, CellRecord, HANDOFF_MAGIC, Handoff, INDEX_NAME, IndexEntry, IndexHeader, cell, place,
};
use bundle::tar::{END, Member};

use super::refuse::complain;
use super::secondary::Work;
use crate::resident::Core;

/// Places everything of the cell of `core`, or empties its map.
pub(super) fn prepare(work: &Work, core: &Core) {
    let number = core.cell.number as u16;
    if let Err((member, why)) = fill(work, core, number) {
        complain(format_args!("cell {number} is not started: {}: {why}", abi::text(&member)));
        for entry in 0..u64::from(core.cell.roots) {
            core.cell.stage2.write64(8 * entry, 0);
        }
    }
}

/// Name of a member, and what is wrong with it.
type Wrong = ([u8; 104], &'static str);

fn fill(work: &Work, core: &Core, number: u16) -> Result<(), Wrong> {
    let mut measurement = blake3::Hasher::new();
    for (_, r) in work.table.of_cell(cell::LOAD, number) {
        let (entry, member) = verified(&work.handoff, u64::from(r.arg))?;
        if member.contents.len() as u64 > r.c {
            return Err((entry.name, "longer than its place"));
        }
        put(r.a, r.c, member.contents);
        measurement.update(&entry.hash);
    }
    for (_, r) in work.table.of_cell(cell::ARCHIVE, number) {
        let (first, _) = verified(&work.handoff, u64::from(r.arg))?;
        let (last, _) = verified(&work.handoff, r.b)?;
        for n in u64::from(r.arg)..=r.b {
            measurement.update(&verified(&work.handoff, n)?.0.hash);
        }
        let whole =
            archive(&work.handoff).get(first.offset as usize..(last.offset + last.len) as usize);
        let whole = whole.ok_or((first.name, "outside the bundle"))?;
        if (whole.len() + END) as u64 != r.c {
            return Err((first.name, "an archive of another length"));
        }
        put(r.a, r.c, whole);
    }
    let Some((_, record)) = work.table.of_cell(cell::CELL, number).next() else { return Ok(()) };
    if record.c & CELL_FLAT == 0 {
        let told = Handoff { measurement: *measurement.finalize().as_bytes(), ..tell(work, core) };
        let at = work.table.physical(number, record.b, Handoff::SIZE as u64);
        at.map_or(Err((abi::name("handoff"), "outside the cell")), |at| {
            put(at, Handoff::SIZE as u64, &told.encode());
            Ok(())
        })?;
    }
    Ok(())
}

/// The bundle as nexus-boot left it.
fn archive(handoff: &Handoff) -> &'static [u8] {
    super::start::bytes(handoff.archive, handoff.archive_len)
}

/// Entry `n` of the index, and its member, whose hash is the entry's.
fn verified(handoff: &Handoff, n: u64) -> Result<(IndexEntry, Member<'static>), Wrong> {
    let bundle = archive(handoff);
    let broken = (abi::name(INDEX_NAME), "has no such entry");
    let index = Member::parse(bundle).map_err(|r| (r.member, r.reason))?;
    let at = IndexHeader::SIZE + n as usize * IndexEntry::SIZE;
    let entry = index.contents.get(at..).and_then(IndexEntry::decode).ok_or(broken)?;
    let from = entry.offset as usize;
    let raw = bundle.get(from..from + entry.len as usize).ok_or((entry.name, "truncated"))?;
    if *blake3::hash(raw).as_bytes() != entry.hash {
        return Err((entry.name, "hash differs"));
    }
    let member = Member::parse(raw).map_err(|r| (r.member, r.reason))?;
    if member.name != entry.name {
        return Err((entry.name, "another name in the index than in its header"));
    }
    Ok((entry, member))
}

/// Writes `contents` and then zeros up to `len` into the cell's RAM.
fn put(to: u64, len: u64, contents: &[u8]) {
    // SAFETY: the checked table says that it is RAM of this cell, which does not run yet.
    let place = unsafe { core::slice::from_raw_parts_mut(to as *mut u8, len as usize) };
    let (head, tail) = place.split_at_mut(contents.len());
    head.copy_from_slice(contents);
    tail.fill(0);
    for line in (to & !15..to + len).step_by(16) {
        // SAFETY: the memory is the cell's, written with the MMU off; maintenance by address
        // changes no value.
        unsafe { core::arch::asm!("dc civac, {}", in(reg) line, options(nostack, preserves_flags)) }
    }
}

/// What the kernel of the cell is told, in the addresses that it sees.
fn tell(work: &Work, core: &Core) -> Handoff {
    let number = core.cell.number as u16;
    let first = |kind| work.table.of_cell(kind, number).next().map(|(_, r)| r);
    let seen = |r: Option<CellRecord>| {
        r.and_then(|r| Some((work.table.seen(number, r.a, r.c)?, r.c))).unwrap_or((0, 0))
    };
    let placed = |what| {
        seen(work.table.of_cell(cell::PLACE, number).map(|(_, r)| r).find(|r| r.arg == what))
    };
    let (ram, ram_len) = first(cell::RAM).map_or((0, 0), |r| (r.a, r.c));
    let (beb, beb_len) = seen(first(cell::BEB));
    let (archive, archive_len) = seen(first(cell::ARCHIVE));
    let (fdt, fdt_len) = placed(place::FDT);
    let (manifest, manifest_len) = placed(place::MANIFEST);
    let known = work.handoff.seed != [0; 32];
    let mut seed = blake3::Hasher::new();
    seed.update(&work.handoff.seed).update(&number.to_le_bytes());
    Handoff {
        magic: HANDOFF_MAGIC,
        version: 1,
        size: Handoff::SIZE as u16,
        archive,
        archive_len,
        fdt,
        fdt_len,
        manifest,
        manifest_len,
        ram,
        ram_len,
        beb,
        beb_len,
        wall: work.handoff.wall,
        started: work.handoff.started,
        machine: work.handoff.machine,
        seed: if known { *seed.finalize().as_bytes() } else { [0; 32] },
        gicd: core.cell.gicd.base(),
        gicr: core.gicr.base(),
        cores: core.cell.cores.len() as u32,
        ..Handoff::zeroed()
    }
}
