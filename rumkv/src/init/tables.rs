//! Translation tables of both stages (Arm ARM DDI 0487, D8.3), and the memory that they are made
//! of.
//!
//! One mapper serves both: three levels from level 1, 4 KB granule; only the attributes differ, and
//! that stage 2 starts with two concatenated tables.
use super::refuse::refuse;
use crate::memory::Block;

const PAGE: u64 = abi::PAGE as u64;
/// Descriptor of a table, and of a page.
const TABLE: u64 = 0b11;
const PAGE_DESCRIPTOR: u64 = 0b11;
/// Descriptor of a block.
const BLOCK: u64 = 0b01;
const NEXT_TABLE: u64 = 0xFFFF_FFFF_F000;

/// RumKV's free memory, given out once, in order, zeroed.
pub(super) struct Pool {
    next: u64,
    end: u64,
}

impl Pool {
    /// The pages from `next` to `end`.
    pub(super) const fn new(next: u64, end: u64) -> Self {
        Self { next, end }
    }

    /// First byte that was not given out.
    pub(super) const fn next(&self) -> u64 {
        self.next
    }

    /// Zeroed pages in one piece, aligned to their whole length (a power of two).
    pub(super) fn pages(&mut self, count: u64) -> Block {
        let base = self.next.next_multiple_of(count * PAGE);
        self.next = base + count * PAGE;
        if self.next > self.end {
            refuse(format_args!("RumKV's own memory is too small for its tables"));
        }
        // SAFETY: RumKV's own memory, given out once.
        let block = unsafe { Block::at(base) };
        for offset in (0..count * PAGE).step_by(8) {
            block.write64(offset, 0);
        }
        block
    }
}

/// Attributes of a mapping, without the bits that say block or page.
#[derive(Clone, Copy)]
pub(super) struct Attributes(u64);

/// Access flag.
const AF: u64 = 1 << 10;
const INNER_SHAREABLE: u64 = 3 << 8;

impl Attributes {
    /// Stage 2: RAM, all access. MemAttr 0b1111, S2AP 0b11.
    pub(super) const CELL_RAM: Self = Self(AF | INNER_SHAREABLE | 3 << 6 | 0xF << 2);
    /// Stage 2: Device-nGnRnE, read and write, never execute (XN 0b10). MemAttr 0b0000.
    pub(super) const CELL_DEVICE: Self = Self(AF | 3 << 6 | 2 << 53);
    /// EL2: normal memory (attribute 1), read-only, executable.
    pub(super) const TEXT: Self = Self(AF | INNER_SHAREABLE | 2 << 6 | 1 << 6 | 1 << 2);
    /// EL2: normal memory, read and write, never execute.
    pub(super) const DATA: Self = Self(AF | INNER_SHAREABLE | 1 << 6 | 1 << 2 | 1 << 54);
    /// EL2: Device-nGnRnE (attribute 0), read and write, never execute.
    pub(super) const DEVICE: Self = Self(AF | 1 << 6 | 1 << 54);
}

/// A translation table from its root of level 1.
#[derive(Clone, Copy)]
pub(super) struct Root(pub(super) Block);

impl Root {
    /// Maps `len` bytes, all page aligned (the cell table was checked). `large`: with the largest
    /// blocks that fit.
    pub(super) fn map(
        self,
        pool: &mut Pool,
        [from, to, len]: [u64; 3],
        attributes: Attributes,
        large: bool,
    ) {
        let mut done = 0;
        while done < len {
            let fits = |size: u64| {
                large && (from + done) % size == 0 && (to + done) % size == 0 && len - done >= size
            };
            let shift = if fits(1 << 30) {
                30
            } else if fits(1 << 21) {
                21
            } else {
                12
            };
            self.entry(pool, from + done, to + done, shift, attributes);
            done += 1 << shift;
        }
    }

    /// Writes the entry that maps `1 << shift` bytes.
    fn entry(self, pool: &mut Pool, from: u64, to: u64, shift: u32, attributes: Attributes) {
        let mut table = self.0;
        let mut level = 30;
        while level > shift {
            // The root of stage 2 has 1,024 entries; checked addresses reach no others.
            let index = (from >> level) & if level == 30 { 1023 } else { 511 };
            let mut next = table.read64(index * 8);
            if next & TABLE != TABLE {
                next = pool.pages(1).base() | TABLE;
                table.write64(index * 8, next);
            }
            // SAFETY: a table of this tree, in RumKV's own memory.
            table = unsafe { Block::at(next & NEXT_TABLE) };
            level -= 9;
        }
        let index = (from >> shift) & if shift == 30 { 1023 } else { 511 };
        let kind = if shift == 12 { PAGE_DESCRIPTOR } else { BLOCK };
        table.write64(index * 8, to | attributes.0 | kind);
    }

    /// The entry of level 3 that maps the page at `from`, which was mapped by pages. Those of the
    /// pages behind it follow, up to a multiple of 2 MB.
    pub(super) fn leaf(self, from: u64) -> Block {
        let mut table = self.0;
        for (level, mask) in [(30, 1023), (21, 511)] {
            // SAFETY: a table of this tree, in RumKV's own memory.
            table = unsafe { Block::at(table.read64((from >> level & mask) * 8) & NEXT_TABLE) };
        }
        // SAFETY: an entry of that table.
        unsafe { Block::at(table.base() + (from >> 12 & 511) * 8) }
    }
}
