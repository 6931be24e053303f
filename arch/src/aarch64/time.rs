//! The counter in ns: virtual counter of the Generic Timer (chapter D12).
use super::read;

/// Fixed-point factors between ticks and ns, chosen once, so that reading the clock divides nothing.
#[derive(Clone, Copy)]
pub struct Scale {
    started: u64,
    /// ns per tick, 32 bits of fraction.
    to_ns: u64,
    /// Ticks per ns, 32 bits of fraction, rounded up: a timer never fires early by more than the rounding of one tick.
    to_ticks: u64,
}

impl Scale {
    /// Before boot: time stands still.
    pub const OFF: Self = Self { started: 0, to_ns: 0, to_ticks: 0 };
    /// `started` is the counter at boot, ticks.
    pub fn new(started: u64) -> Self {
        let hz = read!("CNTFRQ_EL0").max(1);
        Self {
            started,
            to_ns: (((1_000_000_000_u128) << 32) / hz as u128) as u64,
            to_ticks: (((hz as u128) << 32).div_ceil(1_000_000_000)) as u64,
        }
    }
    /// ns since `started`. The exception that brought us here synchronised, so that this read is no older than it.
    #[inline]
    pub fn now(self) -> u64 {
        let ticks = read!("CNTVCT_EL0").wrapping_sub(self.started);
        ((ticks as u128 * self.to_ns as u128) >> 32) as u64
    }
    /// The counter at `ns` since `started`, rounded up.
    #[inline]
    pub fn ticks(self, ns: u64) -> u64 {
        let ticks = (ns as u128 * self.to_ticks as u128 + 0xFFFF_FFFF) >> 32;
        self.started.saturating_add(u64::try_from(ticks).unwrap_or(u64::MAX))
    }
}
