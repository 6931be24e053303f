//! `wait(list, n, &deadline)`: the only call that waits for other fibers.
mod hand_over;

use crate::cores::ask::FAR;
use crate::kernel::{CHANNELS, DOMAINS, FIBERS, Kernel, NONE, OBJECTS};
use crate::object::{Answer, Body, single};
use abi::call::{Error, WAIT_MAX, want};
use abi::cap::{NEVER, verb};
use abi::stats::state;
use arch::{Frame, Machine, UserAddr};

const KNOWN: u8 = want::READABLE | want::WRITABLE | want::EVENT | want::RING;

impl<M: Machine> Kernel<M> {
    pub(super) fn wait(&mut self, list: UserAddr, count: usize, deadline: u64) -> Answer {
        if count > WAIT_MAX {
            return Err(Error::TooBig.into());
        }
        let place = self.current as usize % FIBERS;
        let entries = &mut self.fibers[place].wait.entries[..count];
        self.machine.copy_in(list, entries.as_flattened_mut())?;
        // What cannot be written back later is refused now.
        self.machine.copy_out(list, entries.as_flattened())?;
        for [_, want, got, zero] in entries {
            *got = 0;
            if *want & !KNOWN != 0 || *zero != 0 {
                return Err(Error::BadCall.into());
            }
        }
        let deadline = if deadline == 0 {
            u64::MAX
        } else {
            let mut at = [0; 8];
            self.copy_in_words(UserAddr(deadline), &mut at)?;
            u64::from_le_bytes(at)
        };
        let wait = &mut self.fiber_mut().wait;
        (wait.list, wait.count, wait.deadline) = (list, count as u8, deadline);
        self.sched.cooperated(self.domain);
        self.ring_first(count)?;
        (self.fiber_mut().wait.active, self.fiber_mut().wait.timed_out) = (true, false);
        self.fiber_mut().wait.unpledged = false;
        let done = self.finish_wait();
        if self.fiber().wait.unpledged {
            return Err(crate::object::Stop::Violation);
        }
        if done {
            return self.waited();
        }
        if deadline <= self.machine.now() {
            self.fiber_mut().wait.active = false;
            return Err(Error::TimedOut.into());
        }
        self.note_timer(deadline);
        self.fiber_mut().state = state::WAITING;
        self.unready(self.current as usize);
        Err(crate::object::Stop::Later)
    }

    /// The result that [`Self::finish_wait`] left in the frame is the call's own, as the fiber goes on at once.
    fn waited(&mut self) -> Answer {
        if self.reconsider {
            return Err(crate::object::Stop::Later);
        }
        Ok(self.fiber().wait.count as usize)
    }

    /// Rings the doorbells that the list asks for.
    fn ring_first(&mut self, count: usize) -> Result<(), crate::object::Stop> {
        for i in 0..count {
            let [slot, wants, ..] = self.fiber().wait.entries[i];
            if wants & want::RING != 0 {
                let price = abi::call::COST_J[abi::call::number::SEND] as u64 * 1000;
                self.sched.spend(self.domain, price);
                let cap = self.lookup_for(slot as usize, verb::SEND)?;
                self.doorbell(cap.object)?;
            }
        }
        Ok(())
    }

    /// Completes the current fiber's wait if anything is ready or its deadline passed; `false`: it waits on.
    /// Without a wait there is nothing to complete.
    pub(crate) fn finish_wait(&mut self) -> bool {
        let place = self.current as usize % FIBERS;
        if !self.fibers[place].wait.active {
            return true;
        }
        let count = self.fibers[place].wait.count as usize;
        if count == FAR as usize {
            return self.finish_ask();
        }
        if count == crate::fiber::HELD as usize {
            return self.resume_held();
        }
        let mut ready = 0;
        self.fibers[place].wait.lapse = 0;
        for i in 0..count {
            let [slot, wants, ..] = self.fibers[place].wait.entries[i];
            let got = self.probe(slot, wants, place);
            self.fibers[place].wait.entries[i][2] = got;
            ready += usize::from(got != 0);
        }
        if ready == 0 && !self.fibers[place].wait.timed_out {
            let lapse = self.fibers[place].wait.lapse;
            if lapse != 0 {
                self.note_timer(lapse);
            }
            return false;
        }
        self.fibers[place].wait.active = false;
        let wait = &self.fibers[place].wait;
        let written = self.machine.copy_out(wait.list, wait.entries[..count].as_flattened());
        let fiber = &mut self.fibers[place];
        // The value of a wait that ends at once.
        fiber.wait.count = ready as u8;
        match (written, ready) {
            // Unmapped by another fiber of the domain meanwhile.
            (Err(_), _) => fiber.frame.set_result(Error::BadAddress as isize, 0),
            (Ok(()), 0) => fiber.frame.set_result(Error::TimedOut as isize, 0),
            (Ok(()), ready) => fiber.frame.set_result(0, ready),
        }
        true
    }

