//! The objects that a capability may name, by kind.
use abi::call::{Energy, Landed, SPAWN_FIBER, SPAWN_IMAGE, Spawn, Time, op, tick_op, want};
use abi::cap::{SLOTS, slot};
use abi::ring::Slot;
use abi::stats::{Event, FiberEnd};
use abi::systable::SysTable;

use crate::{Error, Result, sys, wait};

/// A clock with one timer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Clock(pub u8);

impl Clock {
    /// The clock that every fiber is born with.
    pub const OWN: Self = Self(slot::CLOCK);

    fn tick(self, operation: usize, input: u64) -> Result<sys::Aligned<{ Energy::SIZE }>> {
        let mut record = sys::Aligned::ZERO;
        record[..8].copy_from_slice(&input.to_le_bytes());
        sys::tick(self.0, operation, &mut record)?;
        Ok(record)
    }

    /// Time since boot and wall clock, ns.
    pub fn time(self) -> Result<Time> {
        let record = self.tick(tick_op::TIME, 0)?;
        Ok(Time::decode(&*record).unwrap_or_else(Time::zeroed))
    }

    /// ns since boot; 0 without the right to ask.
    pub fn now(self) -> u64 {
        self.time().map_or(0, |t| t.now)
    }

    /// The caller's energy.
    pub fn energy(self) -> Result<Energy> {
        let record = self.tick(tick_op::ENERGY, 0)?;
        Ok(Energy::decode(&*record).unwrap_or_else(Energy::zeroed))
    }

    /// Arms the timer: at the absolute time `at` (ns) the slot has its event.
    pub fn arm(self, at: u64) -> Result<()> {
        self.tick(tick_op::ARM, at).map(drop)
    }

    /// Cancels the timer.
    pub fn cancel(self) -> Result<()> {
        self.tick(tick_op::CANCEL, 0).map(drop)
    }

    /// Sleeps until the absolute time `at` (ns): a wait for nothing with a deadline.
    pub fn sleep_until(self, at: u64) -> Result<()> {
        match sys::wait(&mut [], Some(at)) {
            Ok(_) | Err(Error::TimedOut) => Ok(()),
            Err(e) => Err(e),
        }
    }
}

/// An interrupt line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Irq(pub u8);

impl Irq {
    /// Lets the line interrupt again, after its device was served.
    pub fn unmask(self) -> Result<()> {
        sys::operate(self.0, op::IRQ_UNMASK).map(drop)
    }

    /// Waits for the interrupt. The kernel has then masked the line.
    pub fn wait(self) -> Result<()> {
        wait::one(self.0, want::EVENT, None)
    }
}

/// A device window, mapped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Device {
    address: usize,
    len: usize,
}

impl Device {
    /// Maps the first `len` bytes of the window in `slot` for reading and writing.
    pub fn map(slot: u8, len: usize) -> Result<Self> {
        let (address, info) = sys::map(slot, 0, len, abi::cap::R | abi::cap::W)?;
        // An object with rings is no window.
        if info.slots == 0 { Ok(Self { address, len }) } else { Err(Error::BadSlot) }
    }

    /// The registers at the window's start, as a typed block; `None` where `T` does not fit.
    ///
    /// # Safety
    /// `T` is made of volatile registers only and describes this device.
    pub unsafe fn registers<T>(self) -> Option<&'static T> {
        let at = core::ptr::with_exposed_provenance::<T>(self.address);
        if size_of::<T>() > self.len || !at.is_aligned() {
            return None;
        }
        // SAFETY: mapped for the domain's life, large enough and aligned; `T` is the caller's
        // promise.
        unsafe { at.as_ref() }
    }
}

/// A fiber, by the capability on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fiber(pub u8);

impl Fiber {
    /// Ends it.
    pub fn kill(self) -> Result<()> {
        sys::operate(self.0, op::FIBER_KILL).map(drop)
    }

    /// Ends and restarts it.
    pub fn blink(self) -> Result<()> {
        sys::operate(self.0, op::FIBER_BLINK).map(drop)
    }

    /// Lets it out of quarantine.
    pub fn release(self) -> Result<()> {
        sys::operate(self.0, op::FIBER_RELEASE).map(drop)
    }

