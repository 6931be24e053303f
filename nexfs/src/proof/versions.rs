//! What lets version 1 live on: feature words, devices that are larger than the volume, and what an earlier volume left.
use super::disk::{Disk, Lent, SECTOR, findings, format};
use crate::{Error, Finding, Place, Volume, crc};

/// A volume of 80 blocks of 2 KB with one file.
fn with_file() -> Disk {
    let (mut disk, mut lent) = (Disk::formatted(11, 80), Lent::new(11, 20));
    let mut v = Volume::mount(&mut disk, lent.lend()).expect("mount");
    v.set_time(5);
    v.create("f").expect("create");
    v.set_time(7);
    v.append("f", b"content").expect("append");
    v.sync().expect("sync");
    v.unmount();
    disk
}

/// Changes a byte of all four superblocks and seals them again.
fn mark(disk: &mut Disk, at: usize, byte: u8) {
    for block in [0, 1, 78, 79] {
        let sector = &mut disk.bytes[block * 2048..][..512];
        sector[at] = byte;
        let crc = crc::sealed(0, sector, 12);
        sector[12..16].copy_from_slice(&crc.to_le_bytes());
    }
}

fn error(disk: &mut Disk) -> Option<Error> {
    let mut lent = Lent::new(16, 7);
    Volume::mount(disk, lent.lend()).err()
}

#[test]
fn an_unknown_feature_that_readers_must_know_is_refused_by_its_bit() {
    let mut disk = with_file();
    mark(&mut disk, 265, 2);
    assert_eq!(error(&mut disk), Some(Error::Features(1 << 9)));
    mark(&mut disk, 8, 2);
    assert_eq!(error(&mut disk), Some(Error::Version(2)));
}

#[test]
fn an_unknown_feature_that_writers_must_know_leaves_reading() {
    let (mut disk, mut lent) = (with_file(), Lent::new(11, 20));
    mark(&mut disk, 272, 1);
    let before = disk.bytes.clone();
    let mut v = Volume::mount(&mut disk, lent.lend()).expect("mount");
    assert!(v.is_read_only());
    let mut content = [0; 7];
    assert_eq!(v.read(Place::Live("f"), 0, &mut content), Ok(7));
    assert_eq!(findings(&mut v), []);
    assert_eq!(v.create("g"), Err(Error::ReadOnly));
    assert_eq!(v.snapshot("s"), Err(Error::ReadOnly));
    assert_eq!(v.tidy(1), Err(Error::ReadOnly));
    assert_eq!(v.forget_client(1), Err(Error::ReadOnly));
    assert_eq!(v.sync(), Ok(()), "nothing to sync is no change");
    v.unmount();
    assert_eq!(disk.bytes, before);
}

#[test]
fn an_unknown_feature_that_nobody_must_know_is_kept() {
    let (mut disk, mut lent) = (with_file(), Lent::new(11, 20));
    mark(&mut disk, 281, 0x40);
    for _ in 0..2 {
        let mut v = Volume::mount(&mut disk, lent.lend()).expect("mount");
        v.append("f", b"more").expect("append");
        v.sync().expect("sync");
    }
    for block in [0, 1, 78, 79] {
        assert_eq!(disk.bytes[block * 2048 + 281], 0x40, "superblock {block}");
    }
}

#[test]
fn times_are_kept() {
    let (mut disk, mut lent) = (with_file(), Lent::new(11, 20));
    let mut v = Volume::mount(&mut disk, lent.lend()).expect("mount");
    let stat = v.stat(Place::Live("f")).expect("stat");
    assert_eq!((stat.made, stat.time), (5, 7));
    v.set_time(9);
    v.truncate("f", 0).expect("truncate");
    v.rename("f", "g").expect("rename");
    let stat = v.stat(Place::Live("g")).expect("stat");
    assert_eq!((stat.made, stat.time), (5, 9));
    v.touch("g", 1).expect("touch");
    let stat = v.stat(Place::Live("g")).expect("stat");
    assert_eq!((stat.made, stat.time), (5, 1));
    assert_eq!(v.touch("", 1), Err(Error::Path));
}

