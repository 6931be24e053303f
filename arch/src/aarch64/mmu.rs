//! Stage 1 translation (chapter D8): 4 KB granules, 39-bit halves, three levels.
//!
//! The upper half is the kernel's and global: its image W^X, then RAM and the interrupt controller, never executable.
//! The lower half belongs to a domain: its own root, tagged with an ASID, at most as many tables as its pool holds.
//! Tables are reached through the kernel's own map, so that a fiber has no address for them.
use super::{Aarch64, LINEAR, barrier, read, start, write};
use crate::contract::{Machine, Memory, NoTable, TablePool};
use abi::PAGE;
use abi::cap::{R, W, X};
use core::arch::asm;

/// Descriptor bits (D8.3).
mod bit {
    pub const VALID: u64 = 1;
    /// Table at levels 1 and 2, page at level 3.
    pub const TABLE: u64 = 1 << 1;
    pub const ATTR: u64 = 1 << 2;
    /// EL0 may access.
    pub const USER: u64 = 1 << 6;
    pub const READ_ONLY: u64 = 1 << 7;
    pub const INNER_SHAREABLE: u64 = 0b11 << 8;
    pub const ACCESSED: u64 = 1 << 10;
    pub const NOT_GLOBAL: u64 = 1 << 11;
    pub const PXN: u64 = 1 << 53;
    pub const UXN: u64 = 1 << 54;
    pub const ADDRESS: u64 = 0x0000_FFFF_FFFF_F000;
}
const ATTR_DEVICE: u64 = 0;
const ATTR_NORMAL: u64 = 1;
const ATTR_UNCACHED: u64 = 2;
const BLOCK_2M: u64 = 2 << 20;
/// Where the gigabyte of devices, the board's first, ends.
pub const DEVICES_END: u64 = 1 << 30;
/// Entries of a table.
const ENTRIES: u64 = 512;

/// TTBR0_EL1 of a domain: root and ASID in one word, so that a switch is one write.
#[derive(Clone, Copy)]
pub struct Space {
    ttbr: u64,
}

impl Space {
    fn root(self) -> u64 {
        self.ttbr & bit::ADDRESS
    }
    fn asid(self) -> u64 {
        self.ttbr >> 48
    }
}

fn kernel_page(writable: bool, executable: bool) -> u64 {
    let mut d = bit::VALID | bit::TABLE | (ATTR_NORMAL * bit::ATTR) | bit::INNER_SHAREABLE;
    d |= bit::ACCESSED | bit::UXN;
    if !writable {
        d |= bit::READ_ONLY;
    }
    if !executable {
        d |= bit::PXN;
    }
    d
}

/// Attributes of a fiber's page. In a unikernel (`isolated` false) the application runs at EL1 and executes only the
/// kernel's image, so the same bits serve.
pub fn attributes(perms: u8, memory: Memory, isolated: bool) -> u64 {
    let (attr, share) = match memory {
        Memory::Normal => (ATTR_NORMAL, bit::INNER_SHAREABLE),
        Memory::Device => (ATTR_DEVICE, 0),
        Memory::Uncached => (ATTR_UNCACHED, bit::INNER_SHAREABLE),
    };
    let mut d = bit::VALID | bit::TABLE | (attr * bit::ATTR) | share | bit::ACCESSED;
    d |= bit::NOT_GLOBAL | bit::PXN;
    if perms & (R | W | X) != 0 && isolated {
        d |= bit::USER;
    }
    if perms & W == 0 {
        d |= bit::READ_ONLY;
    }
    if perms & X == 0 || perms & W != 0 {
        d |= bit::UXN;
    }
    d
}

#[repr(C, align(4096))]
struct Table([u64; ENTRIES as usize]);

impl Table {
    const fn empty() -> Self {
        Self([0; ENTRIES as usize])
    }
}

/// The kernel's tables: root, the gigabyte of devices, the gigabyte of RAM, the 2 MB that hold the kernel's image.
struct KernelTables {
    root: Table,
    devices: Table,
    ram: Table,
    image: Table,
    /// Root of the lower half while no domain is current: empty.
    none: Table,
}

static TABLES: super::CoreCell<KernelTables> = super::CoreCell::new(KernelTables {
    root: Table::empty(),
    devices: Table::empty(),
    ram: Table::empty(),
    image: Table::empty(),
    none: Table::empty(),
});

unsafe extern "C" {
    static __text_start: u8;
    static __rodata_start: u8;
    static __data_start: u8;
    static __image_end: u8;
    static arch_stack_guard: u8;
}

