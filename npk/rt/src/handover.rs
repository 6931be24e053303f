//! What a driver does to its device and its note of it, as one step that no end of the driver can split.
//!
//! A byte that was written to a device cannot be asked back, and one that was read from it is gone there. So a driver that is
//! killed after the device access and before its own note of it leaves its successor in doubt. Here both are two fixed
//! instructions, [`Steps::give`] and [`Steps::take`], and the kernel tells the next instance between which instructions the
//! last one was stopped, and what the registers held: [`complete`] then makes the one store that is missing.
//!
//! The notes are words that outlive an instance, such as those of [`crate::channel::Ends::note_word`]. An image that drives a
//! device has `rt::handover!(steps)` once in its root, which defines `fn steps() -> Steps`.
use core::sync::atomic::{AtomicU32, Ordering};

use abi::call::{LeftOff, prov_op};
use abi::cap::slot;

use crate::{Error, Result, sys};

/// A word that the next instance finds, and what it is to hold when the step is done.
#[derive(Clone, Copy, Debug)]
pub struct Note<'a> {
    /// Outlives the instance.
    pub word: &'a AtomicU32,
    /// [`Steps::give`]: the word afterwards. [`Steps::take`]: bits that are set beside those of the register.
    pub value: u32,
}

/// `give(value, register, note, after)`: stores `value` to `register`, then `after` to `note`.
pub type Give = unsafe extern "C" fn(u32, *mut u32, *mut u32, u32);
/// `take(0, register, note, bits)`: loads from `register`, stores it with `bits` set to `note`, and returns that.
pub type Take = unsafe extern "C" fn(u32, *const u32, *mut u32, u32) -> u32;

/// The two steps of this image; made by [`crate::handover!`].
#[derive(Clone, Copy, Debug)]
pub struct Steps {
    give: Give,
    take: Take,
}

/// Bytes from the start of `give` to the store to the note.
const GAVE: usize = 4;
/// Bytes from the start of `take` to what follows the load, and to the store to the note.
const TOOK: usize = 4;
const TAGGED: usize = 8;

/// The store that a stopped instance left undone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Missing {
    note: usize,
    value: u32,
}

impl Steps {
    /// The steps at these addresses.
    ///
    /// # Safety
    /// They are what [`crate::handover!`] makes, instruction by instruction.
    #[must_use]
    pub const unsafe fn new(give: Give, take: Take) -> Self {
        Self { give, take }
    }

    /// Writes `value` to a register of a device, and the note.
    ///
    /// # Safety
    /// `register` is a mapped register of 32 bits that may be written.
    pub unsafe fn give(&self, value: u32, register: *mut u32, note: Note) {
        // SAFETY: the caller's promise; the note is an atomic word that is borrowed.
        unsafe { (self.give)(value, register, note.word.as_ptr(), note.value) }
    }

    /// Reads a register of a device into the note; what the note holds then.
    ///
    /// # Safety
    /// `register` is a mapped register of 32 bits that may be read.
    pub unsafe fn take(&self, register: *const u32, note: Note) -> u32 {
        // SAFETY: the caller's promise; the note is an atomic word that is borrowed.
        unsafe { (self.take)(0, register, note.word.as_ptr(), note.value) }
    }

    /// What is missing after a stop there: registers are value, register, note and bits, as the steps were called with.
    fn missing(&self, left: &LeftOff) -> Option<Missing> {
        let [first, _, note, bits, ..] = left.registers;
        let (pc, note) = (left.pc as usize, note as usize);
        let (give, take) = (self.give as usize, self.take as usize);
        if pc == give + GAVE {
            return Some(Missing { note, value: bits as u32 });
        }
        let took = pc == take + TOOK || pc == take + TAGGED;
        took.then_some(Missing { note, value: first as u32 | bits as u32 })
    }
}

