//! A good table, and one with two cells, to be broken by the tests.
#![allow(dead_code, reason = "each test file uses a part")]
use abi::boot::{CELLS_MAGIC, CELLS_VERSION, CellRecord, CellsHeader, cell, place, virt};
use abi::pledge::hard;
use cells::{Fault, Table, check};

/// A table as records, before it is bytes.
#[derive(Clone, Debug)]
pub struct Draft {
    pub header: CellsHeader,
    pub records: Vec<CellRecord>,
}

pub fn record(kind: u16, owner: u16, arg: u32, [a, b, c]: [u64; 3]) -> CellRecord {
    CellRecord { kind, cell: owner, arg, a, b, c }
}

/// Record numbers of [`one`], for the tests that change them.
pub mod at {
    pub const MACHINE_RAM: usize = 0;
    pub const UART: usize = 1;
    pub const RTC: usize = 2;
    pub const GIC: usize = 3;
    pub const CLOCK: usize = 4;
    pub const CONSOLE: usize = 5;
    pub const HYPERVISOR: usize = 6;
    pub const POST_MORTEM: usize = 7;
    pub const RESERVED: usize = 8;
    pub const CELL: usize = 9;
    pub const CORE: usize = 10;
    pub const RAM: usize = 11;
    pub const DEVICE: usize = 12;
    pub const IRQ: usize = 13;
    pub const BEB: usize = 14;
    pub const PLACE_FDT: usize = 15;
    pub const LOAD_RUMKV: usize = 17;
    pub const LOAD_KERNEL: usize = 18;
    pub const ARCHIVE: usize = 20;
}

/// What the host tool makes of profile `core`, with one reserved range.
pub fn one() -> Draft {
    let uart = hard::CONSOLE;
    let records = vec![
        record(cell::MACHINE_RAM, 0, 0, [virt::RAM, 0, virt::RAM_LEN]),
        record(cell::MACHINE_DEVICE, 0, uart, [virt::UART, 0, 4096]),
        record(cell::MACHINE_DEVICE, 0, hard::OTHER, [virt::RTC, 0, 4096]),
        record(cell::INTERRUPT_CONTROLLER, 0, 0, [virt::GICD, virt::GICR, 3]),
        record(cell::CLOCK, 0, 0, [virt::RTC, 0, 0]),
        record(cell::CONSOLE, 0, 0, [virt::UART, 0, 0]),
        record(cell::HYPERVISOR, 0, 0, [virt::RUMKV, 0, virt::RUMKV_LEN]),
        record(cell::POST_MORTEM, 0, 0, [virt::POST_MORTEM, 0, 0]),
        record(cell::RESERVED, 0, 0, [0x4100_0000, 0, 0x1000]),
        record(cell::CELL, 0, hard::ALL, [virt::KERNEL, virt::HANDOFF, 0]),
        record(cell::CORE, 0, 0, [0, 0, 0]),
        record(cell::RAM, 0, 0, [virt::CELL0, virt::CELL0, virt::CELL0_LEN]),
        record(cell::DEVICE, 0, uart, [virt::UART, virt::UART, 4096]),
        record(cell::IRQ, 0, uart, [u64::from(virt::UART_INTID), 0, 0]),
        record(cell::BEB, 0, 0, [virt::BEB, 0, virt::BEB_LEN]),
        record(cell::PLACE, 0, place::FDT, [virt::FDT, 0, 0x800]),
        record(cell::PLACE, 0, place::MANIFEST, [virt::MANIFEST, 0, 0x300]),
        record(cell::LOAD, 0, 2, [virt::RUMKV, 0, 0x1_5000]),
        record(cell::LOAD, 0, 3, [virt::KERNEL, 0, 0x2_0000]),
        record(cell::LOAD, 0, 4, [virt::FDT, 0, 0x800]),
        record(cell::ARCHIVE, 0, 6, [virt::ARCHIVE, 9, 0x10_0000]),
    ];
    let header = CellsHeader {
        magic: CELLS_MAGIC,
        version: CELLS_VERSION,
        cells: 1,
        count: records.len() as u32,
        rumkv: 1,
        entry: virt::RUMKV + 0x2000,
        handoff: virt::RUMKV_HANDOFF,
    };
    Draft { header, records }
}

/// With a second cell, which owns the clock.
pub fn two() -> Draft {
    let mut draft = one();
    draft.header.cells = 2;
    draft.records.extend([
        record(cell::CELL, 1, hard::OTHER, [0x4000_0000, 0x4001_0000, 0]),
        record(cell::CORE, 1, 0, [1, 0, 0]),
        record(cell::RAM, 1, 0, [0x4000_0000, 0x5800_0000, 64 << 20]),
        record(cell::DEVICE, 1, hard::OTHER, [virt::RTC, virt::RTC, 4096]),
        record(cell::IRQ, 1, hard::OTHER, [34, 0, 0]),
    ]);
    draft.count()
}

impl Draft {
    /// Sets the header's count to what there is.
    pub fn count(mut self) -> Self {
        self.header.count = self.records.len() as u32;
        self
    }

    /// Adds a record.
    pub fn with(mut self, more: CellRecord) -> Self {
        self.records.push(more);
        self.count()
    }

    /// Drops a record.
    pub fn without(mut self, n: usize) -> Self {
        self.records.remove(n);
        self.count()
    }

    /// Changes a record.
    pub fn edit(mut self, n: usize, change: impl FnOnce(&mut CellRecord)) -> Self {
        change(&mut self.records[n]);
        self
    }

    /// Changes the header.
    pub fn head(mut self, change: impl FnOnce(&mut CellsHeader)) -> Self {
        change(&mut self.header);
        self
    }

    pub fn bytes(&self) -> Vec<u8> {
        let mut out = self.header.encode().to_vec();
        out.extend(self.records.iter().flat_map(CellRecord::encode));
        out
    }

    /// What the checker says.
    pub fn verdict(&self) -> Result<(), Fault> {
        let bytes = self.bytes();
        check(&Table::decode(&bytes)?)
    }
}
