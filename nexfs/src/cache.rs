//! The cache: block-sized pieces of the memory that the caller lent. Nothing is pinned: whoever works on a block asks for
//! it by its address each time, so that an eviction between two steps costs a read and never correctness.

/// What a slot of the cache holds. The caller lends an array of them beside the bytes.
#[derive(Debug, Clone, Copy, Default)]
pub struct Slot {
    /// Block of the volume, 0 for none.
    block: u64,
    /// When it was asked for last.
    used: u64,
    /// Content that the device does not have yet.
    dirty: bool,
    /// A node, sealed by a checksum when it is written; otherwise content of a file.
    node: bool,
}

pub(crate) struct Cache<'m> {
    slots: &'m mut [Slot],
    bytes: &'m mut [u8],
    block: usize,
    now: u64,
}

/// What must be written before a slot can be used again.
pub(crate) struct Victim {
    pub slot: usize,
    pub dirty: bool,
}

impl<'m> Cache<'m> {
    /// A cache of as many blocks as both parts of the memory allow.
    pub(crate) fn new(slots: &'m mut [Slot], bytes: &'m mut [u8], block: usize) -> Self {
        let n = slots.len().min(bytes.len() / block);
        slots.fill(Slot::default());
        let (slots, _) = slots.split_at_mut(n);
        Cache { slots, bytes, block, now: 0 }
    }

    pub(crate) fn slots(&self) -> usize {
        self.slots.len()
    }

    /// The slot that holds `block`.
    pub(crate) fn find(&mut self, block: u64) -> Option<usize> {
        let slot = self.slots.iter().position(|s| s.block == block)?;
        self.now += 1;
        self.slots[slot].used = self.now;
        Some(slot)
    }

    /// The slot that was not asked for the longest.
    pub(crate) fn victim(&self) -> Option<Victim> {
        let oldest = self
            .slots
            .iter()
            .enumerate()
            .min_by_key(|(_, s)| if s.block == 0 { 0 } else { s.used });
        oldest.map(|(slot, s)| Victim { slot, dirty: s.dirty })
    }

    /// Any slot that must be written.
    pub(crate) fn next_dirty(&self, from: usize) -> Option<usize> {
        (from..self.slots.len()).find(|&s| self.slots[s].dirty)
    }

    /// Block and sort of what a slot holds.
    pub(crate) fn what(&self, slot: usize) -> (u64, bool) {
        self.slots.get(slot).map_or((0, false), |s| (s.block, s.node))
    }

    pub(crate) fn set_dirty(&mut self, slot: usize, dirty: bool) {
        if let Some(s) = self.slots.get_mut(slot) {
            s.dirty = dirty;
        }
    }

    /// From now on the slot holds `block`.
    pub(crate) fn name(&mut self, slot: usize, block: u64, node: bool, dirty: bool) {
        self.now += 1;
        if let Some(s) = self.slots.get_mut(slot) {
            *s = Slot { block, used: self.now, dirty, node };
        }
    }

    /// Forgets `block` without writing it.
    pub(crate) fn forget(&mut self, block: u64) {
        for slot in self.slots.iter_mut().filter(|s| s.block == block) {
            *slot = Slot::default();
        }
    }

    /// Forgets everything.
    pub(crate) fn clear(&mut self) {
        self.slots.fill(Slot::default());
    }

    /// The bytes of a slot.
    pub(crate) fn bytes(&mut self, slot: usize) -> &mut [u8] {
        let at = slot * self.block;
        self.bytes.get_mut(at..at + self.block).unwrap_or_default()
    }
}