    /// How it ended; [`Error::Empty`] while it runs.
    pub fn try_end(self) -> Result<FiberEnd> {
        let mut buf = sys::Aligned::<{ Slot::SIZE }>::ZERO;
        sys::recv(self.0, &mut *buf)?;
        let message = Slot::decode(&*buf).unwrap_or_else(Slot::zeroed);
        Ok(FiberEnd::decode(&message.payload).unwrap_or_else(FiberEnd::zeroed))
    }

    /// Waits for its end.
    pub fn end(self) -> Result<FiberEnd> {
        loop {
            match self.try_end() {
                Err(Error::Empty) => wait::one(self.0, want::EVENT, None)?,
                other => return other,
            }
        }
    }

    /// Gives the capability back; its slot is free again.
    pub fn release_slot(self) -> Result<()> {
        sys::mask(self.0, 0, 0, None).map(drop)
    }
}

/// What a child is given; zeros and all ones mean what the manifest says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wanted {
    /// Pledge mask with the spectrum, ANDed with the manifest's.
    pub pledge: u64,
    /// J per window; 0: as the manifest says.
    pub energy: u64,
    /// Bytes of heap; 0: as the manifest says.
    pub memory: u64,
}

impl Default for Wanted {
    fn default() -> Self {
        Self { pledge: u64::MAX, energy: 0, memory: 0 }
    }
}

/// The right to spawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Factory(pub u8);

impl Factory {
    /// The factory that a fiber is born with.
    pub const OWN: Self = Self(slot::FACTORY);

    fn describe(spawn: &Spawn, args: &[u8]) -> Result<(sys::Aligned<{ Self::DESC_MAX }>, usize)> {
        if args.len() > abi::call::ARGS_MAX {
            return Err(Error::TooBig);
        }
        let len = Spawn::SIZE + args.len();
        let mut desc = sys::Aligned::<{ Self::DESC_MAX }>::ZERO;
        desc[..Spawn::SIZE].copy_from_slice(&spawn.encode());
        desc[Spawn::SIZE..len].copy_from_slice(args);
        Ok((desc, len))
    }

    const DESC_MAX: usize = Spawn::SIZE + abi::call::ARGS_MAX;

    /// A new domain from the service or image `name`, with the argument block `args` (words that
    /// end with a zero byte, see [`crate::args`]). [`Error::NotFound`] where the name does not fit.
    pub fn image(self, name: &str, args: &[u8], wanted: Wanted) -> Result<Fiber> {
        self.image_linked(name, args, wanted, abi::call::NO_SLOT)
    }

    /// As [`Factory::image`], with a channel to the child in the free slot `channel`.
    pub fn image_linked(
        self,
        name: &str,
        args: &[u8],
        wanted: Wanted,
        channel: u8,
    ) -> Result<Fiber> {
        let mut spawn = Spawn::zeroed();
        if name.len() > spawn.name.len() {
            return Err(Error::NotFound);
        }
        spawn.op = SPAWN_IMAGE;
        spawn.channel_slot = channel;
        spawn.pledge = wanted.pledge;
        spawn.energy = wanted.energy;
        spawn.memory = wanted.memory;
        spawn.name = abi::name(name);
        let (desc, len) = Self::describe(&spawn, args)?;
        // The price may be a whole window's energy, which is a strike for who has not cooperated in
        // it.
        sys::yield_();
        // SAFETY: an image; no entry of the own one runs.
        let slot = unsafe { sys::spawn(self.0, &desc[..len]) }?;
        Ok(Fiber(slot as u8))
    }

    /// A fiber of the own domain at `entry`, with a stack of `stack` bytes (0: one page).
    pub fn fiber(
        self,
        entry: extern "C" fn(*const u8, usize, *const SysTable) -> !,
        stack: usize,
        args: &[u8],
    ) -> Result<Fiber> {
        let mut spawn = Spawn::zeroed();
        spawn.op = SPAWN_FIBER;
        spawn.channel_slot = abi::call::NO_SLOT;
        spawn.entry = entry as usize as u64;
        spawn.stack = stack as u64;
        let (desc, len) = Self::describe(&spawn, args)?;
        // SAFETY: the entry has the contract's type and cannot return.
        let slot = unsafe { sys::spawn(self.0, &desc[..len]) }?;
        Ok(Fiber(slot as u8))
    }
}

