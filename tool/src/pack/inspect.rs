//! Reads a packed image back and checks it: the host's own opinion of what the kernel will get.
use abi::{
    PAGE, cap,
    image::{
        ARCH_AARCH64, ImageHeader, ImageManifest, KIND_NPL, MAGIC, MEMORY_MAX, SEGMENTS_MAX,
        Segment, VERSION, policy,
    },
};

const PAGE_LEN: u64 = PAGE as u64;

/// A packed image that holds what it says.
#[derive(Clone, Debug)]
pub struct Packed {
    /// Its header.
    pub header: ImageHeader,
    /// Its segments by address.
    pub segments: Vec<Segment>,
    /// Relative addresses of the words to which the base is added.
    pub relocations: Vec<u32>,
    /// Its manifest.
    pub manifest: ImageManifest,
}

/// Decodes and checks an image.
///
/// # Errors
/// The first thing that is not as `abi::image` says.
pub fn inspect(bytes: &[u8]) -> Result<Packed, String> {
    let no = |why: &str| Err(why.to_owned());
    let header = ImageHeader::decode(bytes).ok_or("it is shorter than an image's header")?;
    if header.magic != MAGIC {
        return no("it is neither an ELF nor a packed image");
    }
    if header.version != VERSION || header.arch != ARCH_AARCH64 {
        return no("it is of another version, or for another processor");
    }
    if header.file_len != bytes.len() as u64 || header.zero != [0; 8] {
        return no("it is truncated, or longer than it says");
    }
    if *blake3::hash(&bytes[ImageHeader::SIZE..]).as_bytes() != header.hash {
        return no("its hash does not match: it was altered after packing");
    }
    if !tables_in_place(&header) {
        return no("its tables are not where `nexus pack` puts them");
    }
    let manifest = slice(bytes, header.manifest, ImageManifest::SIZE)
        .filter(|_| header.manifest_len as usize == ImageManifest::SIZE)
        .and_then(ImageManifest::decode)
        .ok_or("its manifest lies outside the file")?;
    check_manifest(&header, &manifest)?;
    let segments = segments(bytes, &header)?;
    let relocations = relocations(bytes, &header, &segments)?;
    let executable = |s: &&Segment| s.perms & u32::from(cap::X) != 0;
    let holds =
        |s: &Segment| header.entry >= s.addr && header.entry - s.addr < u64::from(s.file_len);
    if !segments.iter().filter(executable).any(holds) || !header.entry.is_multiple_of(4) {
        return no("its entry lies in no executable segment");
    }
    Ok(Packed { header, segments, relocations, manifest })
}

/// The layout has no freedom: header, segments, relocations, manifest on 8 bytes, contents.
fn tables_in_place(header: &ImageHeader) -> bool {
    let segments = ImageHeader::SIZE as u64;
    let relocations = segments + u64::from(header.segment_count) * Segment::SIZE as u64;
    let manifest = (relocations + u64::from(header.relocation_count) * 4).next_multiple_of(8);
    let places = [header.segments, header.relocations, header.manifest].map(u64::from);
    places == [segments, relocations, manifest]
}

fn slice(bytes: &[u8], offset: u32, len: usize) -> Option<&[u8]> {
    let start = offset as usize;
    bytes.get(start..start.checked_add(len)?)
}

fn check_manifest(header: &ImageHeader, manifest: &ImageManifest) -> Result<(), String> {
    let kinds = manifest.kind == header.kind && header.kind <= KIND_NPL;
    let known = usize::from(manifest.policy) < policy::NAMES.len();
    let name = abi::text(&manifest.name);
    let pages = (manifest.stack | manifest.heap).is_multiple_of(PAGE_LEN);
    let sizes = manifest.stack.max(manifest.heap) <= MEMORY_MAX && manifest.stack > 0;
    let named = !name.is_empty() && name != "?";
    if manifest.magic == MAGIC
        && kinds
        && known
        && named
        && pages
        && sizes
        && manifest.quiesce as usize <= abi::image::QUIESCE_MAX
    {
        return Ok(());
    }
    Err("its manifest is damaged".to_owned())
}

fn segments(bytes: &[u8], header: &ImageHeader) -> Result<Vec<Segment>, String> {
    let count = header.segment_count as usize;
    if count == 0 || count > SEGMENTS_MAX {
        return Err(format!("it has {count} segments"));
    }
    let table = slice(bytes, header.segments, count * Segment::SIZE)
        .ok_or("its segment table lies outside the file")?;
    let segments: Vec<Segment> =
        table.chunks_exact(Segment::SIZE).filter_map(Segment::decode).collect();
    let both = u32::from(cap::W | cap::X);
    let all = u32::from(cap::R | cap::W | cap::X);
    let mut end = 0;
    for segment in &segments {
        let paged = (segment.addr | segment.mem_len).is_multiple_of(PAGE_LEN);
        let next = segment.addr.checked_add(segment.mem_len);
        let next = next.filter(|n| *n <= header.mem_len && header.mem_len <= MEMORY_MAX);
        let filled = slice(bytes, segment.offset, segment.file_len as usize).is_some();
        let fits = u64::from(segment.file_len) <= segment.mem_len && segment.mem_len > 0;
        match next {
            Some(next) if paged && filled && fits && segment.addr >= end => end = next,
            _ => return Err(format!("its segment at {:#x} is impossible", segment.addr)),
        }
        if segment.perms & both == both || segment.perms & !all != 0 {
            return Err(format!("its segment at {:#x} is writable and executable", segment.addr));
        }
    }
    if end != header.mem_len {
        return Err("it takes another length of memory than its segments".to_owned());
    }
    Ok(segments)
}

fn relocations(
    bytes: &[u8],
    header: &ImageHeader,
    segments: &[Segment],
) -> Result<Vec<u32>, String> {
    let table = (header.relocation_count as usize)
        .checked_mul(4)
        .and_then(|len| slice(bytes, header.relocations, len))
        .ok_or("its relocations lie outside the file")?;
    let word = |b: &[u8]| u32::from_le_bytes([b[0], b[1], b[2], b[3]]);
    let relocations: Vec<u32> = table.chunks_exact(4).map(word).collect();
    for &at in &relocations {
        let at = u64::from(at);
        let inside = |s: &Segment| at >= s.addr && at - s.addr + 8 <= u64::from(s.file_len);
        if !at.is_multiple_of(8) || !segments.iter().any(inside) {
            return Err(format!("its relocation at {at:#x} is impossible"));
        }
    }
    Ok(relocations)
}
