//! One capability.
use abi::call::Error;
use abi::cap::{Kind, NEVER, verb};

/// A capability: an object, what may be done to it, which part of it, and until when.
///
/// 40 bytes, so that a CSpace of 64 fits into a page together with its fiber.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(C)]
pub struct Cap {
    /// Start of the range, in bytes from the start of the object.
    pub offset: u64,
    /// Bytes of the range; 0 where the kind has none.
    pub len: u64,
    /// Absolute time in ns at which the capability is void; [`NEVER`].
    pub expiry: u64,
    /// Number of the object in the kernel's table of its kind.
    pub object: u32,
    /// Epoch of the object when this was made; an older one is void.
    pub epoch: u32,
    /// What the object is.
    pub kind: Kind,
    /// Bits of [`abi::cap::verb`].
    pub verbs: u8,
    /// R/W/X bits of [`abi::cap`].
    pub perms: u8,
    /// Hops from the owner.
    pub depth: u8,
    /// 1; 0 in an empty slot, which is all zeros, so that a table of them costs no image.
    pub live: u32,
}

const _: () = assert!(size_of::<Cap>() == 40);

/// What [`Cap::meet`] leaves at most. The range is absolute: in bytes from the object's start.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Mask {
    /// Verbs.
    pub verbs: u8,
    /// Permissions.
    pub perms: u8,
    /// Absolute expiry in ns.
    pub expiry: u64,
    /// Offset and length in bytes; `None`: the whole range.
    pub range: Option<(u64, u64)>,
}

impl Cap {
    /// An empty slot, and the bottom of the algebra.
    pub const EMPTY: Self = Self {
        offset: 0,
        len: 0,
        expiry: 0,
        object: 0,
        epoch: 0,
        kind: Kind(0),
        verbs: 0,
        perms: 0,
        depth: 0,
        live: 0,
    };

    /// A capability of depth 0 that never expires; verbs that mean nothing on `kind` are left out.
    #[must_use]
    pub const fn new(kind: Kind, object: u32, epoch: u32, verbs: u8, perms: u8) -> Self {
        Self {
            object,
            epoch,
            kind,
            verbs: verbs & kind.verbs(),
            perms,
            expiry: NEVER,
            live: 1,
            ..Self::EMPTY
        }
    }

    /// The same with a range of `len` bytes from `offset` in the object.
    #[must_use]
    pub const fn with_range(self, offset: u64, len: u64) -> Self {
        Self { offset, len, ..self }
    }

    /// Whether this is an empty slot.
    #[inline]
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.live == 0
    }

    /// Whether the capability lives: `BadSlot` if the slot is empty, `Revoked` if the object is in another
    /// epoch or the expiry has come. `epoch_now` is the object's epoch, `now` the time in ns.
    #[inline]
    pub const fn check(&self, epoch_now: u32, now: u64) -> Result<(), Error> {
        if self.is_empty() {
            return Err(Error::BadSlot);
        }
        if self.epoch != epoch_now || self.expiry <= now {
            return Err(Error::Revoked);
        }
        Ok(())
    }

    /// `Denied` unless all of `verb` is held and means something on this kind of object.
    #[inline]
    pub const fn allows(&self, verb: u8) -> Result<(), Error> {
        if self.verbs & self.kind.verbs() & verb == verb { Ok(()) } else { Err(Error::Denied) }
    }

    /// The bytes `[start, start + len)` of the capability's own range, as an offset in the object;
    /// `Denied` if they do not lie inside.
    pub const fn sub_range(&self, start: u64, len: u64) -> Result<u64, Error> {
        let inside = match start.checked_add(len) {
            Some(end) => end <= self.len,
            None => false,
        };
        // A range that itself wraps is not one that the kernel made; nothing lies inside it.
        match self.offset.checked_add(start) {
            Some(offset) if inside => Ok(offset),
            _ => Err(Error::Denied),
        }
    }

    /// The greatest capability below both: verbs, permissions, range and life intersect, object and depth
    /// stay. Without a verb left it is [`Cap::EMPTY`].
    #[must_use]
    pub fn meet(&self, mask: &Mask) -> Self {
        let verbs = self.verbs & mask.verbs;
        if self.is_empty() || verbs == 0 {
            return Self::EMPTY;
        }
        let (offset, len) = mask.range.map_or((self.offset, self.len), |(offset, len)| {
            intersect((self.offset, self.len), (offset, len))
        });
        Self {
            verbs,
            perms: self.perms & mask.perms,
            expiry: self.expiry.min(mask.expiry),
            offset,
            len,
            ..*self
        }
    }

    /// What `mask` leaves in the slot: `range` is (offset, length) from the capability's own start and
    /// has to lie inside, else `Denied`. Nothing left: [`Cap::EMPTY`], the slot becomes free.
    ///
    /// The caller has checked [`verb::MASK`].
    pub fn attenuate(
        &self,
        verbs: u8,
        perms: u8,
        range: Option<(u64, u64)>,
    ) -> Result<Self, Error> {
        let range = match range {
            Some((start, len)) => Some((self.sub_range(start, len)?, len)),
            None => None,
        };
        Ok(self.meet(&Mask { verbs, perms, expiry: NEVER, range }))
    }

    /// The copy that `grant` parks: narrowed, one hop deeper, expiring at the earlier of both. At
    /// `max_depth` GRANT is gone. `Denied` without GRANT, at the last hop, or if no verb would be left.
    pub fn hop(&self, verbs: u8, perms: u8, expiry: u64, max_depth: u8) -> Result<Self, Error> {
        self.allows(verb::GRANT)?;
        if self.depth >= max_depth {
            return Err(Error::Denied);
        }
        let depth = self.depth + 1;
        let kept = if depth == max_depth { verbs & !verb::GRANT } else { verbs };
        let copy = self.meet(&Mask { verbs: kept, perms, expiry, range: None });
        if copy.is_empty() {
            return Err(Error::Denied);
        }
        Ok(Self { depth, ..copy })
    }

    /// Whether the holder may REVOKE: `Denied` unless it holds GRANT at depth 0.
    pub const fn may_revoke(&self) -> Result<(), Error> {
        if self.depth != 0 {
            return Err(Error::Denied);
        }
        self.allows(verb::GRANT)
    }

    /// What a child is born with of something that its parent holds: `verbs` of it at most, without a mapping and
    /// without GRANT, one hop deeper. [`Cap::EMPTY`] if nothing is left.
    #[must_use]
    pub fn inherited(&self, verbs: u8) -> Self {
        let mask = Mask { verbs: verbs & !verb::GRANT, perms: 0, expiry: NEVER, range: None };
        let copy = self.meet(&mask);
        if copy.is_empty() { copy } else { Self { depth: self.depth.saturating_add(1), ..copy } }
    }

    /// The revoker's own slot in the epoch that its REVOKE began.
    #[must_use]
    pub const fn restamped(self, epoch: u32) -> Self {
        Self { epoch, ..self }
    }
}

/// The bytes in both ranges; (0, 0) if there are none, so that the empty range is one value.
fn intersect(a: (u64, u64), b: (u64, u64)) -> (u64, u64) {
    let start = a.0.max(b.0);
    let end = a.0.saturating_add(a.1).min(b.0.saturating_add(b.1));
    if end > start { (start, end - start) } else { (0, 0) }
}

/// The epoch after `epoch`: another one, and never 0, which no object in use has.
#[must_use]
pub const fn next_epoch(epoch: u32) -> u32 {
    match epoch.wrapping_add(1) {
        0 => 1,
        next => next,
    }
}
