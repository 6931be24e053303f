//! The cell table: what nexus-boot loads and RumKV builds.
use abi::boot::{CELLS_MAGIC, CELLS_VERSION, CellRecord, CellsHeader, cell, place, virt};

use crate::{pack::Flat, profile::Profile};

/// What the table needs to know besides the profile.
pub struct Images<'a> {
    /// RumKV, where there is one.
    pub rumkv: Option<&'a Flat>,
    /// Kernel of cell 0.
    pub kernel: &'a Flat,
    /// Bytes of the device tree.
    pub fdt_len: u64,
    /// Bytes of the cell manifest.
    pub manifest_len: u64,
    /// Numbers in the index of RumKV, kernel, device tree and manifest.
    pub numbers: [usize; 4],
    /// Number of the secret, if the cell has one.
    pub secret: Option<usize>,
    /// Numbers of the first and last member of `Boot/`.
    pub boot: Option<(usize, usize)>,
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
    /// The table of `profile`.
    pub fn new(profile: &Profile, images: &Images) -> Self {
        let mut records = machine(profile);
        records.extend(cell_zero(profile, images));
        records.extend(loads(profile, images));
        let (entry, handoff) = match images.rumkv {
            Some(rumkv) => (rumkv.entry_paddr, virt::RUMKV_HANDOFF),
            None => (images.kernel.entry_paddr, virt::HANDOFF),
        };
        let header = CellsHeader {
            magic: CELLS_MAGIC,
            version: CELLS_VERSION,
            cells: 1,
            count: records.len() as u32,
            rumkv: images.rumkv.is_some().into(),
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
    for (device, class) in machine.board.assignable() {
        out.push(record(cell::MACHINE_DEVICE, class, device.at, 0, device.len));
    }
    out.push(record(cell::INTERRUPT_CONTROLLER, 0, virt::GICD, virt::GICR, 3));
    out.push(record(cell::CLOCK, 0, virt::RTC, 0, 0));
    out.push(record(cell::CONSOLE, 0, virt::UART, 0, 0));
    if profile.rumkv().is_some() {
        out.push(record(cell::HYPERVISOR, 0, virt::RUMKV, 0, virt::RUMKV_LEN));
        out.push(record(cell::POST_MORTEM, 0, virt::POST_MORTEM, 0, 0));
    }
    out
}

fn cell_zero(profile: &Profile, images: &Images) -> Vec<CellRecord> {
    let zero = profile.cell();
    let mut out =
        vec![record(cell::CELL, zero.pledge(), images.kernel.entry_paddr, virt::HANDOFF, 0)];
    out.extend(zero.cores.iter().map(|core| record(cell::CORE, 0, core.value, 0, 0)));
    for ram in &zero.ram {
        out.push(record(cell::RAM, 0, ram.at.value, ram.at.value, ram.len.value));
    }
    for device in &zero.devices {
        let (at, class) = (device.at.value, device.class.value);
        out.push(record(cell::DEVICE, class, at, at, device.len.value));
        if let Some(irq) = &device.irq {
            out.push(record(cell::IRQ, class, irq.value.into(), 0, 0));
        }
    }
    out.push(record(cell::BEB, 0, virt::BEB, 0, virt::BEB_LEN));
    out.push(record(cell::PLACE, place::FDT, virt::FDT, 0, images.fdt_len));
    out.push(record(cell::PLACE, place::MANIFEST, virt::MANIFEST, 0, images.manifest_len));
    out
}

fn loads(profile: &Profile, images: &Images) -> Vec<CellRecord> {
    let [rumkv, kernel, fdt, manifest] = images.numbers.map(|n| n as u32);
    let mut out = Vec::new();
    if let Some(flat) = images.rumkv {
        out.push(record(cell::LOAD, rumkv, flat.base_paddr, 0, flat.mem_len));
    }
    let loaded = images.kernel;
    out.push(record(cell::LOAD, kernel, loaded.base_paddr, 0, loaded.mem_len));
    out.push(record(cell::LOAD, fdt, virt::FDT, 0, images.fdt_len));
    out.push(record(cell::LOAD, manifest, virt::MANIFEST, 0, images.manifest_len));
    if let Some(secret) = images.secret {
        out.push(record(cell::LOAD, secret as u32, virt::SECRET, 0, virt::SECRET_LEN));
    }
    if let Some((first, last)) = images.boot {
        let most =
            profile.cell().ram.first().map_or(0, |r| r.at.value + r.len.value) - virt::ARCHIVE;
        out.push(record(cell::ARCHIVE, first as u32, virt::ARCHIVE, last as u64, most));
    }
    out
}
