//! Little-endian numbers in a block. A place outside the block reads as zero and takes no write: what comes from a device
//! is checked when it is loaded (`shape.rs`), and what slips through must not end in a panic.

/// The number of `N` bytes at `at`.
fn array<const N: usize>(block: &[u8], at: usize) -> [u8; N] {
    block.get(at..).and_then(<[u8]>::first_chunk::<N>).copied().unwrap_or([0; N])
}

/// Writes `bytes` at `at`.
pub(crate) fn put(block: &mut [u8], at: usize, bytes: &[u8]) {
    let end = at.saturating_add(bytes.len());
    if let Some(place) = block.get_mut(at..end) {
        place.copy_from_slice(bytes);
    }
}

pub(crate) fn u16_at(block: &[u8], at: usize) -> u16 {
    u16::from_le_bytes(array(block, at))
}

pub(crate) fn u32_at(block: &[u8], at: usize) -> u32 {
    u32::from_le_bytes(array(block, at))
}

pub(crate) fn u64_at(block: &[u8], at: usize) -> u64 {
    u64::from_le_bytes(array(block, at))
}

/// A hash of 32 bytes at `at`.
pub(crate) fn hash_at(block: &[u8], at: usize) -> [u8; 32] {
    array(block, at)
}

pub(crate) fn put_u16(block: &mut [u8], at: usize, value: u16) {
    put(block, at, &value.to_le_bytes());
}

pub(crate) fn put_u32(block: &mut [u8], at: usize, value: u32) {
    put(block, at, &value.to_le_bytes());
}

pub(crate) fn put_u64(block: &mut [u8], at: usize, value: u64) {
    put(block, at, &value.to_le_bytes());
}
