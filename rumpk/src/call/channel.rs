//! `send` and `recv`.
use crate::kernel::{DOMAINS, FIBERS, Kernel, OBJECTS};
use crate::object::{Answer, Body, FarKind, Stop, single};
use abi::call::{COST_J, COST_RING_SET_J, Error, MESSAGE_MAX, MESSAGE_MIN, number, op};
use abi::cap::verb;
use abi::ring::{FLAG_DESCRIPTOR, Slot};
use abi::stats::{Event, FiberEnd, end, event, state};
use arch::{Machine, UserAddr};

impl<M: Machine> Kernel<M> {
    pub(super) fn send(&mut self, slot: usize, buf: usize, len: usize) -> Answer {
        let cap = self.lookup_for(slot, verb::SEND)?;
        if len == 0 {
            return self.operate(cap.object, buf);
        }
        if !(MESSAGE_MIN..=MESSAGE_MAX).contains(&len) {
            return Err(if len > MESSAGE_MAX { Error::TooBig } else { Error::BadCall }.into());
        }
        let mut bytes = [0; Slot::SIZE];
        self.copy_in_words(UserAddr(buf as u64), &mut bytes[..len])?;
        let message = Slot::decode(&bytes).ok_or(Error::BadCall)?;
        if message.flags & !FLAG_DESCRIPTOR != 0 || message.len as usize > len - MESSAGE_MIN {
            return Err(Error::BadCall.into());
        }
        match self.body(cap.object) {
            Body::End { channel, side } => {
                self.channel_send(channel, side, &message)?;
                Ok(0)
            }
            Body::Vfs { .. } => self.vfs(&message),
            Body::Single(_) if cap.object == single::AUDIT => self.audit_send(&message),
            Body::Far(far) => self.send_far(far.home, far.kind, &message),
            Body::Single(_) if cap.object == single::CLOCK => self.set_wall(&message),
            _ => Err(Error::BadCall.into()),
        }
    }

    /// `send` of an operation number.
    fn operate(&mut self, object: u32, operation: usize) -> Answer {
        match (self.body(object), operation) {
            (Body::End { .. }, op::DOORBELL) => self.doorbell(object),
            (Body::Vfs { .. }, op::DOORBELL) => Ok(0),
            (Body::Irq { intid }, op::IRQ_UNMASK) => {
                self.unmask(object, intid, self.domain);
                Ok(0)
            }
            (Body::Fiber { place }, op::FIBER_KILL) => self.kill(place as usize),
            (Body::Far(far), op::DOORBELL) if far.kind == FarKind::End => self.doorbell(object),
            (Body::Far(far), _) => self.operate_far(far.home, far.kind, operation),
            (Body::Fiber { place }, op::FIBER_BLINK) => self.blink(place as usize),
            (Body::Fiber { place }, op::FIBER_RELEASE) => self.release(place as usize),
            (Body::Single(_), op::POWER_OFF | op::POWER_RESET) if object == single::POWER => {
                self.power(operation)
            }
            _ => Err(Error::BadCall.into()),
        }
    }

    /// Latches the peer's doorbell. A bit that is set already costs 1 J instead of SEND's price.
    pub(super) fn doorbell(&mut self, object: u32) -> Answer {
        let Body::End { channel, side } = self.body(object) else {
            return self.doorbell_far(object);
        };
        let ends = &self.channels[channel as usize].ends;
        let peer = &ends[1 - (side as usize & 1)];
        if peer.gone {
            return Err(Error::Gone.into());
        }
        if let Some(far) = peer.far {
            if !self.bell(far.core, far.index as usize) {
                self.refund_ring();
            }
            return Ok(0);
        }
        let peer = peer.object;
        if self.objects[peer as usize % OBJECTS].latched {
            self.refund_ring();
        }
        self.signal(peer);
        Ok(0)
    }

    #[cold]
    fn doorbell_far(&mut self, object: u32) -> Answer {
        if !self.ring_far(object)? {
            self.refund_ring();
        }
        Ok(0)
    }

    /// A bit that was set already costs less.
    fn refund_ring(&mut self) {
        let back = (COST_J[number::SEND] - COST_RING_SET_J) as u64 * 1000;
        self.sched.refund(self.domain, back);
    }

    /// Ends a fiber, by the policy of its domain if it is the first one of it. In quarantine: for good.
    pub(crate) fn kill(&mut self, place: usize) -> Answer {
        let own =
            self.current as usize == place || self.domain == self.fibers[place % FIBERS].domain;
        self.kill_fiber(place)?;
        let alive = self.fiber().is_alive() && self.current != crate::kernel::NONE;
        if own && !alive { Err(Stop::Later) } else { Ok(0) }
    }

