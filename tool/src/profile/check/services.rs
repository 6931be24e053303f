//! Services: roles, pledges, devices, channels, slots.
use abi::{PAGE, boot::SERVICE_INIT, call, cap, image::MEMORY_MAX, pledge, pledge::hard};

use super::super::{
    image::{STACK_MAX, bounded, whole_pages},
    model::{Cell, Channel, Service},
    read::unknown,
    unveil,
};
use super::unique;
use crate::{
    bundle::manifest,
    report::{Report, Spot},
};

/// Channel numbers below are the contract's.
const OWN_CHANNELS: u64 = 0x1_0000;
/// Most slots of a ring.
const MOST_SLOTS: u64 = 1024;
/// Most bytes of a buffer area.
const MOST_BUFFER: u64 = 4 << 20;
/// Most bytes of a MEMORY object: one `map` of all of it is one stretch of the kernel.
const MOST_REGION: u64 = 8 << 20;
/// Most places for children: all fibers and all channels of a core.
const MOST_PLACES: u64 = 192;
/// Most services of a cell: the kernel's table of domains.
const MOST_SERVICES: usize = 32;
/// Most channels of a cell: the kernel's table.
const MOST_CHANNELS: usize = 128;

/// A service runs on one of the cell's cores; subject zero where the kernel boots.
fn core(cell: &Cell, service: &Service, out: &mut Vec<Report>) {
    let Some(core) = &service.core else { return };
    let name = service.name.value.as_str();
    if cell.cores.iter().all(|own| own.value != core.value) {
        out.push(
            Report::new(format!("service `{name}` is to run on core {}", core.value))
                .at(&core.at, "not a core of this cell")
                .help("choose one that `core` of the cell lists"),
        );
    } else if service.flags & SERVICE_INIT != 0 && core.value != 0 {
        out.push(
            Report::new(format!("subject zero `{name}` is to run on core {}", core.value))
                .at(&core.at, "not where the kernel boots")
                .help("leave it out, or write `core 0`"),
        );
    }
}

/// Checks the services of `cell`.
pub fn check(cell: &Cell, out: &mut Vec<Report>) {
    let names: Vec<&str> = cell.services.iter().map(|s| s.name.value.as_str()).collect();
    unique("service", cell.services.iter().map(|s| &s.name), out);
    if let Some(service) = cell.services.get(MOST_SERVICES) {
        out.push(
            Report::new(format!("cell `{}` has {} services", cell.name.value, names.len()))
                .at(&service.name.at, "one too many")
                .help(format!("at most {MOST_SERVICES} are possible")),
        );
    }
    roles(cell, out);
    secrets(cell, out);
    for service in &cell.services {
        own(service, out);
        core(cell, service, out);
        rights(cell, service, out);
        devices(cell, service, out);
        for fiber in &service.fibers {
            if !names.contains(&fiber.value.as_str()) {
                out.push(unknown("service", fiber, &names));
            }
        }
        for (i, channel) in service.channels.iter().enumerate() {
            check_channel(cell, service, channel, &names, out);
            twice(&service.channels[..i], channel, out);
        }
    }
    let mut channels = cell.services.iter().flat_map(|s| &s.channels);
    if let Some(channel) = channels.nth(MOST_CHANNELS) {
        out.push(
            Report::new(format!("cell `{}` has too many channels", cell.name.value))
                .at(&channel.number.at, "one too many")
                .help(format!("at most {MOST_CHANNELS} are possible")),
        );
    }
    devices_once(cell, out);
    circle(cell, out);
    slots(cell, out);
}