/// Physical address of a symbol or static of the kernel's image.
fn physical<T>(symbol: *const T) -> u64 {
    symbol as u64 - LINEAR
}

fn table_at<T>(table: *const T) -> u64 {
    physical(table) | bit::VALID | bit::TABLE
}

/// Makes the kernel's final map and turns it on. RAM `base` + `len`, both multiples of 2 MB, in one gigabyte.
pub fn kernel_tables(base: u64, len: u64) {
    // SAFETY: called once, before the first fiber.
    let t = unsafe { TABLES.get() };
    let image = physical(&raw const __text_start) & !(BLOCK_2M - 1);
    assert!(base >> 30 == (base + len - 1) >> 30, "RAM crosses a gigabyte");
    for pa in (base..base + len).step_by(BLOCK_2M as usize) {
        let block = (pa | kernel_page(true, false)) & !bit::TABLE;
        t.ram.0[(pa >> 21 & 511) as usize] = block;
    }
    t.ram.0[(image >> 21 & 511) as usize] = table_at(&raw const t.image);
    let text = physical(&raw const __text_start)..physical(&raw const __rodata_start);
    let rodata = text.end..physical(&raw const __data_start);
    let guard = physical(&raw const arch_stack_guard);
    let is_guard =
        |pa| (0..crate::CORES).any(|core| pa == guard + (core * start::STACK_STRIDE) as u64);
    assert!(physical(&raw const __image_end) <= image + BLOCK_2M, "kernel crosses 2 MB");
    for pa in (image..image + BLOCK_2M).step_by(PAGE) {
        let page = match pa {
            pa if is_guard(pa) => 0,
            pa if text.contains(&pa) => pa | kernel_page(false, true),
            pa if rodata.contains(&pa) => pa | kernel_page(false, false),
            pa => pa | kernel_page(true, false),
        };
        t.image.0[(pa >> 12 & 511) as usize] = page;
    }
    // The board's first gigabyte is devices: the interrupt controller, and those whose drivers die.
    let gic = abi::boot::virt::GICD & !(BLOCK_2M - 1);
    for (index, block) in t.devices.0.iter_mut().enumerate() {
        let pa = (gic >> 30 << 30) + index as u64 * BLOCK_2M;
        *block = pa | bit::VALID | bit::ACCESSED | bit::PXN | bit::UXN | (ATTR_DEVICE * bit::ATTR);
    }
    t.root.0[(base >> 30) as usize] = table_at(&raw const t.ram);
    t.root.0[(gic >> 30) as usize] = table_at(&raw const t.devices);
    barrier!("dsb ish");
    use_kernel_tables();
}

/// Turns on the map that [`kernel_tables`] made, on the core that calls.
pub fn use_kernel_tables() {
    // SAFETY: only addresses are taken; the tables were made at boot.
    let t = unsafe { TABLES.get() };
    write!("TTBR1_EL1", physical(&raw const t.root));
    write!("TTBR0_EL1", physical(&raw const t.none));
    barrier!("isb");
    barrier!("tlbi vmalle1");
    barrier!("dsb nsh");
    barrier!("isb");
    debug_assert!(read!("TCR_EL1") == start::TCR);
}

/// ASIDs the hardware tells apart (ID_AA64MMFR0_EL1.ASIDBits).
pub fn tags() -> u32 {
    if read!("ID_AA64MMFR0_EL1") >> 4 & 0xF == 2 { 1 << 16 } else { 1 << 8 }
}

fn entry(machine: &mut Aarch64, table: u64, index: u64) -> &mut u64 {
    let slot = machine.ram.words(table + index * 8, 1);
    // SAFETY: `words` checked that it is RAM and aligned; borrowed with `machine`.
    unsafe { &mut *slot }
}

fn clear(machine: &mut Aarch64, table: u64) {
    machine.zero(table, PAGE);
}

pub fn new_space(machine: &mut Aarch64, tag: u16, pool: &mut TablePool) -> Result<Space, NoTable> {
    let root = pool.take()?;
    clear(machine, root);
    Ok(Space { ttbr: root | (tag as u64) << 48 })
}

fn step(
    machine: &mut Aarch64,
    pool: &mut TablePool,
    table: u64,
    index: u64,
) -> Result<u64, NoTable> {
    let found = *entry(machine, table, index);
    if found & bit::VALID != 0 {
        return Ok(found & bit::ADDRESS);
    }
    let fresh = pool.take()?;
    clear(machine, fresh);
    *entry(machine, table, index) = fresh | bit::VALID | bit::TABLE;
    Ok(fresh)
}

