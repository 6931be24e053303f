//! What the kernel asks of a machine: one trait, and the porting guide.
//!
//! An architecture is a folder with the same file names as the others and one type that implements [`Machine`]. Nothing
//! above this crate knows a register, a descriptor format or a trap number; nothing below knows what a fiber may do.
//! [`crate::host`] implements it in ordinary memory, so that the kernel's logic runs under `cargo test`.
//!
//! What a port must promise, beyond the signatures:
//! - One core calls, with interrupts masked; nothing here blocks but [`Machine::idle`].
//! - Physical memory inside [`Machine::ram`] is reachable through [`Machine::bytes`]; nothing else is.
//! - Address spaces are tagged: [`Machine::activate`] flushes nothing. Whoever takes a permission away calls
//!   [`Machine::unmap`] or [`Machine::retire`], which complete the invalidation before they return.
//! - User memory is touched only by [`Machine::copy_in`] and [`Machine::copy_out`], with the rights of the fiber.

/// Address given by a fiber: a number, until a checked accessor has used it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(transparent)]
pub struct UserAddr(pub u64);

/// A fiber's memory could not be accessed as asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BadAddress;

/// No page left for a translation table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NoTable;

/// How memory behaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Memory {
    /// Cached RAM.
    Normal,
    /// A device window: no caching, no gathering, no reordering.
    Device,
    /// RAM shared with a bus master.
    Uncached,
}

/// Why a fiber was stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(C, u32)]
pub enum Trap {
    /// An interrupt is pending; [`Machine::interrupt`] tells which.
    Interrupt,
    /// First use of FP/SIMD registers that hold another fiber's values.
    Floating,
    /// A fault that ends the domain.
    Fault {
        /// One of [`abi::stats::end`].
        cause: u8,
        /// Address concerned, 0 if none.
        address: u64,
        /// Syndrome as the hardware gave it.
        syndrome: u64,
    },
}

/// Saved state of a fiber.
pub trait Frame: Clone {
    /// A frame of zeros, for a free place.
    const EMPTY: Self;
    /// A fiber that starts at `entry` with its stack pointer at `sp` and three arguments.
    /// `isolated`: at the level of applications; else at the kernel's own (unikernel).
    fn start(entry: u64, sp: u64, args: [u64; 3], isolated: bool) -> Self;
    /// Sets what the interrupted call returns.
    fn set_result(&mut self, status: isize, value: usize);
    /// Argument register `n`; 0 for one that the frame does not keep.
    fn argument(&self, n: usize) -> u64;
    /// Program counter.
    fn pc(&self) -> u64;
    /// Stack pointer.
    fn sp(&self) -> u64;
    /// What a post-mortem shows: the first six argument registers, the frame pointer, the return address. The first two
    /// are the fiber's arguments when it stops by itself.
    fn registers(&self) -> [u64; 8];
}

/// Pages for translation tables, taken one after the other from a run that belongs to the domain.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TablePool {
    /// Physical address of the next page.
    pub next: u64,
    /// Physical address after the last page.
    pub end: u64,
}

impl TablePool {
    /// Physical address of a page for a table, not yet cleared.
    pub fn take(&mut self) -> Result<u64, NoTable> {
        if self.next >= self.end {
            return Err(NoTable);
        }
        let page = self.next;
        self.next += abi::PAGE as u64;
        Ok(page)
    }
}

/// One core and its board.
pub trait Machine: Sized {
    /// Saved registers of a fiber; its address must not change while it is current.
    type Frame: Frame;
    /// Translation root and tag of a domain.
    type Space: Copy;
    /// A machine before it was taken over, to fill a static; every call on it panics or does nothing.
    const OFF: Self;

    /// ns since boot.
    fn now(&self) -> u64;
    /// Frequency of the counter that fibers read, Hz.
    fn counter_hz(&self) -> u64;
    /// Arms the one timer for the absolute time `at` in ns; `u64::MAX` disarms it.
    fn set_timer(&mut self, at: u64);
    /// Sleeps until an interrupt is pending.
    fn idle(&mut self);

    /// Acknowledges the next pending interrupt, if any. The timer's is disarmed and finished here and answers [`TIMER`];
    /// another core's is finished here and answers [`CALL`].
    fn interrupt(&mut self) -> Option<u32>;
    /// Ends an interrupt that [`Machine::interrupt`] gave.
    fn end_interrupt(&mut self, intid: u32);
    /// Interrupts another core: it gets [`CALL`]. What was written before is seen by who takes it.
    fn call_core(&mut self, core: u8);
    /// Masks or unmasks a line of a device.
    fn mask_interrupt(&mut self, intid: u32, masked: bool);
    /// Prepares a line of a device, masked.
    fn prepare_interrupt(&mut self, intid: u32, edge: bool);

