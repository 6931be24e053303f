//! A domain's memory, made in steps: from the archive at spawn, and from the archive again at a Blink.
//!
//! An extent holds, from its start: translation tables, the kept pages, image, heap, a guard page, stack, a guard page, the MEMORY objects. The
//! kept pages are the kernel's and mapped nowhere: what the next instance needs of this one, the argument block and the
//! checkpoint. At a Blink only what the instance could have written is made anew; the tables are, too, so that nothing it had
//! mapped stays reachable.
use crate::blink::Fate;
use crate::image::Image;
use crate::job::{Phase, Step};
use crate::kernel::{DOMAINS, FIBERS, Kernel};
use abi::PAGE;
use abi::boot::virt;
use abi::call::ARGS_MAX;
use abi::cap::{R, W, X};
use abi::image::{QuiesceStep, SEGMENTS_MAX};
use abi::pledge;
use abi::stats::{end, state};
use arch::{Frame, Machine, Memory, TablePool};

const PAGE_LEN: u64 = PAGE as u64;
/// Kept pages: the argument block, the checkpoint.
pub const KEPT_LEN: u64 = 2 * PAGE_LEN;
/// Bytes copied in one step, about 3,000 instructions.
const COPY_STEP: u64 = 16 << 10;
/// Bytes zeroed in one step, about 3,000 instructions.
pub const ZERO_STEP: u64 = 32 << 10;
/// Relocations applied in one step.
const RELOCATIONS_STEP: u64 = 64;
/// Pages mapped in one step.
const MAP_STEP: u64 = 64 * PAGE_LEN;
/// Pages of code, each of whose cache lines is cleaned, about 200 instructions a page.
const CODE_STEP: u64 = 16 * PAGE_LEN;

/// What a domain is made from and where it lies: everything that a Blink needs, decided at spawn.
#[derive(Clone, Debug)]
pub struct Layout {
    /// `None`: the application linked with the kernel.
    pub image: Option<Image>,
    /// Physical address of the image's bytes, and their length.
    pub bytes: (u64, usize),
    /// Bytes of tables at the extent's start.
    pub tables: u64,
    pub heap: u64,
    pub stack: u64,
    /// Bytes of its MEMORY objects, at the extent's end.
    pub regions: u64,
    /// Bytes of the argument block in the first kept page.
    pub args: usize,
    /// ns of energy per window at birth.
    pub budget: u64,
    /// Pledge mask at birth.
    pub pledge: u64,
    /// The memory is made for a second or later instance.
    pub again: bool,
}

impl Layout {
    /// Of a free place.
    pub const NONE: Self = Self {
        image: None,
        bytes: (0, 0),
        tables: 0,
        heap: 0,
        stack: 0,
        regions: 0,
        args: 0,
        budget: 0,
        pledge: 0,
        again: false,
    };

    pub fn image_len(&self) -> u64 {
        self.image.as_ref().map_or(0, |image| image.mem_len)
    }
    /// Offset of the kept pages in the extent.
    pub fn kept(&self) -> u64 {
        self.tables
    }
    pub fn image_at(&self) -> u64 {
        self.tables + KEPT_LEN
    }
    fn heap_at(&self) -> u64 {
        self.image_at() + self.image_len()
    }
    /// Address and bytes of the heap in an extent at `base`; zeros where there is none.
    pub fn heap_in(&self, base: u64) -> (u64, u64) {
        if self.heap == 0 { (0, 0) } else { (base + self.heap_at(), self.heap) }
    }
    fn stack_at(&self) -> u64 {
        self.heap_at() + self.heap + PAGE_LEN
    }
    /// Offset of the MEMORY objects.
    fn regions_at(&self) -> u64 {
        self.stack_at() + self.stack + PAGE_LEN
    }
    /// Bytes of the whole extent.
    pub fn extent_len(&self) -> u64 {
        self.regions_at() + self.regions
    }