    /// The same for whoever asks: `Gone` if it ended.
    pub(crate) fn kill_fiber(&mut self, place: usize) -> Result<(), Error> {
        let fiber = &self.fibers[place % FIBERS];
        match fiber.state {
            state::ENDED => return Err(Error::Gone),
            state::QUARANTINED => self.end_for_good(fiber.domain, end::KILLED, 0),
            _ => self.end_fiber(place, end::KILLED, 0),
        }
        Ok(())
    }

    pub(super) fn recv(&mut self, slot: usize, buf: UserAddr, len: usize, into: usize) -> Answer {
        let cap = self.lookup_for(slot, verb::RECV)?;
        if into != 0 {
            return self.take_parked(cap.object, buf, len, into);
        }
        if len < MESSAGE_MIN {
            return Err(Error::BadCall.into());
        }
        // What cannot be written is refused before anything is taken.
        let len = len.min(Slot::SIZE);
        self.copy_out_words(buf, &[0; Slot::SIZE][..len])?;
        let mut message = Slot::zeroed();
        let to = &mut message;
        match self.body(cap.object) {
            Body::Far(_) => return self.recv_far(cap.object, slot, buf, len),
            Body::End { channel, side } => self.channel_recv(channel, side, to)?,
            Body::Vfs { domain } => {
                *to = self.domains[domain as usize % DOMAINS].answer.take().ok_or(Error::Empty)?;
            }
            Body::Irq { .. } => self.take_latch(cap.object)?,
            Body::Fiber { place } => self.take_end(place as usize, slot, to)?,
            Body::Single(_) if cap.object == single::EVENTS => self.take_event(to)?,
            Body::Single(_) if cap.object == single::AUDIT => self.audit_recv(buf, len, to)?,
            Body::Single(_) => return Err(Error::Unsupported.into()),
            _ => return Err(Error::BadCall.into()),
        }
        self.copy_out_words(buf, &message.encode()[..len])?;
        Ok((MESSAGE_MIN + message.len as usize).min(len))
    }

    pub(crate) fn take_latch(&mut self, object: u32) -> Result<(), Stop> {
        let object = &mut self.objects[object as usize % OBJECTS];
        if !core::mem::take(&mut object.latched) {
            return Err(Error::Empty.into());
        }
        Ok(())
    }

    /// How a fiber ended. The parent's question is the last one: place and capability are free afterwards.
    fn take_end(&mut self, place: usize, slot: usize, to: &mut Slot) -> Result<(), Stop> {
        self.end_of(place, to)?;
        if self.fibers[place % FIBERS].parent == self.current {
            self.fiber_mut().caps.take(slot)?;
            self.reap(place);
        }
        Ok(())
    }

    /// How the fiber in `place` ended; `Empty` while it runs.
    pub(crate) fn end_of(&self, place: usize, to: &mut Slot) -> Result<(), Error> {
        let fiber = &self.fibers[place % FIBERS];
        if fiber.state != state::ENDED {
            return Err(Error::Empty);
        }
        let mut short = [0; 16];
        short.copy_from_slice(&fiber.name[..16]);
        let what = FiberEnd {
            fiber: fiber.id,
            end: fiber.end,
            zero: [0; 3],
            code: fiber.code,
            pc: fiber.pc,
            time: fiber.time,
            name: short,
        };
        to.len = FiberEnd::SIZE as u32;
        to.payload = what.encode();
        Ok(())
    }

    fn take_child_ended(&mut self) -> Option<Event> {
        let ended = self.fiber().ended;
        let source = if ended != 0 {
            let place = ended.trailing_zeros() as usize;
            self.fiber_mut().ended &= !(1 << place);
            self.fibers[place].id
        } else if self.fiber().far_ended != 0
            && let Some(id) = self.far_event()
        {
            id
        } else {
            return None;
        };
        let mut what = Event::zeroed();
        (what.kind, what.count) = (event::CHILD_ENDED, 1);
        what.source = source;
        Some(what)
    }

    fn take_event(&mut self, to: &mut Slot) -> Result<(), Stop> {
        // Restarts first: who finds its channel dead takes them until it lives, and no other event with them.
        let what = self.take_restarted();
        let what = what.or_else(|| self.take_child_ended()).or_else(|| self.take_offer());
        let what = what.ok_or(Error::Empty)?;
        to.len = Event::SIZE as u32;
        to.payload[..Event::SIZE].copy_from_slice(&what.encode());
        Ok(())
    }
}
