//! Quiesce steps: from the text of an image's manifest to the records that the kernel reads, and every mistake by its words.
#![forbid(unsafe_code)]

mod forge;

use abi::image::{ImageHeader, ImageManifest, QuiesceStep, quiesce};
use forge::Elf;
use nexus::pack;

fn with(devices: u32, lines: &str) -> Elf {
    let text = forge::manifest("thing", "npl");
    let kept: Vec<&str> = text.lines().filter(|l| !l.trim().starts_with("devices")).collect();
    Elf::image(&format!("{}\ndevices {devices}\n{lines}\n", kept.join("\n")))
}

fn refusal(devices: u32, lines: &str) -> String {
    pack::image(&with(devices, lines).bytes()).expect_err(lines).to_string()
}

#[test]
fn steps_follow_the_manifest_in_the_order_of_the_text() {
    let lines = "quiesce \"write\" reg=0x38 value=0x10\n\
                 quiesce \"poll\" device=1 reg=0x18 mask=0x8 value=0 within-us=250";
    let bytes = pack::image(&with(2, lines).bytes()).unwrap_or_else(|r| panic!("{r}"));
    let packed = pack::inspect(&bytes).expect("inspects");
    assert_eq!(packed.manifest.quiesce, 2);
    let header = ImageHeader::decode(&bytes).expect("whole");
    let at = header.manifest as usize + ImageManifest::SIZE;
    let step = |n: usize| QuiesceStep::decode(&bytes[at + n * QuiesceStep::SIZE..]).expect("whole");
    let write = QuiesceStep { offset: 0x38, value: 0x10, ..QuiesceStep::zeroed() };
    assert_eq!(step(0), write);
    let op = quiesce::POLL;
    let poll = QuiesceStep { op, device: 1, offset: 0x18, mask: 8, within_us: 250, ..write };
    assert_eq!(step(1), QuiesceStep { value: 0, ..poll });
    // The contents come after the steps, none of them in the place of another.
    let first = packed.segments.iter().map(|s| s.offset as usize).min();
    assert_eq!(first, Some(at + 2 * QuiesceStep::SIZE));
}

#[test]
fn every_mistake_in_a_step_is_told() {
    let one = "quiesce \"write\" reg=0x38 value=0";
    let nine = [one; 9].join("\n");
    for (devices, lines, why) in [
        (1, nine.as_str(), "at most 8 quiesce steps"),
        (0, one, "the image wants none"),
        (1, "quiesce \"write\" device=1 reg=0x38 value=0", "at most 0x0 is possible"),
        (1, "quiesce \"write\" reg=0x3A value=0", "multiples of 4"),
        (1, "quiesce \"write\" reg=0x100000000 value=0", "at most 0xfffffffc"),
        (1, "quiesce \"write\" reg=0 value=0x100000000", "at most 0xffffffff"),
        (1, "quiesce \"write\" reg=0 value=0 mask=1", "neither mask nor bound"),
        (1, "quiesce \"poll\" reg=0x18 mask=8 value=0", "needs a bound"),
        (1, "quiesce \"poll\" reg=0x18 value=0 within-us=100001", "at most 0x186a0"),
        (1, "quiesce \"poll\" reg=0x18 mask=8 value=9 within-us=1", "outside of its mask"),
        (1, "quiesce \"wait\" reg=0x18 value=0", "wait"),
        (1, "quiesce \"write\" value=0", "reg"),
    ] {
        let told = refusal(devices, lines);
        assert!(told.contains(why), "{lines}: {told}");
    }
}