    /// The parts: offset, bytes, permissions. Segments first, then heap and stack, then what the domain maps itself if it
    /// wants to, with no permissions yet.
    fn part(&self, index: usize) -> Option<(u64, u64, u8)> {
        let segments = self.image.as_ref().map_or(&[][..], Image::segments);
        match segments.get(index) {
            Some(s) => Some((self.image_at() + s.addr, s.mem_len, s.perms as u8)),
            None if index == segments.len() => Some((self.heap_at(), self.heap, R | W)),
            None if index == segments.len() + 1 => Some((self.stack_at(), self.stack, R | W)),
            None if index == segments.len() + 2 => Some((self.regions_at(), self.regions, 0)),
            None => None,
        }
    }
    /// Quiesce step `index` of the image.
    pub fn quiesce(&self, index: usize) -> Option<QuiesceStep> {
        self.image.as_ref()?.quiesce(index)
    }
    /// Of part `index`: where its first bytes come from in the image, and how many.
    fn source(&self, index: usize) -> (u64, u64) {
        let segment = self.image.as_ref().and_then(|image| image.segments().get(index));
        segment.map_or((0, 0), |s| (self.bytes.0 + s.offset as u64, s.file_len as u64))
    }
}

/// Part and offset in it, as one number that a job counts with.
const PART: u32 = 40;
const _: () = assert!(SEGMENTS_MAX < 256 && abi::image::MEMORY_MAX < 1 << PART);

fn split(at: u64) -> (usize, u64) {
    ((at >> PART) as usize, at & ((1 << PART) - 1))
}
/// Counts from the start of a part, or of the stack of the fiber in a place.
pub fn at_part(part: usize) -> u64 {
    (part as u64) << PART
}
fn next_part(part: usize) -> Step {
    Step::More(at_part(part + 1))
}

impl<M: Machine> Kernel<M> {
    /// Writes the argument block where it outlives instances.
    pub(crate) fn keep_args(&mut self, id: u8, args: &[u8]) {
        let domain = &mut self.domains[id as usize % DOMAINS];
        let len = args.len().min(ARGS_MAX);
        domain.layout.args = len;
        let at = domain.extent.0 + domain.layout.kept();
        self.machine.bytes_mut(at, len).copy_from_slice(&args[..len]);
    }

    pub(crate) fn make_space(&mut self, id: u8) -> Step {
        let tag = self.tag(id);
        let domain = &mut self.domains[id as usize % DOMAINS];
        let base = domain.extent.0;
        domain.pool = TablePool { next: base, end: base + domain.layout.tables };
        match self.machine.new_space(tag, &mut domain.pool) {
            Ok(space) => domain.space = Some(space),
            Err(_) => return self.unfit(id),
        }
        Step::Then(Phase::Fill)
    }

    /// Copies or zeroes a piece of what a fiber may write; for the first instance, of everything.
    pub(crate) fn fill_some(&mut self, id: u8, at: u64) -> Step {
        let domain = &self.domains[id as usize % DOMAINS];
        let (part, done) = split(at);
        let Some((offset, len, perms)) = domain.layout.part(part) else {
            return Step::Then(Phase::Relocate);
        };
        // W^X: what it could not write is as it was.
        let constant = perms != 0 && perms & W == 0;
        if done >= len || (domain.layout.again && constant) {
            return next_part(part);
        }
        let to = domain.extent.0 + offset + done;
        let (from, copied) = domain.layout.source(part);
        if done < copied {
            let now = COPY_STEP.min(copied - done);
            self.machine.copy(from + done, to, now as usize);
            return Step::More(at + now);
        }
        let now = ZERO_STEP.min(len - done);
        self.machine.zero(to, now as usize);
        Step::More(at + now)
    }

    /// Adds the base where the image says so; at a Blink only in what was copied again.
    pub(crate) fn relocate_some(&mut self, id: u8, at: u64) -> Step {
        let layout = &self.domains[id as usize % DOMAINS].layout;
        let to = self.domains[id as usize % DOMAINS].extent.0 + layout.image_at();
        let Some(image) = &layout.image else { return Step::Then(Phase::Map) };
        let count = image.relocation_count() as u64;
        for index in at..count.min(at + RELOCATIONS_STEP) {
            let bytes = self.machine.bytes(layout.bytes.0, layout.bytes.1);
            let Some((place, perms)) = image.relocation(bytes, index as usize) else {
                return self.unfit(id);
            };
            if layout.again && perms & W == 0 {
                continue;
            }
            let place = self.machine.bytes_mut(to + place, 8);
            let mut addend = [0; 8];
            addend.copy_from_slice(place);
            let value = u64::from_le_bytes(addend).wrapping_add(to);
            place.copy_from_slice(&value.to_le_bytes());
        }
        if at + RELOCATIONS_STEP < count {
            return Step::More(at + RELOCATIONS_STEP);
        }
        Step::Then(Phase::Map)
    }

