//! Boot: bundle index, cell table, handoff, cell manifest, Boot Error Buffer (provisional).
//!
//! Everything here is made by the host tool and read as flat tables by what boots.
mod table;
pub use table::*;

use crate::record;

/// Addresses on QEMU's `virt` (aarch64) with 512 MB. The cell's are the same with and without RumKV, and physical = intermediate.
pub mod virt {
    /// First byte of RAM.
    pub const RAM: u64 = 0x4000_0000;
    /// Bytes of RAM.
    pub const RAM_LEN: u64 = 512 << 20;
    /// Where nexus-boot runs (QEMU puts a Linux-style image with `text_offset` 0x80000 here).
    pub const NEXUS_BOOT: u64 = 0x4008_0000;
    /// RumKV's own memory: image, tables, post-mortem.
    pub const RUMKV: u64 = 0x4020_0000;
    /// Its length in bytes.
    pub const RUMKV_LEN: u64 = 2 << 20;
    /// Where nexus-boot writes RumKV's handoff: the page before the post-mortem page.
    pub const RUMKV_HANDOFF: u64 = 0x403F_E000;
    /// The post-mortem page, [`crate::hypercall::PostMortem`] by cell.
    pub const POST_MORTEM: u64 = 0x403F_F000;
    /// RAM of cell 0.
    pub const CELL0: u64 = 0x5000_0000;
    /// Its length in bytes.
    pub const CELL0_LEN: u64 = 128 << 20;
    /// The SysTable page.
    pub const SYSTABLE: u64 = crate::systable::ADDRESS_AARCH64;
    /// The gate page: 13 entries of [`GATE_LEN`] bytes.
    pub const GATES: u64 = 0x5000_1000;
    /// Bytes of an entry of the gate page.
    pub const GATE_LEN: u64 = 16;
    /// The Boot Error Buffer.
    pub const BEB: u64 = 0x5001_0000;
    /// Its length in bytes.
    pub const BEB_LEN: u64 = 64 << 10;
    /// The kernel's handoff.
    pub const HANDOFF: u64 = 0x5002_0000;
    /// The flattened device tree of the cell, at most 64 KB.
    pub const FDT: u64 = 0x5003_0000;
    /// The compiled cell manifest, at most 64 KB.
    pub const MANIFEST: u64 = 0x5004_0000;
    /// The memory map, one page.
    pub const MEMMAP: u64 = 0x5005_0000;
    /// What one service alone can read: the page that the kernel maps for it.
    pub const SECRET: u64 = 0x5005_1000;
    /// Its length in bytes.
    pub const SECRET_LEN: u64 = 0x1000;
    /// The ring of audit records, for the kernel alone. Nothing clears it before the kernel, so that it outlives a reset.
    pub const PROVCHAIN: u64 = 0x5006_0000;
    /// Its length in bytes: 1,024 records.
    pub const PROVCHAIN_LEN: u64 = 0x2_0000;
    /// The kernel image with its bss, up to [`ARCHIVE`].
    pub const KERNEL: u64 = 0x5008_0000;
    /// The cell's part of the bundle; memory after it is free.
    pub const ARCHIVE: u64 = 0x5020_0000;
    /// Kernels of the cores after the first, at the end of the cell's RAM. Free memory where the cell has one core.
    pub const CORES: u64 = 0x5780_0000;
    /// Its length in bytes.
    pub const CORES_LEN: u64 = 8 << 20;
    /// Console: PL011 (Arm DDI 0183).
    pub const UART: u64 = 0x0900_0000;
    /// Its interrupt: SPI 1.
    pub const UART_INTID: u32 = 33;
    /// Real-time clock: PL031 (Arm DDI 0224).
    pub const RTC: u64 = 0x0901_0000;
    /// GICv3 distributor.
    pub const GICD: u64 = 0x0800_0000;
    /// Its length in bytes.
    pub const GICD_LEN: u64 = 0x1_0000;
    /// GICv3 redistributor of core 0: two frames of 64 KB per core.
    pub const GICR: u64 = 0x080A_0000;
    /// Bytes of one core's redistributor.
    pub const GICR_STRIDE: u64 = 0x2_0000;
    /// Interrupt of the virtual timer: PPI 11.
    pub const VTIMER_INTID: u32 = 27;
}

/// Flag of a `cell::CELL` record: the kernel is no Rumpk, `b` is what it finds in `x0`, and no handoff is written.
pub const CELL_FLAT: u64 = 1;

/// "NXHO".
pub const HANDOFF_MAGIC: u32 = 0x4E58_484F;

