//! Every number of the contract as a literal, typed from the design and never from the code.
use abi::{boot, call, cap, hypercall, image, pledge, prov, ring, stats, systable, vfs};

/// Full name, value in the code, value in the contract.
pub type Number = (&'static str, i128, i128);

macro_rules! numbers {
    ($name:ident: $($($p:ident)::+ = $v:expr),* $(,)?) => {
        pub const $name: &[Number] = &[$((stringify!($($p)::+), $($p)::+ as i128, $v)),*];
    };
}

numbers! { SYSTABLE:
    abi::PAGE = 4096,
    systable::MAGIC = 0x4E58_5553, systable::ABI_MAJOR = 1, systable::ABI_MINOR = 0,
    systable::ADDRESS_AARCH64 = 0x5000_0000, systable::ADDRESS_RISCV64 = 0x8300_0000,
    systable::ADDRESS_X86_64 = 0x0300_0000, systable::FLAG_ISOLATED = 1,
    systable::HW_FDT = 1, systable::HW_ACPI = 2, systable::ENTRIES = 13,
}

numbers! { CALLS:
    call::number::META = 0, call::number::EXIT = 1, call::number::YIELD = 2,
    call::number::WAIT = 3, call::number::SPAWN = 4, call::number::SEND = 5,
    call::number::RECV = 6, call::number::MAP = 7, call::number::MASK = 8,
    call::number::GRANT = 9, call::number::PLEDGE = 10, call::number::TICK = 11,
    call::number::PROV = 12,
    call::COST_RING_SET_J = 1,
    call::meta::VERSION = 0, call::meta::SELF = 1, call::meta::SLOT = 2,
    call::meta::BUS = 3, call::meta::RANDOM = 4, call::meta::STATS = 5,
    call::meta::RANDOM_MAX = 256,
    call::want::READABLE = 1, call::want::WRITABLE = 2, call::want::EVENT = 4,
    call::want::RING = 8, call::want::DEAD = 0x80,
    call::WAIT_MAX = 64, call::MESSAGE_MIN = 16, call::MESSAGE_MAX = 64,
    call::op::DOORBELL = 0, call::op::IRQ_UNMASK = 0, call::op::FIBER_KILL = 1,
    call::op::FIBER_BLINK = 2, call::op::FIBER_RELEASE = 3, call::op::POWER_OFF = 0,
    call::op::POWER_RESET = 1,
    call::CLOCK_SET = 1, call::SPAWN_IMAGE = 0, call::SPAWN_FIBER = 1, call::NO_SLOT = 255, call::ARGS_MAX = 1024,
    call::REVOKE = usize::MAX as i128,
    call::pledge_op::NARROW = 0, call::pledge_op::UNVEIL = 1, call::pledge_op::LOCK = 2,
    call::tick_op::TIME = 0, call::tick_op::ENERGY = 1, call::tick_op::ARM = 2,
    call::tick_op::CANCEL = 3,
    call::prov_op::APPEND = 0, call::prov_op::READ = 1, call::prov_op::SAVE = 2,
    call::prov_op::LOAD = 3, call::prov_op::LEFT_OFF = 4, call::prov_op::RESUMED = 5,
    call::prov_op::CHECKPOINT_MAX = 4096,
}

numbers! { CAPABILITIES:
    cap::verb::SPAWN = 1, cap::verb::SEND = 2, cap::verb::RECV = 4, cap::verb::MAP = 8,
    cap::verb::MASK = 16, cap::verb::TICK = 32, cap::verb::GRANT = 64, cap::verb::ALL = 0x7F,
    cap::R = 1, cap::W = 2, cap::X = 4,
    cap::SLOTS = 64, cap::MAX_DEPTH = 4, cap::MAX_MAPPERS = 8, cap::PARKED = 4,
    cap::NEVER = u64::MAX as i128,
    cap::slot::SELF = 0, cap::slot::EVENTS = 1, cap::slot::CLOCK = 2, cap::slot::PARENT = 3,
    cap::slot::CONSOLE_IN = 4, cap::slot::CONSOLE_OUT = 5, cap::slot::VFS = 6,
    cap::slot::FACTORY = 7, cap::slot::FIRST = 8,
}

numbers! { PLEDGES:
    pledge::STDIO = 1, pledge::RPATH = 2, pledge::WPATH = 4, pledge::INET = 8, pledge::EXEC = 16,
    pledge::BLOCK = 32, pledge::DEVICE = 64, pledge::AUDIT = 128,
    pledge::SPECTRUM_SHIFT = 62, pledge::BITS = 0x3FFF_FFFF_FFFF_FFFF,
    pledge::hard::CONSOLE = 1, pledge::hard::BLOCK = 2, pledge::hard::NET = 4,
    pledge::hard::BRIDGE = 8, pledge::hard::OTHER = 16, pledge::hard::POWER = 32,
    pledge::hard::CORES = 64, pledge::hard::ALL = 0x7F,
}

numbers! { RINGS:
    ring::SLOTS_OFFSET = 64, ring::SLOT_LEN = 64, ring::INLINE_MAX = 48,
    ring::DEFAULT_SLOTS = 32, ring::FLAG_DESCRIPTOR = 1,
    ring::well_known::NET_RX = 0x0500, ring::well_known::NET_TX = 0x0501,
    ring::well_known::CONSOLE_IN = 0x1000, ring::well_known::CONSOLE_OUT = 0x1001,
    ring::well_known::VFS = 0x2000, ring::well_known::BLOCK = 0x3000,
}

numbers! { IMAGES:
    image::MAGIC = 0x4E58_5553, image::VERSION = 1, image::ARCH_AARCH64 = 1,
    image::ARCH_RISCV64 = 2, image::ARCH_X86_64 = 3, image::KIND_NPK = 0, image::KIND_NPL = 1,
    image::SEGMENTS_MAX = 8, image::MEMORY_MAX = 0x0400_0000,
    image::policy::NEVER = 0, image::policy::RESTART = 1, image::policy::ESCALATE = 2,
    image::QUIESCE_MAX = 8, image::quiesce::WRITE = 0, image::quiesce::POLL = 1,
}

numbers! { PROVCHAIN:
    prov::CHECKPOINT_EVERY = 256,
    prov::boot::MACHINE = 0, prov::boot::HEAD = 1, prov::boot::END = 2, prov::boot::TEXT = 3,
    prov::kind::BOOT = 0, prov::kind::IMAGE = 1, prov::kind::SPAWN = 2, prov::kind::EXIT = 3,
    prov::kind::FAULT = 4, prov::kind::BLINK = 5, prov::kind::QUARANTINE = 6,
    prov::kind::GRANT = 7, prov::kind::REVOKE = 8, prov::kind::PLEDGE = 9,
    prov::kind::PLEDGE_VIOLATION = 10, prov::kind::STRIKE = 11, prov::kind::CHECKPOINT = 12,
    prov::kind::OVERRUN = 13, prov::kind::APPLICATION = 14,
}

numbers! { HYPERCALLS:
    hypercall::HVC_IMMEDIATE = 0x4E58, hypercall::SBI_EXTENSION = 0x0900_4E58,
    hypercall::VMCALL_EAX = 0x4E58,
    hypercall::VERSION = 0, hypercall::PLEDGE = 1, hypercall::CELL_OFF = 2,
    hypercall::DOORBELL = 3, hypercall::COUNTERS = 4, hypercall::RUMKV_VERSION = 0x0001_0000,
    hypercall::counter::INTERRUPT = 0, hypercall::counter::HYPERCALL = 1,
    hypercall::counter::FIRMWARE = 2, hypercall::counter::MMIO = 3,
    hypercall::counter::SYSREG = 4, hypercall::counter::TLB = 5, hypercall::counter::OTHER = 6,
    hypercall::counter::COUNT = 7,
    hypercall::POST_MORTEM_MAGIC = 0x4E58_504D,
    hypercall::cause::OFF = 1, hypercall::cause::RESET = 2, hypercall::cause::DATA = 3,
    hypercall::cause::FETCH = 4, hypercall::cause::NO_SYNDROME = 5,
    hypercall::cause::EXTERNAL = 6, hypercall::cause::UNEXPECTED = 7,
    hypercall::cause::INTERNAL = 8,
}

numbers! { BOARD:
    boot::virt::RAM = 0x4000_0000, boot::virt::RAM_LEN = 0x2000_0000,
    boot::virt::NEXUS_BOOT = 0x4008_0000, boot::virt::RUMKV = 0x4020_0000,
    boot::virt::RUMKV_LEN = 0x0020_0000, boot::virt::RUMKV_HANDOFF = 0x403F_E000,
    boot::virt::POST_MORTEM = 0x403F_F000,
    boot::virt::CELL0 = 0x5000_0000, boot::virt::CELL0_LEN = 0x0800_0000,
    boot::virt::SYSTABLE = 0x5000_0000, boot::virt::GATES = 0x5000_1000,
    boot::virt::GATE_LEN = 16, boot::virt::BEB = 0x5001_0000, boot::virt::BEB_LEN = 0x1_0000,
    boot::virt::HANDOFF = 0x5002_0000, boot::virt::FDT = 0x5003_0000,
    boot::virt::MANIFEST = 0x5004_0000, boot::virt::MEMMAP = 0x5005_0000,
    boot::virt::SECRET = 0x5005_1000, boot::virt::SECRET_LEN = 0x1000,
    boot::virt::PROVCHAIN = 0x5006_0000, boot::virt::PROVCHAIN_LEN = 0x2_0000,
    boot::virt::KERNEL = 0x5008_0000, boot::virt::ARCHIVE = 0x5020_0000,
    boot::virt::CORES = 0x5780_0000, boot::virt::CORES_LEN = 0x80_0000,
    boot::virt::UART = 0x0900_0000, boot::virt::UART_INTID = 33, boot::virt::RTC = 0x0901_0000,
    boot::virt::GICD = 0x0800_0000, boot::virt::GICD_LEN = 0x1_0000,
    boot::virt::GICR = 0x080A_0000, boot::virt::GICR_STRIDE = 0x2_0000,
    boot::virt::VTIMER_INTID = 27,
}

numbers! { BOOT:
    boot::INDEX_MAGIC = 0x4E58_4958, boot::NAME_MAX = 100, boot::SIGNATURE_LEN = 64,
    boot::CELLS_MAGIC = 0x4E58_434C, boot::CELLS_VERSION = 1,
    boot::cell::MACHINE_RAM = 1, boot::cell::HYPERVISOR = 2, boot::cell::RESERVED = 3,
    boot::cell::CELL = 4, boot::cell::CORE = 5, boot::cell::RAM = 6, boot::cell::DEVICE = 7,
    boot::cell::IRQ = 8, boot::cell::MACHINE_DEVICE = 9, boot::cell::LOAD = 10,
    boot::cell::ARCHIVE = 11, boot::cell::INTERRUPT_CONTROLLER = 12, boot::cell::CLOCK = 13,
    boot::cell::BEB = 14, boot::cell::POST_MORTEM = 15, boot::cell::PLACE = 16,
    boot::cell::CONSOLE = 17, boot::cell::IOMMU = 18, boot::cell::STREAM = 19,
    boot::place::FDT = 1, boot::place::MANIFEST = 2,
    boot::CELL_FLAT = 1, boot::HANDOFF_MAGIC = 0x4E58_484F, boot::MANIFEST_MAGIC = 0x4E58_4D46,
    boot::SERVICE_FIRST = 1, boot::SERVICE_INIT = 2, boot::SERVICE_AUTO = 4,
    boot::SERVICE_SECRET = 8, boot::BEB_KEPT = 0x8000, boot::BEB_KEPT_LEN = 0x1000,
    boot::KERNEL_SERVICE = 0xFFFF, boot::BEB_MAGIC = 0x4E58_4245,
    boot::beb::BOOTING = 1, boot::beb::RUNNING = 2, boot::beb::OFF = 3, boot::beb::RESET = 4,
    boot::beb::PANIC = 5, boot::beb::REFUSED = 6, boot::beb::TRAP = 7, boot::beb::NO_SUBJECT = 8,
}

numbers! { STATS:
    stats::event::CHILD_ENDED = 0, stats::event::RESTARTED = 1, stats::event::CAPABILITY = 2,
    stats::CLASS_SYSTEM = 0, stats::CLASS_FIBER = 1, stats::CLASS_HEAP = 2, stats::CLASS_POSTMORTEM = 3,
    stats::PANIC_TRAP = 0x4E58, stats::LAST_WORDS_MAX = 128,
    stats::state::READY = 1, stats::state::RUNNING = 2, stats::state::WAITING = 3,
    stats::state::THROTTLED = 4, stats::state::ENDED = 5, stats::state::QUARANTINED = 6,
    stats::end::RUNS = 0, stats::end::EXIT = 1, stats::end::KILLED = 2,
    stats::end::PAGE_FAULT = 3, stats::end::ILLEGAL = 4, stats::end::ALIGNMENT = 5,
    stats::end::PLEDGE = 6, stats::end::STRIKES = 7, stats::end::OTHER = 8,
    stats::end::PANIC = 9, stats::end::CHILD = 10,
}

numbers! { VFS:
    vfs::CONSOLE_DATA = 1, vfs::CONSOLE_SYNC = 2, vfs::PATH_MAX = 255, vfs::HANDLES = 16,
    vfs::op::OPEN = 1, vfs::op::CLOSE = 2, vfs::op::READ = 3, vfs::op::STAT = 4,
    vfs::op::LIST = 5, vfs::FILE = 0, vfs::DIRECTORY = 1,
}

/// All of them.
pub const ALL: &[&[Number]] = &[
    SYSTABLE,
    CALLS,
    CAPABILITIES,
    PLEDGES,
    RINGS,
    IMAGES,
    PROVCHAIN,
    HYPERCALLS,
    BOARD,
    BOOT,
    STATS,
    VFS,
];
