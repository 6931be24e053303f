//! What the host tool writes into a bundle for who boots it: the index of its members, and the cell table.
use crate::record;

/// Name of the first member of a bundle.
pub const INDEX_NAME: &str = "index";
/// "NXIX".
pub const INDEX_MAGIC: u32 = 0x4E58_4958;
/// Longest name of a member in bytes.
pub const NAME_MAX: usize = 100;
/// Bytes of the Ed25519 signature at the index's end, over all bytes before it.
pub const SIGNATURE_LEN: usize = 64;

record! {
    /// Start of the index; [`IndexEntry`] per member follow, then the signature.
    IndexHeader: 64 {
        /// [`INDEX_MAGIC`].
        0 magic: u32,
        /// 1.
        4 version: u16,
        /// 0.
        6 zero: u16,
        /// Entries.
        8 count: u32,
        /// Version of the bundle; one below nexus-boot's floor is refused.
        12 bundle_version: u32,
        /// Bytes of the whole archive, the two zero blocks included.
        16 total_len: u64,
        /// Public key that signed, as a hint for messages; what counts is nexus-boot's own.
        24 signer: [u8; 32],
        /// 0.
        56 zero2: u64,
    }
}

record! {
    /// One member, in the archive's order, without gaps.
    IndexEntry: 160 {
        /// Name as in the ustar header.
        0 name: [u8; 104],
        /// Version, for images.
        104 version: u32,
        /// 0.
        108 zero: u32,
        /// Bytes from the archive's start to the member's header.
        112 offset: u64,
        /// Bytes of header, contents and padding.
        120 len: u64,
        /// BLAKE3-256 of them.
        128 hash: [u8; 32],
    }
}

/// "NXCL".
pub const CELLS_MAGIC: u32 = 0x4E58_434C;
/// Version of the cell table.
pub const CELLS_VERSION: u16 = 1;
/// Name of the member that holds the cell table.
pub const CELLS_NAME: &str = "cells.bin";

record! {
    /// Start of the cell table; [`CellRecord`]s follow.
    CellsHeader: 32 {
        /// [`CELLS_MAGIC`].
        0 magic: u32,
        /// [`CELLS_VERSION`].
        4 version: u16,
        /// Cells.
        6 cells: u16,
        /// Records that follow.
        8 count: u32,
        /// 1: RumKV starts the cells; 0: nexus-boot starts the kernel of cell 0.
        12 rumkv: u32,
        /// Physical address of the first instruction that nexus-boot jumps to (RumKV's, or the kernel's).
        16 entry: u64,
        /// Physical address of the handoff that nexus-boot passes to it in `x0`.
        24 handoff: u64,
    }
}

/// What a [`CellRecord`] says.
pub mod cell {
    /// The machine has RAM: `a` base, `c` length.
    pub const MACHINE_RAM: u16 = 1;
    /// RumKV's own memory: `a` base, `c` length.
    pub const HYPERVISOR: u16 = 2;
    /// RAM that firmware keeps: `a` base, `c` length.
    pub const RESERVED: u16 = 3;
    /// A cell: `arg` hard pledge mask at start, `a` entry (intermediate physical), `b` handoff, `c` flags (0 or `CELL_FLAT`).
    pub const CELL: u16 = 4;
    /// A core of the cell: `a` MPIDR affinity.
    pub const CORE: u16 = 5;
    /// RAM of the cell: `a` intermediate, `b` physical, `c` length.
    pub const RAM: u16 = 6;
    /// A device window of the cell: `arg` class (one bit of [`crate::pledge::hard`]), `a` intermediate, `b` physical, `c` length.
    pub const DEVICE: u16 = 7;
    /// An interrupt of the cell: `arg` class, `a` INTID, `b` 0 level or 1 edge.
    pub const IRQ: u16 = 8;
    /// The machine has a device window: `arg` class, `a` base, `c` length.
    pub const MACHINE_DEVICE: u16 = 9;
    /// nexus-boot copies the contents of a member: `arg` its number in the index, `a` physical destination, `c` bytes there (the rest is zeroed).
    pub const LOAD: u16 = 10;
    /// nexus-boot copies members whole, as an archive: `arg` first number, `b` last number, `a` destination, `c` most bytes; RumKV does it for other cells, and there `c` is the whole length.
    pub const ARCHIVE: u16 = 11;
    /// The interrupt controller: `a` distributor, `b` redistributor of core 0, `c` kind (3 = GICv3).
    pub const INTERRUPT_CONTROLLER: u16 = 12;
    /// A real-time clock of PL031's kind that nexus-boot reads once: `a` base.
    pub const CLOCK: u16 = 13;
    /// The Boot Error Buffer of the cell: `a` base, `c` length.
    pub const BEB: u16 = 14;
    /// Page with the post-mortems: `a` base.
    pub const POST_MORTEM: u16 = 15;
    /// Where the kernel finds its things: `arg` one of [`place`], `a` base, `c` length (ARCHIVE: nexus-boot fills the length in the handoff).
    pub const PLACE: u16 = 16;
    /// The console for a refusal (PL011): `a` base.
    pub const CONSOLE: u16 = 17;
    /// What stands between devices and memory: `a` base, `c` kind (3 = SMMUv3).
    pub const IOMMU: u16 = 18;
    /// A stream of the cell's, the accesses of one device: `arg` class, `a` its number at the IOMMU.
    pub const STREAM: u16 = 19;
    /// Names by number.
    pub const NAMES: [&str; 20] = [
        "none",
        "machine-ram",
        "hypervisor",
        "reserved",
        "cell",
        "core",
        "ram",
        "device",
        "irq",
        "machine-device",
        "load",
        "archive",
        "interrupt-controller",
        "clock",
        "beb",
        "post-mortem",
        "place",
        "console",
        "iommu",
        "stream",
    ];
}

/// `arg` of a PLACE record.
pub mod place {
    /// The flattened device tree.
    pub const FDT: u32 = 1;
    /// The compiled cell manifest.
    pub const MANIFEST: u32 = 2;
}

record! {
    /// One record of the cell table; what the fields mean depends on `kind` ([`cell`]).
    CellRecord: 32 {
        /// [`cell`].
        0 kind: u16,
        /// Cell concerned; 0 where none is.
        2 cell: u16,
        /// By kind.
        4 arg: u32,
        /// By kind.
        8 a: u64,
        /// By kind.
        16 b: u64,
        /// By kind.
        24 c: u64,
    }
}
