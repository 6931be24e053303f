//! aarch64 at EL1: QEMU `virt`, GICv3, virtual timer, PSCI by `smc`.
//!
//! Sections cited are those of the Arm Architecture Reference Manual, DDI 0487.

mod bulk;
mod frame;
mod gic;
mod mmu;
mod ram;
mod secondary;
mod start;
mod time;
mod user;
mod vectors;

pub use frame::Frame;
pub use mmu::Space;
pub use vectors::direct_entry;

use crate::contract::{BadAddress, CALL, Machine, Memory, NoTable, TIMER, TablePool, UserAddr};
use abi::boot::{Handoff, virt};
use core::arch::asm;
use core::cell::UnsafeCell;

/// Reads a system register.
macro_rules! read {
    ($register:literal) => {{
        let value: u64;
        // SAFETY: reading this register at EL1 changes nothing.
        unsafe {
            core::arch::asm!(concat!("mrs {}, ", $register), out(reg) value,
                options(nomem, nostack, preserves_flags))
        };
        value
    }};
}
/// Writes a system register. Ordered with memory accesses around it.
macro_rules! write {
    ($register:literal, $value:expr) => {{
        let value: u64 = $value;
        // SAFETY: the register belongs to this crate; each use says what the value does.
        unsafe {
            core::arch::asm!(concat!("msr ", $register, ", {}"), in(reg) value,
                options(nostack, preserves_flags))
        };
    }};
}
/// Instructions that only order or synchronise.
macro_rules! barrier {
    ($text:literal) => {{
        // SAFETY: a barrier has no operands and changes no state that Rust knows of.
        unsafe { core::arch::asm!($text, options(nostack, preserves_flags)) };
    }};
}
pub(crate) use {barrier, read, write};

/// Where the kernel sees physical memory: address 0 of it.
pub const LINEAR: u64 = 0xFFFF_FF80_0000_0000;

/// A value that the handlers of one core share. Only that core's traps reach it, and the kernel runs with interrupts masked.
pub struct CoreCell<T>(UnsafeCell<T>);

// SAFETY: one core's, and no handler runs inside another: the kernel masks interrupts and a fault in it does not return.
unsafe impl<T> Sync for CoreCell<T> {}

impl<T> CoreCell<T> {
    /// Wraps the value.
    pub const fn new(value: T) -> Self {
        Self(UnsafeCell::new(value))
    }
    /// The value, for the duration of one trap.
    ///
    /// # Safety
    /// The caller is the only handler that runs, and drops the reference before it returns to the vector.
    #[allow(clippy::mut_from_ref, reason = "exclusive by the caller's promise")]
    pub unsafe fn get(&self) -> &mut T {
        // SAFETY: exclusive by the caller's promise.
        unsafe { &mut *self.0.get() }
    }
}

/// One core of the `virt` board.
#[repr(C)]
pub struct Aarch64 {
    /// Frame of the fiber that runs. First, as the vectors find it by TPIDR_EL1.
    frame: *mut Frame,
    ram: ram::Ram,
    time: time::Scale,
    timer_at: u64,
    maintenance: u64,
    isolated: bool,
    distributor: gic::Gic,
    has_random: bool,
}

impl Aarch64 {
    /// Takes over from [`start`]: final translation tables, vectors, interrupt controller, timer.
    /// `isolated` is false for a unikernel, whose application runs at EL1.
    #[must_use]
    pub fn new(handoff: &Handoff, isolated: bool) -> Self {
        mmu::kernel_tables(handoff.ram, handoff.ram_len);
        vectors::install();
        let mut machine = Self::of_core(handoff, isolated, 0);
        machine.distributor.start_shared();
        machine.distributor.start(virt::VTIMER_INTID);
        machine.set_timer(u64::MAX);
        start::lock_registers(isolated);
        machine
    }

    /// The same for a core that [`Self::start_core`] started.
    #[must_use]
    pub fn secondary(handoff: &Handoff, isolated: bool, core: u8) -> Self {
        secondary::take_over(isolated);
        let mut machine = Self::of_core(handoff, isolated, core);
        machine.distributor.start(virt::VTIMER_INTID);
        machine.set_timer(u64::MAX);
        machine
    }

    fn of_core(handoff: &Handoff, isolated: bool, core: u8) -> Self {
        let redistributor = handoff.gicr + u64::from(core) * virt::GICR_STRIDE;
        Self {
            frame: core::ptr::null_mut(),
            ram: ram::Ram::new(handoff.ram, handoff.ram_len),
            time: time::Scale::new(handoff.started),
            timer_at: 0,
            maintenance: 0,
            isolated,
            distributor: gic::Gic::new(handoff.gicd, redistributor),
            // ID_AA64ISAR0_EL1.RNDR (D24.2.73).
            has_random: read!("ID_AA64ISAR0_EL1") >> 60 & 0xF == 1,
        }
    }

