//! nexus-boot as QEMU loads it: the flat image with root key and version floor patched in.
use crate::failure::Failure;

/// What nexus-boot puts in front of the two values.
pub const MAGIC: &[u8; 8] = b"NXROOT\0\0";
/// Where it must be: directly after the header of a Linux arm64 image (Linux, `booting.rst`).
pub const OFFSET: usize = 64;
/// Magic of that header, at offset 56.
const ARM64_MAGIC: &[u8; 4] = b"ARM\x64";

/// Writes the root public key and the lowest bundle version into a flat nexus-boot.
///
/// # Errors
/// The image has no header, or the place for the values is not where it must be.
pub fn patch(mut image: Vec<u8>, root_key: &[u8; 32], floor: u32) -> Result<Vec<u8>, Failure> {
    if image.get(56..60) != Some(ARM64_MAGIC.as_slice()) {
        return Err(Failure::new("nexus-boot does not start with a Linux arm64 image header"));
    }
    let key = OFFSET + MAGIC.len();
    let Some(place) = image.get_mut(OFFSET..key + 36) else {
        return Err(Failure::new("nexus-boot is shorter than its header"));
    };
    let (magic, values) = place.split_at_mut(MAGIC.len());
    if magic != MAGIC {
        return Err(Failure::new("nexus-boot has no place for the root key at offset 64"));
    }
    values[..32].copy_from_slice(root_key);
    values[32..].copy_from_slice(&floor.to_le_bytes());
    Ok(image)
}
