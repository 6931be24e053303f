//! Golden tests: every layout and number of the contract, typed anew from the design.
//!
//! A test that fails here says that the contract moved. For a frozen part that needs a decision
//! record and a line in CHANGELOG; then, and only then, the literal below is changed.
#[path = "golden/numbers.rs"]
mod numbers;
#[path = "golden/records.rs"]
mod records;
mod source;

use abi::call::{COST_J, Error};
use abi::cap::{Kind, verb};
use abi::{boot, call, hypercall, image, pledge, prov, ring, stats, systable};

#[test]
fn every_number_is_the_contracts() {
    for &(name, code, contract) in numbers::ALL.iter().copied().flatten() {
        assert_eq!(code, contract, "{name}");
    }
}

#[test]
fn no_number_and_no_record_is_left_out() {
    let plain = |name: &str| name.replace(' ', "");
    let listed: Vec<_> = numbers::ALL.iter().copied().flatten().map(|n| plain(n.0)).collect();
    let recorded: Vec<_> = records::NAMES.iter().map(|n| plain(n)).collect();
    let declared = source::constants();
    assert!(declared.len() > 200, "the scan finds the constants: {}", declared.len());
    for name in &declared {
        assert!(listed.contains(name), "abi/src declares {name}: give it a literal");
    }
    let declared = source::records();
    assert_eq!(declared.len(), recorded.len(), "{declared:?}");
    for name in &declared {
        assert!(recorded.contains(name), "record {name} has no golden test");
    }
}

#[test]
fn systable_bytes() {
    let table = systable::SysTable {
        magic: 0x4E58_5553,
        abi_major: 0x0102,
        size: 240,
        flags: 0x1112_1314_1516_1718,
        entries: std::array::from_fn(|i| 0x5000_1000 + 16 * i as u64),
        counter_hz: 62_500_000,
        wall_at_boot: 0x2122_2324_2526_2728,
        hw_addr: 0x5003_0000,
        hw_len: 0x3132_3334,
        hw_kind: 2,
        manifest_addr: 0x5004_0000,
        manifest_len: 0x4142,
        memmap_addr: 0x5005_0000,
        memmap_count: 0x0B,
        cpu_count: 4,
        boot_cpu: 3,
        beb_addr: 0x5001_0000,
        beb_len: 0x1_0000,
        measurement: [0xAB; 32],
    };
    let mut want = Vec::new();
    want.extend(*b"SUXN\x02\x01\xF0\x00\x18\x17\x16\x15\x14\x13\x12\x11");
    for low in [0u8, 0x10, 0x20, 0x30, 0x40, 0x50, 0x60, 0x70, 0x80, 0x90, 0xA0, 0xB0, 0xC0] {
        want.extend([low, 0x10, 0, 0x50, 0, 0, 0, 0]);
    }
    want.extend([0xA0, 0xAC, 0xB9, 0x03, 0, 0, 0, 0]);
    want.extend([0x28, 0x27, 0x26, 0x25, 0x24, 0x23, 0x22, 0x21]);
    want.extend([0, 0, 0x03, 0x50, 0, 0, 0, 0, 0x34, 0x33, 0x32, 0x31, 2, 0, 0, 0]);
    want.extend([0, 0, 0x04, 0x50, 0, 0, 0, 0, 0x42, 0x41, 0, 0, 0, 0, 0, 0]);
    want.extend([0, 0, 0x05, 0x50, 0, 0, 0, 0, 0x0B, 0, 0, 0, 0, 0, 0, 0]);
    want.extend([4, 0, 0, 0, 3, 0, 0, 0]);
    want.extend([0, 0, 0x01, 0x50, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0]);
    want.extend([0xAB; 32]);
    assert_eq!(table.encode().as_slice(), want);
}