    /// Starts core `core`: it comes in by `rumpk_secondary`. `false`: there is none.
    #[must_use]
    pub fn start_core(core: u8) -> bool {
        secondary::start(core)
    }

    /// Makes `machine` what [`Self::here`] and the vectors find on this core from now on.
    pub fn settle(machine: *mut Self) {
        write!("TPIDR_EL1", machine.expose_provenance() as u64);
    }

    /// The machine that this core settled with.
    #[inline]
    #[must_use]
    pub fn here() -> *mut Self {
        core::ptr::with_exposed_provenance_mut(read!("TPIDR_EL1") as usize)
    }
}

/// A time that is never reached: 146 years, ns.
const NEVER_NS: u64 = 1 << 62;

/// Whether it is aligned and in the gigabyte of devices.
const fn is_register(pa: u64) -> bool {
    pa.is_multiple_of(4) && pa < mmu::DEVICES_END
}

/// Where the kernel sees a device's register.
fn register(pa: u64) -> *mut u32 {
    assert!(is_register(pa), "no register of a device: {pa:#x}");
    (LINEAR + pa) as *mut u32
}

impl Machine for Aarch64 {
    type Frame = Frame;
    type Space = Space;
    const OFF: Self = Self {
        frame: core::ptr::null_mut(),
        ram: ram::Ram::new(0, 0),
        time: time::Scale::OFF,
        timer_at: 0,
        maintenance: 0,
        isolated: false,
        distributor: gic::Gic::OFF,
        has_random: false,
    };

    #[inline]
    fn now(&self) -> u64 {
        self.time.now()
    }
    fn counter_hz(&self) -> u64 {
        read!("CNTFRQ_EL0")
    }
    #[inline]
    fn set_timer(&mut self, at: u64) {
        if at == self.timer_at {
            return;
        }
        self.timer_at = at;
        // Longer than any uptime: the comparator is signed in part of what emulates it.
        if at >= NEVER_NS {
            write!("CNTV_CTL_EL0", 0);
        } else {
            write!("CNTV_CVAL_EL0", self.time.ticks(at));
            write!("CNTV_CTL_EL0", 1);
        }
    }
    fn idle(&mut self) {
        // The write to the timer must be complete before the core sleeps (D12.2.4).
        barrier!("isb");
        barrier!("dsb sy");
        barrier!("wfi");
        // The clock is not read before the core woke.
        barrier!("isb");
    }

    fn interrupt(&mut self) -> Option<u32> {
        let intid = gic::acknowledge()?;
        if intid == gic::CALL {
            gic::end(intid);
            return Some(CALL);
        }
        if intid == virt::VTIMER_INTID {
            write!("CNTV_CTL_EL0", 0);
            self.timer_at = u64::MAX;
            // The line is level: it must have fallen before the interrupt ends.
            barrier!("isb");
            gic::end(intid);
            return Some(TIMER);
        }
        Some(intid)
    }
    fn end_interrupt(&mut self, intid: u32) {
        gic::end(intid);
    }
    fn call_core(&mut self, core: u8) {
        gic::call(core);
    }
    fn mask_interrupt(&mut self, intid: u32, masked: bool) {
        self.distributor.mask(intid, masked);
    }
    fn prepare_interrupt(&mut self, intid: u32, edge: bool) {
        self.distributor.prepare(intid, edge);
    }

