//! Quiesce steps on the machine in memory: a driver that the cell's manifest gives a device dies, and its image says what is to be
//! done to the device.
extern crate std;
use crate::Kernel;
use crate::audit_tests::kinds;
use crate::blink_tests::{fault, run};
use crate::host_tests::{cell_manifest, image, prepare_with, tar};
use crate::kernel::NONE;
use crate::spawn::Wish;
use abi::PAGE;
use abi::boot::{CellManifest, Grant, SERVICE_FIRST, Service, virt};
use abi::call::{Error, NO_SLOT};
use abi::cap::{Kind, R, W};
use abi::image::{ImageManifest, QuiesceStep, policy, quiesce};
use abi::pledge;
use abi::prov::kind;
use abi::stats::state;
use arch::Machine as _;
use arch::host::Host;
use std::boxed::Box;
use std::vec::Vec;

/// Two windows of the driver, the second one shorter.
const WINDOWS: [(u64, u64); 2] = [(0x0901_0000, 0x1000), (0x0903_0000, 0x20)];
/// Where the manifest of [`image`] stands, and where the steps and the relocation table go.
const MANIFEST: usize = 160;
const STEPS: usize = MANIFEST + ImageManifest::SIZE;

fn write(device: u8, offset: u32, value: u32) -> QuiesceStep {
    QuiesceStep { op: quiesce::WRITE, device, offset, value, ..QuiesceStep::zeroed() }
}

fn poll(offset: u32, mask: u32, value: u32, within_us: u32) -> QuiesceStep {
    QuiesceStep { op: quiesce::POLL, offset, mask, value, within_us, ..QuiesceStep::zeroed() }
}

/// [`image`] with steps behind its manifest, and the table of its one relocation behind them.
fn with_steps(mask: u64, steps: &[QuiesceStep]) -> Vec<u8> {
    let mut file = image(mask);
    let mut head = abi::image::ImageHeader::decode(&file).expect("a header");
    let mut manifest = ImageManifest::decode(&file[MANIFEST..]).expect("a manifest");
    let table = STEPS + steps.len() * QuiesceStep::SIZE;
    file.copy_within(STEPS..STEPS + 4, table);
    manifest.quiesce = steps.len() as u32;
    head.manifest_len = (table - MANIFEST) as u32;
    head.relocations = table as u32;
    file[..head.encode().len()].copy_from_slice(&head.encode());
    file[MANIFEST..STEPS].copy_from_slice(&manifest.encode());
    for (step, to) in steps.iter().zip(file[STEPS..table].chunks_mut(QuiesceStep::SIZE)) {
        to.copy_from_slice(&step.encode());
    }
    file
}

/// A cell whose driver has both windows and these steps; the driver's place. It runs.
fn driver(steps: &[QuiesceStep]) -> (Box<Kernel<Host>>, usize) {
    let mut k = cell(steps, &WINDOWS, SERVICE_FIRST);
    let place = k.fibers.iter().position(|f| abi::text(&f.name) == "driver").expect("a driver");
    run(&mut k, place);
    (k, place)
}

/// A cell with a driver as its second service, started by the kernel if `flags` say so.
fn cell(steps: &[QuiesceStep], windows: &[(u64, u64)], flags: u32) -> Box<Kernel<Host>> {
    let mask = 2 << pledge::SPECTRUM_SHIFT | pledge::BITS;
    let archive =
        tar(&[("Boot/bin/init", image(mask)), ("Boot/bin/driver", with_steps(mask, steps))]);
    let before = cell_manifest();
    let mut head = CellManifest::decode(&before).expect("a manifest");
    let service = Service {
        name: abi::name("driver"),
        image: abi::name("Boot/bin/driver"),
        pledge: mask,
        energy: 2000,
        flags,
        policy: u16::from(policy::RESTART),
        grant_count: windows.len() as u32,
        ..Service::zeroed()
    };
    let grants = windows.iter().zip(8..).map(|(&(a, b), slot)| Grant {
        kind: Kind::DEVICE.0,
        slot,
        perms: R | W,
        a,
        b,
        ..Grant::zeroed()
    });
    (head.services, head.grants) = (2, windows.len() as u32);
    head.text += (Service::SIZE + windows.len() * Grant::SIZE) as u32;
    head.total_len = head.text;
    let mut manifest = [&head.encode(), &before[CellManifest::SIZE..], &service.encode()].concat();
    grants.for_each(|g| manifest.extend(g.encode()));
    let (host, mut handoff) = prepare_with(16 << 20, &archive, &manifest);
    // Who drives devices sees the device tree.
    (handoff.fdt, handoff.fdt_len) = (virt::FDT, PAGE as u64);
    let mut k = Box::new(Kernel::new(Host::OFF));
    k.boot(host, &handoff, None);
    k.schedule();
    k
}

/// Lets the others run until the driver is where `done` says.
fn until(k: &mut Kernel<Host>, place: usize, done: u8) -> bool {
    for _ in 0..1000 {
        if k.fibers[place].state == done {
            return true;
        }
        k.machine.advance(100_000);
        k.call(abi::call::number::YIELD, &[0; 6]);
        k.schedule();
    }
    false
}

#[test]
fn steps_are_done_in_order_before_the_next_instance_runs() {
    let (a, b) = (WINDOWS[0].0, WINDOWS[1].0);
    // Later writes go over earlier ones; the poll sees the one before it and not the one behind.
    let steps = [
        write(0, 0x10, 1),
        write(0, 0x10, 0xA5),
        poll(0x10, 0xF0, 0xA0, 50),
        write(0, 0x10, 7),
        // The last register of the shorter window.
        write(1, 0x1C, 9),
    ];
    let (mut k, place) = driver(&steps);
    assert!(k.machine.registers.is_empty(), "nothing before a fault");
    for round in 1..=3 {
        k.machine.registers.clear();
        fault(&mut k);
        run(&mut k, place);
        let done: Vec<_> = k.machine.registers.iter().map(|(&at, &value)| (at, value)).collect();
        assert_eq!(done, [(a + 0x10, 7), (b + 0x1C, 9)], "round {round}");
        assert_eq!(k.domains[k.domain as usize].history.blinks, round);
    }
}