    /// Which wants of an entry hold now; registers the fiber with the object if none does.
    fn probe(&mut self, slot: u8, wants: u8, place: usize) -> u8 {
        let wants = wants & !want::RING;
        let Ok(cap) = self.fibers[place].caps.get(slot as usize).copied() else {
            return want::DEAD;
        };
        let index = cap.object as usize % OBJECTS;
        let object = &mut self.objects[index];
        let now = if cap.expiry == NEVER { 0 } else { self.machine.now() };
        if cap.check(object.epoch, now).is_err() {
            return want::DEAD;
        }
        if object.pledge & !self.domains[self.domain as usize % DOMAINS].pledge != 0 {
            // Waiting for it is using it; who waited before another fiber gave it up finds it dead.
            self.fibers[place].wait.unpledged = true;
            return want::DEAD;
        }
        if cap.expiry != NEVER {
            let lapse = &mut self.fibers[place].wait.lapse;
            *lapse = if *lapse == 0 { cap.expiry } else { cap.expiry.min(*lapse) };
        }
        let held = match object.body {
            Body::End { channel, side } => {
                return self.probe_end(index, channel, side, wants, place);
            }
            Body::Irq { .. } => core::mem::take(&mut object.latched),
            Body::Far(_) => {
                let got = self.probe_far(index, wants);
                if got == 0 {
                    self.objects[index].waiters |= 1 << place;
                }
                return got;
            }
            Body::Fiber { place: other } => self.fibers[other as usize].state == state::ENDED,
            Body::Vfs { domain } => {
                let readable = self.domains[domain as usize].answer.is_some();
                let hold = if readable { want::READABLE } else { want::WRITABLE };
                return hold & wants;
            }
            Body::Single(_) if cap.object == single::AUDIT => {
                return self.probe_audit(place, wants);
            }
            Body::Single(_) if cap.object == single::EVENTS => {
                let fiber = &self.fibers[place];
                fiber.ended | fiber.restarted != 0
                    || fiber.far_ended != 0
                    || fiber.offers.iter().any(|&ends| ends != 0)
            }
            Body::Single(_) if cap.object == single::CLOCK => {
                core::mem::take(&mut self.fibers[place].timer_fired)
            }
            _ => return want::DEAD,
        };
        if held {
            return wants & (want::READABLE | want::EVENT);
        }
        self.objects[index].waiters |= 1 << place;
        0
    }

    /// A mapped end is ready when its doorbell was rung, which clears it; for the others the kernel looks.
    pub(crate) fn probe_end(
        &mut self,
        index: usize,
        channel: u8,
        side: u8,
        wants: u8,
        place: usize,
    ) -> u8 {
        let ends = &self.channels[channel as usize].ends;
        let (mapped, gone) =
            (ends[side as usize & 1].mapped != NONE, ends[(1 - side as usize) & 1].gone);
        let broken = ends[side as usize & 1].broken;
        let rung = core::mem::take(&mut self.objects[index].latched);
        if broken {
            return want::DEAD;
        }
        let got = if mapped {
            // The peer's going rings once. Who keeps an end whose peer is not there (yet), as a driver does, waits
            // for it to come and ring.
            let dead = if gone { want::DEAD } else { 0 };
            if rung { wants | dead } else { 0 }
        } else {
            let (readable, writable) = self.channel_ready(channel, side);
            let holds = (want::READABLE * readable as u8) | (want::WRITABLE * writable as u8);
            let dead = if gone && holds & wants != 0 { want::DEAD } else { 0 };
            holds & wants | dead
        };
        let waits = self.parked[channel as usize % CHANNELS].waits(side);
        let got = if waits { got | wants & want::EVENT } else { got };
        if got == 0 {
            self.objects[index].waiters |= 1 << place;
        }
        got
    }
}