fn roles(cell: &Cell, out: &mut Vec<Report>) {
    let mut init: Option<&Service> = None;
    for service in &cell.services {
        if service.flags.count_ones() > 1 {
            out.push(
                Report::new(format!("service `{}` has two roles", service.name.value))
                    .at(&service.role, "one of them")
                    .help("`first`, `auto` and `subject-zero` exclude each other"),
            );
        }
        if service.flags & SERVICE_INIT == 0 {
            continue;
        }
        if let Some(first) = init {
            out.push(
                Report::new(format!("cell `{}` has two subjects zero", cell.name.value))
                    .at(&service.role, "the second")
                    .note(&first.role, "the first")
                    .help("exactly one service is subject zero"),
            );
        }
        init = init.or(Some(service));
    }
    if init.is_none() {
        out.push(
            Report::new(format!("cell `{}` has no subject zero", cell.name.value))
                .at(&cell.name.at, "nothing would start here")
                .help("add `subject-zero` to the service that starts the others"),
        );
    }
}

/// What concerns the service alone.
fn own(service: &Service, out: &mut Vec<Report>) {
    whole_pages("stack", service.stack.as_ref(), STACK_MAX, out);
    whole_pages("heap", service.heap.as_ref(), MEMORY_MAX, out);
    memory(service, out);
    let window = pledge::WINDOW_NS[usize::from(service.spectrum.value)] / 1000;
    bounded("energy", Some(&service.energy), window, out);
    if let Some(args) = service.args.as_ref().filter(|a| a.value.len() > call::ARGS_MAX) {
        out.push(
            Report::new(format!("arguments of `{}` are too long", service.name.value))
                .at(&args.at, format!("{} bytes", args.value.len()))
                .help(format!("at most {} bytes are possible", call::ARGS_MAX)),
        );
    }
    unveil::check(&service.unveils, out);
    for (i, bit) in service.pledges.iter().enumerate() {
        if service.pledges[..i].iter().any(|p| p.value == bit.value) {
            out.push(
                Report::new("the same pledge stands here twice")
                    .at(&bit.at, "again here")
                    .help("leave one of them out"),
            );
        }
    }
}

/// MEMORY objects, and what children may take.
fn memory(service: &Service, out: &mut Vec<Report>) {
    unique("MEMORY object", service.memory.iter().map(|r| &r.name), out);
    for region in &service.memory {
        whole_pages("bytes", Some(&region.bytes), MOST_REGION, out);
        if region.bytes.value == 0 {
            out.push(
                Report::new(format!("memory `{}` has no bytes", region.name.value))
                    .at(&region.bytes.at, "nothing to map")
                    .help("at least one page, for example `bytes=\"4K\"`"),
            );
        }
        if service.pledge() & pledge::STDIO == 0 {
            let name = &service.name.value;
            out.push(
                Report::new(format!("service `{name}` is given memory and is not pledged STDIO"))
                    .at(&region.name.at, "needs STDIO")
                    .help("add \"STDIO\" to its `pledge`, or take this away"),
            );
        }
    }
    let Some(children) = &service.children else { return };
    whole_pages("memory", children.memory.as_ref(), MEMORY_MAX, out);
    bounded("places", children.places.as_ref(), MOST_PLACES, out);
}

/// What is given must be covered by the pledges of the service, and by those of the cell.
fn rights(cell: &Cell, service: &Service, out: &mut Vec<Report>) {
    let name = &service.name.value;
    let mut needs: Vec<(&Spot, u64, &str)> = Vec::new();
    needs.extend(service.devices.iter().map(|d| (&d.at, pledge::DEVICE, "a device")));
    needs.extend(service.clock.iter().map(|at| (at, pledge::STDIO, "the clock")));
    needs.extend(service.audit.iter().map(|at| (at, pledge::AUDIT, "the audit")));
    for (at, bit, what) in needs {
        if service.pledge() & bit == 0 {
            let word = pledge::NAMES[bit.trailing_zeros() as usize];
            out.push(
                Report::new(format!("service `{name}` is given {what} and is not pledged {word}"))
                    .at(at, format!("needs {word}"))
                    .help(format!("add \"{word}\" to its `pledge`, or take this away")),
            );
        }
    }
    let device = service.pledges.iter().find(|p| p.value == pledge::DEVICE);
    if let (Some(at), true) = (device, service.devices.is_empty()) {
        out.push(
            Report::new(format!("service `{name}` is pledged DEVICE and has no device"))
                .at(&at.at, "this pledge")
                .help("add `device \"NAME\"`, or take the pledge away"),
        );
    }
    if let Some(at) = service.power.as_ref().filter(|_| cell.pledge() & hard::POWER == 0) {
        out.push(
            Report::new(format!("service `{name}` has `power` and its cell is not pledged POWER"))
                .at(at, "cannot work")
                .help("add \"POWER\" to the cell's `pledge`"),
        );
    }
}

