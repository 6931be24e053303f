//! Finding the superblocks of a device: at mount, when nothing is known of it, and to erase those of an earlier volume.
//!
//! One valid superblock says block size, size and UUID, and so where all four copies lie; only what agrees with it counts.
//! Block 0 is asked first, whatever the block size. Only if it is gone the other places of each block size are tried, and
//! a superblock counts only where its own volume would have put it.
use crate::device::Device;
use crate::error::{Error, Result};
use crate::layout::{Geometry, MAX_SHIFT, MIN_SHIFT, SUPERBLOCK};
use crate::superblock::Superblock;

/// Bytes of the largest sector.
const SECTOR_MAX: usize = 1 << 12;

/// What a place holds: nothing of NexFS, or a superblock, or why it cannot be used.
type Found = Option<Result<(Superblock, Geometry)>>;

/// log2 of sectors per block of 2^`shift` bytes.
pub(crate) fn sector_shift<D: Device>(device: &D, shift: u8) -> Result<u32> {
    let size = device.sector_size();
    if !size.is_power_of_two() || !(SUPERBLOCK..=SECTOR_MAX).contains(&(size as usize)) {
        return Err(Error::Geometry);
    }
    u32::from(shift).checked_sub(size.trailing_zeros()).ok_or(Error::Geometry)
}

/// Writes a superblock: the first sector of its block, the rest of a larger sector zero.
pub(crate) fn write_sector<D: Device>(
    device: &mut D,
    sector: u64,
    bytes: &[u8; SUPERBLOCK],
) -> Result<()> {
    let mut buffer = [0; SECTOR_MAX];
    let size = device.sector_size() as usize;
    let place = buffer.get_mut(..size).ok_or(Error::Geometry)?;
    place[..SUPERBLOCK].copy_from_slice(bytes);
    Ok(device.write(sector, place)?)
}

/// Reads the first bytes of a sector, if there is such a sector and it can be read.
fn read_sector<D: Device>(device: &mut D, sector: u64) -> Option<[u8; SUPERBLOCK]> {
    let mut buffer = [0; SECTOR_MAX];
    let place = buffer.get_mut(..device.sector_size() as usize)?;
    if sector >= device.sectors() || device.read(sector, place).is_err() {
        return None;
    }
    place.first_chunk::<SUPERBLOCK>().copied()
}

/// Sectors in which a superblock of a volume with blocks of 2^`shift` bytes over the whole device may lie.
fn places<D: Device>(device: &D, shift: u8) -> Result<[u64; 4]> {
    let sectors = sector_shift(device, shift)?;
    let total = device.sectors() >> sectors;
    Ok([0, 1, total.saturating_sub(2), total.saturating_sub(1)].map(|block| block << sectors))
}

/// The superblock in a sector, if it is one that belongs there and its volume fits the device.
fn candidate<D: Device>(device: &mut D, sector: u64) -> Found {
    let read = Superblock::decode(&read_sector(device, sector)?)?;
    let Ok((s, g)) = read else { return Some(read) };
    let sectors = sector_shift(device, s.shift).ok()?;
    if !g.superblocks(s.generation).iter().any(|&block| block << sectors == sector) {
        return None;
    }
    Some(if g.total > device.sectors() >> sectors { Err(Error::Geometry) } else { Ok((s, g)) })
}

/// A superblock of the volume on the device, not always the newest.
fn first<D: Device>(device: &mut D) -> Result<(Superblock, Geometry)> {
    sector_shift(device, MAX_SHIFT)?;
    let mut error = Error::NotNexfs;
    for shift in MIN_SHIFT..=MAX_SHIFT {
        for sector in places(device, shift).unwrap_or_default() {
            match candidate(device, sector) {
                Some(Ok(found)) => return Ok(found),
                Some(Err(e)) if error == Error::NotNexfs => error = e,
                _ => {}
            }
        }
    }
    Err(error)
}

/// The newest superblock of the volume on the device, and how many of its four copies are missing.
pub(crate) fn find<D: Device>(device: &mut D) -> Result<(Superblock, Geometry, u8)> {
    let (some, g) = first(device)?;
    let (mut best, mut found) = (some, 0);
    let sectors = sector_shift(device, g.shift)?;
    for block in [0, 1].into_iter().flat_map(|slot| g.superblocks(slot)) {
        let Some(Ok((s, _))) = candidate(device, block << sectors) else { continue };
        if (s.uuid, s.total, s.shift) == (some.uuid, some.total, some.shift) {
            found += 1;
            best = if s.generation > best.generation { s } else { best };
        }
    }
    Ok((best, g, 4u8.saturating_sub(found)))
}

/// Erases each superblock that an earlier volume on this device may have left, whatever its block size.
pub(crate) fn erase<D: Device>(device: &mut D) -> Result<()> {
    for shift in MIN_SHIFT..=MAX_SHIFT {
        for sector in places(device, shift).unwrap_or_default() {
            if sector < device.sectors() {
                write_sector(device, sector, &[0; SUPERBLOCK])?;
            }
        }
    }
    Ok(device.flush()?)
}