#[test]
fn slot_and_wait_bytes() {
    let payload: [u8; 48] = std::array::from_fn(|i| 0x80 + i as u8);
    let slot = ring::Slot { kind: 0x0201, flags: 1, len: 48, arg: 0x1817_1615_1413_1211, payload };
    let mut want = vec![1, 2, 1, 0, 48, 0, 0, 0, 0x11, 0x12, 0x13, 0x14, 0x15, 0x16, 0x17, 0x18];
    want.extend(0x80..0xB0);
    assert_eq!(slot.encode().as_slice(), want);
    let entry = call::WaitEntry { slot: 5, want: 0x0D, got: 0x80, zero: 0 };
    assert_eq!(entry.encode(), [5, 0x0D, 0x80, 0]);
    let descriptor = ring::Descriptor { offset: 0x1000, len: 0x0102, zero: 0 };
    assert_eq!(descriptor.encode(), [0, 0x10, 0, 0, 0, 0, 0, 0, 2, 1, 0, 0, 0, 0, 0, 0]);
}

#[test]
fn provchain_bytes() {
    let record = prov::ProvRecord {
        seq: 7,
        time: 0x0102_0304_0506_0708,
        kind: 14,
        cell: 1,
        fiber: 0x2223,
        object: 0x3233,
        status: -5,
        data: [0xD0; 32],
        prev: [0xE0; 32],
        hash: [0xF0; 32],
    };
    let mut want = vec![7, 0, 0, 0, 0, 0, 0, 0, 8, 7, 6, 5, 4, 3, 2, 1, 14, 0, 1, 0];
    want.extend([0x23, 0x22, 0, 0, 0x33, 0x32, 0, 0, 0xFB, 0xFF, 0xFF, 0xFF]);
    want.extend([[0xD0; 32], [0xE0; 32], [0xF0; 32]].concat());
    assert_eq!(record.encode().as_slice(), want);
}

#[test]
fn prices() {
    assert_eq!(COST_J, [1, 0, 0, 0, 500, 5, 2, 10, 3, 20, 0, 1, 5]);
}

#[test]
fn errors() {
    let want = "BadCall BadSlot BadAddress Denied Revoked Pledge NotFound Full Empty TooBig \
                TimedOut NoEnergy NoMemory Exists Gone NotReady Unsupported";
    let names: Vec<String> = Error::ALL.iter().map(|e| format!("{e:?}")).collect();
    assert_eq!(names.join(" "), want);
    for (i, error) in Error::ALL.into_iter().enumerate() {
        let status = -(i as isize) - 1;
        assert_eq!(error as isize, status);
        assert_eq!(Error::from_status(status), Some(error));
    }
    for status in [0, 1, -18, isize::MAX, isize::MIN] {
        assert_eq!(Error::from_status(status), None, "{status}");
    }
}

#[test]
fn kinds_and_their_verbs() {
    use verb::{GRANT, MAP, MASK, RECV, SEND, SPAWN, TICK};
    let both = MASK | GRANT;
    let want = [
        (Kind::SELF, 0, "SELF", 0),
        (Kind::EVENTS, 1, "EVENTS", RECV),
        (Kind::CHANNEL, 2, "CHANNEL", SEND | RECV | MAP | both),
        (Kind::MEMORY, 3, "MEMORY", MAP | both),
        (Kind::DMA, 4, "DMA", MAP | both),
        (Kind::DEVICE, 5, "DEVICE", MAP | both),
        (Kind::IRQ, 6, "IRQ", SEND | RECV | both),
        (Kind::FIBER, 7, "FIBER", SEND | RECV | both),
        (Kind::FACTORY, 8, "FACTORY", SPAWN | both),
        (Kind::CLOCK, 9, "CLOCK", TICK | SEND | both),
        (Kind::AUDIT, 10, "AUDIT", SEND | RECV | both),
        (Kind::POWER, 11, "POWER", SEND | both),
    ];
    for (kind, number, name, verbs) in want {
        assert_eq!((kind.0, kind.verbs()), (number, verbs), "{name}");
        assert_eq!(Kind::NAMES[number as usize], name);
    }
    assert_eq!(Kind::NAMES.len(), 12);
    for unknown in 12..=255 {
        assert_eq!(Kind(unknown).verbs(), 0, "nothing may be done to kind {unknown}");
    }
}