record! {
    /// What nexus-boot tells the first program (RumKV, or the kernel), and in the same form the kernel of cell 0. Addresses
    /// are physical (for a kernel: intermediate physical).
    ///
    /// The measurement is BLAKE3-256 over the concatenated index hashes of the members that cell 0 is given
    /// (LOAD and ARCHIVE records with cell 0 whose destination lies in its RAM), in the order of the cell table.
    Handoff: 256 {
        /// [`HANDOFF_MAGIC`].
        0 magic: u32,
        /// 1.
        4 version: u16,
        /// 256.
        6 size: u16,
        /// The verified bundle as it lies in memory; for the kernel: its archive.
        8 archive: u64,
        /// Its length in bytes.
        16 archive_len: u64,
        /// The cell table; 0 for the kernel.
        24 cells: u64,
        /// Its length in bytes.
        32 cells_len: u64,
        /// Device tree: the firmware's for RumKV, the cell's for the kernel.
        40 fdt: u64,
        /// Its length in bytes.
        48 fdt_len: u64,
        /// The compiled cell manifest; 0 for RumKV.
        56 manifest: u64,
        /// Its length in bytes.
        64 manifest_len: u64,
        /// RAM of the receiver.
        72 ram: u64,
        /// Its length in bytes.
        80 ram_len: u64,
        /// Boot Error Buffer of cell 0.
        88 beb: u64,
        /// Its length in bytes.
        96 beb_len: u64,
        /// Wall clock, ns since the Unix epoch; 0: unknown.
        104 wall: u64,
        /// The counter when nexus-boot started, ticks.
        112 started: u64,
        /// Measurement of cell 0.
        120 measurement: [u8; 32],
        /// BLAKE3-256 of the index: names the whole machine.
        152 machine: [u8; 32],
        /// Seed for random numbers, from the firmware's; zeros: none.
        184 seed: [u8; 32],
        /// First byte nexus-boot occupies, for who zeroes it.
        216 boot_base: u64,
        /// Bytes.
        224 boot_len: u64,
        /// Interrupt controller: distributor.
        232 gicd: u64,
        /// Redistributor of the boot core.
        240 gicr: u64,
        /// Cores of the receiver.
        248 cores: u32,
        /// 0.
        252 zero: u32,
    }
}

record! {
    /// One entry of the memory map.
    MemoryRange: 24 {
        /// First byte.
        0 base: u64,
        /// Length in bytes.
        8 len: u64,
        /// 1 free RAM for extents, 2 kernel and tables, 3 archive, 4 device.
        16 kind: u32,
        /// 0.
        20 zero: u32,
    }
}

/// "NXMF".
pub const MANIFEST_MAGIC: u32 = 0x4E58_4D46;

record! {
    /// Start of a compiled cell manifest: [`Service`]s, then [`Link`]s, [`Grant`]s, then argument text.
    CellManifest: 32 {
        /// [`MANIFEST_MAGIC`].
        0 magic: u32,
        /// 1.
        4 version: u16,
        /// 32.
        6 size: u16,
        /// Bytes of the whole.
        8 total_len: u32,
        /// Number of [`Service`]s (at offset 32).
        12 services: u32,
        /// Number of [`Link`]s (after the services).
        16 links: u32,
        /// Number of [`Grant`]s (after the links).
        20 grants: u32,
        /// Offset of the argument text.
        24 text: u32,
        /// Its length in bytes.
        28 text_len: u32,
    }
}

/// Service flag: the kernel starts it (drivers that come before subject zero).
pub const SERVICE_FIRST: u32 = 1;
/// Service flag: subject zero. Exactly one has it.
pub const SERVICE_INIT: u32 = 2;
/// Service flag: started by subject zero at boot.
pub const SERVICE_AUTO: u32 = 4;
/// Service flag: the secret of the cell is for it, and it seals the audit chain. At most one has it.
pub const SERVICE_SECRET: u32 = 8;
/// No service: the kernel.
pub const KERNEL_SERVICE: u16 = 0xFFFF;

