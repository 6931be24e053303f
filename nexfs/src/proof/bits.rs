//! Bit rot: every bit of a small volume is flipped in turn. In used space each flip is named by the check, by a refused
//! mount or by the count of superblocks; and whatever can still be read is what was written.
use std::string::String;
use std::vec::Vec;

use super::disk::{Disk, Lent, findings};
use super::model::{Model, Op, everything, perform};
use crate::{Error, Finding, Part, Place, Volume};

/// The smallest volume there is with a file of a node, folders, a snapshot, a clone and a client.
fn smallest() -> (Disk, Model) {
    let (mut disk, mut lent, mut model) =
        (Disk::formatted(11, 64), Lent::new(11, 20), Model::default());
    let mut v = Volume::mount(&mut disk, lent.lend()).expect("mount");
    let ops = [
        Op::Mkdir("etc".into()),
        Op::Create("etc/motd".into()),
        Op::Write("etc/motd".into(), 0, b"welcome".to_vec()),
        Op::Create("file".into()),
        Op::Write("file".into(), 0, (0..6000u32).map(|i| (i / 7) as u8).collect()),
        Op::Snapshot("monday".into()),
        Op::Write("file".into(), 2048, vec![7; 100]),
        Op::Clone("etc".into(), "copy".into()),
    ];
    for op in ops {
        model.apply(&op).expect("model");
        perform(&mut v, &op).expect("operation");
    }
    assert_eq!(v.begin(7, 3), Ok(None));
    v.append("etc/motd", b" back").expect("append");
    model.apply(&Op::Append("etc/motd".into(), b" back".to_vec())).expect("model");
    v.sync().expect("sync");
    v.unmount();
    (disk, model)
}

/// A small volume with files of several levels, folders, a snapshot, a clone, and something removed; and what it holds.
pub fn small() -> (Disk, Model) {
    let (mut disk, mut lent, mut model) =
        (Disk::formatted(11, 160), Lent::new(11, 20), Model::default());
    let mut v = Volume::mount(&mut disk, lent.lend()).expect("mount");
    let text: Vec<u8> = (0..75_000u32).map(|i| (i / 7) as u8).collect();
    let ops = [
        Op::Mkdir("etc".into()),
        Op::Create("etc/motd".into()),
        Op::Write("etc/motd".into(), 0, b"welcome".to_vec()),
        Op::Create("large".into()),
        Op::Write("large".into(), 0, text),
        Op::Snapshot("monday".into()),
        Op::Write("large".into(), 4096, vec![7; 5000]),
        Op::Clone("etc".into(), "copy".into()),
        Op::Append("etc/motd".into(), b" back".to_vec()),
        Op::Sync,
    ];
    for op in ops {
        model.apply(&op).expect("model");
        perform(&mut v, &op).expect("operation");
    }
    v.begin(7, 3).expect("begin");
    v.create("etc/request").expect("create");
    model.apply(&Op::Create("etc/request".into())).expect("model");
    v.sync().expect("sync");
    v.unmount();
    (disk, model)
}

/// Which blocks a flip must be noticed in: all that a sound volume reads in a check.
fn used(disk: &Disk) -> Vec<bool> {
    let (mut seen, mut lent) = (Watch::new(disk.clone()), Lent::new(11, 20));
    let mut v = Volume::mount(&mut seen, lent.lend()).expect("mount");
    assert_eq!(findings(&mut v), []);
    v.unmount();
    seen.read
}

/// A device that notes what is read.
struct Watch {
    disk: Disk,
    read: Vec<bool>,
}

impl Watch {
    fn new(disk: Disk) -> Self {
        let read = vec![false; disk.bytes.len() / super::disk::SECTOR];
        Watch { disk, read }
    }
}

impl crate::Device for &mut Watch {
    fn sector_size(&self) -> u32 {
        super::disk::SECTOR as u32
    }
    fn sectors(&self) -> u64 {
        self.read.len() as u64
    }
    fn read(&mut self, sector: u64, buffer: &mut [u8]) -> Result<(), crate::DeviceError> {
        let n = buffer.len() / super::disk::SECTOR;
        self.read[sector as usize..sector as usize + n].fill(true);
        crate::Device::read(&mut self.disk, sector, buffer)
    }
    fn write(&mut self, _: u64, _: &[u8]) -> Result<(), crate::DeviceError> {
        Err(crate::DeviceError(9))
    }
    fn flush(&mut self) -> Result<(), crate::DeviceError> {
        Ok(())
    }
}

/// Reads all that can be read and compares: an error is an answer, other content is not.
fn nothing_false(v: &mut Volume<'_, &mut Disk>, model: &Model) {
    match everything(v) {
        Ok(all) => assert_eq!(&all, model, "content was read that nobody wrote"),
        Err(Error::Damaged { .. }) => {}
        Err(other) => panic!("{other:?}"),
    }
    for (path, content) in &model.live {
        let Some(content) = content else { continue };
        let mut got = vec![0xEE; content.len()];
        match v.read(Place::Live(path), 0, &mut got) {
            Ok(_) => assert_eq!(&got, content, "{path}"),
            Err(_) => {
                assert!(got.iter().all(|&b| b == got[0]), "{path}: bytes got out beside the error");
            }
        }
    }
}

