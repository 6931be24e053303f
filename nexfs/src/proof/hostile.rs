//! Hostile images: bytes of a sound one changed at will, every checksum put right again, so that what is inside the nodes
//! is met and not only their seals. Whatever comes: no panic, no hang.
use std::vec::Vec;

use super::bits::small;
use super::disk::{Disk, Lent};
use super::model::everything;
use crate::crc;
use crate::{Place, Volume};

/// Seals superblocks and nodes anew: a fuzzer that must guess CRCs tests the CRC.
fn seal(bytes: &mut [u8], seed: u32) {
    for block in bytes.chunks_mut(2048) {
        if block.starts_with(b"NexFS") {
            let crc = crc::sealed(0, &block[..512], 12);
            block[12..16].copy_from_slice(&crc.to_le_bytes());
        } else if matches!(block.get(4), Some(1..=3))
            && block[16..24] != [0; 8]
            && block.len() == 2048
        {
            let crc = crc::sealed(seed, block, 0);
            block[..4].copy_from_slice(&crc.to_le_bytes());
        }
    }
}

/// Does everything to an image that a user would.
fn use_it(disk: &mut Disk) {
    let mut lent = Lent::new(11, 12);
    let Ok(mut v) = Volume::mount(disk, lent.lend()) else { return };
    let mut counts = vec![0; v.geometry().blocks.min(1 << 16) as usize];
    let mut stack = [crate::Frame::default(); 64];
    let _ = v.check(&mut counts, &mut stack, &mut |_, _| {});
    let (mut name, mut entries) = (std::string::String::new(), 0);
    while let Ok(Some(entry)) = v.next_entry(Place::Live(""), &name) {
        entries += 1;
        if entry.name() <= name.as_str() || entries > 100 {
            break;
        }
        name = entry.name().into();
        let mut buffer = [0; 5000];
        let _ = v.read(Place::Live(&name), 0, &mut buffer);
        let _ = v.hash(Place::Live(&name));
        let _ = v.next_entry(Place::Live(&name), "");
    }
    let _ = v.begin(7, 4);
    for path in ["large", "etc/motd", "copy/motd", "new"] {
        let _ = v.create(path);
        let _ = v.append(path, &[1; 3000]);
        let _ = v.truncate(path, 5000);
        let _ = v.rename(path, "etc/other");
        let _ = v.sync();
        if v.rollback().is_err() {
            return;
        }
    }
    let _ = v.remove_all("etc");
    let _ = v.remove_snapshot("monday");
    let _ = v.tidy(50);
    let _ = v.sync();
    let _ = v.tidy(500);
}

/// The input is a list of changes: where (3 bytes), what (1 byte).
fn change(image: &Disk, input: &[u8]) -> Disk {
    let mut disk = image.clone();
    for edit in input.chunks_exact(4).take(64) {
        let at = (usize::from(edit[0]) | usize::from(edit[1]) << 8 | usize::from(edit[2]) << 16)
            % disk.bytes.len();
        disk.bytes[at] = edit[3];
    }
    seal(&mut disk.bytes, crc::crc32c(0, b"0123456789abcdef"));
    disk
}

/// Places worth changing: every header, entry and pointer of the blocks in use.
fn seeds(image: &Disk) -> Vec<Vec<u8>> {
    let used = image.bytes.chunks(2048).enumerate().filter(|(_, b)| b.iter().any(|&x| x != 0));
    let at = |block: usize, offset: usize| (block * 2048 + offset) as u32;
    used.flat_map(|(block, _)| {
        [5, 6, 8, 16, 24, 32, 49, 64, 80, 96, 112].map(|offset| at(block, offset))
    })
    .map(|at| [at.to_le_bytes()[0], at.to_le_bytes()[1], at.to_le_bytes()[2], 0xFF].to_vec())
    .collect()
}

#[test]
fn an_unchanged_image_is_whole_under_the_same_sealing() {
    let (image, model) = small();
    let (mut disk, mut lent) = (change(&image, &[]), Lent::new(11, 12));
    let mut v = Volume::mount(&mut disk, lent.lend()).expect("mount");
    assert_eq!(everything(&mut v).expect("read"), model);
}

#[test]
fn fuzz() {
    let (image, _) = small();
    fuzz::run("nexfs", &seeds(&image), |input| use_it(&mut change(&image, input)));
}