    /// Base and length of RAM.
    fn ram(&self) -> (u64, u64);
    /// Bytes of RAM. Panics outside of it: the address is the kernel's own doing.
    fn bytes(&self, pa: u64, len: usize) -> &[u8];
    /// Bytes of RAM, to be written. Panics outside of it.
    fn bytes_mut(&mut self, pa: u64, len: usize) -> &mut [u8];
    /// Copies RAM to RAM; the ranges do not overlap. Panics outside of it.
    fn copy(&mut self, from: u64, to: u64, len: usize);
    /// Zeroes RAM. Panics outside of it.
    fn zero(&mut self, pa: u64, len: usize) {
        self.bytes_mut(pa, len).fill(0);
    }
    /// Whether the kernel reaches a 32-bit register of a device there. Where it does not, reading and writing panic.
    fn is_register(&self, pa: u64) -> bool;
    /// Reads a 32-bit register of a device that the cell was given.
    fn read_register(&mut self, pa: u64) -> u32;
    /// Writes such a register.
    fn write_register(&mut self, pa: u64, value: u32);
    /// Makes code that was written through [`Machine::bytes_mut`] visible to instruction fetch.
    fn sync_code(&mut self, pa: u64, len: usize);
    /// A 32-bit word shared with a fiber or device, read with acquire.
    fn load_acquire(&self, pa: u64) -> u32;
    /// Stores with release.
    fn store_release(&self, pa: u64, value: u32);
    /// Full fence between a store and a load of shared words.
    fn fence(&self);
    /// Reads aligned words that another side may write meanwhile, each once.
    fn read_words(&self, pa: u64, to: &mut [u64]);
    /// Writes aligned words that another side may read meanwhile.
    fn write_words(&self, pa: u64, from: &[u64]);

    /// A new, empty space with tag `tag` (1 to [`Machine::tags`] − 1).
    fn new_space(&mut self, tag: u16, pool: &mut TablePool) -> Result<Self::Space, NoTable>;
    /// Number of tags the hardware tells apart; 0 belongs to the kernel.
    fn tags(&self) -> u32;
    /// Maps whole pages, virtual `va` to physical `pa`. `perms` are R/W/X of [`abi::cap`], never W and X.
    #[allow(clippy::too_many_arguments, reason = "what, where and how of one mapping")]
    fn map(
        &mut self,
        space: &Self::Space,
        pool: &mut TablePool,
        va: u64,
        pa: u64,
        len: u64,
        perms: u8,
        memory: Memory,
    ) -> Result<(), NoTable>;
    /// Removes whole pages and completes the invalidation on every core before it returns.
    fn unmap(&mut self, space: &Self::Space, va: u64, len: u64);
    /// Makes `space` the current one. Flushes nothing.
    fn activate(&mut self, space: &Self::Space);
    /// Invalidates everything tagged as `space`, before its tag is used again.
    fn retire(&mut self, space: &Self::Space);
    /// TLB maintenance operations so far.
    fn tlb_maintenance(&self) -> u64;

    /// Reads the current fiber's memory with the fiber's rights.
    fn copy_in(&mut self, from: UserAddr, to: &mut [u8]) -> Result<(), BadAddress>;
    /// Writes the current fiber's memory with the fiber's rights.
    fn copy_out(&mut self, to: UserAddr, from: &[u8]) -> Result<(), BadAddress>;

    /// Reads an aligned word of the current fiber's memory that it may also write, with the fiber's rights.
    fn own_word(&mut self, at: UserAddr) -> Result<u32, BadAddress> {
        let mut bytes = [0; 4];
        self.copy_in(at, &mut bytes)?;
        self.copy_out(at, &bytes)?;
        Ok(u32::from_le_bytes(bytes))
    }
    /// Writes an aligned word of the current fiber's memory with the fiber's rights.
    fn put_word(&mut self, at: UserAddr, word: u32) -> Result<(), BadAddress> {
        self.copy_out(at, &word.to_le_bytes())
    }

    /// Makes `frame` the one that the next trap saves to.
    fn enter(&mut self, frame: &mut Self::Frame);
    /// Lets the fiber use the FP/SIMD registers, or makes the first use trap.
    fn allow_floating(&mut self, allowed: bool);
    /// Saves the FP/SIMD registers to `from`, if given, and loads those of `to`.
    fn swap_floating(&mut self, from: Option<&mut Self::Frame>, to: &mut Self::Frame);

    /// A random number from the hardware, where it has any.
    fn random(&mut self) -> Option<u64>;
    /// Switches the cell off.
    fn power_off(&mut self) -> !;
    /// Resets the cell.
    fn reset(&mut self) -> !;
}

/// What [`Machine::interrupt`] answers for the timer.
pub const TIMER: u32 = u32::MAX;
/// What [`Machine::interrupt`] answers for a call by another core.
pub const CALL: u32 = u32::MAX - 1;
/// Cores at most.
pub const CORES: usize = 4;
