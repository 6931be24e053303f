//! Cores, memory, devices and hard pledges: what the board has, and one owner for each.
use abi::{PAGE, boot::virt, pledge::hard};

use super::super::{
    board::{BoardDevice, Owner},
    model::{Cell, Device, Machine, Profile},
};
use super::{
    memory::{self, LEAST_RAM, overlap},
    unique,
};
use crate::report::{Report, Spanned};

const PAGE_LEN: u64 = PAGE as u64;
/// Most RAM of a machine: what 32-bit tables of the loader reach behind the devices.
const MOST_RAM: u64 = 3 << 30;

/// Checks the machine and what the cells take of it.
pub fn check(profile: &Profile, out: &mut Vec<Report>) {
    let machine = &profile.machine;
    board(machine, out);
    unique("cell", profile.cells.iter().map(|c| &c.name), out);
    cores(profile, out);
    memory::check(profile, out);
    for cell in &profile.cells {
        unique("device", cell.devices.iter().map(|d| &d.name), out);
        for device in &cell.devices {
            window(machine, device, out);
        }
        pledges(cell, out);
    }
    devices_once(profile, out);
}

fn board(machine: &Machine, out: &mut Vec<Report>) {
    let least = virt::CELL0 + LEAST_RAM - machine.board.ram;
    if machine.ram < least || machine.ram > MOST_RAM || !machine.ram.is_multiple_of(2 << 20) {
        out.push(
            Report::new(format!(
                "`{}` cannot have {} bytes of RAM",
                machine.board.name, machine.ram
            ))
            .at(&machine.ram_at, "this much")
            .help(format!(
                "choose a multiple of 2M from {}M to {}M",
                least >> 20,
                MOST_RAM >> 20
            )),
        );
    }
    if machine.cores == 0 || machine.cores > machine.board.cores {
        out.push(
            Report::new(format!("`{}` cannot have {} cores", machine.board.name, machine.cores))
                .at(&machine.cores_at, "this many")
                .help(format!("choose 1 to {}", machine.board.cores)),
        );
    }
}

fn cores(profile: &Profile, out: &mut Vec<Report>) {
    let mut owners: Vec<(&Spanned<u64>, &str)> = Vec::new();
    for cell in &profile.cells {
        let name = cell.name.value.as_str();
        if cell.cores.is_empty() {
            out.push(
                Report::new(format!("cell `{name}` has no core"))
                    .at(&cell.name.at, "cannot run")
                    .help("add `core 0`"),
            );
        }
        for core in &cell.cores {
            if core.value >= profile.machine.cores {
                out.push(
                    Report::new(format!("the machine has no core {}", core.value))
                        .at(&core.at, "missing core")
                        .help(format!("cores are 0 to {}", profile.machine.cores.max(1) - 1)),
                );
            }
            if let Some((first, owner)) = owners.iter().find(|(c, _)| c.value == core.value) {
                out.push(
                    Report::new(format!("core {} has two owners", core.value))
                        .at(&core.at, format!("cell `{name}`"))
                        .note(&first.at, format!("cell `{owner}`"))
                        .help("a core belongs to one cell, whole"),
                );
            }
            owners.push((core, name));
        }
        kernel_cores(profile, cell, out);
    }
}

/// What a kernel of the tree runs on: 1, 2 or 4 cores; more than one from 0 on, because Rumpk takes
/// the number of a core for its affinity. The machine boots on core 0, which is therefore the first
/// of the first cell.
fn kernel_cores(profile: &Profile, cell: &Cell, out: &mut Vec<Report>) {
    let Some(first) = cell.cores.first() else { return };
    let count = cell.cores.len();
    let name = cell.name.value.as_str();
    let boots = profile.cells.first().is_some_and(|c| std::ptr::eq(c, cell));
    if boots && first.value != 0 {
        out.push(
            Report::new(format!("the first cell, `{name}`, does not have core 0"))
                .at(&first.at, "another core first")
                .help("the machine boots on core 0: write it first"),
        );
    } else if cell.guest.is_some() {
        if count > cells::MAX_CORES {
            out.push(
                Report::new(format!("cell `{name}` has {count} cores"))
                    .at(&first.at, "too many")
                    .help(format!("a cell has at most {}", cells::MAX_CORES)),
            );
        }
    } else if !matches!(count, 1 | 2 | 4)
        || (0..).zip(&cell.cores).any(|(n, core)| count > 1 && core.value != n)
    {
        out.push(
            Report::new(format!("cell `{name}` cannot have these {count} cores"))
                .at(&first.at, "not 1, 2 or 4 cores from 0 on")
                .help("write `core 0`, `core 0 1` or `core 0 1 2 3`"),
        );
    }
}

