//! The SMMU: what devices reach (Arm IHI 0070, SMMU architecture version 3).
//!
//! nexus-boot told it to abort everything before it looked at the bundle. Init makes a stream table
//! in which every stream aborts but those that the cell table gives to a cell: these are translated
//! by that cell's own second stage, so that a device reaches what its cell reaches and nothing else,
//! and what leaves the map leaves it for both. No ATS, no stalls, no event queue.
//!
//! After boot the resident part ([`crate::resident`], `dma`) issues commands, always the same four,
//! which init writes into the whole queue; only the cell's number is filled in.
use abi::boot::cell;
use cells::Table;
use rules::registers::VTCR_EL2;

use super::refuse::refuse;
use super::tables::Pool;
use crate::instruction;
use crate::memory::Block;
use crate::resident::dma::{CONS, EACH, INDEX, PROD, SLOTS, VMID_OF};

/// Registers (IHI 0070, 6.3).
const IDR0: u64 = 0x0;
const IDR1: u64 = 0x4;
const CR0: u64 = 0x20;
const CR0ACK: u64 = 0x24;
const CR1: u64 = 0x28;
const CR2: u64 = 0x2C;
const IRQ_CTRL: u64 = 0x50;
const STRTAB_BASE: u64 = 0x80;
const STRTAB_BASE_CFG: u64 = 0x88;
const CMDQ_BASE: u64 = 0x90;

/// IDR0: second stage 0, coherent 4, stream table of two levels 28:27.
const S2P: u32 = 1;
const COHACC: u32 = 1 << 4;
const ST_LEVEL: u32 = 27;
/// CR0.
const SMMUEN: u32 = 1;
const CMDQEN: u32 = 1 << 3;
/// CR1: tables and queues are inner shareable and cached.
const CACHED: u32 = 0xD75;
/// Streams of a table of level 2, as a power of two; one of level 1 fills at most a page.
const SPLIT: u32 = 8;
const MOST: u32 = SPLIT + 9;
/// Bytes of a stream table entry.
const ENTRY: u64 = 64;
/// Commands (IHI 0070, 4.1): all configuration, all translations, those of a VMID, wait.
const CFGI_ALL: [u64; 2] = [0x4, 31];
const TLBI_NSNH_ALL: [u64; 2] = [0x30, 0];
const TLBI_S12_VMALL: [u64; 2] = [0x28, 0];
const SYNC: [u64; 2] = [0x46, 0];

/// The SMMU of the machine.
#[derive(Clone, Copy)]
pub(super) struct Smmu {
    /// Its registers.
    pub(super) registers: Block,
    /// Its command queue.
    pub(super) queue: Block,
    /// Stream table of level 1.
    streams: Block,
    /// Bits of a stream's id.
    bits: u32,
}

impl Smmu {
    /// Looks whether it can do what is needed of it, and makes an empty stream table and the queue.
    pub(super) fn find(table: &Table<'_>, pool: &mut Pool) -> Option<Self> {
        let (_, record) = table.first(cell::IOMMU)?;
        // SAFETY: the machine's SMMU, checked.
        let registers = unsafe { Block::at(record.a) };
        let (idr0, idr1) = (registers.read32(IDR0), registers.read32(IDR1));
        if idr0 & S2P == 0 || idr0 & COHACC == 0 || idr0 >> ST_LEVEL & 3 != 1 {
            refuse(format_args!(
                "the SMMU lacks a second stage, coherence or tables of two levels: {idr0:#x}"
            ));
        }
        if 1 << (idr1 >> 21 & 31) < SLOTS {
            refuse(format_args!("the SMMU's command queue is too short: {idr1:#x}"));
        }
        let bits = (idr1 & 0x3F).min(MOST);
        Some(Self { registers, queue: pool.pages(1), streams: pool.pages(1), bits })
    }

