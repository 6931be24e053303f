//! Packs a position-independent ELF into the flat image of an NPL or NPK (`abi::image`).
use abi::{
    PAGE, cap,
    image::{
        ARCH_AARCH64, ImageHeader, ImageManifest, MAGIC, MEMORY_MAX, QuiesceStep, SEGMENTS_MAX,
        Segment, VERSION,
    },
};
use object::{Endianness, pod};
use object::{
    elf::{
        DT_JMPREL, DT_NEEDED, DT_REL, DT_RELA, DT_RELASZ, DT_RELR, ET_DYN, PT_DYNAMIC, PT_INTERP,
        PT_TLS, R_AARCH64_NONE, R_AARCH64_RELATIVE, Rela64,
    },
    read::elf::{Dyn, FileHeader, ProgramHeader, Rela, SectionHeader},
};

use super::elf::{Elf, Load};
use crate::{
    profile::image,
    report::{Report, Reports},
};

const PAGE_LEN: u64 = PAGE as u64;
/// ELF section with the manifest's text.
const SECTION: &str = ".nexus.manifest";

/// A segment of the image while it is made: whole pages, contents from their first byte.
struct Part {
    addr: u64,
    mem_len: u64,
    perms: u32,
    bytes: Vec<u8>,
}

/// Packs `elf`.
///
/// # Errors
/// An ELF that is not position-independent, segments that share a page or are both writable and
/// executable, relocations other than `R_AARCH64_RELATIVE`, mistakes in the manifest.
pub fn image(elf: &[u8]) -> Result<Vec<u8>, Reports> {
    let fail = |why: String| Reports::from(Report::new(why));
    let opened = Elf::open(elf).map_err(fail)?;
    let text = manifest_text(&opened).map_err(fail)?;
    image_with(elf, SECTION, text)
}

/// As [`image`], with the manifest `text` from the file at `path` instead of the ELF's section: for programs
/// in another language.
///
/// # Errors
/// As [`image`].
pub fn image_with(elf: &[u8], path: &str, text: &str) -> Result<Vec<u8>, Reports> {
    let fail = |why: String| Reports::from(Report::new(why));
    let elf = Elf::open(elf).map_err(fail)?;
    let manifest = image::compile(path, text)?;
    let mut parts = parts(&elf).map_err(fail)?;
    let relocations = relocate(&elf, &mut parts).map_err(fail)?;
    encode(elf.entry(), &parts, &relocations, &manifest).map_err(fail)
}

fn manifest_text<'a>(elf: &Elf<'a>) -> Result<&'a str, String> {
    let sections = elf.header.sections(elf.endian, elf.bytes).map_err(|e| e.to_string())?;
    let (_, section) =
        sections.section_by_name(elf.endian, SECTION.as_bytes()).ok_or_else(|| {
            format!("the program has no section {SECTION}: include its manifest.kdl there")
        })?;
    let bytes = section.data(elf.endian, elf.bytes).map_err(|e| e.to_string())?;
    let text = std::str::from_utf8(bytes).map_err(|e| format!("{SECTION} is not UTF-8: {e}"))?;
    Ok(text.trim_end_matches('\0'))
}

fn parts(elf: &Elf) -> Result<Vec<Part>, String> {
    if elf.header.e_type(elf.endian) != ET_DYN {
        return Err("the program is not position-independent: link it with -pie".to_owned());
    }
    for program in elf.programs {
        match program.p_type(elf.endian) {
            PT_TLS => return Err("thread-local storage (PT_TLS) is not supported".to_owned()),
            PT_INTERP => return Err("the program wants a dynamic linker (PT_INTERP)".to_owned()),
            _ => {}
        }
    }
    let mut loads = elf.loads()?;
    loads.sort_by_key(|l| l.vaddr);
    let parts: Vec<Part> = loads.iter().map(part).collect::<Result<_, _>>()?;
    for pair in parts.windows(2) {
        if pair[0].addr + pair[0].mem_len > pair[1].addr {
            return Err(format!("two segments share the page at {:#x}", pair[1].addr));
        }
    }
    if parts.len() > SEGMENTS_MAX {
        return Err(format!("{} segments, and at most {SEGMENTS_MAX}", parts.len()));
    }
    Ok(parts)
}

