//! What a volume lies on: numbered sectors. An image file, a partition and the client of a Block Valve are all this.

/// A request that the device did not do. The number is the device's own and comes back in [`crate::Error::Device`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DeviceError(pub u32);

/// Sectors that can be read, written and flushed.
///
/// What NexFS expects of it: after `flush` returned, every write before it is kept over a loss of power. Until then each
/// written sector holds, after such a loss, its old content, the new one or one of an earlier write in between, whatever
/// happened to its neighbours. A sector that was torn inside is noticed by its check and never trusted.
pub trait Device {
    /// Bytes in a sector: a power of two from 512 to 65,536, the same for ever.
    fn sector_size(&self) -> u32;
    /// Number of sectors.
    fn sectors(&self) -> u64;
    /// Reads whole sectors from `sector` on.
    fn read(&mut self, sector: u64, buffer: &mut [u8]) -> Result<(), DeviceError>;
    /// Writes whole sectors from `sector` on.
    fn write(&mut self, sector: u64, buffer: &[u8]) -> Result<(), DeviceError>;
    /// Makes all that was written before lasting.
    fn flush(&mut self) -> Result<(), DeviceError>;
}
