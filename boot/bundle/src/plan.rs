//! What nexus-boot does with a verified bundle: where it copies what, and what it tells whom.
//!
//! Only what nexus-boot itself relies on is checked here; the crate `cells` checks the whole table.
use crate::index::foreign;
use crate::tar::END;
use crate::{Refusal, Verified};
use abi::boot::{CELLS_MAGIC, CELLS_NAME, CELLS_VERSION, CellRecord, CellsHeader, Handoff};
use abi::boot::{HANDOFF_MAGIC, cell, place};
use core::ops::Range;

/// Memory that nexus-boot writes: `bytes`, then zeros up to `len`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Placement<'a> {
    /// Physical address.
    pub to: u64,
    /// Bytes in all.
    pub len: u64,
    /// What stands at the start.
    pub bytes: &'a [u8],
}

/// A cell table that nexus-boot can follow.
#[derive(Clone, Copy, Debug)]
pub struct Plan<'a> {
    /// Head of the table: entry, handoff, and whether RumKV is there.
    pub header: CellsHeader,
    /// Physical address of the handoff of cell 0's kernel.
    pub kernel_handoff: u64,
    verified: Verified<'a>,
    cells: &'a [u8],
}

impl<'a> Plan<'a> {
    /// Reads the cell table of `verified`. Every placement must lie in the machine's RAM and touch
    /// neither another one nor `taken`; the first instruction must lie in what was loaded.
    ///
    /// # Errors
    /// A refusal of the cell table.
    pub fn new(verified: Verified<'a>, taken: &[Range<u64>]) -> Result<Self, Refusal> {
        let refuse = |reason| Refusal::new(CELLS_NAME, reason);
        let need = |held: bool, reason| held.then_some(()).ok_or(refuse(reason));
        let cells = verified.member(0).ok_or(refuse("missing"))?.1.contents;
        let header = CellsHeader::decode(cells).ok_or(refuse("too short"))?;
        let len = CellsHeader::SIZE as u64 + CellRecord::SIZE as u64 * u64::from(header.count);
        let form = (header.magic, header.version, cells.len() as u64);
        need(form == (CELLS_MAGIC, CELLS_VERSION, len) && header.rumkv <= 1, "malformed")?;
        let mut plan = Self { header, kernel_handoff: 0, verified, cells };
        plan.kernel_handoff = plan.first(cell::CELL).ok_or(refuse("has no cell 0"))?.b;
        let one = header.rumkv == 1 || header.handoff == plan.kernel_handoff;
        need(one, "names two handoffs for one kernel")?;
        let copies = |r: &CellRecord| matches!(r.kind, cell::LOAD | cell::ARCHIVE) && r.cell == 0;
        let possible = plan.records().filter(copies).all(|r| plan.placement(&r).is_some());
        need(possible, "places a member that is missing or too long")?;
        plan.check(taken).map_err(refuse)?;
        Ok(plan)
    }

