//! A device in memory that counts what is asked of it.
use std::cell::Cell;
use std::fmt::{Display, Formatter, Result};
use std::rc::Rc;

/// Requests and bytes.
#[derive(Debug, Clone, Copy, Default)]
pub struct Cost {
    pub requests: u64,
    pub read: u64,
    pub written: u64,
}

impl Cost {
    /// The part of one of `times`.
    pub fn each(self, times: u64) -> Self {
        let Cost { requests, read, written } = self;
        Cost { requests: requests / times, read: read / times, written: written / times }
    }

    /// What came since `before`.
    pub fn since(self, before: Self) -> Self {
        Cost {
            requests: self.requests - before.requests,
            read: self.read - before.read,
            written: self.written - before.written,
        }
    }
}

impl Display for Cost {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        write!(f, "{:>9} {:>9} {:>9}", self.requests, self.read, self.written)
    }
}

/// The device.
pub struct Disk {
    pub bytes: Vec<u8>,
    pub cost: Rc<Cell<Cost>>,
}

impl Disk {
    pub fn new(bytes: usize) -> Self {
        Disk { bytes: vec![0; bytes], cost: Rc::default() }
    }

    pub fn read_at(&self, at: usize, buffer: &mut [u8]) {
        let cost = self.cost.get();
        let (requests, read) = (cost.requests + 1, cost.read + buffer.len() as u64);
        self.cost.set(Cost { requests, read, ..cost });
        buffer.copy_from_slice(&self.bytes[at..at + buffer.len()]);
    }

    pub fn write_at(&mut self, at: usize, bytes: &[u8]) {
        let cost = self.cost.get();
        let (requests, written) = (cost.requests + 1, cost.written + bytes.len() as u64);
        self.cost.set(Cost { requests, written, ..cost });
        self.bytes[at..at + bytes.len()].copy_from_slice(bytes);
    }
}
