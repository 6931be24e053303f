//! Numbers for fuzzing: xorshift64*, the same on every run.

/// A generator.
pub struct Random(u64);

impl Random {
    /// Starts from a seed that is not 0.
    #[must_use]
    pub const fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// The next number.
    pub fn number(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_F491_4F6C_DD1D)
    }

    /// A number that is small, a power of two, an address or anything, in turn.
    pub fn nasty(&mut self) -> u64 {
        let value = self.number();
        match self.number() & 3 {
            0 => value & 0xF,
            1 => 1 << (value & 63),
            2 => 0x4000_0000 | (value & 0x1FFF_FFFF),
            _ => value,
        }
    }
}
