//! Saved registers of a fiber.
use core::arch::global_asm;
use core::mem::offset_of;

/// Integer and FP/SIMD state. The vectors address it by the offsets below.
#[repr(C, align(16))]
#[derive(Clone)]
pub struct Frame {
    pub(super) x: [u64; 31],
    pub(super) sp: u64,
    pub(super) pc: u64,
    pub(super) pstate: u64,
    pub(super) tls: u64,
    pub(super) fpcr: u64,
    pub(super) fpsr: u64,
    /// Not 0: x2 to x18 may hold something else than zero.
    pub(super) full: u64,
    pub(super) v: [u128; 32],
}

/// Offset of the stack pointer; program counter and PSTATE follow.
pub const SP: usize = offset_of!(Frame, sp);
/// Offset of the program counter.
pub const PC: usize = offset_of!(Frame, pc);
/// Offset of TPIDR_EL0.
pub const TLS: usize = offset_of!(Frame, tls);
/// Offset of [`Frame::full`].
pub const FULL: usize = offset_of!(Frame, full);
const FPCR: usize = offset_of!(Frame, fpcr);
const V: usize = offset_of!(Frame, v);
const _: () = assert!(offset_of!(Frame, x) == 0 && SP == 248 && PC == 256 && TLS == 272);
const _: () = assert!(FPCR == 280 && V == 304 && offset_of!(Frame, pstate) == PC + 8);

/// PSTATE of a fiber: EL0, interrupts open.
const EL0: u64 = 0;
/// PSTATE of a unikernel's application: EL1 on SP_EL0, interrupts open.
const EL1T: u64 = 0b0100;

impl crate::contract::Frame for Frame {
    const EMPTY: Self =
        Self { x: [0; 31], sp: 0, pc: 0, pstate: 0, tls: 0, fpcr: 0, fpsr: 0, full: 0, v: [0; 32] };
    fn start(entry: u64, sp: u64, args: [u64; 3], isolated: bool) -> Self {
        let pstate = if isolated { EL0 } else { EL1T };
        let mut frame = Self { sp, pc: entry, pstate, full: 1, ..Self::EMPTY };
        frame.x[..3].copy_from_slice(&args);
        frame
    }
    #[inline]
    fn set_result(&mut self, status: isize, value: usize) {
        self.x[0] = status as u64;
        self.x[1] = value as u64;
    }
    fn argument(&self, n: usize) -> u64 {
        self.x.get(n).copied().unwrap_or(0)
    }
    fn pc(&self) -> u64 {
        self.pc
    }
    fn sp(&self) -> u64 {
        self.sp
    }
    fn registers(&self) -> [u64; 8] {
        let mut shown = [0; 8];
        shown[..6].copy_from_slice(&self.x[..6]);
        (shown[6], shown[7]) = (self.x[29], self.x[30]);
        shown
    }
}

/// Both routines take the address of `fpcr` in a frame; q0 to q31 follow at `gap` bytes from it.
macro_rules! floating {
    ($($pair:literal),*) => {
        global_asm!(
            ".arch_extension fp",
            ".arch_extension simd",
            ".global arch_save_floating",
            "arch_save_floating:",
            "mrs x1, fpcr",
            "mrs x2, fpsr",
            "stp x1, x2, [x0], {gap}",
            $(concat!("stp ", $pair, ", [x0], 32"),)*
            "ret",
            ".global arch_load_floating",
            "arch_load_floating:",
            "ldp x1, x2, [x0], {gap}",
            "msr fpcr, x1",
            "msr fpsr, x2",
            $(concat!("ldp ", $pair, ", [x0], 32"),)*
            "ret",
            gap = const V - FPCR,
        );
    };
}
floating!(
    "q0, q1", "q2, q3", "q4, q5", "q6, q7", "q8, q9", "q10, q11", "q12, q13", "q14, q15",
    "q16, q17", "q18, q19", "q20, q21", "q22, q23", "q24, q25", "q26, q27", "q28, q29", "q30, q31"
);

unsafe extern "C" {
    fn arch_save_floating(fpcr: *mut u64);
    fn arch_load_floating(fpcr: *const u64);
}

/// Saves the registers to `from` and loads those of `to`. The kernel itself is built without FP; EL1 may always use
/// the registers, as CPACR_EL1.FPEN is 01 or 11.
pub fn swap_floating(from: Option<&mut Frame>, to: &mut Frame) {
    if let Some(from) = from {
        // SAFETY: writes FPCR, FPSR and V of `from`, which is a whole Frame.
        unsafe { arch_save_floating((&raw mut from.fpcr).cast()) };
    }
    // SAFETY: reads the same fields of `to`.
    unsafe { arch_load_floating((&raw const to.fpcr).cast()) };
}