fn devices(cell: &Cell, service: &Service, out: &mut Vec<Report>) {
    let names: Vec<&str> = cell.devices.iter().map(|d| d.name.value.as_str()).collect();
    for device in &service.devices {
        if !names.contains(&device.value.as_str()) {
            out.push(unknown("device", device, &names));
        }
    }
}

/// A device has one driver.
fn devices_once(cell: &Cell, out: &mut Vec<Report>) {
    let all: Vec<_> =
        cell.services.iter().flat_map(|s| s.devices.iter().map(move |d| (s, d))).collect();
    for (i, (service, device)) in all.iter().enumerate() {
        if let Some((owner, first)) = all[..i].iter().find(|(_, d)| d.value == device.value) {
            out.push(
                Report::new(format!("device `{}` has two drivers", device.value))
                    .at(&device.at, format!("service `{}`", service.name.value))
                    .note(&first.at, format!("service `{}`", owner.name.value))
                    .help("one driver owns a device; the others talk to it over a channel"),
            );
        }
    }
}

fn check_channel(
    cell: &Cell,
    service: &Service,
    channel: &Channel,
    names: &[&str],
    out: &mut Vec<Report>,
) {
    let number = channel.number.value;
    if channel.slot.is_none() && (number <= OWN_CHANNELS || number > u32::MAX.into()) {
        out.push(
            Report::new(format!("channel number {number:#x} is not free to choose"))
                .at(&channel.number.at, "this number")
                .help("numbers above 0x10000 and below 2^32 are the manifest's"),
        );
    }
    let Some((_, server)) = cell.service(&channel.to.value) else {
        out.push(unknown("service", &channel.to, names));
        return;
    };
    if server.name == service.name {
        out.push(
            Report::new(format!("service `{}` is its own peer", service.name.value))
                .at(&channel.to.at, "itself")
                .help("name the service at the other end"),
        );
    }
    for end in [service, server] {
        let lacks = u64::from(channel.pledge) & !end.pledge();
        if lacks != 0 {
            let word = pledge::NAMES[lacks.trailing_zeros() as usize];
            out.push(
                Report::new(format!(
                    "the channel needs {word} and service `{}` is not pledged so",
                    end.name.value
                ))
                .at(&channel.number.at, format!("needs {word} at both ends"))
                .note(&end.name.at, "not pledged")
                .help(format!("add \"{word}\" to the `pledge` of `{}`", end.name.value)),
            );
        }
    }
    sizes(channel, out);
}

/// A number names one channel to one server.
fn twice(before: &[Channel], channel: &Channel, out: &mut Vec<Report>) {
    let same =
        |c: &&Channel| c.number.value == channel.number.value && c.to.value == channel.to.value;
    if let Some(first) = before.iter().find(same) {
        let (number, to) = (channel.number.value, &channel.to.value);
        out.push(
            Report::new(format!("channel {number:#x} to `{to}` stands here twice"))
                .at(&channel.number.at, "again here")
                .note(&first.number.at, "first here")
                .help("give it another number"),
        );
    }
}

