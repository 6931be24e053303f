//! As much of a PL011 as a console needs (Arm DDI 0183, section 3.2).
use std::collections::VecDeque;
use std::vec::Vec;

const DATA: u64 = 0x00;
const FLAGS: u64 = 0x18;
/// Receive FIFO empty.
const RXFE: u32 = 1 << 4;

#[derive(Debug)]
pub(super) struct Uart {
    pub(super) written: Vec<u8>,
    pub(super) input: VecDeque<u8>,
}

impl Uart {
    pub(super) const OFF: Self = Self { written: Vec::new(), input: VecDeque::new() };

    pub(super) fn read(&mut self, offset: u64) -> u32 {
        match offset {
            DATA => self.input.pop_front().map_or(0, u32::from),
            FLAGS if self.input.is_empty() => RXFE,
            _ => 0,
        }
    }

    pub(super) fn write(&mut self, offset: u64, value: u32) {
        if offset == DATA {
            self.written.push(value as u8);
        }
    }
}