/// The window must be one of the board's devices, whole, with its own interrupt.
fn window(machine: &Machine, device: &Device, out: &mut Vec<Report>) {
    let name = &device.name.value;
    let at = device.at.value;
    let board = machine.board;
    let known = || {
        let list: Vec<String> =
            board.assignable().map(|(d, _)| format!("{} at {:#x}", d.name, d.at)).collect();
        format!("`{}` has: {}", board.name, list.join(", "))
    };
    let Some(real) = board.device_at(at) else {
        let report = Report::new(format!("the machine has no device at {at:#x}"));
        out.push(report.at(&device.at.at, "missing device").help(known()));
        return;
    };
    let class = match real.owner {
        Owner::Cell(class) => class,
        Owner::Nobody(why) => {
            out.push(
                Report::new(format!("device `{name}` is the {}, which no cell may own", real.name))
                    .at(&device.at.at, "not to be had")
                    .help(why),
            );
            return;
        }
    };
    facts(device, real, class, out);
}

/// Start, length, class and interrupt must be those of the real device.
fn facts(device: &Device, real: &BoardDevice, class: u32, out: &mut Vec<Report>) {
    let at = device.at.value;
    if real.at != at || !at.is_multiple_of(PAGE_LEN) {
        out.push(
            Report::new(format!("the {} does not begin at {at:#x}", real.name))
                .at(&device.at.at, "inside the device")
                .help(format!("it begins at {:#x}", real.at)),
        );
    } else if device.len.value != real.len {
        out.push(
            Report::new(format!("the {} has {:#x} bytes", real.name, real.len))
                .at(&device.len.at, format!("{:#x} here", device.len.value))
                .help(format!("write `len={:#x}`", real.len)),
        );
    }
    if device.class.value != class {
        let right = hard::NAMES[class.trailing_zeros() as usize];
        out.push(
            Report::new(format!("the {} is of class {right}", real.name))
                .at(&device.class.at, "another class")
                .help(format!("write `class=\"{right}\"`")),
        );
    }
    if let Some(irq) = &device.irq {
        let (first, count) = real.irqs;
        if irq.value < first || irq.value - first >= count {
            out.push(
                Report::new(format!("interrupt {} is not the {}'s", irq.value, real.name))
                    .at(&irq.at, "another device's, or none")
                    .help(format!("write `irq={first}`")),
            );
        }
    }
}

/// Each window and each interrupt has one owner.
fn devices_once(profile: &Profile, out: &mut Vec<Report>) {
    let all: Vec<(&Cell, &Device)> =
        profile.cells.iter().flat_map(|c| c.devices.iter().map(move |d| (c, d))).collect();
    for (i, (cell, device)) in all.iter().enumerate() {
        for (other_cell, other) in &all[..i] {
            let range = |d: &Device| (d.at.value, d.len.value.max(PAGE_LEN));
            let mine = format!("`{}` of cell `{}`", device.name.value, cell.name.value);
            let theirs = format!("`{}` of cell `{}`", other.name.value, other_cell.name.value);
            if overlap(range(device), range(other)) {
                out.push(
                    Report::new("a device window has two owners")
                        .at(&device.at.at, &mine)
                        .note(&other.at.at, &theirs)
                        .help("a device belongs to one cell, and is listed once"),
                );
            }
            if let (Some(a), Some(b)) = (&device.irq, &other.irq)
                && a.value == b.value
            {
                out.push(
                    Report::new(format!("interrupt {} has two owners", a.value))
                        .at(&a.at, mine)
                        .note(&b.at, theirs)
                        .help("an interrupt belongs to one device"),
                );
            }
        }
    }
}

/// Hard pledges and the device list must say the same.
fn pledges(cell: &Cell, out: &mut Vec<Report>) {
    let mask = cell.pledge();
    let named = |class: u32| hard::NAMES[class.trailing_zeros() as usize];
    for device in &cell.devices {
        let class = device.class.value;
        if mask & class == 0 {
            out.push(
                Report::new(format!(
                    "device `{}` contradicts the pledge: cell `{}` is not pledged {}",
                    device.name.value,
                    cell.name.value,
                    named(class)
                ))
                .at(&device.class.at, "this class is not pledged")
                .help(format!("add \"{}\" to `pledge`, or take the device away", named(class))),
            );
        }
    }
    let functions = hard::POWER | hard::CORES;
    for (i, pledge) in cell.pledges.iter().enumerate() {
        let twice = cell.pledges[..i].iter().any(|p| p.value == pledge.value);
        let used = cell.devices.iter().any(|d| d.class.value == pledge.value);
        let report = if twice {
            Report::new(format!("{} is pledged twice", named(pledge.value)))
                .help("leave one of them out")
        } else if pledge.value & functions == 0 && !used {
            Report::new(format!(
                "pledge {} contradicts the device list: no device is of this class",
                named(pledge.value)
            ))
            .help("take the pledge away, or add the device")
        } else {
            continue;
        };
        out.push(report.at(&pledge.at, "this pledge"));
    }
}