#[test]
fn spectra() {
    assert_eq!(pledge::SPECTRA, ["void", "gravity", "matter", "photon"]);
    assert_eq!(pledge::WINDOW_NS, [u64::MAX, 50_000_000, 10_000_000, 2_000_000]);
    assert_eq!(pledge::BUDGET_J, [0, 2500, 500, 100]);
    let photon = 3 << 62 | 0b1111;
    let gravity = 1 << 62 | 0b0110_0101;
    assert_eq!(pledge::spectrum(photon), 3);
    assert_eq!(pledge::narrow(photon, gravity), 1 << 62 | 0b0101);
    assert_eq!(pledge::narrow(gravity, photon), 1 << 62 | 0b0101);
}

#[test]
fn printed_names() {
    let lists: [(&[&str], &str); 12] = [
        (
            &call::number::NAMES,
            "meta exit yield wait spawn send recv map mask grant pledge tick prov",
        ),
        (&verb::NAMES, "SPAWN SEND RECV MAP MASK TICK GRANT"),
        (&pledge::NAMES, "STDIO RPATH WPATH INET EXEC BLOCK DEVICE AUDIT"),
        (&pledge::hard::NAMES, "CONSOLE BLOCK NET BRIDGE OTHER POWER CORES"),
        (&image::policy::NAMES, "never restart escalate"),
        (&image::quiesce::NAMES, "write poll"),
        (&stats::state::NAMES, "free ready running waiting throttled ended quarantined"),
        (&hypercall::counter::NAMES, "interrupt hypercall firmware mmio sysreg tlb other"),
        (
            &boot::cell::NAMES,
            "none machine-ram hypervisor reserved cell core ram device irq machine-device \
             load archive interrupt-controller clock beb post-mortem place console iommu stream",
        ),
        (&boot::beb::NAMES[..7], "booting running off reset panic refused trap"),
        (
            &prov::kind::NAMES[..10],
            "boot image spawn exit fault blink quarantine grant revoke pledge",
        ),
        (&prov::kind::NAMES[11..], "strike checkpoint overrun application"),
    ];
    for (names, want) in lists {
        assert_eq!(names.join(" "), want);
    }
    let phrases: [(&[&str], &str); 4] = [
        (&prov::kind::NAMES[10..11], "pledge violation"),
        (&boot::beb::NAMES[7..], "no subject"),
        (
            &hypercall::cause::NAMES,
            "off, reset, data access outside the map, fetch outside the map, \
             access without syndrome, external abort, unexpected trap, fault inside RumKV",
        ),
        (
            &stats::end::NAMES,
            "runs, exit, killed, page fault, illegal instruction, misaligned access, \
             pledge violation, third strike, other fault, panic, fault of a child",
        ),
    ];
    for (names, want) in phrases {
        assert_eq!(names.join(", "), want);
    }
    assert_eq!((boot::INDEX_NAME, boot::CELLS_NAME), ("index", "cells.bin"));
}

#[test]
fn addresses_of_the_board_do_not_overlap() {
    use boot::virt;
    let inside = [
        (virt::SYSTABLE, 0x1000),
        (virt::GATES, 0x1000),
        (virt::BEB, virt::BEB_LEN),
        (virt::HANDOFF, 256),
        (virt::FDT, 0x1_0000),
        (virt::MANIFEST, 0x1_0000),
        (virt::MEMMAP, 0x1000),
        (virt::KERNEL, virt::ARCHIVE - virt::KERNEL),
    ];
    for pair in inside.windows(2) {
        assert!(pair[0].0 + pair[0].1 <= pair[1].0, "{pair:x?}");
    }
    let below = [
        (13 * virt::GATE_LEN, 0x1000),
        (virt::RUMKV + virt::RUMKV_LEN, virt::CELL0),
        (virt::CELL0 + virt::CELL0_LEN, virt::RAM + virt::RAM_LEN),
    ];
    for (end, limit) in below {
        assert!(end <= limit, "{end:#x} {limit:#x}");
    }
}

#[test]
fn names_are_cut_padded_and_read_back() {
    assert_eq!(abi::PAGE, 4096);
    assert_eq!(abi::name::<4>("ab"), *b"ab\0\0");
    assert_eq!(abi::name::<2>("abc"), *b"ab");
    assert_eq!(abi::text(b"ab\0c"), "ab");
    assert_eq!(abi::text(b"abcd"), "abcd");
    assert_eq!(abi::text(&[0xFF]), "?");
}