    fn ram(&self) -> (u64, u64) {
        self.ram.range()
    }
    fn bytes(&self, pa: u64, len: usize) -> &[u8] {
        let pointer = self.ram.pointer(pa, len);
        // SAFETY: inside RAM, which is mapped; nobody else writes what the kernel reads as a slice: memory shared with
        // fibers of other cores is read by words.
        unsafe { core::slice::from_raw_parts(pointer, len) }
    }
    fn bytes_mut(&mut self, pa: u64, len: usize) -> &mut [u8] {
        let pointer = self.ram.pointer(pa, len);
        // SAFETY: as in `bytes`, and exclusive through `&mut self`.
        unsafe { core::slice::from_raw_parts_mut(pointer, len) }
    }
    fn copy(&mut self, from: u64, to: u64, len: usize) {
        self.ram.copy(from, to, len);
    }
    fn is_register(&self, pa: u64) -> bool {
        is_register(pa)
    }
    fn read_register(&mut self, pa: u64) -> u32 {
        // SAFETY: an aligned register of the gigabyte of devices, which is mapped as such.
        unsafe { register(pa).read_volatile() }
    }
    fn write_register(&mut self, pa: u64, value: u32) {
        // SAFETY: as above.
        unsafe { register(pa).write_volatile(value) };
    }
    fn sync_code(&mut self, pa: u64, len: usize) {
        let start = self.ram.pointer(pa, len) as u64;
        for line in (start & !63..start + len as u64).step_by(64) {
            // SAFETY: cleaning a line to the point of unification changes no value (D7.5.9). 64 bytes is no longer
            // than any line.
            unsafe { asm!("dc cvau, {}", in(reg) line, options(nostack, preserves_flags)) };
        }
        barrier!("dsb ish");
        barrier!("ic iallu");
        barrier!("dsb ish");
        barrier!("isb");
    }
    #[inline]
    fn load_acquire(&self, pa: u64) -> u32 {
        self.ram.load_acquire(pa)
    }
    #[inline]
    fn store_release(&self, pa: u64, value: u32) {
        self.ram.store_release(pa, value);
    }
    #[inline]
    fn fence(&self) {
        core::sync::atomic::fence(core::sync::atomic::Ordering::SeqCst);
    }
    fn read_words(&self, pa: u64, to: &mut [u64]) {
        self.ram.read_words(pa, to);
    }
    fn write_words(&self, pa: u64, from: &[u64]) {
        self.ram.write_words(pa, from);
    }

    fn new_space(&mut self, tag: u16, pool: &mut TablePool) -> Result<Space, NoTable> {
        mmu::new_space(self, tag, pool)
    }
    fn tags(&self) -> u32 {
        mmu::tags()
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
        let attributes = mmu::attributes(perms, memory, self.isolated);
        mmu::map(self, *space, pool, va, pa, len, attributes)
    }
    fn unmap(&mut self, space: &Space, va: u64, len: u64) {
        mmu::unmap(self, *space, va, len);
        self.maintenance += len / abi::PAGE as u64;
    }
    #[inline]
    fn activate(&mut self, space: &Space) {
        mmu::activate(*space);
    }
    fn retire(&mut self, space: &Space) {
        mmu::retire(*space);
        self.maintenance += 1;
    }
    fn tlb_maintenance(&self) -> u64 {
        self.maintenance
    }

    fn copy_in(&mut self, from: UserAddr, to: &mut [u8]) -> Result<(), BadAddress> {
        user::copy_in(from.0, to, self.isolated)
    }
    fn copy_out(&mut self, to: UserAddr, from: &[u8]) -> Result<(), BadAddress> {
        user::copy_out(to.0, from, self.isolated)
    }
    #[inline(always)]
    fn own_word(&mut self, at: UserAddr) -> Result<u32, BadAddress> {
        user::own_word(at.0, self.isolated)
    }
    #[inline(always)]
    fn put_word(&mut self, at: UserAddr, word: u32) -> Result<(), BadAddress> {
        user::put_word(at.0, word, self.isolated)
    }

    #[inline]
    fn enter(&mut self, frame: &mut Frame) {
        self.frame = frame;
    }
    #[inline]
    fn allow_floating(&mut self, allowed: bool) {
        // CPACR_EL1.FPEN (D24.2.34): 01 traps EL0 only, 11 traps nothing. The exception return synchronises.
        write!("CPACR_EL1", if allowed { 3 << 20 } else { 1 << 20 });
    }
    fn swap_floating(&mut self, from: Option<&mut Frame>, to: &mut Frame) {
        frame::swap_floating(from, to);
    }

    fn random(&mut self) -> Option<u64> {
        if !self.has_random {
            return None;
        }
        let (value, none): (u64, u64);
        // SAFETY: RNDR (D24.2.162) is there; it sets Z when it has no number.
        unsafe {
            asm!("mrs {}, S3_3_C2_C4_0", "cset {}, eq", out(reg) value, out(reg) none,
                options(nomem, nostack));
        };
        (none == 0).then_some(value)
    }
    fn power_off(&mut self) -> ! {
        psci(0x8400_0008)
    }
    fn reset(&mut self) -> ! {
        psci(0x8400_0009)
    }
}

const _: () = assert!(core::mem::offset_of!(Aarch64, frame) == 0);

/// A PSCI call (DEN0022) that does not return.
fn psci(function: u64) -> ! {
    // SAFETY: PSCI (DEN0022) SYSTEM_OFF and SYSTEM_RESET by SMC take no memory; they do not return.
    unsafe { asm!("smc #0", inout("x0") function => _, options(nostack)) };
    loop {
        barrier!("wfi");
    }
}
