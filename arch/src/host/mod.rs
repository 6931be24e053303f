//! A machine in ordinary memory, so that the kernel's logic runs under `cargo test` and Miri.
//!
//! What real hardware hides, this one shows. Its TLB never evicts by itself: a forgotten invalidation gives the old
//! page, and [`Host::stale`] names it. Its instruction fetch refuses pages written since the last
//! [`Machine::sync_code`]. An interrupt ended that was not active, a page both writable and executable and a word outside of
//! RAM panic. Time stands still but for [`Host::advance`] and [`Machine::idle`], which goes to the next event at once.
//!
//! There is no processor for fibers: a test plays them, through [`Host::load`], [`Host::store`] and [`Host::fetch`], which
//! act with the rights of the space that is active.
mod frame;
mod lines;
mod mmu;
mod ram;
mod time;
mod uart;
mod user;

pub use frame::Frame;
pub use mmu::{Space, Stale};
pub use user::{Access, Fault};

use crate::contract::{BadAddress, CALL, Machine, Memory, NoTable, TIMER, TablePool, UserAddr};
use std::boxed::Box;

/// How the machine stopped: the payload that [`Machine::power_off`] and [`Machine::reset`] unwind with.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Stopped {
    /// Switched off.
    Off,
    /// Reset.
    Reset,
    /// Went to sleep with nothing that could ever wake it.
    Asleep,
}

/// One core, its RAM and its board.
#[derive(Debug)]
pub struct Host {
    ram: ram::Ram,
    mmu: mmu::Mmu,
    lines: lines::Lines,
    time: time::Time,
    uart: uart::Uart,
    floating: u64,
    floating_allowed: bool,
    current: usize,
    random: Option<u64>,
    /// Registers of devices that are not modelled: what was written last.
    pub registers: std::collections::BTreeMap<u64, u32>,
    /// Cores that were called.
    calls: u8,
    called: bool,
}

impl Host {
    /// A machine with `len` bytes of zeros at physical address `base`, both multiples of a page.
    #[must_use]
    pub fn new(base: u64, len: u64) -> Self {
        Self { ram: ram::Ram::new(base, len), ..Self::OFF }
    }

    /// Another core's machine with the same RAM, at the same time.
    #[must_use]
    pub fn beside(&self) -> Self {
        let mut other = Self { ram: self.ram.beside(), ..Self::OFF };
        other.time.now = self.time.now;
        other
    }

    /// Lets time pass.
    pub fn advance(&mut self, ns: u64) {
        self.time.now += ns;
    }

    /// Asserts line `intid`: an edge is latched, a level stays until [`Host::lower`].
    pub fn raise(&mut self, intid: u32) {
        self.lines.raise(intid);
    }

    /// Releases a level-triggered line.
    pub fn lower(&mut self, intid: u32) {
        self.lines.lower(intid);
    }

    /// Asserts line `intid` at time `at`, when the core sleeps or is asked for interrupts then.
    pub fn raise_at(&mut self, intid: u32, at: u64) {
        self.time.raises.push((at, intid));
    }

    /// Whether the line is masked; `None` if it was never prepared.
    #[must_use]
    pub fn is_masked(&self, intid: u32) -> Option<bool> {
        self.lines.is_masked(intid)
    }

    /// Lines that were acknowledged and not ended.
    #[must_use]
    pub fn active_lines(&self) -> std::vec::Vec<u32> {
        self.lines.active()
    }

    /// When the timer fires; `u64::MAX`: disarmed.
    #[must_use]
    pub fn timer(&self) -> u64 {
        self.time.timer
    }

    /// What was written to the data register of the PL011.
    #[must_use]
    pub fn console(&self) -> &[u8] {
        &self.uart.written
    }

    /// Bytes for the PL011 to receive.
    pub fn type_in(&mut self, bytes: &[u8]) {
        self.uart.input.extend(bytes);
    }

    /// The random numbers from now on come from `seed`; `None`: the hardware has none.
    pub fn set_random(&mut self, seed: Option<u64>) {
        self.random = seed;
    }

    /// The cores called since this was asked last, as a mask. A test passes the calls on.
    pub fn take_calls(&mut self) -> u8 {
        core::mem::take(&mut self.calls)
    }

    /// Another core calls this one.
    pub fn be_called(&mut self) {
        self.called = true;
    }

    /// Address of the frame that the next trap would save to.
    #[must_use]
    pub fn current_frame(&self) -> usize {
        self.current
    }

    /// The FP/SIMD register of the fiber that runs; `None`: using it traps ([`crate::Trap::Floating`]).
    pub fn floating(&mut self) -> Option<&mut u64> {
        self.floating_allowed.then_some(&mut self.floating)
    }

    fn due(&mut self) {
        let now = self.time.now;
        for intid in self.time.take_raises() {
            self.lines.raise(intid);
        }
        debug_assert!(self.time.raises.iter().all(|&(at, _)| at > now));
    }
}

impl Machine for Host {
    type Frame = Frame;
    type Space = Space;
    const OFF: Self = Self {
        ram: ram::Ram::OFF,
        mmu: mmu::Mmu::OFF,
        lines: lines::Lines::OFF,
        time: time::Time::OFF,
        uart: uart::Uart::OFF,
        floating: 0,
        floating_allowed: false,
        current: 0,
        random: Some(1),
        registers: std::collections::BTreeMap::new(),
        calls: 0,
        called: false,
    };

