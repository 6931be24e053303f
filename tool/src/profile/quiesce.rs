//! Quiesce steps of an image: what brings its device to rest when the driver died (`docs/abi/image.md`).
//!
//! `quiesce "write" reg=0x38 value=0` writes a register; `quiesce "poll" reg=0x18 mask=0x8 value=0 within-us=100` reads one until
//! the bits of `mask` are `value`. The kernel does them in the order of the text.
use abi::image::{QUIESCE_MAX, QuiesceStep, quiesce};

use super::shape::Placed;
use crate::report::{Report, Spot};

/// Longest poll that the kernel waits for, µs.
const LONGEST_US: u64 = 100_000;

/// The steps of the image's manifest; mistakes in them go to `out`. `devices`: how many windows the image wants.
pub fn steps(node: &Placed, devices: u32, out: &mut Vec<Report>) -> Vec<QuiesceStep> {
    let nodes = node.all("quiesce");
    if let Some(extra) = nodes.get(QUIESCE_MAX) {
        let why = format!("at most {QUIESCE_MAX} quiesce steps are possible");
        out.push(Report::new(why).at(&extra.spot(), "one too many"));
    }
    nodes.iter().filter_map(|node| step(node, devices, out)).collect()
}

fn step(node: &Placed, devices: u32, out: &mut Vec<Report>) -> Option<QuiesceStep> {
    let poll = node.text()?.value == quiesce::NAMES[usize::from(quiesce::POLL)];
    let mut number = |name: &str, default: u64, most: u64| {
        let value = node.number_of(name);
        if let Some(value) = value.as_ref().filter(|v| v.value > most) {
            let why = format!("`{name}` is {:#x}, and at most {most:#x} is possible", value.value);
            out.push(Report::new(why).at(&value.at, "too much"));
        }
        value.map_or(default, |v| v.value.min(most))
    };
    let word = u64::from(u32::MAX);
    let device = number("device", 0, u64::from(devices.saturating_sub(1)));
    let offset = number("reg", 0, word - 3);
    let value = number("value", 0, word);
    let mask = number("mask", if poll { word } else { 0 }, word);
    let within = number("within-us", 0, LONGEST_US);
    wrong(&node.spot(), poll, devices, [offset, value, mask, within], out);
    Some(QuiesceStep {
        op: if poll { quiesce::POLL } else { quiesce::WRITE },
        device: device as u8,
        offset: offset as u32,
        mask: mask as u32,
        value: value as u32,
        within_us: within as u32,
        ..QuiesceStep::zeroed()
    })
}

/// What the kernel would pass over, or never see fulfilled.
fn wrong(spot: &Spot, poll: bool, devices: u32, numbers: [u64; 4], out: &mut Vec<Report>) {
    let [offset, value, mask, within] = numbers;
    let mut say = |holds: bool, why: &str| {
        if holds {
            out.push(Report::new(format!("a quiesce step {why}")).at(spot, "this one"));
        }
    };
    say(devices == 0, "needs a device, and the image wants none");
    say(!offset.is_multiple_of(4), "reaches registers of 32 bits, on multiples of 4");
    say(poll && within == 0, "that polls needs a bound, `within-us`");
    say(poll && value & !mask != 0, "waits for bits outside of its mask");
    say(!poll && (mask != 0 || within != 0), "that writes has neither mask nor bound");
}
