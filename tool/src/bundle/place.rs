//! Whether RumKV, kernel and tables fit the places that `abi::boot::virt` gives them.
use abi::boot::virt;

use super::ReadImage;
use crate::{
    pack::{self, Flat},
    profile::{ImageRef, model::Cell},
    report::{Report, Reports, Spanned},
};

/// RumKV, flat.
pub fn rumkv(image: &Spanned<ImageRef>, read: ReadImage) -> Result<Flat, Reports> {
    flat("RumKV", image, read, virt::RUMKV, virt::RUMKV_HANDOFF)
}

/// The kernel, flat.
pub fn kernel(image: &Spanned<ImageRef>, read: ReadImage) -> Result<Flat, Reports> {
    flat("the kernel", image, read, virt::KERNEL, virt::ARCHIVE)
}

fn flat(
    what: &str,
    image: &Spanned<ImageRef>,
    read: ReadImage,
    base: u64,
    end: u64,
) -> Result<Flat, Reports> {
    let bytes = read(&image.value)?;
    let refuse = |why: String| Report::new(why).at(&image.at, "this image");
    let flat = pack::flatten(&bytes).map_err(|why| {
        refuse(format!("`{}` cannot be {what}: {why}", image.value.name()))
            .help("name the ELF of a program that is linked for this place")
    })?;
    if flat.base_paddr < base || flat.base_paddr >= end || flat.mem_len > end - flat.base_paddr {
        let (at, len) = (flat.base_paddr, flat.mem_len);
        return Err(refuse(format!("{what} is linked for {at:#x} and takes {len:#x} bytes"))
            .help(format!("its place is {base:#x} to {end:#x}"))
            .into());
    }
    if !flat.base_paddr.is_multiple_of(abi::PAGE as u64) {
        return Err(refuse(format!("{what} does not begin on a page")).into());
    }
    Ok(flat)
}

fn room(cell: &Cell, what: &str, len: u64, most: u64) -> Option<Report> {
    (len > most).then(|| {
        Report::new(format!("the {what} of cell `{}` takes {len} bytes", cell.name.value))
            .at(&cell.name.at, "this cell")
            .help(format!("its place has {most}"))
    })
}

/// Whether device tree and manifest fit.
pub fn fits(cell: &Cell, fdt: usize, manifest: usize) -> Result<(), Reports> {
    let mut out = Reports::default();
    out.0.extend(room(cell, "device tree", fdt as u64, virt::MANIFEST - virt::FDT));
    out.0.extend(room(cell, "manifest", manifest as u64, virt::MEMMAP - virt::MANIFEST));
    out.or(())
}

/// Whether the files under `/Boot` fit: half of the RAM behind the kernel must be left for the
/// fibers.
pub fn archive(cell: &Cell, len: u64) -> Option<Report> {
    let ram_end = cell.seen() + cell.ram.first().map_or(0, |r| r.len.value);
    room(cell, "files under /Boot", len, ram_end.saturating_sub(virt::ARCHIVE) / 2)
}
