//! Pledges: the 64-bit mask of a domain and the hard pledges of a cell.

/// Console, own memory, time.
pub const STDIO: u64 = 1 << 0;
/// Read files.
pub const RPATH: u64 = 1 << 1;
/// Write files.
pub const WPATH: u64 = 1 << 2;
/// Network.
pub const INET: u64 = 1 << 3;
/// Spawn images.
pub const EXEC: u64 = 1 << 4;
/// The Block Valve.
pub const BLOCK: u64 = 1 << 5;
/// Device windows, interrupts, DMA.
pub const DEVICE: u64 = 1 << 6;
/// Audit.
pub const AUDIT: u64 = 1 << 7;
/// Names, bit 0 first.
pub const NAMES: [&str; 8] =
    ["STDIO", "RPATH", "WPATH", "INET", "EXEC", "BLOCK", "DEVICE", "AUDIT"];
/// Where the spectrum stands in the mask.
pub const SPECTRUM_SHIFT: u32 = 62;
/// The bits that are ANDed.
pub const BITS: u64 = (1 << SPECTRUM_SHIFT) - 1;

/// Spectra by number: 0 Void, 1 Gravity, 2 Matter, 3 Photon.
pub const SPECTRA: [&str; 4] = ["void", "gravity", "matter", "photon"];
/// Window of each spectrum in ns, by number; Void has none.
pub const WINDOW_NS: [u64; 4] = [u64::MAX, 50_000_000, 10_000_000, 2_000_000];
/// Default budget of each spectrum in J per window, by number; Void gets what is left.
pub const BUDGET_J: [u64; 4] = [0, 2500, 500, 100];

/// The spectrum in a mask.
#[must_use]
pub const fn spectrum(mask: u64) -> u8 {
    (mask >> SPECTRUM_SHIFT) as u8
}

/// Narrows a mask: bits are ANDed, the spectrum becomes the smaller of both.
#[must_use]
pub const fn narrow(a: u64, b: u64) -> u64 {
    let spectrum = if a >> SPECTRUM_SHIFT < b >> SPECTRUM_SHIFT { a } else { b } & !BITS;
    spectrum | (a & b & BITS)
}

/// Hard pledges of a cell; each device is in exactly one class.
pub mod hard {
    #![allow(missing_docs, reason = "the names are those of the table in docs/abi/hypercalls.md")]
    pub const CONSOLE: u32 = 1 << 0;
    pub const BLOCK: u32 = 1 << 1;
    pub const NET: u32 = 1 << 2;
    pub const BRIDGE: u32 = 1 << 3;
    pub const OTHER: u32 = 1 << 4;
    pub const POWER: u32 = 1 << 5;
    pub const CORES: u32 = 1 << 6;
    /// All of them.
    pub const ALL: u32 = 127;
    /// Names, bit 0 first.
    pub const NAMES: [&str; 7] = ["CONSOLE", "BLOCK", "NET", "BRIDGE", "OTHER", "POWER", "CORES"];
}
