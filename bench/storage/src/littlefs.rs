//! littlefs, the reference code, as a store.
use littlefs2::consts::{U512, U4096};
use littlefs2::driver::Storage;
use littlefs2::fs::{Allocation, File, Filesystem};
use littlefs2::io::{Result, SeekFrom};
use littlefs2::path::PathBuf;

use crate::disk::{Cost, Disk};
use crate::{BLOCK, Opened, Store};

/// A device of so many blocks.
struct Blocks<const N: usize>(Disk);

impl<const N: usize> Storage for Blocks<N> {
    const READ_SIZE: usize = 512;
    const WRITE_SIZE: usize = 512;
    const BLOCK_SIZE: usize = BLOCK;
    const BLOCK_COUNT: usize = N;
    type CACHE_SIZE = U4096;
    type LOOKAHEAD_SIZE = U512;

    fn read(&mut self, at: usize, buffer: &mut [u8]) -> Result<usize> {
        self.0.read_at(at, buffer);
        Ok(buffer.len())
    }
    fn write(&mut self, at: usize, bytes: &[u8]) -> Result<usize> {
        self.0.write_at(at, bytes);
        Ok(bytes.len())
    }
    fn erase(&mut self, _: usize, len: usize) -> Result<usize> {
        Ok(len)
    }
}

/// A volume of littlefs.
pub struct Littlefs<const N: usize> {
    blocks: Blocks<N>,
}

impl<const N: usize> Littlefs<N> {
    pub fn new() -> Self {
        let mut blocks = Blocks(Disk::new(N * BLOCK));
        Filesystem::format(&mut blocks).expect("format");
        Littlefs { blocks }
    }
}

impl<S: Storage> Opened for &File<'_, '_, S> {
    fn write(&mut self, at: u64, bytes: &[u8]) {
        self.seek(SeekFrom::Start(at as u32)).expect("seek");
        assert_eq!(File::write(self, bytes), Ok(bytes.len()));
    }
    fn read(&mut self, at: u64, buffer: &mut [u8]) {
        self.seek(SeekFrom::Start(at as u32)).expect("seek");
        assert_eq!(File::read(self, buffer), Ok(buffer.len()));
    }
    fn sync(&mut self) {
        File::sync(self).expect("sync");
    }
}

impl<const N: usize> Store for Littlefs<N> {
    fn with_file(&mut self, name: &str, run: &mut dyn FnMut(&mut dyn Opened)) -> Cost {
        let (cost, path) = (self.blocks.0.cost.clone(), PathBuf::try_from(name).expect("name"));
        let mut memory = Allocation::new();
        let volume = Filesystem::mount(&mut memory, &mut self.blocks).expect("mount");
        let opened = volume.open_file_with_options_and_then(
            |options| options.read(true).write(true).create(true),
            &path,
            |mut file| {
                let before = cost.get();
                run(&mut file);
                Ok(cost.get().since(before))
            },
        );
        opened.expect("file")
    }

    fn mount(&mut self) -> Cost {
        let before = self.blocks.0.cost.get();
        let mut memory = Allocation::new();
        Filesystem::mount(&mut memory, &mut self.blocks).map(drop).expect("mount");
        self.blocks.0.cost.get().since(before)
    }
}