#[test]
fn an_image_on_a_larger_device_mounts() {
    let (mut disk, mut lent) = (with_file(), Lent::new(11, 20));
    // What an earlier and larger volume left at the end of the device.
    let mut device = Disk::formatted(11, 300);
    let n = disk.bytes.len();
    device.bytes[..n].copy_from_slice(&disk.bytes);
    let mut v = Volume::mount(&mut device, lent.lend()).expect("mount");
    assert_eq!((v.geometry().total, v.bad_superblocks()), (80, 0));
    assert_eq!(v.append("f", b"more"), Ok(7));
    v.sync().expect("sync");
    assert_eq!(findings(&mut v), []);
    v.unmount();
    // Cut short it does not.
    disk.bytes.truncate(n - SECTOR);
    assert_eq!(error(&mut disk), Some(Error::Geometry));
}

#[test]
fn a_new_volume_leaves_nothing_of_the_old_one_to_be_found() {
    for (old, new) in (11..=16).flat_map(|old| (11..=16).map(move |new| (old, new))) {
        let (mut disk, mut lent) = (Disk::new(1 << 14), Lent::new(16, 7));
        Volume::format(&mut disk, &format(old)).expect("format");
        for i in 0..3 {
            let mut v = Volume::mount(&mut disk, lent.lend()).expect("mount");
            v.create(&std::format!("old {i}")).expect("create");
            v.sync().expect("sync");
        }
        Volume::format(&mut disk, &format(new)).expect("format");
        // One after the other all copies of the new one but the last are lost as well.
        for lost in [None, Some((1 << 23 >> new) - 1), Some((1 << 23 >> new) - 2), Some(0)] {
            if let Some(block) = lost {
                disk.bytes[block << new..][..SECTOR].fill(0);
            }
            let mut v = Volume::mount(&mut disk, lent.lend()).expect("mount");
            assert_eq!(v.geometry().shift, new, "formatted with {old}, then with {new}");
            assert!(v.next_entry(Place::Live(""), "").expect("list").is_none());
            v.unmount();
        }
    }
}

#[test]
fn a_copy_of_another_volume_is_not_taken_for_one_of_this() {
    let (mut disk, mut lent) = (with_file(), Lent::new(11, 20));
    let mut other = Disk::new(80 * 4);
    let uuid: [u8; 16] = *b"another volume's";
    Volume::format(&mut other, &crate::Format { uuid, ..format(11) }).expect("format");
    let mut v = Volume::mount(&mut other, lent.lend()).expect("mount");
    for _ in 0..8 {
        v.truncate("x", 0).ok();
        v.create("x").expect("create");
        v.unlink("x").expect("unlink");
        v.sync().expect("sync");
    }
    v.unmount();
    disk.bytes[79 * 2048..][..512].copy_from_slice(&other.bytes[79 * 2048..][..512]);
    let mut v = Volume::mount(&mut disk, lent.lend()).expect("mount");
    assert_eq!((v.generation(), v.bad_superblocks()), (3, 1));
    assert_eq!(v.stat(Place::Live("f")).expect("stat").size, 7);
}

#[test]
fn a_wrong_sum_of_free_blocks_is_found() {
    let (mut disk, mut lent) = (with_file(), Lent::new(11, 20));
    let (at, mut v) = (72, Volume::mount(&mut disk, lent.lend()).expect("mount"));
    let (counted, found) = (v.available() - 1, v.available());
    assert_eq!(findings(&mut v), []);
    v.unmount();
    let byte = disk.bytes[2048 + at] - 1;
    mark(&mut disk, at, byte);
    let mut v = Volume::mount(&mut disk, lent.lend()).expect("mount");
    assert_eq!(findings(&mut v), [(std::string::String::new(), Finding::Free { counted, found })]);
}
