//! A foreign kernel in a cell: where image, device tree and initial files lie.
//!
//! The image lies at the start of the cell's RAM, where its header wants it (Linux,
//! `Documentation/arch/arm64/booting.rst`), the others behind it on multiples of 2 MB, so that the
//! kernel can map each with one entry. It is entered with the address of the device tree in `x0`.
use abi::boot::CELL_FLAT;

use super::{Load, Members, Parts, arm64, tree};
use crate::profile::model::{Cell, Guest};
use crate::report::{Report, Reports, Spanned};

const BLOCK: u64 = 2 << 20;

/// What the tree of a foreign kernel says besides its cell.
#[derive(Clone, Debug, Default)]
pub struct Chosen {
    /// Command line.
    pub args: String,
    /// First byte of the initial files and the first behind them.
    pub initrd: Option<(u64, u64)>,
}

/// The parts of such a cell.
pub fn parts(
    cell: &Cell,
    guest: &Guest,
    number: usize,
    members: &mut Members,
) -> Result<Parts, Reports> {
    let read = |path: &Spanned<std::path::PathBuf>| {
        std::fs::read(&path.value).map_err(|e| {
            Report::new(format!("cannot read {}: {e}", path.value.display()))
                .at(&path.at, "named here")
        })
    };
    let image = read(&guest.image)?;
    let head = arm64::Head::read(&image)
        .ok_or_else(|| Report::new("no flat arm64 image").at(&guest.image.at, "this file"))?;
    let start = cell.seen();
    let entry = start + head.offset;
    let size = head.size.max(image.len() as u64);
    let fdt_at = (entry + size).next_multiple_of(BLOCK);
    let initrd = guest.initrd.as_ref().map(read).transpose()?;
    let initrd_at = fdt_at + BLOCK;
    let initrd_len = initrd.as_ref().map_or(0, Vec::len) as u64;
    let chosen = Chosen {
        args: guest.args.as_ref().map_or(String::new(), |a| a.value.clone()),
        initrd: initrd.is_some().then_some((initrd_at, initrd_at + initrd_len)),
    };
    let fdt = tree::build(cell, Some(&chosen))
        .map_err(|e| Report::new(format!("the device tree cannot be built: {e}")))?;
    let end = start + cell.ram.first().map_or(0, |r| r.len.value);
    if initrd_at + initrd_len > end || fdt.len() as u64 > BLOCK {
        let need = initrd_at + initrd_len - start;
        return Err(Report::new(format!("kernel and files need {need} bytes of RAM"))
            .at(&guest.image.at, "this kernel")
            .help("give the cell more RAM")
            .into());
    }
    let mut loads = Vec::new();
    let mut load = |name: &str, contents: Vec<u8>, at, len| {
        let member = members.add(format!("cell{number}/{name}"), contents);
        loads.push(Load { member, at: cell.physical(at), len });
    };
    load("kernel", image, entry, size);
    let fdt_len = fdt.len() as u64;
    load("fdt", fdt, fdt_at, fdt_len);
    if let Some(initrd) = initrd {
        load("initrd", initrd, initrd_at, initrd_len);
    }
    Ok(Parts { entry, argument: fdt_at, flags: CELL_FLAT, loads, places: Vec::new() })
}
