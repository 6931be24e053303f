//! A device that copies memory, given to a cell: what it reaches (`tests/el1`, kernel `el1-dma`).
use abi::boot::{CellRecord, cell};
use abi::hypercall::cause;
use abi::pledge::hard;
use nexus::assembly;
use nexus::bundle::Table;
use nexus::failure::code;
use system::{Boot, expect_exit, folder, kernel_profile, signing, workspace};

/// What the kernel notes: the device copied within the cell, from RumKV, to RumKV and back, and
/// within the cell after its stream was pledged away.
const OWN: u64 = 1;
const EVERYTHING: u64 = 0b1111;
/// Device 2 of the bus: QEMU's `edu`, which copies 4 KB at a time.
const DEVICE: &str = "edu,addr=2,dma_mask=0xffffffff";
/// Its number at the SMMU: bus, device, function.
const STREAM: u64 = 2 << 3;
/// Its part of the configuration space, and where the kernel puts its registers. As in a test no
/// one mediates the configuration space, both are windows.
const WINDOWS: [(u64, u64); 2] = [(0x40_1001_0000, 0x1000), (0x1000_0000, 0x10_0000)];

/// Boots the kernel with the device; answers what came through. `behind`: there is an SMMU, and the
/// device's stream is the cell's.
fn reached(behind: bool) -> u64 {
    let folder = folder();
    let profile = kernel_profile(folder.path(), "el1-dma", Some("rumkv"));
    let edit = |table: &mut Table| {
        let record = |kind, arg, a, b, c| CellRecord { kind, cell: 0, arg, a, b, c };
        for record in table.records.iter_mut().filter(|r| r.kind == cell::CELL) {
            record.arg = hard::ALL;
        }
        for (at, len) in WINDOWS {
            table.records.push(record(cell::MACHINE_DEVICE, hard::BLOCK, at, 0, len));
            table.records.push(record(cell::DEVICE, hard::BLOCK, at, at, len));
        }
        if behind {
            table.records.push(record(cell::STREAM, hard::OTHER, STREAM, 0, 0));
        } else {
            table.records.retain(|r| r.kind != cell::IOMMU);
        }
    };
    let built = assembly::forge(workspace(), &profile, &signing(), edit).expect("a bundle");
    let mut boot = Boot::of(&built).counted();
    let extra = &mut boot.options.board.extra;
    extra.extend(["-device".into(), DEVICE.into()]);
    if !behind {
        extra.extend(["-machine".into(), "iommu=none".into()]);
    }
    let outcome = boot.run();
    expect_exit(&outcome, code::OK);
    assert_eq!(outcome.post_mortem.map(|p| p.cause), Some(cause::OFF));
    let beb = outcome.beb.expect("a boot error buffer");
    println!("{}", beb.text);
    beb.head.scratch[1]
}

#[test]
fn a_device_reaches_what_its_cell_reaches_and_nothing_once_pledged() {
    assert_eq!(reached(true), OWN);
}

/// Otherwise the test before shows nothing.
#[test]
fn without_the_smmu_the_same_device_reaches_rumkv() {
    assert_eq!(reached(false), EVERYTHING);
}
