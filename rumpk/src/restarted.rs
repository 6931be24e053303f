//! How peers learn that the other side of a channel is another instance.
//!
//! A channel's memory belongs to the channel: unread requests stay. What must not stay is a peer's belief that it still talks to
//! the one it talked to. So the peer's end enters a new epoch: every capability to it is void at once. The slots that were the
//! peer's by birth answer `Gone` until it has taken the event RESTARTED, which stamps the slot anew; copies that it granted at
//! run time stay void.
use crate::kernel::{CHANNELS, DOMAINS, FIBERS, Kernel, NONE, OBJECTS};
use crate::object::Body;
use crate::schedule::places;
use abi::call::Error;
use abi::cap::{SLOTS, slot};
use abi::stats::{Event, event};
use arch::Machine;

impl<M: Machine> Kernel<M> {
    /// The instance that held this end is dead, and another one will hold it. `parked`: not soon.
    pub(crate) fn restart_end(&mut self, channel: u8, side: u8, parked: bool) {
        self.withdraw(channel, side);
        let end = &mut self.channels[channel as usize % CHANNELS].ends[side as usize & 1];
        (end.mapped, end.broken, end.gone, end.told) = (NONE, false, parked, !parked);
        self.announce(channel, side);
        self.publish_restart(channel, side, parked);
    }

    /// Tells the peer of end `side` that another instance holds it.
    pub(crate) fn announce(&mut self, channel: u8, side: u8) {
        let place = &mut self.channels[channel as usize % CHANNELS];
        place.generation = place.generation.wrapping_add(1);
        let index = place.ends[1 - (side as usize & 1)].object;
        let object = &self.objects[index as usize % OBJECTS];
        let Body::End { channel: of, .. } = object.body else { return };
        // The object of a peer that went may be another channel's by now.
        if index == 0 || of != channel {
            return;
        }
        let (old, owner) = (object.epoch, object.owner);
        let first = self.domains[owner as usize % DOMAINS].first;
        self.note_restart(first as usize, 0..SLOTS as u8, index, old);
        for other in 0..FIBERS {
            if other != first as usize && self.fibers[other].is_alive() {
                // Inherited at birth from the owner: no other slot can hold it by birth.
                self.note_restart(other, slot::CONSOLE_IN..slot::CONSOLE_OUT + 1, index, old);
            }
        }
        // Its mappings stay: the memory is the channel's. Who waits finds the slot dead.
        self.raise_epoch(index);
    }

    /// Latches the event for those of the fiber's slots that held the end until now.
    fn note_restart(&mut self, place: usize, slots: core::ops::Range<u8>, object: u32, old: u32) {
        let Some(fiber) = self.fibers.get_mut(place) else { return };
        let mut found = false;
        for slot in slots {
            let Ok(cap) = fiber.caps.get(slot) else { continue };
            if cap.object == object && cap.epoch == old {
                fiber.restarted |= 1 << slot;
                found = true;
            }
        }
        if found {
            self.wake_for_event(place);
        }
    }

    /// What a void capability in `slot` answers: `Gone` while its event waits to be taken.
    #[cold]
    pub(crate) fn void(&self, slot: usize, error: Error) -> Error {
        let waits = slot < SLOTS && self.fiber().restarted & 1 << slot != 0;
        if waits && error == Error::Revoked { Error::Gone } else { error }
    }

    /// Takes the next RESTARTED event of the current fiber and makes its slot valid again.
    pub(crate) fn take_restarted(&mut self) -> Option<Event> {
        let mask = core::mem::take(&mut self.fiber_mut().restarted);
        for slot in places(mask) {
            let Ok(mut cap) = self.fiber().caps.get(slot).copied() else { continue };
            let object = &self.objects[cap.object as usize % OBJECTS];
            let Body::End { channel, .. } = object.body else { continue };
            // The slot may hold something else by now.
            let count = object.epoch.wrapping_sub(cap.epoch);
            if count == 0 || count > u32::MAX / 2 {
                continue;
            }
            cap.epoch = object.epoch;
            let channel = &self.channels[channel as usize % CHANNELS];
            let mut what = Event::zeroed();
            (what.kind, what.count) = (event::RESTARTED, count);
            (what.source, what.generation) = (slot as u32, channel.generation);
            what.arg = channel.number as u64;
            self.fiber_mut().restarted = mask & (u64::MAX << slot << 1);
            // The slot was found full.
            let _ = self.fiber_mut().caps.replace(slot, cap);
            return Some(what);
        }
        None
    }
}
