//! RumKV's hypercalls, its trap counters and the post-mortem of a cell.
use crate::record;

/// Immediate of `hvc` on Arm.
pub const HVC_IMMEDIATE: u16 = 0x4E58;
/// SBI extension on RISC-V (`a7`).
pub const SBI_EXTENSION: u32 = 0x0900_4E58;
/// `eax` on x86.
pub const VMCALL_EAX: u32 = 0x4E58;

/// VERSION: value = major << 16 | minor.
pub const VERSION: u64 = 0;
/// PLEDGE(mask): value = the new mask.
pub const PLEDGE: u64 = 1;
/// CELL_OFF: does not return.
pub const CELL_OFF: u64 = 2;
/// DOORBELL(bridge).
pub const DOORBELL: u64 = 3;
/// COUNTERS(index): value = traps of this cell by cause, [`counter`].
pub const COUNTERS: u64 = 4;
/// What VERSION answers.
pub const RUMKV_VERSION: u64 = 1 << 16;

/// Indices of COUNTERS.
pub mod counter {
    #![allow(missing_docs, reason = "the names are those of the table in docs/abi/hypercalls.md")]
    pub const INTERRUPT: u64 = 0;
    pub const HYPERCALL: u64 = 1;
    pub const FIRMWARE: u64 = 2;
    pub const MMIO: u64 = 3;
    pub const SYSREG: u64 = 4;
    /// Only counted by the test build that traps TLB maintenance.
    pub const TLB: u64 = 5;
    pub const OTHER: u64 = 6;
    /// Number of counters.
    pub const COUNT: usize = 7;
    /// Names in the order of the indices.
    pub const NAMES: [&str; 7] =
        ["interrupt", "hypercall", "firmware", "mmio", "sysreg", "tlb", "other"];
}

/// "NXPM".
pub const POST_MORTEM_MAGIC: u32 = 0x4E58_504D;

record! {
    /// How a cell ended; one per cell, at `cell * 64` in the post-mortem page. Zeros: it runs.
    PostMortem: 64 {
        /// [`POST_MORTEM_MAGIC`].
        0 magic: u32,
        /// Cell.
        4 cell: u16,
        /// [`cause`].
        6 cause: u16,
        /// Intermediate physical address concerned; 0 if none.
        8 address: u64,
        /// Program counter of the cell.
        16 pc: u64,
        /// Hard pledge mask.
        24 mask: u64,
        /// Counter when the cell was dead, in ticks.
        32 time: u64,
        /// Syndrome as the hardware gave it (`ESR_EL2`).
        40 syndrome: u64,
        /// Core that took the trap.
        48 core: u32,
        /// 0.
        52 zero: u32,
        /// 0.
        56 zero2: u64,
    }
}

/// Causes of a cell's end.
pub mod cause {
    #![allow(missing_docs, reason = "the names are those of the table in docs/abi/hypercalls.md")]
    /// PSCI `SYSTEM_OFF`, CPU_OFF of the last core or CELL_OFF: the cell's own wish.
    pub const OFF: u16 = 1;
    /// PSCI `SYSTEM_RESET`.
    pub const RESET: u16 = 2;
    /// Data access outside the map.
    pub const DATA: u16 = 3;
    /// Instruction fetch outside the map.
    pub const FETCH: u16 = 4;
    /// Access to a mediated page without a usable syndrome.
    pub const NO_SYNDROME: u16 = 5;
    /// External abort or SError.
    pub const EXTERNAL: u16 = 6;
    /// A trap with no meaning.
    pub const UNEXPECTED: u16 = 7;
    /// Fault inside RumKV itself.
    pub const INTERNAL: u16 = 8;
    /// Names, cause 1 first.
    pub const NAMES: [&str; 8] = [
        "off",
        "reset",
        "data access outside the map",
        "fetch outside the map",
        "access without syndrome",
        "external abort",
        "unexpected trap",
        "fault inside RumKV",
    ];
}
