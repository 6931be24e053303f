//! Translation: tables in RAM, three levels of 512 entries as on aarch64, and a TLB that keeps what it saw for ever.
//!
//! The TLB holds what a walk found, by tag and page, until it is told otherwise. Real ones evict, so that a forgotten
//! invalidation mostly goes well; here it never does.
use super::ram::Ram;
use crate::contract::{Memory, NoTable, TablePool};
use abi::PAGE;
use abi::cap::{R, W, X};
use std::collections::{BTreeMap, BTreeSet};
use std::vec::Vec;

/// Tags: few, so that reuse comes soon.
pub(super) const TAGS: u32 = 256;
const ENTRIES: u64 = 512;
const VALID: u64 = 1;
/// Where R/W/X stand in an entry of the last level.
const PERMS: u32 = 1;
const DEVICE: u64 = 1 << 4;
const ADDRESS: u64 = !(PAGE as u64 - 1);
/// Virtual addresses below this are a fiber's.
const END: u64 = 1 << 39;

/// Translation root and tag.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Space {
    root: u64,
    tag: u16,
    /// Number of the space since the start: two that share tag, root and contents are still two.
    serial: u64,
}

/// A TLB entry that is not what the tables say.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Stale {
    /// Its tag.
    pub tag: u16,
    /// Its page.
    pub va: u64,
}

/// Where a page leads.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Leaf(u64);

impl Leaf {
    pub(super) fn pa(self) -> u64 {
        self.0 & ADDRESS
    }
    pub(super) fn perms(self) -> u8 {
        (self.0 >> PERMS) as u8 & (R | W | X)
    }
    pub(super) fn is_device(self) -> bool {
        self.0 & DEVICE != 0
    }
}

#[derive(Debug)]
pub(super) struct Mmu {
    pub(super) current: Option<Space>,
    pub(super) maintenance: u64,
    /// The last space made with each tag.
    spaces: BTreeMap<u16, Space>,
    /// By tag and page: what a walk found, and the serial number of the space that it was found in.
    tlb: BTreeMap<(u16, u64), (Leaf, u64)>,
    serial: u64,
    /// Physical pages written since instruction fetch was last told.
    unsynced: BTreeSet<u64>,
}

impl Mmu {
    pub(super) const OFF: Self = Self {
        current: None,
        maintenance: 0,
        spaces: BTreeMap::new(),
        tlb: BTreeMap::new(),
        serial: 0,
        unsynced: BTreeSet::new(),
    };

    pub(super) fn new_space(
        &mut self,
        ram: &Ram,
        tag: u16,
        pool: &mut TablePool,
    ) -> Result<Space, NoTable> {
        assert!(tag > 0 && u32::from(tag) < TAGS, "tag {tag} is not a domain's");
        self.serial += 1;
        let space = Space { root: table(ram, pool)?, tag, serial: self.serial };
        self.spaces.insert(tag, space);
        Ok(space)
    }

    /// What the current space has at `va`: from the TLB, else by a walk that fills it.
    pub(super) fn translate(&mut self, ram: &Ram, va: u64) -> Option<Leaf> {
        let space = self.current?;
        let page = va & ADDRESS;
        if let Some(&(leaf, _)) = self.tlb.get(&(space.tag, page)) {
            return Some(leaf);
        }
        let leaf = walk(ram, space, page)?;
        self.tlb.insert((space.tag, page), (leaf, space.serial));
        Some(leaf)
    }

    pub(super) fn unmap(&mut self, ram: &Ram, space: Space, va: u64, len: u64) {
        for page in pages(va, len) {
            if let Some(last) = descend(ram, space, page) {
                ram.set_entry(last, index(page, 12), 0);
            }
            self.tlb.remove(&(space.tag, page));
            self.maintenance += 1;
        }
    }