    fn now(&self) -> u64 {
        self.time.now
    }
    fn counter_hz(&self) -> u64 {
        time::HZ
    }
    fn set_timer(&mut self, at: u64) {
        self.time.timer = at;
    }
    fn idle(&mut self) {
        self.due();
        if self.called || self.lines.pending().is_some() || self.time.timer <= self.time.now {
            return;
        }
        let Some(next) = self.time.next() else { stop(Stopped::Asleep) };
        self.time.now = next;
        self.due();
    }

    fn interrupt(&mut self) -> Option<u32> {
        self.due();
        if core::mem::take(&mut self.called) {
            return Some(CALL);
        }
        if self.time.timer <= self.time.now {
            self.time.timer = u64::MAX;
            return Some(TIMER);
        }
        self.lines.acknowledge()
    }
    fn end_interrupt(&mut self, intid: u32) {
        self.lines.end(intid);
    }
    fn call_core(&mut self, core: u8) {
        self.calls |= 1 << core;
    }
    fn mask_interrupt(&mut self, intid: u32, masked: bool) {
        self.lines.mask(intid, masked);
    }
    fn prepare_interrupt(&mut self, intid: u32, edge: bool) {
        self.lines.prepare(intid, edge);
    }

    fn ram(&self) -> (u64, u64) {
        self.ram.range()
    }
    fn bytes(&self, pa: u64, len: usize) -> &[u8] {
        self.ram.bytes(pa, len)
    }
    fn bytes_mut(&mut self, pa: u64, len: usize) -> &mut [u8] {
        self.mmu.written(pa, len);
        self.ram.bytes_mut(pa, len)
    }
    fn copy(&mut self, from: u64, to: u64, len: usize) {
        assert!(from.abs_diff(to) >= len as u64, "overlapping copy");
        let from = self.ram.bytes(from, len).to_vec();
        self.bytes_mut(to, len).copy_from_slice(&from);
    }
    fn is_register(&self, pa: u64) -> bool {
        pa.is_multiple_of(4) && pa < abi::boot::virt::RAM
    }
    /// Takes time, as an access to a device does: who polls with a bound comes to its end.
    fn read_register(&mut self, pa: u64) -> u32 {
        self.advance(100);
        self.registers.get(&pa).copied().unwrap_or(0)
    }
    fn write_register(&mut self, pa: u64, value: u32) {
        self.registers.insert(pa, value);
    }
    fn sync_code(&mut self, pa: u64, len: usize) {
        let _ = self.ram.bytes(pa, len);
        self.mmu.synced(pa, len);
    }
    fn load_acquire(&self, pa: u64) -> u32 {
        self.ram.load_acquire(pa)
    }
    fn store_release(&self, pa: u64, value: u32) {
        self.ram.store_release(pa, value);
    }
    fn fence(&self) {
        std::sync::atomic::fence(std::sync::atomic::Ordering::SeqCst);
    }
    fn read_words(&self, pa: u64, to: &mut [u64]) {
        self.ram.read_words(pa, to);
    }
    fn write_words(&self, pa: u64, from: &[u64]) {
        self.ram.write_words(pa, from);
    }

    fn new_space(&mut self, tag: u16, pool: &mut TablePool) -> Result<Space, NoTable> {
        self.mmu.new_space(&self.ram, tag, pool)
    }
    fn tags(&self) -> u32 {
        mmu::TAGS
    }
    fn map(
        &mut self,
        space: &Space,
        pool: &mut TablePool,
        va: u64,
        pa: u64,
        len: u64,
        perms: u8,
        memory: Memory,
    ) -> Result<(), NoTable> {
        mmu::map(&self.ram, *space, pool, (va, pa, len), perms, memory)
    }
    fn unmap(&mut self, space: &Space, va: u64, len: u64) {
        self.mmu.unmap(&self.ram, *space, va, len);
    }
    fn activate(&mut self, space: &Space) {
        self.mmu.current = Some(*space);
    }
    fn retire(&mut self, space: &Space) {
        self.mmu.retire(*space);
    }
    fn tlb_maintenance(&self) -> u64 {
        self.mmu.maintenance
    }

    fn copy_in(&mut self, from: UserAddr, to: &mut [u8]) -> Result<(), BadAddress> {
        self.load(from.0, to).map_err(|_| BadAddress)
    }
    fn copy_out(&mut self, to: UserAddr, from: &[u8]) -> Result<(), BadAddress> {
        self.store(to.0, from).map_err(|_| BadAddress)
    }

    fn enter(&mut self, frame: &mut Frame) {
        self.current = core::ptr::from_mut(frame) as usize;
    }
    fn allow_floating(&mut self, allowed: bool) {
        self.floating_allowed = allowed;
    }
    fn swap_floating(&mut self, from: Option<&mut Frame>, to: &mut Frame) {
        if let Some(from) = from {
            from.floating = self.floating;
        }
        self.floating = to.floating;
    }

    fn random(&mut self) -> Option<u64> {
        // xorshift64 (Marsaglia, "Xorshift RNGs", 2003): a test wants the same numbers every time.
        let seed = self.random.as_mut()?;
        *seed ^= *seed << 13;
        *seed ^= *seed >> 7;
        *seed ^= *seed << 17;
        Some(*seed)
    }
    fn power_off(&mut self) -> ! {
        stop(Stopped::Off)
    }
    fn reset(&mut self) -> ! {
        stop(Stopped::Reset)
    }
}

/// Unwinds to the test. Only a test that does not expect it shows the line.
fn stop(how: Stopped) -> ! {
    std::eprintln!("the machine stopped: {how:?}");
    std::panic::resume_unwind(Box::new(how))
}