/// The right to switch the cell off.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Power(pub u8);

impl Power {
    /// Switches the cell off; returns only with the reason why not.
    pub fn off(self) -> Error {
        sys::operate(self.0, op::POWER_OFF).err().unwrap_or(Error::Unsupported)
    }

    /// Resets the cell; returns only with the reason why not.
    pub fn reset(self) -> Error {
        sys::operate(self.0, op::POWER_RESET).err().unwrap_or(Error::Unsupported)
    }

    /// Switches the cell off with whichever of the manifest's slots from `first` on can. On another
    /// object operation 0 is a doorbell or an unmask, which harms nothing. Returns only where none
    /// can: [`Error::NotFound`].
    pub fn off_by_any(first: u8) -> Error {
        for slot in first..SLOTS as u8 {
            let _ = Self(slot).off();
        }
        Error::NotFound
    }
}

/// What happened to the fiber's children and channels.
///
/// ```no_run
/// use rt::Events;
/// use rt::abi::stats::event;
///
/// while let Ok(event) = Events::OWN.next() {
///     if event.kind == event::CHILD_ENDED {
///         rt::println!("fiber {} has ended", event.source);
///     }
/// }
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Events(pub u8);

impl Events {
    /// Those of the fiber itself, the only ones there are.
    pub const OWN: Self = Self(slot::EVENTS);

    /// The next latched event; waits until there is one.
    pub fn next(self) -> Result<Event> {
        loop {
            match next_event() {
                Err(Error::Empty) => wait::one(self.0, want::READABLE, None)?,
                other => return other,
            }
        }
    }
}

/// Takes the next latched event; [`Error::Empty`] where there is none.
pub fn next_event() -> Result<Event> {
    let mut buf = sys::Aligned::<{ Slot::SIZE }>::ZERO;
    sys::recv(slot::EVENTS, &mut *buf)?;
    let message = Slot::decode(&*buf).unwrap_or_else(Slot::zeroed);
    Ok(Event::decode(&message.payload).unwrap_or_else(Event::zeroed))
}

/// What a grant leaves of a capability.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Less {
    /// Bits of [`abi::cap::verb`].
    pub verbs: u8,
    /// R/W/X of [`abi::cap`].
    pub perms: u8,
    /// Absolute, ns; `None`: as long as the capability itself.
    pub until: Option<u64>,
}

impl Less {
    /// All that the capability allows.
    pub const ALL: Self = Self { verbs: abi::cap::verb::ALL, perms: 7, until: None };
}

/// Parks a copy of the capability in `slot`, narrowed to `less`, for who holds the other end of the channel `via`, and
/// rings. [`Error::Full`] where four wait there, [`Error::Pledge`] where the receiver may not hold it.
pub fn grant(slot: u8, via: u8, less: Less) -> Result<()> {
    sys::grant(slot, via, less.verbs, less.perms, less.until).map(drop)
}

/// Voids every copy of the capability in `slot`, which is its owner's ([`Error::Denied`] otherwise). When it returns,
/// nobody has anything mapped through one.
pub fn revoke(slot: u8) -> Result<()> {
    sys::revoke(slot).map(drop)
}

/// Waits until a capability is parked at this end of a channel or the absolute `deadline` (ns) has passed, and takes it
/// into the free slot `into`.
pub fn take(via: u8, into: u8, deadline: Option<u64>) -> Result<Landed> {
    loop {
        match take_parked(via, into) {
            Err(Error::Empty) => wait::one(via, want::EVENT, deadline)?,
            other => return other,
        }
    }
}

/// Takes the capability parked in the channel `via` into the free slot `into`: [`Error::Empty`] where none is.
pub fn take_parked(via: u8, into: u8) -> Result<Landed> {
    let mut buf = sys::Aligned::<{ Landed::SIZE }>::ZERO;
    sys::recv_into(via, &mut *buf, into)?;
    Ok(Landed::decode(&*buf).unwrap_or_else(Landed::zeroed))
}
