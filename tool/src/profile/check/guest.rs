//! Kernels of cells: each has one, and a foreign one is what it says and has no services.
use std::path::Path;

use abi::boot::virt;

use super::super::model::{Cell, Guest, Profile};
use super::readable;
use crate::bundle::arm64;
use crate::report::Report;

/// Checks the kernel of one cell.
pub fn check(profile: &Profile, cell: &Cell, out: &mut Vec<Report>) {
    let name = &cell.name;
    let first = profile.cells.first().is_some_and(|c| std::ptr::eq(c, cell));
    match (&cell.kernel, &cell.guest) {
        (Some(_), None) => {}
        (None, Some(guest)) if first => out.push(
            Report::new(format!("cell `{}` comes first and has a foreign kernel", name.value))
                .at(&guest.image.at, "no kernel of this tree")
                .help("put the Rumpk cell first: the loader starts it itself"),
        ),
        (None, Some(guest)) => foreign(cell, guest, out),
        (None, None) => out.push(
            Report::new(format!("cell `{}` has no kernel", name.value))
                .at(&name.at, "nothing to run")
                .help("add `kernel \"rumpk\"`, or `linux \"FILE\"`"),
        ),
        (Some(kernel), Some(guest)) => out.push(
            Report::new(format!("cell `{}` has two kernels", name.value))
                .at(&guest.image.at, "the second")
                .note(&kernel.at, "the first")
                .help("leave one of them out"),
        ),
    }
}

fn foreign(cell: &Cell, guest: &Guest, out: &mut Vec<Report>) {
    for service in &cell.services {
        out.push(
            Report::new("a foreign kernel has no services")
                .at(&service.name.at, "of a cell with `linux`")
                .help("services are programs of Rumpk"),
        );
    }
    readable(&guest.image.value, &guest.image.at, false, out);
    if let Some(initrd) = &guest.initrd {
        readable(&initrd.value, &initrd.at, false, out);
    }
    if !guest.image.value.is_file() {
        return;
    }
    let end = virt::CELL0 + virt::CELL0_LEN;
    match head(&guest.image.value) {
        Err(why) => out.push(
            Report::new(format!("{}: {why}", guest.image.value.display()))
                .at(&guest.image.at, "this file")
                .help("it must begin with the header of a flat arm64 image (Linux, booting.rst)"),
        ),
        Ok(head) if cell.ram.first().is_some_and(|r| head.size > r.len.value) => out.push(
            Report::new(format!("the kernel needs {} bytes of RAM", head.size))
                .at(&guest.image.at, "this kernel")
                .help(format!("give the cell more, for example at {end:#x}")),
        ),
        Ok(_) => {}
    }
}

fn head(path: &Path) -> Result<arm64::Head, String> {
    use std::io::Read;
    let mut bytes = Vec::new();
    let file = std::fs::File::open(path).map_err(|e| e.to_string())?;
    file.take(arm64::LEN).read_to_end(&mut bytes).map_err(|e| e.to_string())?;
    arm64::Head::read(&bytes).ok_or_else(|| "it is no flat arm64 image".to_owned())
}
