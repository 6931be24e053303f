//! What the tasks of a fiber wait for, and the one `wait` that waits for all of it.
//!
//! A reactor lives in a static, not on a stack: a waker that somebody kept beyond its executor then
//! names a place that exists, and at worst wakes a task of the next executor for nothing. It belongs to
//! one fiber at a time; the atomics are there for `Sync`, not for speed: fibers of a domain change
//! places only inside calls, and no call is made while a reactor is being changed.
use core::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, Ordering::Relaxed};
use core::task::{Context, RawWaker, RawWakerVTable, Waker};

use abi::call::{WAIT_MAX, WaitEntry, want};

use crate::{Clock, Error, Result, sys, wait};

/// Executors that may run at a time in a domain, one inside the other counted.
pub const REACTORS: usize = 4;
/// Tasks of one executor: a bit each.
pub const TASKS_MAX: usize = 64;

/// One thing that a task waits for: a slot's readiness, or a time.
struct Interest {
    kind: AtomicU8,
    slot: AtomicU8,
    /// Bits of [`want`].
    want: AtomicU8,
    /// What was found; for a timer that fired, not 0.
    got: AtomicU8,
    task: AtomicU8,
    /// When, ns since boot.
    at: AtomicU64,
}

const FREE: u8 = 0;
const SLOT: u8 = 1;
const TIMER: u8 = 2;

impl Interest {
    const fn none() -> Self {
        Self {
            kind: AtomicU8::new(FREE),
            slot: AtomicU8::new(0),
            want: AtomicU8::new(0),
            got: AtomicU8::new(0),
            task: AtomicU8::new(0),
            at: AtomicU64::new(0),
        }
    }

    fn waits(&self, kind: u8) -> bool {
        self.kind.load(Relaxed) == kind && self.got.load(Relaxed) == 0
    }
}

/// The interests of one executor and the tasks to be polled.
pub struct Reactor {
    taken: AtomicBool,
    ready: AtomicU64,
    interests: [Interest; WAIT_MAX],
}

static POOL: [Reactor; REACTORS] = [const {
    Reactor {
        taken: AtomicBool::new(false),
        ready: AtomicU64::new(0),
        interests: [const { Interest::none() }; WAIT_MAX],
    }
}; REACTORS];

/// A reactor that is free again when this goes.
pub struct Own(usize);

impl Own {
    /// Takes a free one; [`Error::Full`] when all are in use.
    pub fn take() -> Result<Self> {
        let free = POOL.iter().position(|r| !r.taken.swap(true, Relaxed)).ok_or(Error::Full)?;
        for interest in &POOL[free].interests {
            interest.kind.store(FREE, Relaxed);
        }
        POOL[free].ready.store(0, Relaxed);
        Ok(Self(free))
    }

    /// The waker of task number `task`, below [`TASKS_MAX`].
    pub fn waker(&self, task: usize) -> Waker {
        // SAFETY: the functions of the table keep the contract of `RawWaker`: the data is a number, which
        // may be copied and forgotten, and they are safe on any thread.
        unsafe { Waker::from_raw(raw(self.0 << 8 | task)) }
    }

    /// The tasks to be polled now, a bit each; they are taken.
    pub fn ready(&self) -> u64 {
        POOL[self.0].ready.swap(0, Relaxed)
    }

    /// Waits until a task is to be polled. Where one is already, others get their turn and what is ready is
    /// noted.
    pub fn wait(&self) {
        POOL[self.0].wait();
    }
}

impl Drop for Own {
    fn drop(&mut self) {
        POOL[self.0].taken.store(false, Relaxed);
    }
}

/// The place of an interest, given back when this goes.
pub struct Place {
    reactor: &'static Reactor,
    index: usize,
}

impl Drop for Place {
    fn drop(&mut self) {
        self.reactor.interests[self.index].kind.store(FREE, Relaxed);
    }
}

impl Place {
    /// Notes that the task of `cx` waits for `slot`; [`Error::Full`] when its executor waits for
    /// [`WAIT_MAX`] things.
    pub fn slot(cx: &Context, slot: u8, wanted: u8) -> Result<Self> {
        let place = Self::new(cx, SLOT)?;
        let interest = &place.reactor.interests[place.index];
        interest.slot.store(slot, Relaxed);
        interest.want.store(wanted, Relaxed);
        Ok(place)
    }

    /// Notes that the task of `cx` waits until the absolute time `at`, ns.
    pub fn timer(cx: &Context, at: u64) -> Result<Self> {
        let place = Self::new(cx, TIMER)?;
        place.reactor.interests[place.index].at.store(at, Relaxed);
        Ok(place)
    }

