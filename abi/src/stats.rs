//! Events and statistics (version 0).
use crate::record;

/// Event kinds.
pub mod event {
    /// A child ended; `source` is its fiber number.
    pub const CHILD_ENDED: u32 = 0;
    /// A channel's other side was restarted.
    pub const RESTARTED: u32 = 1;
    /// A capability is parked in a channel; `source` is the slot of its end, `arg` the channel's number.
    pub const CAPABILITY: u32 = 2;
}

record! {
    /// One latched event, the payload of a message received from EVENTS.
    Event: 24 {
        /// [`event`].
        0 kind: u32,
        /// Fiber or slot concerned.
        4 source: u32,
        /// How often since it was last taken.
        8 count: u32,
        /// Generation, for RESTARTED.
        12 generation: u32,
        /// By kind.
        16 arg: u64,
    }
}

/// STATS class: core `index`, [`SystemStats`]; 0 is the one that booted. `NotFound` past the last.
pub const CLASS_SYSTEM: u32 = 0;
/// STATS class: the fiber in place `index`, 64 of them for each core, [`FiberStats`]; `NotFound` past the last place, `Empty` for a free one.
/// Of others only for a domain pledged AUDIT.
pub const CLASS_FIBER: u32 = 1;
/// STATS class: where the caller's heap is, [`Heap`]; index 0.
pub const CLASS_HEAP: u32 = 2;

/// Number in the trap instruction by which a program says that it panicked (aarch64: `brk`). The first
/// argument register holds the address of its last words, the second their length. The domain ends with
/// [`end::PANIC`].
pub const PANIC_TRAP: u16 = 0x4E58;
/// Most bytes of last words that the kernel notes, in application records of 32 bytes.
pub const LAST_WORDS_MAX: usize = 128;

/// STATS class: how the last fiber in place `index` ended, 64 places for each core, [`FiberPostMortem`]; `NotFound` past the
/// last place, `Empty` if none did. Of others only for their parent and for a domain pledged AUDIT.
pub const CLASS_POSTMORTEM: u32 = 3;

/// States of a fiber.
pub mod state {
    #![allow(missing_docs, reason = "the names are those of the table in docs/abi/stats.md")]
    pub const READY: u8 = 1;
    pub const RUNNING: u8 = 2;
    pub const WAITING: u8 = 3;
    /// Out of energy until its window ends.
    pub const THROTTLED: u8 = 4;
    pub const ENDED: u8 = 5;
    /// Faulted too often; waits for its release.
    pub const QUARANTINED: u8 = 6;
    /// Names; 0 is a free place.
    pub const NAMES: [&str; 7] =
        ["free", "ready", "running", "waiting", "throttled", "ended", "quarantined"];
}

/// Why a fiber ended.
pub mod end {
    #![allow(missing_docs, reason = "the names are those of the table in docs/abi/stats.md")]
    pub const RUNS: u8 = 0;
    pub const EXIT: u8 = 1;
    pub const KILLED: u8 = 2;
    pub const PAGE_FAULT: u8 = 3;
    pub const ILLEGAL: u8 = 4;
    pub const ALIGNMENT: u8 = 5;
    pub const PLEDGE: u8 = 6;
    pub const STRIKES: u8 = 7;
    pub const OTHER: u8 = 8;
    pub const PANIC: u8 = 9;
    /// A child whose policy is to escalate faulted.
    pub const CHILD: u8 = 10;
    /// Names in the order of the numbers.
    pub const NAMES: [&str; 11] = [
        "runs",
        "exit",
        "killed",
        "page fault",
        "illegal instruction",
        "misaligned access",
        "pledge violation",
        "third strike",
        "other fault",
        "panic",
        "fault of a child",
    ];
}