/// So many pages of a range that starts at `at` and has `left` bytes stand in one table of the last level.
fn run(at: u64, left: u64) -> u64 {
    left.div_ceil(PAGE as u64).min(ENTRIES - (at >> 12 & (ENTRIES - 1)))
}

/// `count` entries of a table from the one for `at` on.
fn entries(machine: &mut Aarch64, table: u64, at: u64, count: u64) -> &mut [u64] {
    let first = at >> 12 & (ENTRIES - 1);
    assert!(first + count <= ENTRIES, "entries of another table");
    let slots = machine.ram.words(table + first * 8, count as usize);
    // SAFETY: `words` checked that they are RAM and aligned; borrowed with `machine`.
    unsafe { core::slice::from_raw_parts_mut(slots, count as usize) }
}

pub fn map(
    machine: &mut Aarch64,
    space: Space,
    pool: &mut TablePool,
    va: u64,
    pa: u64,
    len: u64,
    attributes: u64,
) -> Result<(), NoTable> {
    // A table at a time: memory of many pages is mapped within one call.
    let mut offset = 0;
    while offset < len {
        let at = va + offset;
        let middle = step(machine, pool, space.root(), at >> 30 & 511)?;
        let last = step(machine, pool, middle, at >> 21 & 511)?;
        let mut descriptor = (pa + offset) | attributes;
        let count = run(at, len - offset);
        for entry in entries(machine, last, at, count) {
            *entry = descriptor;
            descriptor += PAGE as u64;
        }
        offset += count * PAGE as u64;
    }
    // The walker must see the entries before the fiber uses them; it never held them, so nothing is invalidated.
    barrier!("dsb ishst");
    barrier!("isb");
    Ok(())
}

/// The table of the last level for `at`, if there is one.
fn last_table(machine: &mut Aarch64, space: Space, at: u64) -> Option<u64> {
    let mut table = space.root();
    for shift in [30, 21] {
        let found = *entry(machine, table, at >> shift & 511);
        if found & bit::VALID == 0 {
            return None;
        }
        table = found & bit::ADDRESS;
    }
    Some(table)
}

/// Pages above which a whole space is invalidated rather than each page: what it loses besides is walked again.
const PAGES_EACH: u64 = 64;

/// Removes the pages' entries and completes the invalidation on every core.
pub fn unmap(machine: &mut Aarch64, space: Space, va: u64, len: u64) {
    let mut offset = 0;
    while offset < len {
        let at = va + offset;
        let count = run(at, len - offset);
        if let Some(table) = last_table(machine, space, at) {
            entries(machine, table, at, count).fill(0);
        }
        offset += count * PAGE as u64;
    }
    barrier!("dsb ishst");
    if len > PAGES_EACH * PAGE as u64 {
        // SAFETY: invalidates everything of one ASID (C5.5.6); the entries are already gone.
        unsafe { asm!("tlbi aside1is, {}", in(reg) space.asid() << 48, options(nostack)) };
    } else {
        for at in (va..va + len).step_by(PAGE) {
            let operand = space.asid() << 48 | at >> 12;
            // SAFETY: invalidates one page of one ASID (C5.5.82); the entry is already gone.
            unsafe { asm!("tlbi vae1is, {}", in(reg) operand, options(nostack)) };
        }
    }
    barrier!("dsb ish");
    barrier!("isb");
}

/// One register. The exception return that follows synchronises it; the kernel's accesses to fibers' memory before it
/// need the barrier.
#[inline]
pub fn activate(space: Space) {
    write!("TTBR0_EL1", space.ttbr);
    barrier!("isb");
}

/// Invalidates all of a space. If it is the current one, the core leaves it for the empty one first.
pub fn retire(space: Space) {
    if read!("TTBR0_EL1") & !1 == space.ttbr {
        // SAFETY: only the address is taken; the tables were made at boot.
        let none = unsafe { &raw const TABLES.get().none };
        write!("TTBR0_EL1", physical(none));
        barrier!("isb");
    }
    barrier!("dsb ishst");
    // SAFETY: invalidates everything of one ASID (C5.5.6).
    unsafe { asm!("tlbi aside1is, {}", in(reg) space.asid() << 48, options(nostack)) };
    barrier!("dsb ish");
    barrier!("isb");
}
