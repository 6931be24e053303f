//! What a profile says, each value with the place where it stands.
use std::path::{Path, PathBuf};

use super::{
    board::{Board, SECOND_UART},
    unveil::Unveil,
};
use crate::report::{Spanned, Spot};

/// Names an image.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum ImageRef {
    /// A program of this tree, by the name of its binary.
    BuiltIn(String),
    /// An ELF, a packed image or the folder of an application, by path.
    File(PathBuf),
}

impl ImageRef {
    /// `text` with a slash is a path relative to `folder`, without one a program of the tree.
    pub fn parse(text: &str, folder: &Path) -> Self {
        if text.contains('/') {
            let path = folder.join(text);
            // A folder is called by its own name, however the path is written.
            let full = path.canonicalize().ok().filter(|p| p.is_dir());
            Self::File(full.unwrap_or(path))
        } else {
            Self::BuiltIn(text.to_owned())
        }
    }

    /// The name under `/Boot/bin`: the program's, or the file's without extension.
    pub fn name(&self) -> String {
        match self {
            Self::BuiltIn(name) => name.clone(),
            Self::File(path) => path.file_stem().unwrap_or_default().to_string_lossy().into_owned(),
        }
    }
}

/// The machine of a profile.
#[derive(Clone, Debug)]
pub struct Machine {
    /// Facts about the board.
    pub board: &'static Board,
    /// Bytes of RAM.
    pub ram: u64,
    /// Cores.
    pub cores: u64,
    /// QEMU's name of the processor.
    pub cpu: String,
    /// Where the RAM is given.
    pub ram_at: Spot,
    /// Where the cores are given.
    pub cores_at: Spot,
}

/// A piece of RAM of a cell.
#[derive(Clone, Debug)]
pub struct Ram {
    /// First byte, physical and intermediate physical.
    pub at: Spanned<u64>,
    /// Bytes.
    pub len: Spanned<u64>,
}

/// A device of a cell.
#[derive(Clone, Debug)]
pub struct Device {
    /// The manifest's name for it.
    pub name: Spanned<String>,
    /// One bit of [`abi::pledge::hard`].
    pub class: Spanned<u32>,
    /// First byte.
    pub at: Spanned<u64>,
    /// Bytes.
    pub len: Spanned<u64>,
    /// Its interrupt (INTID).
    pub irq: Option<Spanned<u32>>,
}

/// A channel that a service holds the client's end of.
#[derive(Clone, Debug)]
pub struct Channel {
    /// Its number.
    pub number: Spanned<u64>,
    /// Name of the service at end A.
    pub to: Spanned<String>,
    /// Slots of each ring.
    pub slots: Option<Spanned<u64>>,
    /// Bytes of each buffer area.
    pub buffer: Option<Spanned<u64>>,
    /// Pledge bits a holder needs.
    pub pledge: u32,
    /// The client's slot; `None`: the next free one.
    pub slot: Option<u8>,
}

/// A MEMORY object of a service.
#[derive(Clone, Debug)]
pub struct Region {
    /// Its name, for people.
    pub name: Spanned<String>,
    /// Bytes.
    pub bytes: Spanned<u64>,
}

/// What a service may give to its children.
#[derive(Clone, Debug)]
pub struct Children {
    /// Bytes of memory, the stacks of its own further fibers included.
    pub memory: Option<Spanned<u64>>,
    /// Places in the kernel's tables: one for each fiber and each channel.
    pub places: Option<Spanned<u64>>,
}

/// A service of a cell, or the application linked with its kernel.
#[derive(Clone, Debug)]
pub struct Service {
    /// Its name.
    pub name: Spanned<String>,
    /// Its image; `None`: linked with the kernel.
    pub image: Option<Spanned<ImageRef>>,
    /// Its role: bits `SERVICE_*` of [`abi::boot`].
    pub flags: u32,
    /// Place of the flag that gave the role.
    pub role: Spot,
    /// The core that it runs on; `None`: the kernel chooses.
    pub core: Option<Spanned<u64>>,
    /// Number of its spectrum.
    pub spectrum: Spanned<u8>,
    /// J per window.
    pub energy: Spanned<u64>,
    /// Pledge bits, each with its place.
    pub pledges: Vec<Spanned<u64>>,
    /// Restart policy; `None`: the image's.
    pub policy: Option<Spanned<u8>>,
    /// Bytes of stack; `None`: the image's.
    pub stack: Option<Spanned<u64>>,
    /// Bytes of heap; `None`: the image's.
    pub heap: Option<Spanned<u64>>,
    /// Arguments.
    pub args: Option<Spanned<String>>,
    /// Devices, by name.
    pub devices: Vec<Spanned<String>>,
    /// Services it may kill and blink.
    pub fibers: Vec<Spanned<String>>,
    /// May switch the cell off.
    pub power: Option<Spot>,
    /// May read the audit.
    pub audit: Option<Spot>,
    /// May set the wall clock.
    pub clock: Option<Spot>,
    /// What it sees of the files; empty: what its pledge allows.
    pub unveils: Vec<Unveil>,
    /// MEMORY objects it is given.
    pub memory: Vec<Region>,
    /// What its children and further fibers may take together.
    pub children: Option<Children>,
    /// A file that it alone can read.
    pub secret: Option<Spanned<PathBuf>>,
    /// Channels it is the client of, the console's included.
    pub channels: Vec<Channel>,
}

