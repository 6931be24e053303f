//! Checks a flat image before anything of it is used. It came out of a verified bundle; the check holds all the same.
use abi::cap::{W, X};
use abi::image::{
    ARCH_AARCH64, ImageHeader, ImageManifest, MAGIC, MEMORY_MAX, QUIESCE_MAX, QuiesceStep,
    SEGMENTS_MAX, Segment, VERSION,
};
use abi::{PAGE, pledge};

/// Most bytes of stack, and of heap.
const STACK_MAX: u64 = 1 << 20;

/// A checked image: every offset and length in it may be used as it is, but for the relocations.
#[derive(Clone, Debug)]
pub struct Image {
    pub entry: u64,
    pub mem_len: u64,
    pub manifest: ImageManifest,
    segments: [Segment; SEGMENTS_MAX],
    count: usize,
    relocations: (usize, usize),
    quiesce: [QuiesceStep; QUIESCE_MAX],
}

impl Image {
    /// Reads and checks; the error says what is wrong.
    pub fn parse(bytes: &[u8]) -> Result<Self, &'static str> {
        let head = ImageHeader::decode(bytes).ok_or("shorter than its header")?;
        let need = |held: bool, why| if held { Ok(()) } else { Err(why) };
        need(head.magic == MAGIC && head.version == VERSION, "not a flat image")?;
        need(head.arch == ARCH_AARCH64, "for another architecture")?;
        need(head.file_len == bytes.len() as u64, "length differs from its header")?;
        let pages = head.mem_len.is_multiple_of(PAGE as u64);
        need(pages && (1..=MEMORY_MAX).contains(&head.mem_len), "memory length")?;
        let count = head.segment_count as usize;
        need((1..=SEGMENTS_MAX).contains(&count), "number of segments")?;
        let manifest = part(bytes, head.manifest, head.manifest_len as usize)?;
        let manifest = ImageManifest::decode(manifest).ok_or("manifest too short")?;
        need(manifest.magic == MAGIC, "no manifest")?;
        need(sizes_fit(&manifest), "stack or heap")?;
        let table = part(bytes, head.segments, count * Segment::SIZE)?;
        let mut segments = [Segment::zeroed(); SEGMENTS_MAX];
        let mut end = 0;
        for (i, to) in segments[..count].iter_mut().enumerate() {
            *to = Segment::decode(&table[i * Segment::SIZE..]).ok_or("segment table")?;
            end = check_segment(to, bytes.len(), end, head.mem_len)?;
        }
        let relocations = head.relocation_count as usize;
        need(relocations <= bytes.len() / 4, "number of relocations")?;
        part(bytes, head.relocations, relocations * 4)?;
        let image = Self {
            entry: head.entry,
            mem_len: head.mem_len,
            manifest,
            segments,
            count,
            relocations: (head.relocations as usize, relocations),
            quiesce: steps(bytes, &head, &manifest)?,
        };
        need(image.holds(head.entry, 4, X), "entry outside its code")?;
        Ok(image)
    }

    /// Quiesce step `index`.
    pub fn quiesce(&self, index: usize) -> Option<QuiesceStep> {
        (index < self.manifest.quiesce as usize).then(|| self.quiesce.get(index).copied())?
    }
    pub fn segments(&self) -> &[Segment] {
        &self.segments[..self.count]
    }
    pub fn relocation_count(&self) -> usize {
        self.relocations.1
    }
    /// Relative address of a u64 to which the base is added, and the permissions of its segment; `None` if it lies in no
    /// segment. Looked at when it is applied: an image may have more of them than one look is allowed to take.
    pub fn relocation(&self, bytes: &[u8], index: usize) -> Option<(u64, u8)> {
        let at = self.relocations.0 + index * 4;
        let at = u32::from_le_bytes(bytes.get(at..at + 4)?.try_into().ok()?) as u64;
        let inside = |s: &&Segment| at >= s.addr && at + 8 <= s.addr + s.mem_len;
        self.segments().iter().find(inside).map(|s| (at, s.perms as u8))
    }

    /// Whether `len` bytes at `addr` lie in one segment that has all of `perms`.
    fn holds(&self, addr: u64, len: u64, perms: u8) -> bool {
        let has = |s: &Segment| s.perms as u8 & perms == perms;
        let inside = |s: &Segment| {
            addr >= s.addr && addr.checked_add(len).is_some_and(|end| end <= s.addr + s.mem_len)
        };
        self.segments().iter().any(|s| has(s) && inside(s))
    }
}

/// The quiesce steps, which follow the manifest.
fn steps(
    bytes: &[u8],
    head: &ImageHeader,
    manifest: &ImageManifest,
) -> Result<[QuiesceStep; QUIESCE_MAX], &'static str> {
    let mut all = [QuiesceStep::zeroed(); QUIESCE_MAX];
    let count = manifest.quiesce as usize;
    let to = all.get_mut(..count).ok_or("number of quiesce steps")?;
    let len = ImageManifest::SIZE + count * QuiesceStep::SIZE;
    let table = part(bytes, head.manifest, len)?;
    for (i, to) in to.iter_mut().enumerate() {
        let at = ImageManifest::SIZE + i * QuiesceStep::SIZE;
        *to = QuiesceStep::decode(&table[at..]).ok_or("quiesce steps")?;
    }
    Ok(all)
}

fn part(bytes: &[u8], offset: u32, len: usize) -> Result<&[u8], &'static str> {
    let end = (offset as usize).checked_add(len).ok_or("table outside the file")?;
    bytes.get(offset as usize..end).ok_or("table outside the file")
}

fn sizes_fit(manifest: &ImageManifest) -> bool {
    let fits = |len: u64, max| len.is_multiple_of(PAGE as u64) && len <= max;
    manifest.stack >= PAGE as u64
        && fits(manifest.stack, STACK_MAX)
        && fits(manifest.heap, MEMORY_MAX)
        && pledge::spectrum(manifest.pledge) < 4
}

/// The segment's end; segments ascend without overlap.
fn check_segment(s: &Segment, file: usize, from: u64, to: u64) -> Result<u64, &'static str> {
    let need = |held: bool, why| if held { Ok(()) } else { Err(why) };
    let pages = |v: u64| v.is_multiple_of(PAGE as u64);
    need(pages(s.addr) && pages(s.mem_len), "segment not on pages")?;
    need(s.perms < 8 && s.perms as u8 & (W | X) != W | X, "segment writable and executable")?;
    let end = s.addr.checked_add(s.mem_len).ok_or("segment wraps")?;
    need(s.addr >= from && end <= to, "segments overlap or leave the image")?;
    let stop = (s.offset as usize).checked_add(s.file_len as usize).ok_or("segment wraps")?;
    need(stop <= file && s.file_len as u64 <= s.mem_len, "segment outside the file")?;
    Ok(end)
}
