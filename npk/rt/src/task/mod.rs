//! A small executor: many tasks in one fiber, and one `wait` for all that they wait for.
//!
//! No allocation: futures stay where their author pinned them, and the executor holds references. A fiber
//! that serves three channels and a clock is three tasks instead of one loop with a table of states:
//!
//! ```no_run
//! use core::pin::pin;
//! use core::time::Duration;
//! use rt::task::{self, Tasks};
//! use rt::{Channel, println};
//!
//! let echo = |channel: Channel| async move {
//!     while let Ok(message) = channel.recv_async().await {
//!         let _ = channel.send_async(&message).await;
//!     }
//! };
//! let clock = async {
//!     for _ in 0..3 {
//!         let _ = task::sleep(Duration::from_secs(1)).await;
//!         println!("tick");
//!     }
//! };
//! let tasks = Tasks::<3>::new();
//! let (a, b, c) = (pin!(echo(Channel(8))), pin!(echo(Channel(9))), pin!(clock));
//! for task in [a as task::Task, b, c] {
//!     tasks.spawn(task).expect("three places");
//! }
//! tasks.run().expect("an executor is free");
//! ```
//!
//! Tasks change places only at `.await`. A future of this crate must be polled with the waker that its
//! executor gave: combinators that pass the context on, as those here, are fine.
mod reactor;
mod ready;
#[cfg(test)]
mod tests;

use core::cell::Cell;
use core::future::{Future, poll_fn};
use core::pin::{Pin, pin};
use core::task::{Context, Poll};
use core::time::Duration;

use crate::{Clock, Error, Result};
use reactor::Own;
pub use reactor::{REACTORS, TASKS_MAX};
pub use ready::{Ready, Until, event, next_event, readable, writable};

/// Runs one future to its end.
///
/// ```no_run
/// let message = rt::task::block_on(rt::Channel(8).recv_async());
/// ```
///
/// # Panics
/// If [`REACTORS`] executors run already.
pub fn block_on<F: Future>(future: F) -> F::Output {
    let mut future = pin!(future);
    let own = Own::take().expect("an executor is free");
    let waker = own.waker(0);
    let mut cx = Context::from_waker(&waker);
    loop {
        if let Poll::Ready(output) = future.as_mut().poll(&mut cx) {
            return output;
        }
        own.wait();
        while own.ready() == 0 {
            own.wait();
        }
    }
}

/// A task: a pinned future that somebody else owns.
pub type Task<'a> = Pin<&'a mut (dyn Future<Output = ()> + 'a)>;

/// At most `N` tasks, run until all have ended. `N` is at most [`TASKS_MAX`].
pub struct Tasks<'a, const N: usize> {
    tasks: [Cell<Option<Task<'a>>>; N],
    /// Places whose task was never polled, a bit each.
    fresh: Cell<u64>,
}

impl<'a, const N: usize> Tasks<'a, N> {
    /// None yet.
    pub const fn new() -> Self {
        const { assert!(N <= TASKS_MAX, "a task is a bit of 64") };
        Self { tasks: [const { Cell::new(None) }; N], fresh: Cell::new(0) }
    }

    /// Adds a task, also from inside one; [`Error::Full`] when `N` have not ended.
    pub fn spawn(&self, task: Task<'a>) -> Result<()> {
        for (i, place) in self.tasks.iter().enumerate() {
            // A task that is being polled is out of its place, and not over.
            let used = self.fresh.get() >> i & 1;
            let there = place.take();
            if there.is_none() && used == 0 {
                place.set(Some(task));
                self.fresh.set(self.fresh.get() | 1 << i);
                return Ok(());
            }
            place.set(there);
        }
        Err(Error::Full)
    }

    /// Polls what is to be polled and waits for the rest, until all tasks have ended. [`Error::Full`] if
    /// [`REACTORS`] executors run already.
    pub fn run(&self) -> Result<()> {
        let own = Own::take()?;
        loop {
            let ready = own.ready() | self.fresh.take();
            for i in (0..N).filter(|i| ready >> i & 1 == 1) {
                self.poll(&own, i);
            }
            let left = self.tasks.iter().any(|place| {
                let there = place.take();
                let any = there.is_some();
                place.set(there);
                any
            });
            if !left {
                return Ok(());
            }
            if self.fresh.get() == 0 {
                own.wait();
            }
        }
    }

    fn poll(&self, own: &Own, i: usize) {
        let Some(mut task) = self.tasks[i].take() else { return };
        let waker = own.waker(i);
        // Its place stays its own while it runs.
        self.fresh.set(self.fresh.get() | 1 << i);
        let polled = task.as_mut().poll(&mut Context::from_waker(&waker));
        self.fresh.set(self.fresh.get() & !(1 << i));
        if polled.is_pending() {
            self.tasks[i].set(Some(task));
        }
    }
}

impl<const N: usize> Default for Tasks<'_, N> {
    fn default() -> Self {
        Self::new()
    }
}

/// Both, side by side.
pub async fn join<A: Future, B: Future>(a: A, b: B) -> (A::Output, B::Output) {
    let (mut a, mut b) = (pin!(a), pin!(b));
    let (mut first, mut second) = (None, None);
    poll_fn(move |cx| {
        if first.is_none()
            && let Poll::Ready(output) = a.as_mut().poll(cx)
        {
            first = Some(output);
        }
        if second.is_none()
            && let Poll::Ready(output) = b.as_mut().poll(cx)
        {
            second = Some(output);
        }
        match (first.take(), second.take()) {
            (Some(a), Some(b)) => Poll::Ready((a, b)),
            (a, b) => {
                (first, second) = (a, b);
                Poll::Pending
            }
        }
    })
    .await
}

/// Which of two came first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Either<A, B> {
    /// The first one.
    First(A),
    /// The second one.
    Second(B),
}

/// The one that ends first; the other is dropped. Both at once: the first.
pub async fn select<A: Future, B: Future>(a: A, b: B) -> Either<A::Output, B::Output> {
    let (mut a, mut b) = (pin!(a), pin!(b));
    poll_fn(move |cx| match a.as_mut().poll(cx) {
        Poll::Ready(output) => Poll::Ready(Either::First(output)),
        Poll::Pending => b.as_mut().poll(cx).map(Either::Second),
    })
    .await
}

/// Lets the other tasks run, and the other fibers of the domain.
pub async fn yield_now() {
    let mut yielded = false;
    poll_fn(move |cx| {
        if core::mem::replace(&mut yielded, true) {
            return Poll::Ready(());
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}

/// Until the absolute time `at`, ns since boot. [`Error::Full`] when the executor waits for too much.
pub fn sleep_until(at: u64) -> Until {
    Until::new(at)
}

/// For `time` from now on: from the call, not from the first poll.
pub fn sleep(time: Duration) -> Until {
    let ns = u64::try_from(time.as_nanos()).unwrap_or(u64::MAX);
    Until::new(Clock::OWN.now().saturating_add(ns))
}

/// `future`, unless the absolute time `at` (ns) comes first: [`Error::TimedOut`].
pub async fn timeout<F: Future>(at: u64, future: F) -> Result<F::Output> {
    match select(future, sleep_until(at)).await {
        Either::First(output) => Ok(output),
        Either::Second(slept) => slept.and(Err(Error::TimedOut)),
    }
}
