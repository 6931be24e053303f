//! PrimeCell UART (PL011), Arm DDI 0183 revision G.
//!
//! The registers as one typed block and what both its users do with them: the driver `npl/uart`,
//! and a program that is given the device itself (a unikernel).
use abi::cap;
use tock_registers::LocalRegisterCopy;
use tock_registers::fields::FieldValue;
use tock_registers::interfaces::{Readable, Writeable};
use tock_registers::registers::{ReadOnly, ReadWrite, WriteOnly};
use tock_registers::{register_bitfields, register_structs};

use crate::handover::{Note, Steps};
use crate::{Device, Error, Result};

register_structs! {
    /// Section 3.2, summary of registers. Each is accessed as 32 bits.
    Registers {
        /// Section 3.3.1.
        (0x000 => data: ReadWrite<u32, DR::Register>),
        (0x004 => _rsr_to_reserved),
        /// Section 3.3.3.
        (0x018 => flags: ReadOnly<u32, FR::Register>),
        (0x01C => _reserved_and_irda),
        /// Section 3.3.5: integer part of the divisor.
        (0x024 => integer_divisor: ReadWrite<u32>),
        /// Section 3.3.6: fraction of the divisor, in 64ths.
        (0x028 => fraction_divisor: ReadWrite<u32>),
        /// Section 3.3.7. Writing it makes the divisors take effect.
        (0x02C => line_control: ReadWrite<u32, LCR::Register>),
        /// Section 3.3.8.
        (0x030 => control: ReadWrite<u32, CR::Register>),
        /// Section 3.3.9: levels at which the FIFOs interrupt.
        (0x034 => fifo_level: ReadWrite<u32, IFLS::Register>),
        /// Section 3.3.10: 1 lets an interrupt through.
        (0x038 => interrupt_mask: ReadWrite<u32, INT::Register>),
        /// Section 3.3.11.
        (0x03C => interrupt_raw: ReadOnly<u32, INT::Register>),
        /// Section 3.3.12.
        (0x040 => interrupt_masked: ReadOnly<u32, INT::Register>),
        /// Section 3.3.13.
        (0x044 => interrupt_clear: WriteOnly<u32, INT::Register>),
        (0x048 => _dma_to_id),
        (0x1000 => @END),
    }
}

register_bitfields![u32,
    /// Data, and on reading the errors that came with it.
    DR [
        DATA OFFSET(0) NUMBITS(8) [],
        /// Framing, parity, break.
        BAD OFFSET(8) NUMBITS(3) []
    ],
    FR [
        /// The transmitter still shifts, or has something to.
        BUSY OFFSET(3) NUMBITS(1) [],
        /// Receive FIFO empty.
        RXFE OFFSET(4) NUMBITS(1) [],
        /// Transmit FIFO full.
        TXFF OFFSET(5) NUMBITS(1) []
    ],
    LCR [
        /// FIFOs on, else one byte each way.
        FEN OFFSET(4) NUMBITS(1) [],
        /// Word length.
        WLEN OFFSET(5) NUMBITS(2) [Eight = 3]
    ],
    CR [
        UARTEN OFFSET(0) NUMBITS(1) [],
        TXE OFFSET(8) NUMBITS(1) [],
        RXE OFFSET(9) NUMBITS(1) []
    ],
    IFLS [
        TX OFFSET(0) NUMBITS(3) [Eighth = 0],
        RX OFFSET(3) NUMBITS(3) [Half = 2]
    ],
    INT [
        RX OFFSET(4) NUMBITS(1) [],
        TX OFFSET(5) NUMBITS(1) [],
        /// Something lies in the receive FIFO and nothing came for 32 bit times (section 2.8.3).
        RECEIVE_TIMEOUT OFFSET(6) NUMBITS(1) []
    ]
];

/// Divisor for 115,200 baud from a clock of 24 MHz: 13 + 1/64 (section 3.3.6).
const DIVISOR: (u32, u32) = (13, 1);

/// ns that a full transmit FIFO (32 bytes of 10 bits at 115,200 baud) takes at most.
pub const DRAIN_NS: u64 = 3_000_000;

/// Most bytes that may wait in the device before it is set up: one per FIFO place.
pub const EARLY_MAX: usize = 32;

/// How the line is set up: LCR::FEN and LCR::WLEN::Eight, whose sum is no constant.
const LINE: FieldValue<u32, LCR::Register> = FieldValue::<u32, LCR::Register>::new(0x7, 4, 0x7);

/// Bits of the data register that a note of it takes: the byte, and what came with it (section 3.3.1).
pub const DATA_BITS: u32 = 12;

/// The byte that the data register gave; `None` for a break or a damaged one.
pub fn sound(data: u32) -> Option<u8> {
    let data = LocalRegisterCopy::<u32, DR::Register>::new(data);
    (data.read(DR::BAD) == 0).then(|| data.read(DR::DATA) as u8)
}

/// A PL011.
pub struct Pl011 {
    registers: &'static Registers,
}

