//! The futures that wait for the kernel: a slot that becomes ready, a time.
use core::future::Future;
use core::pin::Pin;
use core::task::{Context, Poll};

use abi::call::want;
use abi::cap::slot;
use abi::ring::Slot;
use abi::stats::{Event, FiberEnd};

use super::reactor::Place;
use crate::channel::{Channel, Ends};
use crate::object::{Fiber, Irq};
use crate::{Error, Result, object};

/// Until a slot is ready; the value is what was found, as [`crate::wait::found`] gives it.
#[must_use = "a future does nothing unless it is awaited"]
pub struct Ready {
    slot: u8,
    want: u8,
    place: Option<Place>,
}

impl Ready {
    /// Until `slot` has what `wanted` (bits of [`want`]) asks for.
    pub const fn new(slot: u8, wanted: u8) -> Self {
        Self { slot, want: wanted, place: None }
    }
}

impl Future for Ready {
    type Output = Result<u8>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context) -> Poll<Result<u8>> {
        let Some(place) = &self.place else {
            return match Place::slot(cx, self.slot, self.want) {
                Ok(place) => {
                    self.place = Some(place);
                    Poll::Pending
                }
                Err(e) => Poll::Ready(Err(e)),
            };
        };
        match place.got() {
            0 => Poll::Pending,
            want::DEAD => Poll::Ready(Err(Error::Gone)),
            got => Poll::Ready(Ok(got)),
        }
    }
}

/// Until an absolute time.
#[must_use = "a future does nothing unless it is awaited"]
pub struct Until {
    at: u64,
    place: Option<Place>,
}

impl Until {
    pub(super) const fn new(at: u64) -> Self {
        Self { at, place: None }
    }
}

impl Future for Until {
    type Output = Result<()>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context) -> Poll<Result<()>> {
        if let Some(place) = &self.place {
            return if place.got() == 0 { Poll::Pending } else { Poll::Ready(Ok(())) };
        }
        match Place::timer(cx, self.at) {
            Ok(place) => {
                self.place = Some(place);
                Poll::Pending
            }
            Err(e) => Poll::Ready(Err(e)),
        }
    }
}

/// Until something can be received from `slot`.
pub const fn readable(slot: u8) -> Ready {
    Ready::new(slot, want::READABLE)
}

/// Until something can be sent to `slot`.
pub const fn writable(slot: u8) -> Ready {
    Ready::new(slot, want::WRITABLE)
}

/// Until the object in `slot` has its event.
pub const fn event(slot: u8) -> Ready {
    Ready::new(slot, want::EVENT)
}

/// The next latched event of the fiber.
pub async fn next_event() -> Result<Event> {
    loop {
        match object::next_event() {
            Err(Error::Empty) => readable(slot::EVENTS).await.map(drop)?,
            other => return other,
        }
    }
}

impl Channel {
    /// [`Channel::recv`] in a task.
    pub async fn recv_async(self) -> Result<Slot> {
        loop {
            match self.try_recv() {
                Err(Error::Empty) => readable(self.0).await.map(drop)?,
                other => return other,
            }
        }
    }

    /// [`Channel::send`] in a task.
    pub async fn send_async(self, message: &Slot) -> Result<()> {
        loop {
            match self.try_send(message) {
                Err(Error::Full) => writable(self.0).await.map(drop)?,
                other => return other,
            }
        }
    }
}

impl Ends {
    /// [`Ends::recv`] in a task, without a deadline: [`super::timeout`] gives one.
    pub async fn recv_async(&mut self) -> Result<Slot> {
        let mut there = true;
        loop {
            match self.pop() {
                Ok(message) => {
                    // A peer that went needs no ringing.
                    let _ = self.ring();
                    return Ok(message);
                }
                Err(Error::Empty) if !there => return Err(Error::Gone),
                Err(Error::Empty) => {}
                Err(e) => return Err(e),
            }
            if self.sleep_for_message() {
                there = self.woken().await?;
            }
        }
    }

    /// [`Ends::send`] in a task.
    pub async fn send_async(&mut self, message: &Slot) -> Result<()> {
        let mut there = true;
        loop {
            match self.push(message) {
                Ok(()) => return self.ring(),
                Err(Error::Full) if !there => return Err(Error::Gone),
                Err(Error::Full) => {}
                Err(e) => return Err(e),
            }
            if self.sleep_for_room() {
                there = self.woken().await?;
            }
        }
    }

    /// Until the peer rang; `false`: it went.
    async fn woken(&mut self) -> Result<bool> {
        let found = Ready::new(self.slot(), self.want()).await;
        self.awake();
        match found {
            Ok(found) => Ok(found & want::DEAD == 0),
            Err(Error::Gone) => Ok(false),
            Err(e) => Err(e),
        }
    }
}

impl Irq {
    /// [`Irq::wait`] in a task.
    pub async fn fired(self) -> Result<()> {
        event(self.0).await.map(drop)
    }
}

impl Fiber {
    /// [`Fiber::end`] in a task.
    pub async fn ended(self) -> Result<FiberEnd> {
        loop {
            match self.try_end() {
                Err(Error::Empty) => event(self.0).await.map(drop)?,
                other => return other,
            }
        }
    }
}