    /// Enters pages of one part; the facts that everyone sees come last.
    pub(crate) fn map_some(&mut self, id: u8, at: u64) -> Step {
        let domain = &self.domains[id as usize % DOMAINS];
        let (part, done) = split(at);
        let Some((offset, len, perms)) = domain.layout.part(part) else {
            return match self.map_facts(id) {
                Ok(()) => Step::Then(Phase::Start),
                Err(_) => self.unfit(id),
            };
        };
        if done >= len || perms == 0 {
            return next_part(part);
        }
        let fresh_code = perms & X != 0 && !domain.layout.again;
        let step = if fresh_code { CODE_STEP } else { MAP_STEP };
        let (address, now) = (domain.extent.0 + offset + done, step.min(len - done));
        if fresh_code {
            self.machine.sync_code(address, now as usize);
        }
        match self.map_for(id, address, now, perms, Memory::Normal) {
            Ok(()) => Step::More(at + now),
            Err(_) => self.unfit(id),
        }
    }

    /// SysTable and gates for everyone; what the table points to for DEVICE and AUDIT.
    fn map_facts(&mut self, id: u8) -> Result<(), abi::call::Error> {
        let mask = self.domains[id as usize % DOMAINS].pledge;
        self.map_for(id, virt::SYSTABLE, PAGE_LEN, R, Memory::Normal)?;
        self.map_for(id, virt::GATES, PAGE_LEN, R | X, Memory::Normal)?;
        self.map_secret(id)?;
        if mask & (pledge::DEVICE | pledge::AUDIT) == 0 {
            return Ok(());
        }
        let p = &self.places;
        for (at, len) in [p.manifest, p.fdt, p.beb, p.memmap] {
            self.map_for(id, at, len.next_multiple_of(PAGE_LEN), R, Memory::Normal)?;
        }
        Ok(())
    }

    /// The first fiber is ready at the entry, its argument block at the top of its stack.
    pub(crate) fn start_first_fiber(&mut self, id: u8) -> Step {
        let domain = &self.domains[id as usize % DOMAINS];
        if self.fibers[domain.first as usize % FIBERS].asked.pending {
            return Step::Wait;
        }
        let (base, layout) = (domain.extent.0, &domain.layout);
        let image = layout.image.as_ref();
        let entry = image.map_or(self.places.application, |i| base + layout.image_at() + i.entry);
        let len = layout.args;
        let args_at = (base + layout.stack_at() + layout.stack - len as u64) & !15;
        let kept = base + layout.kept();
        if len != 0 {
            self.machine.copy(kept, args_at, len);
        }
        let args = [args_at, len as u64, virt::SYSTABLE];
        let place = domain.first as usize % FIBERS;
        self.fibers[place].frame = M::Frame::start(entry, args_at, args, self.isolated);
        self.fibers[place].state = state::READY;
        let domain = &mut self.domains[id as usize % DOMAINS];
        (domain.ready, domain.fate) = (1 << place, Fate::End);
        if self.domains[id as usize % DOMAINS].layout.again {
            self.count_blink(id);
        }
        Step::Then(Phase::None)
    }

    /// The domain cannot be made after all: its image says what no tool of ours would.
    fn unfit(&mut self, id: u8) -> Step {
        self.end_for_good(id, end::OTHER, 0);
        Step::Replaced
    }

    /// The stack of a further fiber, and the fiber is ready. `at`: its place above the bytes done.
    pub(crate) fn stack_some(&mut self, id: u8, at: u64) -> Step {
        let (place, done) = split(at);
        let (base, len) = self.fibers[place % FIBERS].stack;
        // The page of the argument block is there already, as are the guard pages, which nobody sees.
        let (base, len) = (base + PAGE_LEN, len.saturating_sub(2 * PAGE_LEN));
        if done + PAGE_LEN < len {
            let now = ZERO_STEP.min(len - PAGE_LEN - done);
            self.machine.zero(base + done, now as usize);
            return Step::More(at + now);
        }
        if self.map_for(id, base, len, R | W, Memory::Normal).is_err() {
            // Its parent hears of a fiber that ended.
            self.end_fiber(place, end::OTHER, 0);
            return Step::Then(Phase::None);
        }
        self.fibers[place % FIBERS].state = state::READY;
        self.domains[id as usize % DOMAINS].ready |= 1 << place;
        Step::Then(Phase::None)
    }
}
