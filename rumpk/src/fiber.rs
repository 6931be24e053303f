//! A fiber: saved registers, capabilities, what it waits for.
use crate::cores::{Asked, Home};
use crate::kernel::CHANNELS;
use abi::call::{WAIT_MAX, WaitEntry};
use abi::stats::state;
use arch::{Frame, Machine, UserAddr};
use cap::CSpace;

/// What a waiting fiber waits for. Kept here, so that a fiber cannot change it while it sleeps.
pub struct Wait {
    /// Entries in use; they stand in the fiber's memory at `list`.
    pub count: u8,
    /// The fiber is inside `wait`, and its result is still to be written.
    pub active: bool,
    /// The deadline passed.
    pub timed_out: bool,
    /// A slot of the list needs a pledge that was given up.
    pub unpledged: bool,
    pub list: UserAddr,
    /// Absolute, ns; `u64::MAX` never.
    pub deadline: u64,
    /// When the first of the capabilities that it waits on expires, ns; 0: none does.
    pub lapse: u64,
    /// As they stand in the fiber's memory.
    pub entries: [[u8; WaitEntry::SIZE]; WAIT_MAX],
}

/// `count` of a [`Wait`] that is none: the fiber is held in the midst of a call (see [`crate::seal`]).
pub const HELD: u8 = 0xFF;

/// A fiber's side of the audit.
#[derive(Clone, Copy)]
pub struct Audit {
    /// Number of the record that it receives next.
    pub next: u64,
    /// End of the window in which it wrote so many records, ns.
    pub window_end: u64,
    pub written: u8,
    /// The call that it makes when there is room in the chain again.
    pub number: usize,
    pub args: [usize; 6],
}

/// One place of the fiber table.
pub struct Fiber<M: Machine> {
    pub frame: M::Frame,
    pub caps: CSpace,
    pub wait: Wait,
    /// Number, never reused within a boot.
    pub id: u32,
    /// [`state`]; 0 is a free place.
    pub state: u8,
    /// [`abi::stats::end`].
    pub end: u8,
    pub domain: u8,
    /// Place of the fiber that spawned it; [`crate::kernel::NONE`] for the kernel's.
    pub parent: u8,
    /// The object of kind FIBER that names it; 0 if there is none.
    pub object: u32,
    /// The fiber's own timer (`tick`), absolute ns; `u64::MAX` unarmed.
    pub timer: u64,
    pub timer_fired: bool,
    /// Children that ended since the last event was taken, by place.
    pub ended: u64,
    /// Slots whose channel's other side restarted since the last event was taken.
    pub restarted: u64,
    /// Ends of channels that something was granted to since the last event was taken: bit 2 * channel + side.
    pub offers: [u64; CHANNELS / 32],
    /// The same of children on other cores, counted; which ones stands in their objects.
    pub far_ended: u8,
    /// The call that another core has to answer.
    pub asked: Asked,
    /// For a child of another core's fiber: the object there that its parent has for it.
    pub far_parent: Option<Home>,
    /// Number of that fiber.
    pub far_parent_id: u32,
    /// Exit code or faulting address.
    pub code: u64,
    pub pc: u64,
    /// ns of processor time.
    pub time: u64,
    /// Stack of a fiber that is not its domain's first: physical address and bytes, given back at its end.
    pub stack: (u64, u64),
    pub name: [u8; 32],
    /// So many times it gets the FP/SIMD registers without a trap.
    pub eager: u8,
    pub audit: Audit,
    /// Number of its last call that did not return at once.
    pub last_call: u8,
}

impl<M: Machine> Fiber<M> {
    /// A free place.
    pub const FREE: Self = Self {
        frame: M::Frame::EMPTY,
        caps: CSpace::new(),
        wait: Wait {
            count: 0,
            active: false,
            timed_out: false,
            unpledged: false,
            list: UserAddr(0),
            deadline: 0,
            lapse: 0,
            entries: [[0; WaitEntry::SIZE]; WAIT_MAX],
        },
        id: 0,
        state: 0,
        end: 0,
        domain: 0,
        parent: 0,
        object: 0,
        timer: 0,
        timer_fired: false,
        ended: 0,
        restarted: 0,
        offers: [0; CHANNELS / 32],
        far_ended: 0,
        asked: Asked::NONE,
        far_parent: None,
        far_parent_id: 0,
        code: 0,
        pc: 0,
        time: 0,
        stack: (0, 0),
        name: [0; 32],
        eager: 0,
        audit: Audit { next: 0, window_end: 0, written: 0, number: 0, args: [0; 6] },
        last_call: 0,
    };

    /// Makes the place a free one where it lies: kilobytes that are built elsewhere and moved take preemption's time.
    pub fn clear(&mut self) {
        *self = Self::FREE;
    }

    pub fn is_free(&self) -> bool {
        self.state == 0
    }
    pub fn is_alive(&self) -> bool {
        self.state != 0 && self.state != state::ENDED
    }
    /// The earliest of wait deadline, expiry of what it waits on, and own timer.
    pub fn next_time(&self) -> u64 {
        let lapse = if self.wait.lapse == 0 { u64::MAX } else { self.wait.lapse };
        let deadline = if self.wait.active { self.wait.deadline.min(lapse) } else { u64::MAX };
        if self.is_alive() { deadline.min(self.timer) } else { u64::MAX }
    }
}