#[test]
fn a_poll_waits_for_a_device_that_comes_to_rest_in_time() {
    let (mut k, place) = driver(&[poll(0x18, 3, 2, 20_000), write(0, 4, 1)]);
    fault(&mut k);
    for _ in 0..20 {
        k.machine.advance(100_000);
        k.call(abi::call::number::YIELD, &[0; 6]);
        k.schedule();
    }
    assert_ne!(k.current as usize, place, "it waits");
    assert!(k.machine.registers.is_empty(), "and does nothing out of order");
    // Bits outside the mask do not count.
    k.machine.write_register(WINDOWS[0].0 + 0x18, 0xFE);
    run(&mut k, place);
    assert_eq!(k.machine.registers.get(&(WINDOWS[0].0 + 4)), Some(&1));
}

#[test]
fn a_device_that_never_rests_keeps_its_memory_and_its_driver_in_quarantine() {
    let (mut k, place) = driver(&[poll(0, 1, 1, 1000), write(0, 4, 1)]);
    let id = k.fibers[place].domain as usize;
    let (free, extent, began) = (k.memory.free(), k.domains[id].extent, k.machine.now());
    let kept = k.objects.iter().filter(|o| !o.is_free()).count();
    fault(&mut k);
    assert!(until(&mut k, place, state::QUARANTINED), "quarantine");
    let took = k.machine.now() - began;
    assert!((1_000_000..50_000_000).contains(&took), "after {took} ns");
    assert_eq!(k.memory.free(), free, "its memory is nobody's");
    assert_eq!((k.domains[id].extent, k.domains[id].is_free()), (extent, false));
    assert!(k.machine.registers.is_empty(), "no step after one that failed");
    // Not even its parent's word brings it back: the device may still write.
    assert!(k.release(place).is_err());
    assert!(k.blink(place).is_err());
    assert!(!until(&mut k, place, state::READY), "it stays");
    assert_eq!((k.memory.free(), k.fibers[place].state), (free, state::QUARANTINED));
    assert!(k.objects.iter().filter(|o| !o.is_free()).count() <= kept);
    assert_eq!(kinds(&mut k).last(), Some(&kind::QUARANTINE), "and the chain says so");
    // A kill asks the device once more. Memory is free when it has come to rest, and not before.
    assert_eq!(k.kill_fiber(place), Ok(()));
    assert!(!until(&mut k, place, state::ENDED), "it is still at work");
    assert_eq!((k.memory.free(), k.fibers[place].state), (free, state::QUARANTINED));
    k.machine.write_register(WINDOWS[0].0, 1);
    assert_eq!(k.kill_fiber(place), Ok(()));
    for _ in 0..100 {
        k.machine.advance(100_000);
        k.call(abi::call::number::YIELD, &[0; 6]);
        k.schedule();
    }
    assert!(k.memory.free().0 > free.0 && k.domains[id].is_free(), "at rest");
    assert_eq!(k.machine.registers.get(&(WINDOWS[0].0 + 4)), Some(&1), "the step behind it");
}

#[test]
fn the_longest_poll_is_bounded_whatever_the_image_says() {
    let (mut k, place) = driver(&[poll(0, 1, 1, u32::MAX)]);
    let began = k.machine.now();
    fault(&mut k);
    for _ in 0..10 {
        if until(&mut k, place, state::QUARANTINED) {
            break;
        }
    }
    assert_eq!(k.fibers[place].state, state::QUARANTINED);
    let took = k.machine.now() - began;
    assert!((100_000_000..400_000_000).contains(&took), "after {took} ns");
}

/// What the driver's image says is looked at before anything is made of it: once it died there is nobody to tell.
#[test]
fn an_image_with_a_step_that_cannot_be_done_is_not_started() {
    const HIGH: u64 = 0x40_1000_0000;
    let windows = [WINDOWS[0], WINDOWS[1], (HIGH, 0x1000)];
    let planned = |step, service| {
        let k = cell(&[write(0, 0, 1), step], &windows, 0);
        let wish = Wish {
            parent: NONE,
            far: None,
            service,
            path: "Boot/bin/driver",
            name: "driver",
            pledge: u64::MAX,
            energy: 0,
            heap: 0,
            args: &[],
            channel_slot: NO_SLOT,
        };
        k.plan(&wish).map(|_| ()).err()
    };
    for good in [write(0, 0xFFC, 1), write(1, 0x1C, 1), poll(0x18, 1, 1, 5)] {
        assert_eq!(planned(good, Some(1)), None, "{good:?}");
        assert_eq!(planned(good, Some(0)), Some(Error::BadCall), "who has no device: {good:?}");
        assert_eq!(planned(good, None), Some(Error::BadCall), "no service: {good:?}");
    }
    for (bad, why) in [
        (write(0, 0x1000, 1), "past the end of its window"),
        (write(1, 0x20, 1), "past the end of the shorter one"),
        (write(0, u32::MAX - 3, 1), "far past the end"),
        (write(0, 0x12, 1), "not aligned"),
        (write(2, 0, 1), "where the kernel does not reach"),
        (write(3, 0, 1), "of no window"),
        (QuiesceStep { op: 2, ..write(0, 0, 1) }, "of an unknown kind"),
    ] {
        assert_eq!(planned(bad, Some(1)), Some(Error::BadCall), "{why}");
    }
}