    fn new(cx: &Context, kind: u8) -> Result<Self> {
        let (reactor, task) = of(cx);
        let free = |i: &Interest| i.kind.load(Relaxed) == FREE;
        let index = reactor.interests.iter().position(free).ok_or(Error::Full)?;
        let interest = &reactor.interests[index];
        interest.kind.store(kind, Relaxed);
        interest.got.store(0, Relaxed);
        interest.task.store(task, Relaxed);
        Ok(Self { reactor, index })
    }

    /// What was found since; 0: nothing yet.
    pub fn got(&self) -> u8 {
        self.reactor.interests[self.index].got.load(Relaxed)
    }
}

impl Reactor {
    fn wait(&self) {
        let mut list = [wait::on(0, 0); WAIT_MAX];
        let len = self.list(&mut list);
        let timer = self.timers().min();
        let busy = self.ready.load(Relaxed) != 0;
        if busy {
            // A task that always has something to do must not starve the other fibers of the domain.
            sys::yield_();
            if len == 0 && timer.is_none() {
                return;
            }
        }
        let deadline = if busy { Some(0) } else { timer };
        match sys::wait(&mut list[..len], deadline) {
            Ok(_) => self.found(&list[..len]),
            Err(Error::TimedOut) if !busy => {
                self.fire(timer.unwrap_or(0));
                return;
            }
            Err(Error::TimedOut) => {}
            // A doorbell that was to be rung first is nobody's any more: the others must not suffer.
            Err(_) => self.ring_each(&list[..len]),
        }
        if timer.is_some() {
            self.fire(Clock::OWN.now());
        }
    }

    fn timers(&self) -> impl Iterator<Item = u64> {
        self.interests.iter().filter(|i| i.waits(TIMER)).map(|i| i.at.load(Relaxed))
    }

    /// One entry for each slot, as a doorbell is told once only; how many.
    fn list(&self, list: &mut [WaitEntry; WAIT_MAX]) -> usize {
        let mut len = 0;
        for interest in self.interests.iter().filter(|i| i.waits(SLOT)) {
            let slot = interest.slot.load(Relaxed);
            let wanted = interest.want.load(Relaxed);
            // To be rung once, before the first wait.
            interest.want.store(wanted & !want::RING, Relaxed);
            if let Some(entry) = list[..len].iter_mut().find(|e| e.slot == slot) {
                entry.want |= wanted;
            } else {
                list[len] = wait::on(slot, wanted);
                len += 1;
            }
        }
        len
    }

    fn found(&self, list: &[WaitEntry]) {
        for interest in self.interests.iter().filter(|i| i.waits(SLOT)) {
            let slot = interest.slot.load(Relaxed);
            let of_slot = list.iter().find(|e| e.slot == slot);
            let got = of_slot.map_or(0, |e| e.got & (interest.want.load(Relaxed) | want::DEAD));
            self.wake(interest, got);
        }
    }

    fn fire(&self, now: u64) {
        for interest in self.interests.iter().filter(|i| i.waits(TIMER)) {
            if interest.at.load(Relaxed) <= now {
                self.wake(interest, want::EVENT);
            }
        }
    }

    /// Rings what the list asked for one by one, to find out whose doorbell cannot be rung.
    fn ring_each(&self, list: &[WaitEntry]) {
        for entry in list.iter().filter(|e| e.want & want::RING != 0) {
            if sys::doorbell(entry.slot).is_err() {
                let of_slot = |i: &&Interest| i.slot.load(Relaxed) == entry.slot;
                for interest in self.interests.iter().filter(|i| i.waits(SLOT)).filter(of_slot) {
                    self.wake(interest, want::DEAD);
                }
            }
        }
    }

    fn wake(&self, interest: &Interest, got: u8) {
        interest.got.store(got, Relaxed);
        if got != 0 {
            self.ready.fetch_or(1 << (interest.task.load(Relaxed) % 64), Relaxed);
        }
    }
}

/// The reactor and the task of a context.
///
/// # Panics
/// Where another executor polls: its tasks would never be woken.
fn of(cx: &Context) -> (&'static Reactor, u8) {
    let waker = cx.waker();
    assert!(
        core::ptr::eq(waker.vtable(), &raw const TABLE),
        "this future waits for the kernel: only rt::task can run it"
    );
    let number = waker.data().addr();
    (&POOL[(number >> 8) % REACTORS], number as u8)
}

static TABLE: RawWakerVTable = RawWakerVTable::new(
    |data| raw(data.addr()),
    |data| awake(data.addr()),
    |data| awake(data.addr()),
    |_| {},
);

fn raw(number: usize) -> RawWaker {
    RawWaker::new(core::ptr::without_provenance(number), &TABLE)
}

fn awake(number: usize) {
    POOL[(number >> 8) % REACTORS].ready.fetch_or(1 << (number % TASKS_MAX), Relaxed);
}