    /// Gives a stream to the cell of this VMID and second stage; answers its entry, of which the
    /// first word makes it abort when it is zero.
    pub(super) fn give(&self, pool: &mut Pool, id: u64, vmid: u64, root: Block) -> Block {
        /// Second stage only.
        const CONFIG: u64 = 0b110 << 1;
        /// Shareability as the device says.
        const SHCFG: u64 = 1 << 44;
        /// AArch64's format; the access flag does not fault.
        const S2AA64: u64 = 1 << 51;
        const S2AFFD: u64 = 1 << 53;
        /// T0SZ to PS stand as they stand in VTCR_EL2.
        const OF_VTCR: u64 = 0x7_FFFF;
        if id >> self.bits != 0 {
            refuse(format_args!("the SMMU has no stream {id:#x}"));
        }
        let entry = self.entry(pool, id);
        entry.write64(8, SHCFG);
        entry.write64(16, vmid | (VTCR_EL2 & OF_VTCR) << 32 | S2AA64 | S2AFFD);
        entry.write64(24, root.base());
        entry.write64(0, CONFIG | 1);
        entry
    }

    /// The entry of a stream; its table of level 2 is made if it is the first one of it.
    fn entry(&self, pool: &mut Pool, id: u64) -> Block {
        const SPAN: u64 = SPLIT as u64 + 1;
        const POINTER: u64 = !0x3F;
        let at = 8 * (id >> SPLIT);
        let mut table = self.streams.read64(at);
        if table == 0 {
            table = pool.pages((ENTRY << SPLIT) / abi::PAGE as u64).base() | SPAN;
            self.streams.write64(at, table);
        }
        let place = (table & POINTER) + ENTRY * (id & ((1 << SPLIT) - 1));
        // SAFETY: an entry of a table in RumKV's own memory.
        unsafe { Block::at(place) }
    }

    /// Turns it on: from here on every stream is what its entry says. Tables and queue are written.
    pub(super) fn enable(&self) {
        const TWO_LEVELS: u32 = 1 << 16;
        let smmu = self.registers;
        // GBPA aborts, as nexus-boot set it, until the table is there.
        self.control(0);
        smmu.write32(IRQ_CTRL, 0);
        smmu.write32(CR1, CACHED);
        smmu.write32(CR2, 0);
        smmu.write64(STRTAB_BASE, self.streams.base());
        smmu.write32(STRTAB_BASE_CFG, TWO_LEVELS | SPLIT << 6 | self.bits);
        smmu.write64(CMDQ_BASE, self.queue.base() | u64::from(SLOTS.trailing_zeros()));
        smmu.write32(PROD, 0);
        smmu.write32(CONS, 0);
        self.control(CMDQEN);
        // What firmware left goes with the first four; from then on the queue is constant.
        self.commands(0, TLBI_NSNH_ALL);
        instruction!("dsb sy");
        smmu.write32(PROD, EACH);
        if !(0..1_000_000).any(|_| smmu.read32(CONS) & INDEX == EACH) {
            refuse(format_args!("the SMMU does not take commands"));
        }
        for first in (0..SLOTS).step_by(EACH as usize) {
            self.commands(first, TLBI_S12_VMALL);
        }
        instruction!("dsb sy");
        self.control(CMDQEN | SMMUEN);
    }

    /// Four commands from slot `first` on: no configuration is cached, then no translation.
    fn commands(&self, first: u32, invalidate: [u64; 2]) {
        const _: () = assert!(VMID_OF == 16 * 2 + 4, "the third command's VMID");
        for (n, [low, high]) in [CFGI_ALL, SYNC, invalidate, SYNC].into_iter().enumerate() {
            let at = 16 * (u64::from(first) + n as u64);
            self.queue.write64(at, low);
            self.queue.write64(at + 8, high);
        }
    }

    fn control(&self, value: u32) {
        self.registers.write32(CR0, value);
        if !(0..1_000_000).any(|_| self.registers.read32(CR0ACK) == value) {
            refuse(format_args!("the SMMU does not follow its control register"));
        }
    }
}
