//! What changes content: write, append, truncate. A write is whole or not at all, whatever its length: space for all of it
//! is made sure of before the first block changes, and no commit happens inside.
use crate::device::Device;
use crate::entry::Object;
use crate::error::{Error, Result};
use crate::fold;
use crate::path::Home;
use crate::superblock::{Ptr, Which};
use crate::volume::Volume;

/// Whole blocks that go to the device in one request: they lie side by side there and in the caller's buffer.
#[derive(Default)]
struct Run {
    first: u64,
    from: usize,
    len: usize,
}

impl<D: Device> Volume<'_, D> {
    /// Writes at byte `offset`. A gap behind the end is filled with zeros.
    pub fn write(&mut self, path: &str, offset: u64, bytes: &[u8]) -> Result<()> {
        self.change(|v| {
            let (file, nodes) = v.file(Which::Live, path)?;
            v.write_file(path, &file, nodes, offset, bytes)?;
            v.answer(bytes.len() as u64)
        })
    }

    /// Writes behind the end. Returns where that was.
    pub fn append(&mut self, path: &str, bytes: &[u8]) -> Result<u64> {
        self.change(|v| {
            let (file, nodes) = v.file(Which::Live, path)?;
            v.write_file(path, &file, nodes, file.size, bytes)?;
            v.answer(file.size)?;
            Ok(file.size)
        })
    }

    /// Cuts a file to `size` bytes, or fills it up with zeros.
    pub fn truncate(&mut self, path: &str, size: u64) -> Result<()> {
        self.change(|v| {
            let (file, nodes) = v.file(Which::Live, path)?;
            if size >= file.size {
                v.write_file(path, &file, nodes, size, &[])?;
            } else {
                v.cut_file(path, file, nodes, size)?;
            }
            v.answer(0)
        })
    }

    fn cut_file(&mut self, path: &str, file: Object, nodes: u64, size: u64) -> Result<()> {
        let levels = self.levels(file.size) as u64;
        // Each level gives up to a node's worth of subtrees to the dead: entries of 90 bytes, half-full leaves.
        let dead = levels * (4 + 2 * self.dead_height());
        self.ensure(nodes + levels + 2 + dead + self.overhead(), 0)?;
        let home = self.home(Which::Live, path)?;
        let mut cut = file;
        if size == 0 {
            self.dispose(&file)?;
            cut = Object { made: file.made, ..Object::new(file.kind, file.time) };
        } else {
            self.shorten(&mut cut, size)?;
        }
        self.put(home, &Object { time: self.time, ..cut })
    }

    fn dead_height(&self) -> u64 {
        u64::from(self.sup.trees[Which::Dead as usize].height)
    }

    /// Blocks that a file may take while blocks `first` to `last` are written.
    fn writing(&self, first: u64, last: u64) -> u64 {
        let (n, levels) = (last - first + 1, self.g.file_levels(last + 1) as u64);
        n + n / (self.g.fanout() as u64 - 1) + 2 * levels + 3
    }

    fn write_file(
        &mut self,
        path: &str,
        file: &Object,
        nodes: u64,
        offset: u64,
        bytes: &[u8],
    ) -> Result<()> {
        let end = offset.checked_add(bytes.len() as u64).filter(|&end| i64::try_from(end).is_ok());
        let end = end.ok_or(Error::TooLarge)?;
        if bytes.is_empty() && end <= file.size {
            return self.ensure(self.overhead(), self.reserve());
        }
        let first = offset.min(file.size) >> self.g.shift;
        let need = self.writing(first, (end.max(1) - 1) >> self.g.shift);
        self.ensure(nodes + need + self.overhead(), self.reserve())?;
        let home: Home = self.home(Which::Live, path)?;
        let mut file = *file;
        self.fill(&mut file, offset)?;
        self.write_blocks(&mut file, offset, bytes)?;
        self.put(home, &Object { time: self.time, ..file })
    }

    /// Fills up with zeros to `size`.
    fn fill(&mut self, file: &mut Object, size: u64) -> Result<()> {
        while file.size < size {
            let i = file.size >> self.g.shift;
            let to = ((i + 1) << self.g.shift).min(size);
            self.patch(file, i, 0, &[], to)?;
            file.size = to;
        }
        Ok(())
    }

    fn write_blocks(&mut self, file: &mut Object, offset: u64, bytes: &[u8]) -> Result<()> {
        let (block, mut at, mut run) = (self.g.block(), 0, Run::default());
        while at < bytes.len() {
            let place = offset + at as u64;
            let (i, from) = (place >> self.g.shift, place as usize & (block - 1));
            let n = (block - from).min(bytes.len() - at);
            let size = file.size.max(place + n as u64);
            if n == block {
                let to = self.write_whole(file, i, &bytes[at..at + n])?;
                if run.len == 0 || to.block != run.first + (run.len >> self.g.shift) as u64 {
                    self.finish(&run, bytes)?;
                    run = Run { first: to.block, from: at, len: 0 };
                }
                run.len += n;
            } else {
                self.patch(file, i, from, &bytes[at..at + n], size)?;
            }
            file.size = size;
            at += n;
        }
        self.finish(&run, bytes)
    }

    /// Finds a place for a whole block and enters it; the content itself goes with its run.
    fn write_whole(&mut self, file: &mut Object, i: u64, bytes: &[u8]) -> Result<Ptr> {
        let old =
            if i < self.g.blocks_of(file.size) { Some(self.block_of(file, i)?.0) } else { None };
        let to = match old {
            Some(at) if at.birth == self.now => at,
            _ => self.take()?,
        };
        self.cache.forget(to.block);
        self.set_block(file, i, to, &fold::leaf(i << self.g.shift, bytes))?;
        Ok(to)
    }

    fn finish(&mut self, run: &Run, bytes: &[u8]) -> Result<()> {
        if run.len > 0 {
            let shift = self.sector_shift();
            self.device.write(run.first << shift, &bytes[run.from..run.from + run.len])?;
        }
        Ok(())
    }
}
