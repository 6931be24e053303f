//! Facts about boards: RAM, devices, interrupts, and who may own what.
use abi::{boot::virt, pledge::hard};

/// A machine that a profile can name.
#[derive(Debug)]
pub struct Board {
    /// Name in the profile.
    pub name: &'static str,
    /// First byte of RAM.
    pub ram: u64,
    /// Bytes of RAM it is built for; the addresses of `abi::boot::virt` need them.
    pub ram_len: u64,
    /// Most cores.
    pub cores: u64,
    /// RAM in which loader, hypervisor, bundle and the firmware's device tree lie until the cells
    /// start: base, length.
    /// QEMU puts the bundle 128 MB after the start of RAM and the device tree behind it.
    pub boot: (u64, u64),
    /// Everything at an address.
    pub devices: &'static [BoardDevice],
}

/// One device of a board.
#[derive(Debug)]
pub struct BoardDevice {
    /// What it is.
    pub name: &'static str,
    /// First byte.
    pub at: u64,
    /// Bytes.
    pub len: u64,
    /// First interrupt (INTID) and how many.
    pub irqs: (u32, u32),
    /// Interrupts are edges, not levels.
    pub edge: bool,
    /// Who may own it.
    pub owner: Owner,
}

/// Who may own a device.
#[derive(Debug)]
pub enum Owner {
    /// A cell pledged this class (one bit of [`abi::pledge::hard`]).
    Cell(u32),
    /// No cell, and why.
    Nobody(&'static str),
}

const MEDIATED: &str = "RumKV mediates the interrupt controller; every cell has it without asking";
const NO_IOMMU: &str =
    "it masters the bus and is not behind the IOMMU, so it would reach all memory";
const IOMMU: &str = "it decides what every other device reaches";
const PCI: &str = "the PCI host is shared; its functions are assigned one by one";

const fn device(name: &'static str, at: u64, len: u64, irq: u32, class: u32) -> BoardDevice {
    BoardDevice { name, at, len, irqs: (irq, 1), edge: false, owner: Owner::Cell(class) }
}

const fn kept(name: &'static str, at: u64, len: u64, why: &'static str) -> BoardDevice {
    BoardDevice { name, at, len, irqs: (0, 0), edge: false, owner: Owner::Nobody(why) }
}

/// The second console of QEMU's `virt`: there only if it is asked for (QEMU 9.1 and later).
pub const SECOND_UART: u64 = 0x0904_0000;

/// The SMMUv3 of QEMU's `virt`.
pub const SMMU: u64 = 0x0905_0000;

/// QEMU's `virt` with GICv3 and SMMUv3, as `-machine dumpdtb=` shows it (QEMU 10.0).
static VIRT: Board = Board {
    name: "qemu-virt-aarch64",
    ram: virt::RAM,
    ram_len: virt::RAM_LEN,
    cores: 8,
    boot: (virt::RAM, virt::CELL0 - virt::RAM),
    devices: &[
        kept("flash", 0, 0x0800_0000, "it holds the firmware"),
        kept("GIC distributor", virt::GICD, virt::GICD_LEN, MEDIATED),
        kept("GIC ITS", 0x0808_0000, 0x2_0000, MEDIATED),
        kept("GIC redistributors", virt::GICR, 0x00F6_0000, MEDIATED),
        device("PL011 UART", virt::UART, 0x1000, virt::UART_INTID, hard::CONSOLE),
        device("second PL011 UART", SECOND_UART, 0x1000, 40, hard::CONSOLE),
        device("PL031 clock", virt::RTC, 0x1000, 34, hard::OTHER),
        kept("fw_cfg", 0x0902_0000, 0x1000, NO_IOMMU),
        device("PL061 GPIO", 0x0903_0000, 0x1000, 39, hard::OTHER),
        kept("SMMUv3", SMMU, 0x2_0000, IOMMU),
        kept("virtio-mmio", 0x0A00_0000, 0x4000, NO_IOMMU),
        kept("PCI memory", 0x1000_0000, 0x2F00_0000, PCI),
        kept("PCI configuration", 0x40_1000_0000, 0x1000_0000, PCI),
    ],
};

/// Every board.
pub static BOARDS: [&Board; 1] = [&VIRT];
/// Their names, for the schema.
pub static NAMES: [&str; 1] = [VIRT.name];

/// The board called `name`.
pub fn find(name: &str) -> Option<&'static Board> {
    BOARDS.into_iter().find(|b| b.name == name)
}

impl Board {
    /// The device whose window holds `address`.
    pub fn device_at(&self, address: u64) -> Option<&BoardDevice> {
        self.devices.iter().find(|d| address >= d.at && address - d.at < d.len)
    }

    /// The devices that a cell may own.
    pub fn assignable(&self) -> impl Iterator<Item = (&BoardDevice, u32)> {
        self.devices.iter().filter_map(|d| match d.owner {
            Owner::Cell(class) => Some((d, class)),
            Owner::Nobody(_) => None,
        })
    }
}
