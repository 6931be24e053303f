//! The counter in ns: virtual counter of the Generic Timer (chapter D12).
use super::read;

/// ns in a second.
const NS: u64 = 1_000_000_000;

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
        // 32 bits (D24.10.2), so that neither shift loses any and no division of 128 bits is needed.
        let hz = (read!("CNTFRQ_EL0") & 0xFFFF_FFFF).max(1);
        let (whole, rest) = (NS / hz, NS % hz);
        Self {
            started,
            to_ns: (whole << 32) + (rest << 32) / hz,
            to_ticks: (hz << 32).div_ceil(NS),
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