/// Flips one bit and sees what comes of it. Whether it was noticed.
fn flip(disk: &mut Disk, model: &Model, bit: usize) -> bool {
    disk.bytes[bit / 8] ^= 1 << (bit % 8);
    let mut lent = Lent::new(11, 20);
    let noticed = {
        let mut v = Volume::mount(&mut *disk, lent.lend())
            .expect("the other copies of the superblock are whole");
        let found = findings(&mut v);
        nothing_false(&mut v, model);
        !found.is_empty()
    };
    disk.bytes[bit / 8] ^= 1 << (bit % 8);
    noticed
}

/// Bits that no check covers, in blocks that are in use: what lies behind the end of a file in its last block.
fn slack(disk: &Disk, model: &Model, byte: usize) -> bool {
    let block = &disk.bytes[byte / 2048 * 2048..][..2048];
    let contents = model.live.values().chain(model.snapshots.values().flat_map(|t| t.values()));
    contents.flatten().filter(|c| !c.is_empty()).any(|c| {
        let last = (c.len() - 1) / 2048 * 2048;
        let tail = &c[last..];
        block.starts_with(tail)
            && block[tail.len()..].iter().all(|&b| b == 0)
            && byte % 2048 >= tail.len()
    })
}

fn flip_every((mut disk, model): (Disk, Model), step: usize, first: usize) {
    let used = used(&disk);
    let (mut noticed, mut behind) = (0, 0);
    for bit in (first..disk.bytes.len() * 8).step_by(step) {
        let byte = bit / 8;
        if !used[byte / 512] {
            continue;
        }
        if flip(&mut disk, &model, bit) {
            noticed += 1;
            continue;
        }
        // A superblock is its first sector.
        assert!(slack(&disk, &model, byte), "bit {bit} (block {}) went unnoticed", byte / 2048);
        behind += 1;
    }
    std::println!("{noticed} flips noticed, {behind} behind the ends of files");
    assert!(noticed > 100);
}

#[test]
fn a_flipped_bit_is_named_and_never_read() {
    // Every bit would take half an hour: a step that is prime to the layout meets every field of it.
    flip_every(small(), 397, 11);
}

#[test]
#[ignore = "a minute: every bit"]
fn every_flipped_bit_of_the_smallest_volume_is_named_and_never_read() {
    flip_every(smallest(), 1, 0);
}

#[test]
#[ignore = "half an hour: every bit"]
fn every_flipped_bit_is_named_and_never_read() {
    flip_every(small(), 1, 0);
}

#[test]
fn the_check_says_which_file_is_damaged() {
    let (mut disk, model) = small();
    let Some(Some(large)) = model.live.get("large") else { panic!("large") };
    // A block that only the file of now has, not the snapshot's.
    let at = disk.bytes.windows(2048).position(|w| w == &large[4096..6144]).expect("its block");
    disk.bytes[at + 5] ^= 1;
    let mut lent = Lent::new(11, 20);
    let mut v = Volume::mount(&mut disk, lent.lend()).expect("mount");
    let found = findings(&mut v);
    let block = at as u64 / 2048;
    assert_eq!(found, [(String::from("/large"), Finding::Damaged(Part::Data, block))]);
    assert_eq!(v.read(Place::Live("large"), 0, &mut [0; 4096]), Ok(4096));
    assert_eq!(
        v.read(Place::Live("large"), 0, &mut [0; 9000]),
        Err(Error::Damaged { part: Part::Data, block })
    );
    assert_eq!(v.read(Place::Snapshot("monday/large"), 0, &mut [0; 9000]), Ok(9000));
}

#[test]
fn a_lost_superblock_is_named_and_written_again() {
    let (mut disk, model) = small();
    let blocks = disk.bytes.len() / 2048;
    for copies in [[0, 1], [0, blocks - 2], [0, blocks - 1], [1, blocks - 2], [1, blocks - 1]] {
        for block in copies {
            disk.bytes[block * 2048..][..512].fill(0x55);
        }
        let mut lent = Lent::new(11, 20);
        let mut v = Volume::mount(&mut disk, lent.lend()).expect("mount");
        assert_eq!(findings(&mut v), [(String::new(), Finding::Superblocks(2))], "{copies:?}");
        for _ in 0..2 {
            v.truncate("etc/request", 0).expect("a change");
            v.create("again").expect("a change");
            v.unlink("again").expect("a change");
            v.sync().expect("sync");
        }
        v.unmount();
        let mut v = Volume::mount(&mut disk, lent.lend()).expect("mount");
        assert_eq!(findings(&mut v), [], "{copies:?}");
        assert_eq!(everything(&mut v).expect("read"), model);
    }
}
