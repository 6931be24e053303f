//! RAM of the cells: in blocks, inside the machine's, one owner for each address.
use abi::boot::virt;

use super::super::model::{Cell, Machine, Profile, Ram};
use crate::report::{Report, Spot};

/// Least RAM of a cell: kernel, tables and archive lie in its first 2 MB, the fibers behind.
pub const LEAST_RAM: u64 = 8 << 20;
/// Grain: a block of the second-stage tables.
const BLOCK: u64 = 2 << 20;

/// Checks the RAM of every cell.
pub fn check(profile: &Profile, out: &mut Vec<Report>) {
    let before = out.len();
    let mut owners: Vec<(&Ram, &str)> = Vec::new();
    for cell in &profile.cells {
        let name = cell.name.value.as_str();
        enough(cell, out);
        for ram in &cell.ram {
            if !blocks(ram, out) {
                continue;
            }
            inside(&profile.machine, ram, name, out);
            if let Some((first, owner)) = owners.iter().find(|(r, _)| overlap(range(r), range(ram)))
            {
                out.push(two_owners(&ram.at.at, name, &first.at.at, owner));
            }
            owners.push((ram, name));
        }
    }
    let first = profile.cells.first().and_then(|c| c.ram.first());
    if let Some(ram) = first.filter(|r| r.at.value != virt::CELL0 && out.len() == before) {
        out.push(
            Report::new(format!("Rumpk's cell must begin at {:#x}", virt::CELL0))
                .at(&ram.at.at, "begins here")
                .help("the SysTable's address is part of the contract"),
        );
    }
}

fn two_owners(at: &Spot, name: &str, first: &Spot, owner: &str) -> Report {
    Report::new("memory overlaps: two owners of one address")
        .at(at, format!("cell `{name}`"))
        .note(first, format!("cell `{owner}`"))
        .help("move one of them, or make it smaller")
}

fn range(ram: &Ram) -> (u64, u64) {
    (ram.at.value, ram.len.value)
}

/// Whether two ranges of base and length share an address.
pub fn overlap(a: (u64, u64), b: (u64, u64)) -> bool {
    u128::from(a.0) < u128::from(b.0) + u128::from(b.1)
        && u128::from(b.0) < u128::from(a.0) + u128::from(a.1)
}

fn enough(cell: &Cell, out: &mut Vec<Report>) {
    let name = &cell.name.value;
    let Some(first) = cell.ram.first() else {
        out.push(
            Report::new(format!("cell `{name}` has no RAM"))
                .at(&cell.name.at, "cannot run")
                .help("add `ram \"128M\" at=0x50000000`"),
        );
        return;
    };
    if first.len.value < LEAST_RAM {
        out.push(
            Report::new(format!("cell `{name}` has too little RAM"))
                .at(&first.len.at, format!("{} bytes", first.len.value))
                .help(format!("give it at least {}M", LEAST_RAM >> 20)),
        );
    }
}

fn blocks(ram: &Ram, out: &mut Vec<Report>) -> bool {
    let whole = |n: u64| n.is_multiple_of(BLOCK);
    if whole(ram.at.value) && whole(ram.len.value) && ram.len.value > 0 {
        return true;
    }
    let bad = if whole(ram.at.value) { &ram.len } else { &ram.at };
    out.push(
        Report::new("RAM of a cell comes in blocks of 2M")
            .at(&bad.at, format!("{:#x} is no multiple", bad.value))
            .help("choose a multiple of 0x200000, and not 0"),
    );
    false
}

fn inside(machine: &Machine, ram: &Ram, name: &str, out: &mut Vec<Report>) {
    let board = machine.board;
    let machine_end = board.ram.saturating_add(machine.ram);
    let end = u128::from(ram.at.value) + u128::from(ram.len.value);
    if ram.at.value < board.ram || end > u128::from(machine_end) {
        let outside = ram.at.value < board.ram || ram.at.value >= machine_end;
        out.push(
            Report::new(format!("the machine has no RAM at {:#x} to {end:#x}", ram.at.value))
                .at(if outside { &ram.at.at } else { &ram.len.at }, "not all of it is there")
                .note(&machine.ram_at, "the machine's RAM")
                .help(format!("its RAM is {:#x} to {machine_end:#x}", board.ram)),
        );
    } else if overlap(range(ram), board.boot) {
        out.push(
            Report::new("RAM of a cell overlaps that of loader, hypervisor and bundle")
                .at(&ram.at.at, format!("cell `{name}`"))
                .help(format!("start at {:#x} or above", board.boot.0 + board.boot.1)),
        );
    }
}
