//! SysTable: what a fiber is told about the machine, at a fixed address, read-only to everyone.
use crate::record;

/// "NXUS" in ASCII, most significant byte first.
pub const MAGIC: u32 = 0x4E58_5553;
/// Major version of the contract; a program refuses another.
pub const ABI_MAJOR: u16 = 1;
/// Minor version, answered by `meta(VERSION)` beside the major one.
pub const ABI_MINOR: u16 = 0;
/// Where a fiber sees the table on aarch64.
pub const ADDRESS_AARCH64: u64 = 0x5000_0000;
/// Where a fiber sees the table on riscv64.
pub const ADDRESS_RISCV64: u64 = 0x8300_0000;
/// Where a fiber sees the table on `x86_64`.
pub const ADDRESS_X86_64: u64 = 0x0300_0000;
/// Flag bit 0: fibers are isolated from each other and from the kernel by hardware.
pub const FLAG_ISOLATED: u64 = 1;
/// `hw_kind`: a flattened device tree (Devicetree Specification 0.4).
pub const HW_FDT: u32 = 1;
/// `hw_kind`: ACPI tables (ACPI 6.5).
pub const HW_ACPI: u32 = 2;
/// Entries: the meta-slot and the 12 syscalls.
pub const ENTRIES: usize = 13;

record! {
    /// The table. What the addresses from `hw_addr` on point to is mapped only for fibers pledged
    /// DEVICE or AUDIT.
    SysTable: 240 {
        /// [`MAGIC`].
        0x00 magic: u32,
        /// [`ABI_MAJOR`].
        0x04 abi_major: u16,
        /// 240.
        0x06 size: u16,
        /// [`FLAG_ISOLATED`] and zeros.
        0x08 flags: u64,
        /// Address of each entry: `meta`, then the syscalls in the order of their numbers.
        0x10 entries: [u64; 13],
        /// Frequency of the monotonic counter, Hz.
        0x78 counter_hz: u64,
        /// Wall clock when the kernel started, ns since the Unix epoch; 0: unknown.
        0x80 wall_at_boot: u64,
        /// Address of the hardware description.
        0x88 hw_addr: u64,
        /// Its length in bytes.
        0x90 hw_len: u32,
        /// [`HW_FDT`] or [`HW_ACPI`].
        0x94 hw_kind: u32,
        /// Address of the compiled cell manifest ([`crate::boot::CellManifest`]).
        0x98 manifest_addr: u64,
        /// Its length in bytes.
        0xA0 manifest_len: u64,
        /// Address of the memory map, an array of [`crate::boot::MemoryRange`].
        0xA8 memmap_addr: u64,
        /// Its number of entries.
        0xB0 memmap_count: u64,
        /// Cores of this cell.
        0xB8 cpu_count: u32,
        /// Index of the core that booted.
        0xBC boot_cpu: u32,
        /// Address of the Boot Error Buffer.
        0xC0 beb_addr: u64,
        /// Its length in bytes.
        0xC8 beb_len: u64,
        /// BLAKE3-256 over the cell's own images, as [`crate::boot::Handoff`] defines it.
        0xD0 measurement: [u8; 32],
    }
}
