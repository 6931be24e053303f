//! An image file as a device, and the memory that a volume on the host borrows.
use std::fs::{File, OpenOptions};
use std::os::unix::fs::FileExt;
use std::path::Path;

use indicatif::ProgressBar;
use nexfs::{Device, DeviceError, Error, Format, Memory, Slot, Volume};

use crate::failure::{Context, Failure};

/// Bytes of a sector: what every disk can write at once.
const SECTOR: u32 = 512;
/// Blocks of the cache.
const CACHE: usize = 256;

/// A file of sectors.
#[derive(Debug)]
pub struct Image {
    file: File,
    sectors: u64,
    /// Moves by the bytes that are read.
    bar: ProgressBar,
}

impl Image {
    fn at<T>(result: std::io::Result<T>) -> Result<T, DeviceError> {
        result.map_err(|e| DeviceError(e.raw_os_error().unwrap_or(0).unsigned_abs()))
    }
}

impl Device for Image {
    fn sector_size(&self) -> u32 {
        SECTOR
    }

    fn sectors(&self) -> u64 {
        self.sectors
    }

    fn read(&mut self, sector: u64, buffer: &mut [u8]) -> Result<(), DeviceError> {
        self.bar.inc(buffer.len() as u64);
        Self::at(self.file.read_exact_at(buffer, sector * u64::from(SECTOR)))
    }

    fn write(&mut self, sector: u64, buffer: &[u8]) -> Result<(), DeviceError> {
        Self::at(self.file.write_all_at(buffer, sector * u64::from(SECTOR)))
    }

    fn flush(&mut self) -> Result<(), DeviceError> {
        Self::at(self.file.sync_data())
    }
}

/// Memory for a volume.
#[derive(Debug)]
pub struct Lent {
    bytes: Vec<u8>,
    slots: Vec<Slot>,
}

impl Default for Lent {
    fn default() -> Self {
        Lent {
            bytes: vec![0; (CACHE + 1) << nexfs::MAX_SHIFT],
            slots: vec![Slot::default(); CACHE],
        }
    }
}

/// What an error of the volume means to the one who typed the command.
pub fn failed(what: &str, error: Error) -> Failure {
    let text = match error {
        Error::Device(DeviceError(code)) => {
            std::io::Error::from_raw_os_error(code.cast_signed()).to_string()
        }
        other => other.to_string(),
    };
    Failure::new(format!("{what}: {text}"))
}

/// Opens an image and mounts it.
pub fn open<'m>(
    path: &Path,
    write: bool,
    lent: &'m mut Lent,
) -> Result<Volume<'m, Image>, Failure> {
    open_watched(path, write, lent, ProgressBar::hidden())
}

/// As [`open`], with a bar that moves by the bytes that are read.
pub fn open_watched<'m>(
    path: &Path,
    write: bool,
    lent: &'m mut Lent,
    bar: ProgressBar,
) -> Result<Volume<'m, Image>, Failure> {
    let shown = path.display().to_string();
    let file = OpenOptions::new()
        .read(true)
        .write(write)
        .open(path)
        .context(|| format!("open {shown}"))?;
    let image = Image { bar, ..locked(file, &shown)? };
    let memory = Memory { bytes: &mut lent.bytes, slots: &mut lent.slots };
    Volume::mount(image, memory).map_err(|e| failed(&shown, e))
}

/// Makes an image of `bytes` bytes with an empty volume.
pub fn create(path: &Path, bytes: u64, format: &Format, force: bool) -> Result<(), Failure> {
    let shown = path.display().to_string();
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).create_new(!force);
    let file = options.open(path).context(|| format!("make {shown} (--force overwrites)"))?;
    let mut image = locked(file, &shown)?;
    image
        .file
        .set_len(0)
        .and_then(|()| image.file.set_len(bytes))
        .context(|| format!("size {shown}"))?;
    image.sectors = bytes / u64::from(SECTOR);
    Volume::format(&mut image, format).map_err(|e| failed(&shown, e))
}

/// One user at a time: two caches over one image would tear it.
fn locked(file: File, shown: &str) -> Result<Image, Failure> {
    file.try_lock().context(|| format!("use {shown}, which another program has open"))?;
    let bytes = file.metadata().context(|| format!("look at {shown}"))?.len();
    Ok(Image { file, sectors: bytes / u64::from(SECTOR), bar: ProgressBar::hidden() })
}
