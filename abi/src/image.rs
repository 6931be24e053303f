//! The flat image of an NPL or NPK: header, segments, relocations, manifest.
//!
//! Made by `nexus pack` from a position-independent ELF. Everything is at an offset from the file's start; addresses
//! are relative to the image's base, a page boundary that the kernel chooses at spawn.
use crate::record;

/// "NXUS".
pub const MAGIC: u32 = crate::systable::MAGIC;
/// Version of the layout.
pub const VERSION: u16 = 1;
/// `arch`: aarch64.
pub const ARCH_AARCH64: u8 = 1;
/// `arch`: riscv64.
pub const ARCH_RISCV64: u8 = 2;
/// `arch`: `x86_64`.
pub const ARCH_X86_64: u8 = 3;
/// `kind`: an application.
pub const KIND_NPK: u8 = 0;
/// `kind`: a driver or filesystem.
pub const KIND_NPL: u8 = 1;
/// Most segments of an image.
pub const SEGMENTS_MAX: usize = 8;
/// Most bytes of memory an image may take.
pub const MEMORY_MAX: u64 = 64 << 20;

record! {
    /// Start of the file.
    ImageHeader: 96 {
        /// [`MAGIC`].
        0 magic: u32,
        /// [`VERSION`].
        4 version: u16,
        /// [`ARCH_AARCH64`] and so on.
        6 arch: u8,
        /// [`KIND_NPK`] or [`KIND_NPL`].
        7 kind: u8,
        /// Bytes of the whole file.
        8 file_len: u64,
        /// Bytes of address space from the base, a multiple of the page.
        16 mem_len: u64,
        /// Address of the first instruction, relative to the base.
        24 entry: u64,
        /// Offset of the [`Segment`] table.
        32 segments: u32,
        /// Its number of entries, 1 to [`SEGMENTS_MAX`].
        36 segment_count: u32,
        /// Offset of the relocations: u32 each, the relative address of a u64 to which the base is added.
        40 relocations: u32,
        /// Their number.
        44 relocation_count: u32,
        /// Offset of the [`ImageManifest`].
        48 manifest: u32,
        /// Its length in bytes.
        52 manifest_len: u32,
        /// 0.
        56 zero: [u8; 8],
        /// BLAKE3-256 over the file from byte 96 on.
        64 hash: [u8; 32],
    }
}

record! {
    /// One segment. Address and length in memory are multiples of the page; never W and X together.
    Segment: 32 {
        /// Relative address.
        0 addr: u64,
        /// Bytes in memory; what the file does not fill is zero.
        8 mem_len: u64,
        /// Offset in the file.
        16 offset: u32,
        /// Bytes in the file.
        20 file_len: u32,
        /// R/W/X of [`crate::cap`].
        24 perms: u32,
        /// 0.
        28 zero: u32,
    }
}

/// What happens when the domain faults.
pub mod policy {
    #![allow(missing_docs, reason = "the names are those of the table in docs/abi/image.md")]
    pub const NEVER: u8 = 0;
    pub const RESTART: u8 = 1;
    pub const ESCALATE: u8 = 2;
    /// Names in the order of the numbers.
    pub const NAMES: [&str; 3] = ["never", "restart", "escalate"];
}

record! {
    /// The compiled manifest of an image: the most it may ever hold.
    ImageManifest: 128 {
        /// [`MAGIC`].
        0 magic: u32,
        /// Version of this image, compared with the floor.
        4 version: u32,
        /// Name, unique in a bundle.
        8 name: [u8; 32],
        /// [`KIND_NPK`] or [`KIND_NPL`].
        40 kind: u8,
        /// [`policy`].
        41 policy: u8,
        /// 0.
        42 zero: u16,
        /// [`QuiesceStep`]s that follow this record, at most [`QUIESCE_MAX`].
        44 quiesce: u32,
        /// Pledge mask with the spectrum in bits 63:62.
        48 pledge: u64,
        /// J per window of its spectrum.
        56 energy: u64,
        /// Bytes of stack of the first fiber, a multiple of the page.
        64 stack: u64,
        /// Bytes of heap, a multiple of the page.
        72 heap: u64,
        /// Most fibers of the domain.
        80 fibers: u32,
        /// Devices and channels are given by the cell's manifest; the image states how many it wants.
        84 devices: u32,
        /// Channels wanted.
        88 channels: u32,
        /// 0.
        92 zero2: [u8; 36],
    }
}

/// Most quiesce steps of an image.
pub const QUIESCE_MAX: usize = 8;

/// What a quiesce step does.
pub mod quiesce {
    #![allow(missing_docs, reason = "the names are those of the table in docs/abi/image.md")]
    pub const WRITE: u8 = 0;
    pub const POLL: u8 = 1;
    /// Names in the order of the numbers.
    pub const NAMES: [&str; 2] = ["write", "poll"];
}

record! {
    /// One step that brings a device to rest after its driver died.
    QuiesceStep: 24 {
        /// [`quiesce`].
        0 op: u8,
        /// Which of the service's windows, from 0.
        1 device: u8,
        /// 0.
        2 zero: u16,
        /// Offset of a 32-bit register in the window, bytes.
        4 offset: u32,
        /// POLL: the bits that count.
        8 mask: u32,
        /// WRITE: what is written. POLL: what the bits must be.
        12 value: u32,
        /// POLL: how long at most, µs.
        16 within_us: u32,
        /// 0.
        20 zero2: u32,
    }
}
