//! A domain: the protection view that the fibers of one image share, and what is scheduled.
use crate::blink::{Fate, History};
use crate::build::Layout;
use crate::job::Job;
use abi::ring::Slot;
use abi::vfs::HANDLES;
use arch::{Machine, TablePool};

/// An open file: place in the archive and size.
#[derive(Clone, Copy)]
pub struct Handle {
    /// Physical address of the contents; 0: a free place.
    pub address: u64,
    /// Bytes.
    pub len: u64,
    /// Rights it was opened with: R of [`abi::cap`].
    pub rights: u8,
}

/// One place of the domain table.
pub struct Domain<M: Machine> {
    /// `None` until its first build step.
    pub space: Option<M::Space>,
    /// What the kernel has to do for it before its fibers run.
    pub job: Job,
    /// What becomes of it when its instance is taken apart.
    pub fate: Fate,
    /// What its instances have in common.
    pub history: History,
    /// Channel to its parent, from 1; 0: there is none.
    pub link: u8,
    /// Where the parts of its extent lie, and what they are made from.
    pub layout: Layout,
    pub pool: TablePool,
    /// Memory of the domain: physical address and bytes; 0 bytes: a free place.
    pub extent: (u64, u64),
    /// Heap inside the extent: address and bytes.
    pub heap: (u64, u64),
    /// Pledge mask, with the spectrum.
    pub pledge: u64,
    /// The mask that it was born with: what is in here and not above, it gave up.
    pub born: u64,
    pub policy: u8,
    /// Service of the cell manifest, or 0xFFFF.
    pub service: u16,
    /// Fibers of the domain, and those of them that are ready, by place.
    pub fibers: u64,
    /// Most fibers it may have, as its image says.
    pub fibers_max: u32,
    pub ready: u64,
    /// The fiber that the domain began with, which its parent's capability names: it takes the others along.
    pub first: u8,
    /// The fiber that ran last: the others come first.
    pub last: u8,
    /// Domain that its energy came from, and how much to give back to it, ns per window.
    pub parent: u8,
    pub carved: u64,
    /// ns of processor time.
    pub time: u64,
    pub handles: [Handle; HANDLES],
    /// The answer that waits in the VFS channel.
    pub answer: Option<Slot>,
    /// The VFS channel's object.
    pub vfs: u32,
}

impl<M: Machine> Domain<M> {
    /// A free place.
    pub const FREE: Self = Self {
        space: None,
        job: Job::NONE,
        fate: Fate::End,
        history: History::NONE,
        link: 0,
        layout: Layout::NONE,
        pool: TablePool { next: 0, end: 0 },
        extent: (0, 0),
        heap: (0, 0),
        pledge: 0,
        born: 0,
        policy: 0,
        service: 0,
        fibers: 0,
        fibers_max: 0,
        ready: 0,
        first: 0,
        last: 0,
        parent: 0,
        carved: 0,
        time: 0,
        handles: [Handle { address: 0, len: 0, rights: 0 }; HANDLES],
        answer: None,
        vfs: 0,
    };

    /// Address at which its image lies.
    pub fn image_base(&self) -> u64 {
        self.extent.0 + self.layout.image_at()
    }
    pub fn is_free(&self) -> bool {
        self.extent.1 == 0
    }
}