/// Makes the store that the instance before left undone, if it was stopped in the midst of a step on one of `notes`. From now on
/// a stop of this instance is kept: nothing is given or taken before.
///
/// Who is stopped in here does it again: the store is the same, and what the kernel tells stays until it is acknowledged.
pub fn complete<'a>(steps: &Steps, notes: impl Iterator<Item = &'a AtomicU32>) -> Result<()> {
    let mut record = sys::Aligned::<{ LeftOff::SIZE }>::ZERO;
    let left = match sys::prov(slot::SELF, prov_op::LEFT_OFF, &mut *record) {
        Ok(_) => LeftOff::decode(&*record),
        Err(Error::Empty) => None,
        Err(error) => return Err(error),
    };
    if let Some(missing) = left.and_then(|left| steps.missing(&left)) {
        settle(missing, notes);
    }
    sys::prov(slot::SELF, prov_op::RESUMED, &mut []).map(drop)
}

/// Only a note is written: the address comes from who is dead.
fn settle<'a>(missing: Missing, mut notes: impl Iterator<Item = &'a AtomicU32>) {
    if let Some(note) = notes.find(|word| word.as_ptr() as usize == missing.note) {
        note.store(missing.value, Ordering::Release);
    }
}

/// Defines `fn $name() -> Steps` with the two steps of this image.
///
/// Here and not in the runtime, which is also built for the host, by whom its users are tested.
#[macro_export]
macro_rules! handover {
    ($name:ident) => {
        core::arch::global_asm!(
            ".pushsection .text.nexus_handover, \"ax\"",
            ".global nexus_give",
            ".hidden nexus_give",
            ".global nexus_take",
            ".hidden nexus_take",
            ".balign 16",
            "nexus_give:",
            "str w0, [x1]",
            "str w3, [x2]",
            "ret",
            ".balign 16",
            "nexus_take:",
            "ldr w0, [x1]",
            "orr w0, w0, w3",
            "str w0, [x2]",
            "ret",
            ".popsection",
        );
        /// The steps that are whole to the next instance.
        fn $name() -> $crate::handover::Steps {
            unsafe extern "C" {
                fn nexus_give(value: u32, register: *mut u32, note: *mut u32, after: u32);
                fn nexus_take(zero: u32, register: *const u32, note: *mut u32, bits: u32) -> u32;
            }
            // SAFETY: the two above.
            unsafe { $crate::handover::Steps::new(nexus_give, nexus_take) }
        }
    };
}

#[cfg(test)]
mod tests {
    use super::{GAVE, LeftOff, Missing, Steps, TAGGED, TOOK, settle};
    use core::sync::atomic::{AtomicU32, Ordering::Relaxed};

    unsafe extern "C" fn give(_: u32, _: *mut u32, _: *mut u32, _: u32) {}
    unsafe extern "C" fn take(_: u32, _: *const u32, _: *mut u32, bits: u32) -> u32 {
        bits
    }

    /// Every instruction of both steps: the store is missing where the device was touched and the note was not.
    #[test]
    fn the_missing_store_is_told_from_the_place_of_the_stop() {
        // SAFETY: never called.
        let steps = unsafe { Steps::new(give, take) };
        let (give, take) = (give as *const () as u64, take as *const () as u64);
        let at = |pc: u64| {
            let left = LeftOff { pc, registers: [0x41, 0x900_0000, 0x1000, 0x700, 0, 0], zero: 0 };
            steps.missing(&left)
        };
        let note = 0x1000;
        assert_eq!(at(give), None);
        assert_eq!(at(give + GAVE as u64), Some(Missing { note, value: 0x700 }));
        assert_eq!(at(give + 8), None);
        assert_eq!(at(take), None);
        assert_eq!(at(take + TOOK as u64), Some(Missing { note, value: 0x741 }));
        assert_eq!(at(take + TAGGED as u64), Some(Missing { note, value: 0x741 }));
        assert_eq!(at(take + 12), None);
        assert_eq!(at(0), None);
    }

    #[test]
    fn nothing_but_a_note_is_written() {
        let notes = [AtomicU32::new(1), AtomicU32::new(2)];
        let other = AtomicU32::new(3);
        let missing = |word: &AtomicU32| Missing { note: word.as_ptr() as usize, value: 9 };
        settle(missing(&notes[1]), notes.iter());
        settle(missing(&other), notes.iter());
        assert_eq!(
            (notes[0].load(Relaxed), notes[1].load(Relaxed), other.load(Relaxed)),
            (1, 9, 3)
        );
    }
}
