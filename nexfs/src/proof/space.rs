//! What things cost, counted in requests to the device: mount and append whatever the size, folders with many entries, and
//! a full volume.
use std::vec::Vec;

use super::disk::{Disk, Lent, SECTOR, findings, format};
use crate::{Device, DeviceError, Error, Place, Volume};

/// A device of any size that keeps only the blocks of 4 KB that were written.
#[derive(Default)]
struct Sparse {
    blocks: std::collections::HashMap<u64, Vec<u8>>,
    sectors: u64,
    reads: u64,
    written: u64,
}

impl Device for &mut Sparse {
    fn sector_size(&self) -> u32 {
        SECTOR as u32
    }
    fn sectors(&self) -> u64 {
        self.sectors
    }
    fn read(&mut self, sector: u64, buffer: &mut [u8]) -> Result<(), DeviceError> {
        self.reads += buffer.len() as u64;
        for (i, place) in buffer.chunks_mut(SECTOR).enumerate() {
            let at = sector + i as u64;
            match self.blocks.get(&at) {
                Some(bytes) => place.copy_from_slice(bytes),
                None => place.fill(0),
            }
        }
        Ok(())
    }
    fn write(&mut self, sector: u64, buffer: &[u8]) -> Result<(), DeviceError> {
        assert!(sector + (buffer.len() / SECTOR) as u64 <= self.sectors);
        self.written += buffer.len() as u64;
        for (i, bytes) in buffer.chunks(SECTOR).enumerate() {
            self.blocks.insert(sector + i as u64, bytes.to_vec());
        }
        Ok(())
    }
    fn flush(&mut self) -> Result<(), DeviceError> {
        Ok(())
    }
}

fn sparse(sectors: u64) -> Sparse {
    let mut device = Sparse { sectors, ..Sparse::default() };
    Volume::format(&mut &mut device, &format(12)).expect("format");
    device
}

/// Bytes that a mount and then a first small file and its commit cost on a volume of this many sectors.
fn first_steps(sectors: u64) -> (u64, u64, u64) {
    let (mut device, mut lent) = (sparse(sectors), Lent::new(12, 15));
    device.reads = 0;
    let mut v = Volume::mount(&mut device, lent.lend()).expect("mount");
    let mount = v.device.reads;
    (v.device.reads, v.device.written) = (0, 0);
    v.create("a").expect("create");
    v.write("a", 0, b"small").expect("write");
    v.sync().expect("sync");
    (mount, v.device.reads, v.device.written)
}

#[test]
fn a_mount_costs_the_same_up_to_the_largest_volume() {
    // 1 MB to 2^64 sectors less one.
    let small = first_steps(1 << 11);
    for shift in [16, 21, 31, 41, 63] {
        let large = first_steps(1 << shift);
        std::println!(
            "2^{shift} sectors: mount reads {}, first file reads {} writes {}",
            large.0,
            large.1,
            large.2
        );
        assert_eq!(large.0, small.0);
        // One node of the space map per level is all that the size adds.
        assert!(large.2 <= small.2 + 12 * 4096);
    }
    let largest = first_steps(u64::MAX);
    assert_eq!(largest.0, small.0);
}

#[test]
fn an_append_costs_the_same_at_any_size_of_the_file() {
    let (mut device, mut lent) = (sparse(1 << 19), Lent::new(12, 15));
    let mut v = Volume::mount(&mut device, lent.lend()).expect("mount");
    v.create("log").expect("create");
    let chunk = vec![7; 1 << 20];
    let mut costs = Vec::new();
    for mb in [1, 8, 32, 128] {
        while v.stat(Place::Live("log")).expect("stat").size < mb << 20 {
            v.append("log", &chunk).expect("append");
            v.sync().expect("sync");
        }
        (v.device.reads, v.device.written) = (0, 0);
        for _ in 0..50 {
            v.append("log", &[1; 100]).expect("append");
            v.sync().expect("sync");
        }
        let cost = (v.device.reads / 50, v.device.written / 50);
        std::println!(
            "{mb} MB: an append of 100 bytes and its sync read {} and write {} bytes",
            cost.0,
            cost.1
        );
        costs.push(cost);
    }
    // A level of the tree more is a block more to write.
    assert!(
        costs[3].1 <= costs[0].1 + 2 * 4096 && costs[3].0 <= costs[0].0 + 4 * 4096,
        "{costs:?}"
    );
}

#[test]
fn a_folder_of_many_entries_stays_fast() {
    let (mut device, mut lent) = (sparse(1 << 19), Lent::new(12, 15));
    let mut v = Volume::mount(&mut device, lent.lend()).expect("mount");
    for i in 0..20_000u32 {
        v.create(&std::format!("file number {}", i.wrapping_mul(2_654_435_761))).expect("create");
    }
    v.sync().expect("sync");
    v.device.reads = 0;
    for i in 0..100u32 {
        v.stat(Place::Live(&std::format!("file number {}", i.wrapping_mul(40_503_765)))).ok();
    }
    assert!(v.device.reads <= 100 * 4 * 4096, "{} bytes for 100 look-ups", v.device.reads);
    assert_eq!(findings(&mut v), []);
}

#[test]
fn a_full_volume_can_be_emptied_and_filled_again() {
    let (mut disk, mut lent) = (Disk::formatted(11, 400), Lent::least(11));
    let mut v = Volume::mount(&mut disk, lent.lend()).expect("mount");
    let mut counts = Vec::new();
    for _ in 0..3 {
        let mut n = 0;
        loop {
            let name = std::format!("f{n}");
            if v.create(&name).and_then(|()| v.append(&name, &[n as u8; 3000]))
                == Err(Error::NoSpace)
            {
                break;
            }
            n += 1;
        }
        counts.push(n);
        v.sync().expect("sync");
        assert_eq!(findings(&mut v), []);
        for i in 0..n {
            let mut content = [0; 3000];
            let name = std::format!("f{i}");
            assert_eq!(v.read(Place::Live(&name), 0, &mut content), Ok(3000));
            assert_eq!(content, [i as u8; 3000]);
            v.unlink(&name).expect("unlink on a full volume");
        }
        let _ = v.unlink(&std::format!("f{n}"));
        v.sync().expect("sync");
    }
    assert!(counts[0] > 100 && counts.iter().all(|&n| n == counts[0]), "{counts:?}");
    let space = v.space();
    assert_eq!(space.free, space.blocks - (space.blocks / 16).clamp(8, 96));
}
