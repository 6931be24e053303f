//! Saved registers of a fiber: what the kernel can see of them.

/// Program counter, stack pointer, arguments and results, and one word for all of FP/SIMD.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame {
    pc: u64,
    sp: u64,
    /// Arguments at the start; the first two are also where results go.
    pub x: [u64; 3],
    /// FP/SIMD state.
    pub floating: u64,
    /// Runs at the level of applications.
    pub isolated: bool,
}

impl Frame {
    /// What the last call returned: status and value.
    #[must_use]
    pub fn result(&self) -> (isize, usize) {
        (self.x[0] as isize, self.x[1] as usize)
    }

    /// Says where the fiber was when it trapped.
    pub fn set_pc(&mut self, pc: u64) {
        self.pc = pc;
    }
}

impl crate::contract::Frame for Frame {
    const EMPTY: Self = Self { pc: 0, sp: 0, x: [0; 3], floating: 0, isolated: false };
    fn start(entry: u64, sp: u64, args: [u64; 3], isolated: bool) -> Self {
        Self { pc: entry, sp, x: args, floating: 0, isolated }
    }
    fn set_result(&mut self, status: isize, value: usize) {
        (self.x[0], self.x[1]) = (status as u64, value as u64);
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
        shown[..3].copy_from_slice(&self.x);
        shown
    }
}