fn part(load: &Load) -> Result<Part, String> {
    let (writable, executable) = (u32::from(cap::W), u32::from(cap::X));
    if load.perms & writable != 0 && load.perms & executable != 0 {
        return Err(format!("the segment at {:#x} is writable and executable", load.vaddr));
    }
    if load.perms & u32::from(cap::R) == 0 {
        return Err(format!("the segment at {:#x} is not readable", load.vaddr));
    }
    let end = load.vaddr + load.mem_len;
    if end > MEMORY_MAX {
        return Err(format!("the segment at {:#x} ends above {MEMORY_MAX:#x}", load.vaddr));
    }
    let addr = load.vaddr / PAGE_LEN * PAGE_LEN;
    let mut bytes = vec![0; (load.vaddr - addr) as usize];
    bytes.extend_from_slice(load.bytes);
    Ok(Part { addr, mem_len: end.next_multiple_of(PAGE_LEN) - addr, perms: load.perms, bytes })
}

/// Writes the addends into the segments and answers where the base is to be added.
fn relocate(elf: &Elf, parts: &mut [Part]) -> Result<Vec<u32>, String> {
    let mut out = Vec::new();
    for rela in table(elf)? {
        match rela.r_type(elf.endian, false) {
            R_AARCH64_NONE => continue,
            R_AARCH64_RELATIVE => {}
            other => return Err(format!("relocation {} is not supported", name(other))),
        }
        let at = rela.r_offset(elf.endian);
        let addend = rela.r_addend(elf.endian);
        if !at.is_multiple_of(8) {
            return Err(format!("the relocation at {at:#x} is not aligned"));
        }
        let inside = |p: &&mut Part| {
            let room = (p.bytes.len() as u64).checked_sub(8);
            at >= p.addr && room.is_some_and(|room| at - p.addr <= room)
        };
        let part = parts
            .iter_mut()
            .find(inside)
            .ok_or_else(|| format!("the relocation at {at:#x} lies outside the contents"))?;
        if !(0..MEMORY_MAX as i64).contains(&addend) {
            return Err(format!("the relocation at {at:#x} points outside the image"));
        }
        let start = (at - part.addr) as usize;
        part.bytes[start..start + 8].copy_from_slice(&addend.to_le_bytes());
        out.push(at as u32);
    }
    out.sort_unstable();
    match out.windows(2).find(|p| p[0] == p[1]) {
        Some(twice) => Err(format!("two relocations at {:#x}", twice[0])),
        None => Ok(out),
    }
}

type Relas<'a> = &'a [Rela64<Endianness>];

/// The relocations that the dynamic section names.
fn table<'a>(elf: &Elf<'a>) -> Result<Relas<'a>, String> {
    let endian = elf.endian;
    let dynamic = elf.programs.iter().find(|p| p.p_type(endian) == PT_DYNAMIC);
    let Some(dynamic) = dynamic else { return Ok(&[]) };
    let entries = dynamic.dynamic(endian, elf.bytes).map_err(|e| e.to_string())?;
    let (mut at, mut len) = (0, 0);
    for entry in entries.unwrap_or(&[]) {
        let value = entry.d_val(endian);
        match entry.tag(endian) {
            DT_RELA => at = value,
            DT_RELASZ => len = value,
            DT_NEEDED => return Err("the program needs a shared library (DT_NEEDED)".to_owned()),
            DT_REL | DT_RELR | DT_JMPREL => {
                return Err("DT_REL, DT_RELR and DT_JMPREL are not supported".to_owned());
            }
            _ => {}
        }
    }
    if len == 0 {
        return Ok(&[]);
    }
    let loads = elf.loads()?;
    let count = (len / size_of::<Rela64<Endianness>>() as u64) as usize;
    loads
        .iter()
        .find(|l| at >= l.vaddr && at - l.vaddr < l.bytes.len() as u64)
        .and_then(|l| pod::slice_from_bytes(&l.bytes[(at - l.vaddr) as usize..], count).ok())
        .map(|(relas, _)| relas)
        .ok_or_else(|| "the relocation table lies outside the contents".to_owned())
}

