//! Hostile kernels at EL1 (`tests/el1`), each with its stated end.
use abi::boot::{CellRecord, cell, virt};
use abi::hypercall::cause;
use abi::pledge::hard;
use nexus::assembly;
use nexus::bundle::Table;
use nexus::failure::code;
use nexus::machine::Outcome;
use system::{Boot, expect_exit, folder, kernel_profile, signing, workspace};

/// A page of RAM that the machine has and no cell owns.
const UNASSIGNED: u64 = 0x6000_0000;
/// The interrupt translation service of QEMU's `virt`.
const ITS: u64 = 0x0808_0000;
/// Flag register of the console, which the kernel reads first.
const UART_FLAGS: u64 = virt::UART + 0x18;

/// Boots a test kernel under an image of RumKV, with every hard pledge: also those of classes that
/// the cell has no device of, which `check` would refuse.
fn boot(kernel: &str, rumkv: &str) -> Outcome {
    boot_with(kernel, rumkv, &[])
}

/// The same with more records in the cell table.
fn boot_with(kernel: &str, rumkv: &str, more: &[CellRecord]) -> Outcome {
    let folder = folder();
    let profile = kernel_profile(folder.path(), kernel, Some(rumkv));
    let all = |table: &mut Table| {
        for record in table.records.iter_mut().filter(|r| r.kind == cell::CELL) {
            record.arg = hard::ALL;
        }
        table.records.extend(more);
    };
    let built = assembly::forge(workspace(), &profile, &signing(), all).expect("a bundle");
    Boot::of(&built).counted().run()
}

/// RumKV must have ended the cell for `cause` at an address between `first` and `last`.
fn ended(outcome: &Outcome, kernel: &str, cause: u16, first: u64, last: u64) {
    expect_exit(outcome, code::DEAD_CELL);
    let post = outcome.post_mortem.expect("a post-mortem");
    assert_eq!((post.cell, post.cause), (0, cause), "{kernel}: {:?}", outcome.exit);
    assert!((first..=last).contains(&post.address), "{kernel}: {:?}", outcome.exit);
}

/// The cell must have switched itself off, content with what it saw.
fn content(outcome: &Outcome) {
    expect_exit(outcome, code::OK);
    assert_eq!(outcome.post_mortem.map(|p| p.cause), Some(cause::OFF));
}

#[test]
fn a_touch_outside_the_map_ends_the_cell() {
    let page = abi::PAGE as u64 - 1;
    let cases = [
        ("el1-read-rumkv", cause::DATA, virt::RUMKV, 0),
        ("el1-write-rumkv", cause::DATA, virt::RUMKV, 0),
        ("el1-execute-rumkv", cause::FETCH, virt::RUMKV, 0),
        ("el1-read-unassigned", cause::DATA, UNASSIGNED, 0),
        ("el1-read-its", cause::DATA, ITS, 0),
        ("el1-walk-device", cause::FETCH, virt::UART, 0),
        ("el1-access-pair", cause::NO_SYNDROME, virt::GICD, page),
        ("el1-access-atomic", cause::NO_SYNDROME, virt::GICD, page),
        ("el1-access-writeback", cause::NO_SYNDROME, virt::GICD, page),
    ];
    for (kernel, why, address, more) in cases {
        let outcome = boot(kernel, "rumkv");
        ended(&outcome, kernel, why, address, address + more);
        let pc = outcome.exit.pc.expect("a program counter");
        let own = why == cause::FETCH || (virt::KERNEL..virt::ARCHIVE).contains(&pc);
        assert!(own, "{kernel}: pc {pc:#x}");
    }
}

#[test]
fn without_the_check_the_same_kernel_reads_rumkv() {
    let outcome = boot("el1-read-rumkv", "rumkv-sabotage-stage2");
    content(&outcome);
    let text = outcome.beb.expect("a boot error buffer").text;
    assert!(text.contains("read succeeded"), "{text}");
}

#[test]
fn foreign_lines_and_waiting_interrupts() {
    for kernel in ["el1-lines", "el1-overflow", "el1-idle"] {
        content(&boot(kernel, "rumkv"));
    }
}

#[test]
fn calls_with_every_number_and_random_arguments() {
    for kernel in ["el1-hypercalls", "el1-firmware"] {
        let outcome = boot(kernel, "rumkv");
        ended(&outcome, kernel, cause::DATA, UNASSIGNED, UNASSIGNED);
        let head = outcome.beb.expect("a boot error buffer").head;
        assert_eq!((head.state, head.code), (abi::boot::beb::OFF, 0), "{kernel}");
    }
}

#[test]
fn what_was_pledged_away_is_gone() {
    let outcome = boot("el1-pledge-touch", "rumkv");
    ended(&outcome, "el1-pledge-touch", cause::DATA, UART_FLAGS, UART_FLAGS);
    assert_eq!(outcome.beb.expect("a boot error buffer").head.code, 0);
}

/// The second bank of flash stands for a device: two of its pages, seen on both sides of a boundary
/// of 2 MB, where one translation table ends. A window behind it comes first, so that the two tables
/// are not made one after the other.
#[test]
fn a_pledged_window_is_gone_from_every_table_that_maps_it() {
    const SECOND: u64 = 0x3020_0000;
    let record = |kind, a, b| CellRecord { kind, cell: 0, arg: hard::OTHER, a, b, c: 0x2000 };
    let more = [
        record(cell::MACHINE_DEVICE, 0x0400_0000, 0),
        record(cell::MACHINE_DEVICE, 0x0400_2000, 0),
        record(cell::DEVICE, SECOND + 0x1_0000, 0x0400_2000),
        record(cell::DEVICE, SECOND - 0x1000, 0x0400_0000),
    ];
    let outcome = boot_with("el1-pledge-window", "rumkv", &more);
    ended(&outcome, "el1-pledge-window", cause::DATA, SECOND, SECOND);
    assert_eq!(outcome.beb.expect("a boot error buffer").head.code, 0);
}

#[test]
fn every_system_register_encoding() {
    content(&boot("el1-registers", "rumkv"));
}

#[test]
fn tlb_maintenance_is_counted_by_the_build_that_traps_it() {
    for (rumkv, wanted) in [("rumkv-count-tlb", 100), ("rumkv", 0)] {
        let outcome = boot("el1-tlb", rumkv);
        content(&outcome);
        assert_eq!(outcome.beb.expect("a boot error buffer").head.scratch[0], wanted, "{rumkv}");
    }
}