record! {
    /// About one fiber: answer of `meta(SELF)`, `meta(STATS)` and `recv` on FIBER (there in 2 parts, see [`FiberEnd`]).
    FiberStats: 128 {
        /// Number of the fiber, never reused within a boot.
        0 fiber: u32,
        /// Number of its domain.
        4 domain: u32,
        /// Number of the fiber that spawned it.
        8 parent: u32,
        /// [`state`].
        12 state: u8,
        /// [`end`].
        13 end: u8,
        /// Spectrum.
        14 spectrum: u8,
        /// Policy of its domain.
        15 policy: u8,
        /// Pledge mask.
        16 pledge: u64,
        /// J left in this window.
        24 energy_left: i64,
        /// J per window.
        32 energy_budget: u64,
        /// ns of processor time so far.
        40 time: u64,
        /// Bytes of memory of its domain.
        48 memory: u64,
        /// Deadlines missed.
        56 missed: u32,
        /// Strikes.
        60 strikes: u32,
        /// Exit code, or the faulting address.
        64 code: u64,
        /// Program counter at the end.
        72 pc: u64,
        /// Blinks so far.
        80 blinks: u32,
        /// Slots in use.
        84 slots: u32,
        /// 0.
        88 zero: [u8; 8],
        /// Name of its image or service.
        96 name: [u8; 32],
    }
}

record! {
    /// Payload of the message received from FIBER; `Empty` while it runs.
    FiberEnd: 48 {
        /// Number of the fiber.
        0 fiber: u32,
        /// [`end`].
        4 end: u8,
        /// 0.
        5 zero: [u8; 3],
        /// Exit code, or the faulting address.
        8 code: u64,
        /// Program counter.
        16 pc: u64,
        /// ns of processor time.
        24 time: u64,
        /// First 16 bytes of its name.
        32 name: [u8; 16],
    }
}

record! {
    /// The heap that the caller's domain was born with, in pages of its own; zeros: none.
    Heap: 16 {
        /// Address of the first byte.
        0 base: u64,
        /// Length in bytes.
        8 len: u64,
    }
}

record! {
    /// How a fiber ended; kept until another one ends in its place.
    FiberPostMortem: 256 {
        /// Number of the fiber; 0: none ended here.
        0 fiber: u32,
        /// [`end`].
        4 cause: u8,
        /// Number of its last call.
        5 last_call: u8,
        /// Slot concerned, 255: none.
        6 slot: u8,
        /// What became of its domain: 0 ended, 1 restarted, 2 quarantined.
        7 fate: u8,
        /// ns since boot.
        8 time: u64,
        /// Program counter.
        16 pc: u64,
        /// Stack pointer.
        24 sp: u64,
        /// Faulting address, or exit code.
        32 address: u64,
        /// Syndrome as the hardware gave it, 0: no trap.
        40 syndrome: u64,
        /// Pledge bits that were used and not held.
        48 pledge: u64,
        /// Address at which its image lay: what a program counter less this is in its ELF.
        56 base: u64,
        /// Blinks of its domain before.
        64 blinks: u32,
        /// Bytes of `message`.
        68 message_len: u32,
        /// Name of its image or service.
        72 name: [u8; 32],
        /// PANIC: what it said.
        104 message: [u8; 88],
        /// Registers: on aarch64 x0 to x5, x29, x30.
        192 registers: [u64; 8],
    }
}

record! {
    /// About the cell.
    SystemStats: 128 {
        /// Bytes of RAM.
        0 ram: u64,
        /// Bytes free for extents.
        8 free: u64,
        /// Largest extent that could be given out, bytes.
        16 largest: u64,
        /// Bytes of kernel, tables and archive.
        24 kernel: u64,
        /// Fibers alive.
        32 fibers: u32,
        /// Domains alive.
        36 domains: u32,
        /// Timer interrupts.
        40 timer_interrupts: u64,
        /// Interrupts of devices.
        48 device_interrupts: u64,
        /// Syscalls.
        56 calls: u64,
        /// Switches between domains.
        64 switches: u64,
        /// TLB maintenance operations issued.
        72 tlb_maintenance: u64,
        /// Times the core went to sleep.
        80 idles: u64,
        /// ns the core was asleep.
        88 idle_time: u64,
        /// Fibers ended by a fault.
        96 faults: u64,
        /// ns since boot of the first instruction of the first NPL.
        104 first_npl: u64,
        /// Kernel objects in use.
        112 objects: u32,
        /// Channels in use.
        116 channels: u32,
        /// Audit records of this core that found the ring to the boot core full.
        120 audits_lost: u64,
    }
}
