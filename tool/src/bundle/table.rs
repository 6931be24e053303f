//! The cell table: what nexus-boot loads and RumKV builds.
use abi::boot::{CELLS_MAGIC, CELLS_VERSION, CellRecord, CellsHeader, cell, virt};

use super::{Load, Parts};
use crate::pack::Flat;
use crate::profile::{
    Profile,
    board::{SECOND_UART, SMMU},
    model::Cell,
};

/// The members that every Rumpk cell finds under `/Boot`.
#[derive(Debug)]
pub struct Boot {
    /// Number of the first in the index.
    pub first: usize,
    /// Number of the last.
    pub last: usize,
    /// Bytes of an archive of them.
    pub len: u64,
}

/// A cell table before it is bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Table {
    /// Its head; `count` follows from the records.
    pub header: CellsHeader,
    /// Its records.
    pub records: Vec<CellRecord>,
}

impl Table {
    /// The table of `profile`; `rumkv`: its number in the index and itself.
    pub(super) fn new(
        profile: &Profile,
        rumkv: Option<(usize, &Flat)>,
        cells: &[Parts],
        boot: Option<&Boot>,
    ) -> Self {
        let mut records = machine(profile);
        for (number, (cell, parts)) in (0..).zip(profile.cells().iter().zip(cells)) {
            let own = of_cell(cell, parts).into_iter();
            records.extend(own.map(|r| CellRecord { cell: number, ..r }));
        }
        if let Some((n, flat)) = rumkv {
            records.push(record(cell::LOAD, n as u32, flat.base_paddr, 0, flat.mem_len));
        }
        for (number, (cell, parts)) in (0..).zip(profile.cells().iter().zip(cells)) {
            let own = loads(cell, parts, boot, number == 0).into_iter();
            records.extend(own.map(|r| CellRecord { cell: number, ..r }));
        }
        let (entry, handoff) = match (rumkv, cells.first()) {
            (Some((_, flat)), _) => (flat.entry_paddr, virt::RUMKV_HANDOFF),
            (None, Some(zero)) => (zero.entry, zero.argument),
            (None, None) => (0, 0),
        };
        let header = CellsHeader {
            magic: CELLS_MAGIC,
            version: CELLS_VERSION,
            cells: cells.len() as u16,
            count: records.len() as u32,
            rumkv: rumkv.is_some().into(),
            entry,
            handoff,
        };
        Self { header, records }
    }

    /// The member `cells.bin`.
    pub fn encode(&self) -> Vec<u8> {
        let header = CellsHeader { count: self.records.len() as u32, ..self.header };
        let mut out = header.encode().to_vec();
        out.extend(self.records.iter().flat_map(CellRecord::encode));
        out
    }
}

fn record(kind: u16, arg: u32, a: u64, b: u64, c: u64) -> CellRecord {
    CellRecord { kind, cell: 0, arg, a, b, c }
}

fn machine(profile: &Profile) -> Vec<CellRecord> {
    let machine = profile.machine();
    let mut out = vec![record(cell::MACHINE_RAM, 0, machine.board.ram, 0, machine.ram)];
    let there = |at| at != SECOND_UART || profile.consoles() > 1;
    for (device, class) in machine.board.assignable().filter(|(d, _)| there(d.at)) {
        out.push(record(cell::MACHINE_DEVICE, class, device.at, 0, device.len));
    }
    out.push(record(cell::INTERRUPT_CONTROLLER, 0, virt::GICD, virt::GICR, 3));
    out.push(record(cell::CLOCK, 0, virt::RTC, 0, 0));
    out.push(record(cell::CONSOLE, 0, virt::UART, 0, 0));
    if profile.rumkv().is_some() {
        out.push(record(cell::HYPERVISOR, 0, virt::RUMKV, 0, virt::RUMKV_LEN));
        out.push(record(cell::POST_MORTEM, 0, virt::POST_MORTEM, 0, 0));
        out.push(record(cell::IOMMU, 0, SMMU, 0, 3));
    }
    out
}

fn of_cell(owner: &Cell, parts: &Parts) -> Vec<CellRecord> {
    let mut out =
        vec![record(cell::CELL, owner.pledge(), parts.entry, parts.argument, parts.flags)];
    out.extend(owner.cores.iter().map(|core| record(cell::CORE, 0, core.value, 0, 0)));
    for (n, ram) in owner.ram.iter().enumerate() {
        let seen = if n == 0 { owner.seen() } else { ram.at.value };
        out.push(record(cell::RAM, 0, seen, ram.at.value, ram.len.value));
    }
    for device in &owner.devices {
        let (at, class) = (device.at.value, device.class.value);
        out.push(record(cell::DEVICE, class, at, at, device.len.value));
        if let Some(irq) = &device.irq {
            out.push(record(cell::IRQ, class, irq.value.into(), 0, 0));
        }
    }
    if owner.guest.is_none() {
        out.push(record(cell::BEB, 0, owner.physical(virt::BEB), 0, virt::BEB_LEN));
    }
    let placed = parts.places.iter();
    out.extend(placed.map(|&(what, at, len)| record(cell::PLACE, what, at, 0, len)));
    out
}

/// What is loaded for a cell; the archive of cell 0 may be exchanged for another one, and gets all
/// the room there is.
fn loads(owner: &Cell, parts: &Parts, boot: Option<&Boot>, zero: bool) -> Vec<CellRecord> {
    let load = |l: &Load| record(cell::LOAD, l.member as u32, l.at, 0, l.len);
    let mut out: Vec<CellRecord> = parts.loads.iter().map(load).collect();
    if let (Some(boot), None) = (boot, &owner.guest) {
        let ram_end = owner.ram.first().map_or(0, |r| r.at.value + r.len.value);
        let at = owner.physical(virt::ARCHIVE);
        let most = if zero { ram_end - at } else { boot.len };
        out.push(record(cell::ARCHIVE, boot.first as u32, at, boot.last as u64, most));
    }
    out
}