fn sizes(channel: &Channel, out: &mut Vec<Report>) {
    let slots = channel.slots.as_ref();
    if let Some(bad) = slots.filter(|s| !s.value.is_power_of_two() || s.value > MOST_SLOTS) {
        out.push(
            Report::new("slots of a ring are a power of two")
                .at(&bad.at, format!("{} is none up to {MOST_SLOTS}", bad.value))
                .help("for example `slots=32`"),
        );
    }
    let page = PAGE as u64;
    let buffer = channel.buffer.as_ref();
    if let Some(bad) = buffer.filter(|b| !b.value.is_multiple_of(page) || b.value > MOST_BUFFER) {
        out.push(
            Report::new("a buffer area is a multiple of 4K, at most 4M")
                .at(&bad.at, format!("{} bytes", bad.value))
                .help("for example `buffer=\"4K\"`"),
        );
    }
}

/// A service waits for whom it is the client of: a circle would wait for itself.
fn circle(cell: &Cell, out: &mut Vec<Report>) {
    for start in &cell.services {
        for channel in &start.channels {
            if reaches(cell, &channel.to.value, &start.name.value, cell.services.len())
                && channel.to.value > start.name.value
            {
                out.push(
                    Report::new(format!(
                        "services `{}` and `{}` serve each other: a circle",
                        start.name.value, channel.to.value
                    ))
                    .at(&channel.to.at, "the circle closes here")
                    .help("one channel carries both directions; take the other away"),
                );
            }
        }
    }
}

/// Whether `from` is, over at most `steps` channels, a client of `goal`.
fn reaches(cell: &Cell, from: &str, goal: &str, steps: usize) -> bool {
    let mut reached = vec![from];
    for _ in 0..steps {
        let next: Vec<&str> = reached
            .iter()
            .filter_map(|name| cell.service(name))
            .flat_map(|(_, s)| s.channels.iter().map(|c| c.to.value.as_str()))
            .filter(|name| !reached.contains(name))
            .collect();
        reached.extend(next);
    }
    from != goal && reached.contains(&goal)
}

/// Every grant and every channel end takes a slot.
fn slots(cell: &Cell, out: &mut Vec<Report>) {
    let plan = manifest::plan(cell);
    for (service, used) in cell.services.iter().zip(plan.slots_used().iter().copied()) {
        if used > cap::SLOTS {
            out.push(
                Report::new(format!("service `{}` needs {used} slots", service.name.value))
                    .at(&service.name.at, "too many")
                    .help(format!("a capability space has {}", cap::SLOTS)),
            );
        }
    }
    let size = plan.len();
    if size > 64 << 10 {
        out.push(
            Report::new(format!("the manifest of cell `{}` is {size} bytes", cell.name.value))
                .at(&cell.name.at, "too long")
                .help("at most 64K are possible: fewer services, channels or arguments"),
        );
    }
}

/// One service has the secret, and to seal the audit it must reach it.
fn secrets(cell: &Cell, out: &mut Vec<Report>) {
    let with = || cell.services.iter().filter_map(|s| Some((s, s.secret.as_ref()?)));
    for (service, secret) in with().skip(1) {
        out.push(
            Report::new(format!("`{}` is the second service with a secret", service.name.value))
                .at(&secret.at, "one too many")
                .help("a cell has one secret, for the service that seals the audit"),
        );
    }
    for (service, secret) in with().filter(|(s, _)| s.audit.is_none()) {
        out.push(
            Report::new(format!("`{}` seals the audit and is not given it", service.name.value))
                .at(&secret.at, "this makes it the one that seals")
                .help("add `audit` to it"),
        );
    }
    let first = cell.cores.first().map(|core| core.value);
    for (service, secret) in with() {
        if let Some(core) = service.core.as_ref().filter(|core| Some(core.value) != first) {
            let name = service.name.value.as_str();
            out.push(
                Report::new(format!("`{name}` is to seal the audit from core {}", core.value))
                    .at(&core.at, "not where the audit chain is")
                    .note(&secret.at, "this makes it the one that seals")
                    .help("leave `core` out: the chain is sealed on the core that boots"),
            );
        }
    }
}