/// Name of a relocation that position-independent code without a dynamic linker may meet.
fn name(number: object::elf::RelocationType) -> String {
    use object::elf;
    match number {
        elf::R_AARCH64_ABS64 => "R_AARCH64_ABS64".to_owned(),
        elf::R_AARCH64_COPY => "R_AARCH64_COPY".to_owned(),
        elf::R_AARCH64_GLOB_DAT => "R_AARCH64_GLOB_DAT".to_owned(),
        elf::R_AARCH64_JUMP_SLOT => "R_AARCH64_JUMP_SLOT".to_owned(),
        elf::R_AARCH64_TLSDESC => "R_AARCH64_TLSDESC".to_owned(),
        elf::R_AARCH64_IRELATIVE => "R_AARCH64_IRELATIVE".to_owned(),
        other => format!("number {}", other.0),
    }
}

fn encode(
    entry: u64,
    parts: &[Part],
    relocations: &[u32],
    (manifest, steps): &image::Compiled,
) -> Result<Vec<u8>, String> {
    let executable = |p: &&Part| p.perms & u32::from(cap::X) != 0;
    let inside = |p: &Part| entry >= p.addr && entry - p.addr < p.bytes.len() as u64;
    if !parts.iter().filter(executable).any(inside) || !entry.is_multiple_of(4) {
        return Err(format!("the entry {entry:#x} lies in no executable segment"));
    }
    let segments = ImageHeader::SIZE;
    let relocations_at = segments + parts.len() * Segment::SIZE;
    let manifest_at = (relocations_at + relocations.len() * 4).next_multiple_of(8);
    let manifest_end = manifest_at + ImageManifest::SIZE + steps.len() * QuiesceStep::SIZE;
    let mut contents_at = manifest_end;
    let mut table = Vec::new();
    let mut contents = Vec::new();
    for part in parts {
        let segment = Segment {
            addr: part.addr,
            mem_len: part.mem_len,
            offset: contents_at as u32,
            file_len: part.bytes.len() as u32,
            perms: part.perms,
            zero: 0,
        };
        table.extend(segment.encode());
        contents.extend_from_slice(&part.bytes);
        contents.resize(contents.len().next_multiple_of(8), 0);
        contents_at = manifest_end + contents.len();
    }
    let mut out = vec![0; ImageHeader::SIZE];
    out.extend(table);
    out.extend(relocations.iter().flat_map(|r| r.to_le_bytes()));
    out.resize(manifest_at, 0);
    out.extend(manifest.encode());
    out.extend(steps.iter().flat_map(QuiesceStep::encode));
    out.extend(contents);
    let header = ImageHeader {
        magic: MAGIC,
        version: VERSION,
        arch: ARCH_AARCH64,
        kind: manifest.kind,
        file_len: out.len() as u64,
        mem_len: parts.iter().map(|p| p.addr + p.mem_len).max().unwrap_or(0),
        entry,
        segments: segments as u32,
        segment_count: parts.len() as u32,
        relocations: relocations_at as u32,
        relocation_count: relocations.len() as u32,
        manifest: manifest_at as u32,
        manifest_len: ImageManifest::SIZE as u32,
        zero: [0; 8],
        hash: *blake3::hash(&out[ImageHeader::SIZE..]).as_bytes(),
    };
    out[..ImageHeader::SIZE].copy_from_slice(&header.encode());
    Ok(out)
}
