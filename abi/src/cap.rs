//! Capabilities: kinds, verbs, permissions, slots at birth.

/// What a capability names. An open set: a number outside the list is kept, and nothing may be done to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(transparent)]
pub struct Kind(pub u8);

#[allow(missing_docs, reason = "the names are those of the table in docs/abi/capabilities.md")]
impl Kind {
    pub const SELF: Self = Self(0);
    pub const EVENTS: Self = Self(1);
    pub const CHANNEL: Self = Self(2);
    pub const MEMORY: Self = Self(3);
    pub const DMA: Self = Self(4);
    pub const DEVICE: Self = Self(5);
    pub const IRQ: Self = Self(6);
    pub const FIBER: Self = Self(7);
    pub const FACTORY: Self = Self(8);
    pub const CLOCK: Self = Self(9);
    pub const AUDIT: Self = Self(10);
    pub const POWER: Self = Self(11);
    /// Names in the order of the numbers.
    pub const NAMES: [&'static str; 12] = [
        "SELF", "EVENTS", "CHANNEL", "MEMORY", "DMA", "DEVICE", "IRQ", "FIBER", "FACTORY", "CLOCK",
        "AUDIT", "POWER",
    ];
    /// Verbs that mean anything on an object of this kind; any other answers `Denied`.
    #[must_use]
    pub const fn verbs(self) -> u8 {
        let own = match self {
            Self::EVENTS => return verb::RECV,
            Self::CHANNEL => verb::SEND | verb::RECV | verb::MAP,
            Self::MEMORY | Self::DMA | Self::DEVICE => verb::MAP,
            Self::IRQ | Self::FIBER | Self::AUDIT => verb::SEND | verb::RECV,
            Self::FACTORY => verb::SPAWN,
            Self::CLOCK => verb::TICK | verb::SEND,
            Self::POWER => verb::SEND,
            // SELF, and numbers outside the list.
            _ => return 0,
        };
        own | verb::MASK | verb::GRANT
    }
}

/// The seven verbs.
pub mod verb {
    #![allow(missing_docs, reason = "the names are those of the table in docs/abi/capabilities.md")]
    pub const SPAWN: u8 = 1;
    pub const SEND: u8 = 2;
    pub const RECV: u8 = 4;
    pub const MAP: u8 = 8;
    pub const MASK: u8 = 16;
    pub const TICK: u8 = 32;
    pub const GRANT: u8 = 64;
    /// All seven.
    pub const ALL: u8 = 127;
    /// Names, bit 0 first.
    pub const NAMES: [&str; 7] = ["SPAWN", "SEND", "RECV", "MAP", "MASK", "TICK", "GRANT"];
}

/// Permission to read.
pub const R: u8 = 1;
/// Permission to write.
pub const W: u8 = 2;
/// Permission to execute.
pub const X: u8 = 4;

/// Slots of a capability space.
pub const SLOTS: usize = 64;
/// Hops after which GRANT is gone, unless the object says less.
pub const MAX_DEPTH: u8 = 4;
/// Domains that may map one object.
pub const MAX_MAPPERS: usize = 8;
/// Capabilities that may be parked in one channel.
pub const PARKED: usize = 4;
/// An expiry that never comes.
pub const NEVER: u64 = u64::MAX;

/// Slots that every fiber is born with; the manifest's follow.
pub mod slot {
    #![allow(missing_docs, reason = "the names are those of the table in docs/abi/capabilities.md")]
    pub const SELF: u8 = 0;
    pub const EVENTS: u8 = 1;
    pub const CLOCK: u8 = 2;
    pub const PARENT: u8 = 3;
    pub const CONSOLE_IN: u8 = 4;
    pub const CONSOLE_OUT: u8 = 5;
    pub const VFS: u8 = 6;
    pub const FACTORY: u8 = 7;
    /// First slot of what the manifest lists.
    pub const FIRST: u8 = 8;
}