record! {
    /// One service of a cell.
    Service: 160 {
        /// Name, unique in the cell.
        0 name: [u8; 32],
        /// Path of the image in the archive, `Boot/bin/NAME`.
        32 image: [u8; 64],
        /// Pledge mask with the spectrum, within the image's own.
        96 pledge: u64,
        /// J per window.
        104 energy: u64,
        /// Bytes of stack.
        112 stack: u64,
        /// Bytes of heap.
        120 heap: u64,
        /// [`SERVICE_FIRST`] and so on.
        128 flags: u32,
        /// Restart policy ([`crate::image::policy`]).
        132 policy: u16,
        /// The core that it runs on, plus 1; 0: the kernel chooses.
        134 core: u16,
        /// First of its [`Grant`]s.
        136 grant_first: u32,
        /// Their number; they take the slots from 8 on, in this order.
        140 grant_count: u32,
        /// Offset of its argument text in the text area.
        144 args: u32,
        /// Its length in bytes.
        148 args_len: u32,
        /// Offset of its unveils in the text area: for each path a byte of R/W/X, a byte with the path's length, the path.
        152 unveils: u16,
        /// Its length in bytes; 0: it sees what its pledge allows.
        154 unveils_len: u16,
        /// Pages of memory for its children and for stacks of further fibers; 0: an eighth of what is free at boot.
        156 child_pages: u16,
        /// Places for its children, one for each fiber and each channel; 0: 16.
        158 child_places: u16,
    }
}

record! {
    /// One channel between two services. End A is the one that serves.
    Link: 32 {
        /// Well-known number, or one above 0x10000 that the manifest chose.
        0 number: u32,
        /// Service of end A.
        4 a: u16,
        /// Service of end B.
        6 b: u16,
        /// Slot in A's CSpace.
        8 a_slot: u8,
        /// Slot in B's CSpace.
        9 b_slot: u8,
        /// 0.
        10 zero: u16,
        /// Slots of each ring, a power of two.
        12 slots: u32,
        /// Bytes of each side's buffer area, a multiple of the page.
        16 buffer: u32,
        /// Pledge bit a holder needs, as in [`crate::pledge`].
        20 pledge: u32,
        /// 0.
        24 zero2: u64,
    }
}

record! {
    /// One thing that a service is given besides channels.
    Grant: 32 {
        /// Object kind ([`crate::cap::Kind`]).
        0 kind: u8,
        /// Slot.
        1 slot: u8,
        /// Verbs.
        2 verbs: u8,
        /// R/W/X.
        3 perms: u8,
        /// IRQ: 1 edge, 0 level. FIBER: index of the service.
        4 arg: u32,
        /// DEVICE: address. IRQ: INTID. MEMORY: 0, the kernel chooses it.
        8 a: u64,
        /// DEVICE, MEMORY: length in bytes.
        16 b: u64,
        /// 0.
        24 zero: u64,
    }
}

/// "NXBE".
pub const BEB_MAGIC: u32 = 0x4E58_4245;

/// Where in the buffer nexus-boot keeps the start of what it found there, for the kernel: bytes from its start.
pub const BEB_KEPT: u64 = 0x8000;
/// How much of it, bytes.
pub const BEB_KEPT_LEN: u64 = 0x1000;

/// `state` of the Boot Error Buffer.
pub mod beb {
    #![allow(missing_docs, reason = "the names are those of the table in docs/abi/boot.md")]
    /// nexus-boot runs.
    pub const BOOTING: u32 = 1;
    /// The kernel runs.
    pub const RUNNING: u32 = 2;
    /// The cell switched itself off in good order.
    pub const OFF: u32 = 3;
    /// The cell asked for a reset.
    pub const RESET: u32 = 4;
    /// The kernel panicked; the text says where.
    pub const PANIC: u32 = 5;
    /// nexus-boot refused the bundle; the text names the member.
    pub const REFUSED: u32 = 6;
    /// A trap reached nexus-boot's vectors at EL2 (only without RumKV).
    pub const TRAP: u32 = 7;
    /// Subject zero ended: nothing is left to run.
    pub const NO_SUBJECT: u32 = 8;
    /// Names, state 1 first.
    pub const NAMES: [&str; 8] =
        ["booting", "running", "off", "reset", "panic", "refused", "trap", "no subject"];
}

record! {
    /// Head of the Boot Error Buffer; `text_len` bytes of UTF-8 follow.
    Beb: 64 {
        /// [`BEB_MAGIC`].
        0 magic: u32,
        /// [`beb`].
        4 state: u32,
        /// Bytes of text after this head.
        8 text_len: u32,
        /// Code that the cell ended with (`poweroff` gives 0).
        12 code: u32,
        /// ns or ticks of the event, by who wrote it.
        16 time: u64,
        /// PANIC, TRAP: program counter.
        24 pc: u64,
        /// PANIC, TRAP: faulting address.
        32 address: u64,
        /// PANIC, TRAP: syndrome.
        40 syndrome: u64,
        /// Scratch words of test kernels, 0 otherwise.
        48 scratch: [u64; 2],
    }
}
