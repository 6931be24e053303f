//! Where things lie that boot left for the kernel, by physical address.
use abi::boot::{Handoff, virt};
use abi::systable::SysTable;

/// Addresses and lengths in bytes.
#[derive(Clone)]
pub struct Places {
    pub archive: (u64, u64),
    pub manifest: (u64, u64),
    pub fdt: (u64, u64),
    pub beb: (u64, u64),
    pub memmap: (u64, u64),
    /// Bytes of RAM that are not for extents.
    pub reserved: u64,
    /// Free memory at boot, before it was shared out among the cores.
    pub free: (u64, u64),
    /// Cores that the kernel runs on.
    pub cores: u8,
    /// Address of the application that is linked with the kernel; 0: none.
    pub application: u64,
    /// Wall clock at boot, ns since the Unix epoch; 0: unknown. As last set, where the SysTable says what boot knew.
    pub wall: u64,
    /// The table as it stands in its page, to hand its facts out again.
    pub systable: Option<SysTable>,
    /// What the kernel was told, for the cores that start later.
    pub handoff: Option<Handoff>,
}

impl Places {
    /// Before boot.
    pub const NONE: Self = Self {
        archive: (0, 0),
        manifest: (0, 0),
        fdt: (0, 0),
        beb: (0, 0),
        memmap: (0, 0),
        reserved: 0,
        free: (0, 0),
        cores: 0,
        application: 0,
        wall: 0,
        systable: None,
        handoff: None,
    };

    /// As the handoff says.
    pub fn of(handoff: &Handoff) -> Self {
        Self {
            archive: (handoff.archive, handoff.archive_len),
            manifest: (handoff.manifest, handoff.manifest_len),
            fdt: (handoff.fdt, handoff.fdt_len),
            beb: (handoff.beb, handoff.beb_len),
            memmap: (virt::MEMMAP, 0),
            reserved: 0,
            free: (0, 0),
            cores: 0,
            application: 0,
            wall: handoff.wall,
            systable: None,
            handoff: Some(*handoff),
        }
    }
}