    /// Everything to be written for RumKV and cell 0 (RumKV places the rest): members, and the handoffs as zeros that are filled in afterwards.
    pub fn placements(&self) -> impl Iterator<Item = Placement<'a>> {
        let second = (self.header.rumkv == 1).then_some(self.header.handoff);
        let handoffs = [self.kernel_handoff].into_iter().chain(second);
        let handoffs = handoffs.map(|to| Placement { to, len: Handoff::SIZE as u64, bytes: &[] });
        let own = self.records().filter(|r| r.cell == 0);
        own.filter_map(|r| self.placement(&r)).chain(handoffs)
    }

    /// The first record of `kind` that names cell 0, or no cell.
    pub fn first(&self, kind: u16) -> Option<CellRecord> {
        self.records().find(|r| r.kind == kind && r.cell == 0)
    }

    /// What the kernel of cell 0 is told. `facts` has what only nexus-boot knows: times, seed, its
    /// own place.
    pub fn kernel(&self, facts: &Handoff) -> Handoff {
        let own = |r: &CellRecord| r.kind == cell::PLACE && r.cell == 0;
        let place = |what| self.records().find(|r| own(r) && r.arg == what);
        let archive = self.first(cell::ARCHIVE).and_then(|r| self.placement(&r));
        let mut told = self.common(facts, cell::RAM);
        (told.archive, told.archive_len) = archive.map_or((0, 0), |p| (p.to, p.len));
        (told.fdt, told.fdt_len) = range(place(place::FDT));
        (told.manifest, told.manifest_len) = range(place(place::MANIFEST));
        told.cores = self.records().filter(|r| r.kind == cell::CORE && r.cell == 0).count() as u32;
        told
    }

    /// What RumKV is told. `facts` has the bundle and the firmware's device tree besides.
    pub fn rumkv(&self, facts: &Handoff) -> Handoff {
        let mut told = self.common(facts, cell::HYPERVISOR);
        (told.cells, told.cells_len) = (self.cells.as_ptr().addr() as u64, self.cells.len() as u64);
        told.cores = self.records().filter(|r| r.kind == cell::CORE).count() as u32;
        told
    }

    fn common(&self, facts: &Handoff, ram: u16) -> Handoff {
        let mut told =
            Handoff { magic: HANDOFF_MAGIC, version: 1, size: Handoff::SIZE as u16, ..*facts };
        (told.ram, told.ram_len) = range(self.first(ram));
        (told.beb, told.beb_len) = range(self.first(cell::BEB));
        let controller = self.first(cell::INTERRUPT_CONTROLLER);
        (told.gicd, told.gicr) = controller.map_or((0, 0), |r| (r.a, r.b));
        (told.measurement, told.machine) = (self.measurement(), self.verified.machine);
        told
    }

    /// BLAKE3-256 over the index's hashes of what cell 0 is given, in the order of the cell table.
    fn measurement(&self) -> [u8; 32] {
        let mut hasher = blake3::Hasher::new();
        let ram = |r: &CellRecord| r.kind == cell::RAM && r.cell == 0;
        let given = |to| self.records().filter(ram).any(|r| r.b <= to && to - r.b < r.c);
        for r in self.records().filter(|r| r.cell == 0 && given(r.a)) {
            let (first, count) = members(&r).unwrap_or((0, 0));
            for entry in self.verified.entries().skip(first).take(count) {
                hasher.update(&entry.hash);
            }
        }
        *hasher.finalize().as_bytes()
    }

    fn records(&self) -> impl Iterator<Item = CellRecord> + use<'a> {
        self.cells[CellsHeader::SIZE..]
            .chunks_exact(CellRecord::SIZE)
            .filter_map(CellRecord::decode)
    }

    /// What a LOAD or ARCHIVE record places; `None` if it cannot.
    fn placement(&self, r: &CellRecord) -> Option<Placement<'a>> {
        let (first, count) = members(r)?;
        let (entry, member) = self.verified.member(first)?;
        let (last, _) = self.verified.member(first + count.checked_sub(1)?)?;
        let unverified = self.verified.entries().skip(first).take(count).any(|e| foreign(&e));
        if unverified {
            return None;
        }
        let range = entry.offset as usize..(last.offset + last.len) as usize;
        let whole = self.verified.bundle.get(range)?;
        let (bytes, len) = match r.kind {
            cell::LOAD => (member.contents, r.c),
            _ => (whole, (whole.len() + END) as u64),
        };
        (bytes.len() as u64 <= len && len <= r.c).then_some(Placement { to: r.a, len, bytes })
    }

    fn check(&self, taken: &[Range<u64>]) -> Result<(), &'static str> {
        let ram = |r: &CellRecord| r.kind == cell::MACHINE_RAM;
        for (n, p) in self.placements().enumerate() {
            let end = p.to.checked_add(p.len).ok_or("places something past the last address")?;
            let held = self.records().filter(ram).any(|r| r.a <= p.to && end - r.a <= r.c);
            held.then_some(()).ok_or("places something where the machine has no RAM")?;
            let meets = |from: u64, to: u64| p.to < to && from < end;
            let used = taken.iter().any(|t| meets(t.start, t.end));
            (!used).then_some(()).ok_or("places something over what is in use")?;
            let twice = self.placements().take(n).any(|q| meets(q.to, q.to + q.len));
            (!twice).then_some(()).ok_or("places two things in one place")?;
        }
        let entry = self.header.entry;
        let image = |p: Placement| p.to <= entry && entry - p.to < p.bytes.len() as u64;
        let loaded = entry.is_multiple_of(4) && self.placements().any(image);
        loaded.then_some(()).ok_or("starts outside what is loaded")
    }
}

/// First member that a LOAD or ARCHIVE record names, and how many.
fn members(r: &CellRecord) -> Option<(usize, usize)> {
    match r.kind {
        cell::LOAD => Some((r.arg as usize, 1)),
        cell::ARCHIVE => {
            Some((r.arg as usize, r.b.checked_add(1)?.checked_sub(r.arg as u64)? as usize))
        }
        _ => None,
    }
}

/// Base and length of a record; zeros if there is none.
fn range(record: Option<CellRecord>) -> (u64, u64) {
    record.map_or((0, 0), |r| (r.a, r.c))
}