    pub(super) fn retire(&mut self, space: Space) {
        if self.current == Some(space) {
            self.current = None;
        }
        if self.spaces.get(&space.tag) == Some(&space) {
            self.spaces.remove(&space.tag);
        }
        self.tlb.retain(|&(tag, _), _| tag != space.tag);
        self.maintenance += 1;
    }

    /// Entries of the TLB that the tables do not confirm, those of a tag's earlier space among them.
    pub(super) fn stale(&self, ram: &Ram) -> Vec<Stale> {
        let confirmed = |tag: u16, va: u64, (leaf, serial): (Leaf, u64)| {
            let space = self.spaces.get(&tag).filter(|space| space.serial == serial);
            space.is_some_and(|&space| walk(ram, space, va) == Some(leaf))
        };
        let stale = self.tlb.iter().filter(|&(&(tag, va), &entry)| !confirmed(tag, va, entry));
        stale.map(|(&(tag, va), _)| Stale { tag, va }).collect()
    }

    pub(super) fn written(&mut self, pa: u64, len: usize) {
        self.unsynced.extend(frames(pa, len));
    }

    pub(super) fn synced(&mut self, pa: u64, len: usize) {
        for frame in frames(pa, len) {
            self.unsynced.remove(&frame);
        }
    }

    pub(super) fn is_synced(&self, pa: u64) -> bool {
        !self.unsynced.contains(&(pa & ADDRESS))
    }
}

/// Maps whole pages: (virtual, physical, length). Panics on what no kernel may ask for.
pub(super) fn map(
    ram: &Ram,
    space: Space,
    pool: &mut TablePool,
    (va, pa, len): (u64, u64, u64),
    perms: u8,
    memory: Memory,
) -> Result<(), NoTable> {
    assert!((va | pa | len).is_multiple_of(PAGE as u64), "not whole pages");
    assert!(va.checked_add(len).is_some_and(|end| end <= END), "not a fiber's address");
    assert!(perms & (W | X) != W | X, "writable and executable");
    let device = memory == Memory::Device;
    assert!(device || ram.contains(pa, len), "normal memory outside of RAM");
    let flags = VALID | u64::from(perms & (R | W | X)) << PERMS | if device { DEVICE } else { 0 };
    for page in pages(va, len) {
        let mut at = space.root;
        for shift in [30, 21] {
            let found = ram.entry(at, index(page, shift));
            at = if found & VALID != 0 {
                found & ADDRESS
            } else {
                let fresh = table(ram, pool)?;
                ram.set_entry(at, index(page, shift), fresh | VALID);
                fresh
            };
        }
        ram.set_entry(at, index(page, 12), (pa + (page - va)) | flags);
    }
    Ok(())
}

fn table(ram: &Ram, pool: &mut TablePool) -> Result<u64, NoTable> {
    let page = pool.take()?;
    (0..ENTRIES).for_each(|i| ram.set_entry(page, i, 0));
    Ok(page)
}

fn index(va: u64, shift: u32) -> u64 {
    va >> shift & (ENTRIES - 1)
}

fn pages(va: u64, len: u64) -> impl Iterator<Item = u64> {
    (va..va + len).step_by(PAGE)
}

fn frames(pa: u64, len: usize) -> impl Iterator<Item = u64> {
    (pa & ADDRESS..pa + len as u64).step_by(PAGE)
}

/// The table of the last level for `va`.
fn descend(ram: &Ram, space: Space, va: u64) -> Option<u64> {
    let mut at = space.root;
    for shift in [30, 21] {
        let found = ram.entry(at, index(va, shift));
        // Tables that were freed and written over may say anything.
        if va >= END || found & VALID == 0 || !ram.contains(found & ADDRESS, PAGE as u64) {
            return None;
        }
        at = found & ADDRESS;
    }
    Some(at)
}

fn walk(ram: &Ram, space: Space, va: u64) -> Option<Leaf> {
    let entry = ram.entry(descend(ram, space, va)?, index(va, 12));
    (entry & VALID != 0).then_some(Leaf(entry))
}