impl Service {
    /// Pledge mask with the spectrum in bits 63:62.
    pub fn pledge(&self) -> u64 {
        let bits = self.pledges.iter().fold(0, |mask, p| mask | p.value);
        bits | u64::from(self.spectrum.value) << abi::pledge::SPECTRUM_SHIFT
    }
}

/// One more file of `/Boot`.
#[derive(Clone, Debug)]
pub struct BootFile {
    /// Its name in the archive, `Boot/...`.
    pub name: Spanned<String>,
    /// Where its contents are.
    pub from: Spanned<PathBuf>,
}

/// A foreign kernel: a flat image with the header of Linux on arm64.
#[derive(Clone, Debug)]
pub struct Guest {
    /// The image.
    pub image: Spanned<PathBuf>,
    /// Its initial files.
    pub initrd: Option<Spanned<PathBuf>>,
    /// Its command line.
    pub args: Option<Spanned<String>>,
}

/// A cell.
#[derive(Clone, Debug)]
pub struct Cell {
    /// Its name.
    pub name: Spanned<String>,
    /// Cores by number.
    pub cores: Vec<Spanned<u64>>,
    /// RAM.
    pub ram: Vec<Ram>,
    /// Hard pledges, each with its place.
    pub pledges: Vec<Spanned<u32>>,
    /// Devices.
    pub devices: Vec<Device>,
    /// The kernel, if it is Rumpk or a test kernel in its place.
    pub kernel: Option<Spanned<ImageRef>>,
    /// A foreign kernel instead.
    pub guest: Option<Guest>,
    /// Folder of `/Boot`.
    pub boot: Option<Spanned<PathBuf>>,
    /// Single files.
    pub files: Vec<BootFile>,
    /// Images that no service has.
    pub images: Vec<Spanned<ImageRef>>,
    /// Services.
    pub services: Vec<Service>,
}

impl Cell {
    /// Hard pledge mask at start.
    pub fn pledge(&self) -> u32 {
        self.pledges.iter().fold(0, |mask, p| mask | p.value)
    }

    /// Where the cell sees its first piece of RAM: a Rumpk cell where the contract has it, a
    /// foreign kernel where it is.
    pub fn seen(&self) -> u64 {
        let at = self.ram.first().map_or(0, |r| r.at.value);
        if self.guest.is_some() { at } else { abi::boot::virt::CELL0 }
    }

    /// The physical address of what the cell sees at `seen`, in its first piece of RAM.
    pub fn physical(&self, seen: u64) -> u64 {
        let at = self.ram.first().map_or(0, |r| r.at.value);
        seen.wrapping_sub(self.seen()).wrapping_add(at)
    }

    /// Whether its console is the machine's second one.
    pub fn second_console(&self) -> bool {
        self.devices.iter().any(|d| d.at.value == SECOND_UART)
    }

    /// The service called `name` and its number.
    pub fn service(&self, name: &str) -> Option<(usize, &Service)> {
        self.services.iter().enumerate().find(|(_, s)| s.name.value == name)
    }

    /// The device called `name`.
    pub fn device(&self, name: &str) -> Option<&Device> {
        self.devices.iter().find(|d| d.name.value == name)
    }

    /// Images under `/Boot/bin`: the services' and the extra ones, in that order, each once.
    pub fn images(&self) -> Vec<Spanned<ImageRef>> {
        let mut out: Vec<Spanned<ImageRef>> = Vec::new();
        let of_services = self.services.iter().filter_map(|s| s.image.as_ref());
        for image in of_services.chain(&self.images) {
            if out.iter().all(|o| o.value != image.value) {
                out.push(image.clone());
            }
        }
        out
    }
}

/// A machine and what runs on it.
#[derive(Clone, Debug)]
pub struct Profile {
    pub(crate) name: String,
    pub(crate) machine: Machine,
    pub(crate) rumkv: Option<Spanned<ImageRef>>,
    pub(crate) cells: Vec<Cell>,
}

impl Profile {
    /// Name: the file's without extension.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// RumKV's image; `None`: nexus-boot starts the kernel itself.
    pub fn rumkv(&self) -> Option<&ImageRef> {
        self.rumkv.as_ref().map(|r| &r.value)
    }

    /// Every image, kernels and RumKV included, each once.
    pub fn images(&self) -> Vec<ImageRef> {
        let mut out: Vec<ImageRef> = self.rumkv().into_iter().cloned().collect();
        for cell in &self.cells {
            let packed = cell.images().into_iter().map(|i| i.value);
            let kernel = cell.kernel.iter().map(|k| k.value.clone());
            for image in kernel.chain(packed) {
                if !out.contains(&image) {
                    out.push(image);
                }
            }
        }
        out
    }

    /// The machine.
    pub fn machine(&self) -> &Machine {
        &self.machine
    }

    /// The cells. A checked profile has one at least.
    pub fn cells(&self) -> &[Cell] {
        &self.cells
    }

    /// Consoles of the machine: the second one is there if a cell has it.
    pub fn consoles(&self) -> u64 {
        1 + u64::from(self.cells.iter().any(Cell::second_console))
    }
}
