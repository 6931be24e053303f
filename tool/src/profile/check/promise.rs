//! Memory: what services and channels are promised must fit the RAM of their cell, and where it has several cores, each
//! one's equal part: channels of the manifest come out of the boot core's.
use abi::{
    PAGE,
    boot::virt,
    image::ImageManifest,
    ring::{DEFAULT_SLOTS, SLOT_LEN, SLOTS_OFFSET},
};

use super::super::model::{Cell, Channel, Service};
use super::energy::on;
use crate::report::{Report, Spot};

const PAGE_LEN: u64 = PAGE as u64;
/// Tables of a domain and the guard pages beside heap and stack, bytes.
const DOMAIN: u64 = 18 * PAGE_LEN;

/// Adds up in the order of the profile and reports the first that no longer fits. `images` has the
/// manifest of each service's image, as far as known, `cores` its core; the images themselves and `/Boot` come on top.
pub fn check(
    cell: &Cell,
    cores: &[usize],
    images: &[Option<ImageManifest>],
    out: &mut Vec<Report>,
) {
    let count = cell.cores.len().max(1);
    let others = if count > 1 { virt::CORES_LEN } else { 0 };
    let kernel = virt::ARCHIVE - virt::CELL0 + others;
    let ram = cell.ram.iter().fold(0_u64, |sum, r| sum.saturating_add(r.len.value));
    let free = ram.saturating_sub(kernel) / count as u64;
    let mut sums = vec![0_u64; count];
    for ((service, image), &core) in cell.services.iter().zip(images).zip(cores) {
        let own = (&service.name.at, domain(service, image.as_ref()));
        let regions = service.memory.iter().map(|r| (&r.bytes.at, r.bytes.value));
        let children = service.children.iter().filter_map(|c| c.memory.as_ref());
        let children = children.map(|m| (&m.at, m.value));
        let channels = service.channels.iter().map(|c| (&c.number.at, channel(c)));
        let here = std::iter::once(own).chain(regions).chain(children).map(|part| (core, part));
        for (core, (at, len)) in here.chain(channels.map(|part| (0, part))) {
            sums[core] = len.saturating_add(sums[core]);
            if sums[core] > free && ram > kernel {
                out.push(overflow(cell, core, at, sums[core], free));
                return;
            }
        }
    }
}

fn domain(service: &Service, image: Option<&ImageManifest>) -> u64 {
    let stack = service.stack.as_ref().map_or(image.map_or(0, |i| i.stack), |s| s.value);
    let heap = service.heap.as_ref().map_or(image.map_or(0, |i| i.heap), |h| h.value);
    DOMAIN.saturating_add(stack).saturating_add(heap)
}

/// Both rings and both buffer areas; parts P and C of a ring have pages of their own.
fn channel(channel: &Channel) -> u64 {
    let slots = channel.slots.as_ref().map_or(u64::from(DEFAULT_SLOTS), |s| s.value);
    let slots = slots.saturating_mul(SLOT_LEN as u64).min(1 << 32) + SLOTS_OFFSET as u64;
    let buffer = channel.buffer.as_ref().map_or(0, |b| b.value.min(1 << 32));
    2 * (slots.next_multiple_of(PAGE_LEN) + PAGE_LEN + buffer)
}

fn overflow(cell: &Cell, core: usize, at: &Spot, sum: u64, free: u64) -> Report {
    Report::new(format!(
        "more memory is promised than cell `{}` has: {sum} of {free} bytes",
        cell.name.value
    ))
    .at(at, format!("does not fit any more{}", on(cell, core)))
    .help("lower `heap`, `stack`, `memory` or `buffer` here or above, or give the cell more RAM")
}