impl Pl011 {
    /// The device whose window is in `slot`.
    pub fn map(slot: u8) -> Result<Self> {
        let device = Device::map(slot, size_of::<Registers>())?;
        // SAFETY: volatile registers only, laid out as the manual says.
        let registers = unsafe { device.registers::<Registers>() };
        registers.map(|registers| Self { registers }).ok_or(Error::TooBig)
    }

    /// The device at an address that [`Pl011::address`] gave.
    ///
    /// # Safety
    /// It did, in this domain, and the window is still mapped.
    pub(crate) unsafe fn at(address: usize) -> Self {
        let registers = core::ptr::with_exposed_provenance::<Registers>(address);
        // SAFETY: the caller's promise.
        Self { registers: unsafe { &*registers } }
    }

    /// Where the registers are mapped.
    pub(crate) fn address(&self) -> usize {
        core::ptr::from_ref(self.registers).expose_provenance()
    }

    /// 8 bits, FIFOs on, all interrupts off. What came before, at most [`EARLY_MAX`] bytes, goes to
    /// `early`; the value is how many.
    ///
    /// Switching the FIFOs on empties them, so that a device which an earlier instance has set up
    /// already is left as it is.
    pub fn start(&self, early: &mut [u8; EARLY_MAX]) -> usize {
        if self.is_set_up() {
            return 0;
        }
        let mut len = 0;
        while let Some(place) = early.get_mut(len)
            && let Some(byte) = self.get()
        {
            *place = byte;
            len += 1;
        }
        self.set_up();
        len
    }

    /// All interrupts off; whether somebody set the device up before.
    pub fn is_set_up(&self) -> bool {
        let r = self.registers;
        r.interrupt_mask.set(0);
        r.line_control.get() == LINE.value && r.control.is_set(CR::UARTEN)
    }

    /// 8 bits, FIFOs on and empty.
    pub fn set_up(&self) {
        let r = self.registers;
        // Section 3.3.8: disabled while it is programmed.
        r.control.set(0);
        r.integer_divisor.set(DIVISOR.0);
        r.fraction_divisor.set(DIVISOR.1);
        r.line_control.write(LINE);
        r.fifo_level.write(IFLS::TX::Eighth + IFLS::RX::Half);
        r.control.write(CR::UARTEN::SET + CR::TXE::SET + CR::RXE::SET);
    }

    /// Puts a byte into the transmit FIFO; `false`: it is full.
    pub fn put(&self, byte: u8) -> bool {
        let room = !self.registers.flags.is_set(FR::TXFF);
        if room {
            self.registers.data.set(byte as u32);
        }
        room
    }

    /// Takes a byte from the receive FIFO. A break or a damaged byte is skipped.
    pub fn get(&self) -> Option<u8> {
        while !self.registers.flags.is_set(FR::RXFE) {
            if let Some(byte) = sound(self.registers.data.get()) {
                return Some(byte);
            }
        }
        None
    }

    /// As [`Pl011::put`], and the note in the same step.
    pub fn give(&self, byte: u8, steps: &Steps, note: Note) -> bool {
        let room = !self.registers.flags.is_set(FR::TXFF);
        if room {
            // SAFETY: the data register, mapped for the domain's life.
            unsafe { steps.give(byte.into(), self.data(), note) };
        }
        room
    }

    /// As [`Pl011::get`], and what the data register gave is in the note in the same step, damaged or not: [`sound`] tells.
    pub fn take(&self, steps: &Steps, note: Note) -> Option<u8> {
        while !self.registers.flags.is_set(FR::RXFE) {
            // SAFETY: the data register, mapped for the domain's life.
            let data = unsafe { steps.take(self.data(), note) };
            if let Some(byte) = sound(data) {
                return Some(byte);
            }
        }
        None
    }

    fn data(&self) -> *mut u32 {
        core::ptr::with_exposed_provenance_mut(self.address())
    }

    /// Everything that was put has left the device.
    pub fn idle(&self) -> bool {
        !self.registers.flags.is_set(FR::BUSY)
    }

    /// Which interrupts may come: of received bytes, of room in the transmit FIFO.
    pub fn interrupts(&self, receive: bool, transmit: bool) {
        let (receive, transmit) = (receive as u32, transmit as u32);
        self.registers.interrupt_mask.write(
            INT::RX.val(receive) + INT::RECEIVE_TIMEOUT.val(receive) + INT::TX.val(transmit),
        );
    }

    /// Forgets a transmit interrupt that is over. Before filling the FIFO: the next one then means
    /// that it has drained since (section 2.8.2; it marks a transition, not a level).
    pub fn clear_transmit(&self) {
        self.registers.interrupt_clear.write(INT::TX::SET);
    }
}

/// Slot of the window and of the interrupt where a program is given the device itself.
pub const WINDOW_SLOT: u8 = cap::slot::FIRST;
/// See [`WINDOW_SLOT`].
pub const IRQ_SLOT: u8 = cap::slot::FIRST + 1;
