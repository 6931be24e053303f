//! Channels: a pair of ION Rings and two buffer areas in one run of pages.
//!
//! An end that is mapped belongs to its fiber: the kernel only latches its doorbell and looks at nothing in the rings. For
//! an end that is not mapped the kernel is that side ([`crate::stand_in`]).
//!
//! Memory, in pages: P and C of the ring from end A to end B, P and C of the other one, A's buffer, B's buffer.
use crate::cores::ends::Far;
use crate::kernel::{CHANNELS, FIBERS, Kernel, NONE, OBJECTS};
use crate::object::{Body, Object};
use abi::PAGE;
use abi::call::{Error, MapInfo};
use abi::cap::{R, W};
use abi::ring::{DEFAULT_SLOTS, SLOT_LEN, SLOTS_OFFSET};
use arch::{Machine, Memory};
use cap::Cap;

/// Most bytes of a buffer area, and most slots of a ring: an end is mapped and unmapped in one call.
const BUFFER_MAX: u32 = 4 << 20;
const SLOTS_MAX: u32 = 1024;

/// A domain of another core mapped the end.
pub const FAR_MAPPED: u8 = NONE - 1;
const _: () = assert!(crate::kernel::DOMAINS <= FAR_MAPPED as usize);

/// One end.
#[derive(Clone)]
pub struct End {
    /// Object that names it; 0 before the end has one.
    pub object: u32,
    /// Domain that mapped it, or [`FAR_MAPPED`]; [`NONE`]: the kernel is this side.
    pub mapped: u8,
    /// Place of the fiber that it was made for, which gets its events; copies of the capability get none.
    pub holder: u8,
    /// It is another core's, there.
    pub far: Option<Far>,
    /// Nobody is there any more: the other side gets `Gone`.
    pub gone: bool,
    /// The ring is broken: this end is dropped.
    pub broken: bool,
    /// The peer was told already that another instance comes.
    pub told: bool,
}

/// One place of the channel table.
pub struct Channel {
    /// Physical address; 0: a free place.
    pub base: u64,
    pub slots: u32,
    /// Bytes of each buffer area.
    pub buffer: u32,
    /// Well-known or chosen number.
    pub number: u32,
    pub generation: u32,
    /// Its memory belongs to another core.
    pub foreign: bool,
    pub ends: [End; 2],
}

impl Channel {
    const END: End =
        End { object: 0, mapped: 0, holder: 0, far: None, gone: false, broken: false, told: false };
    /// A free place.
    pub const FREE: Self = Self {
        base: 0,
        slots: 0,
        buffer: 0,
        number: 0,
        generation: 0,
        foreign: false,
        ends: [Self::END; 2],
    };

    /// A channel between two fibers that another core made, whose end 0 is there.
    pub fn mirror(base: u64, far: Far) -> Self {
        let free = End { mapped: NONE, ..Self::END };
        let ends = [End { far: Some(far), ..free.clone() }, free];
        Self { base, slots: DEFAULT_SLOTS, foreign: true, ends, ..Self::FREE }
    }

    fn p_len(&self) -> u64 {
        let bytes = SLOTS_OFFSET + self.slots as usize * SLOT_LEN;
        bytes.next_multiple_of(PAGE) as u64
    }
    fn ring_len(&self) -> u64 {
        self.p_len() + PAGE as u64
    }
    /// Bytes of the whole.
    pub fn len(&self) -> u64 {
        2 * (self.ring_len() + self.buffer as u64)
    }
    /// Physical addresses of P and C of the ring that `side` produces into.
    pub fn ring(&self, side: u8) -> (u64, u64) {
        let p = self.base + side as u64 * self.ring_len();
        (p, p + self.p_len())
    }
    fn buffer_of(&self, side: u8) -> u64 {
        self.base + 2 * self.ring_len() + side as u64 * self.buffer as u64
    }
    /// What `map` of end `side` tells.
    pub fn info(&self, side: u8) -> MapInfo {
        let ((tx_p, tx_c), (rx_p, rx_c)) = (self.ring(side), self.ring(1 - side));
        MapInfo {
            tx_p,
            tx_c,
            rx_p,
            rx_c,
            tx_buffer: self.buffer_of(side),
            rx_buffer: self.buffer_of(1 - side),
            slots: self.slots,
            buffer_len: self.buffer,
            generation: self.generation,
            slot_len: SLOT_LEN as u32,
        }
    }
    /// The pieces that end `side` sees: address, bytes, permissions.
    pub fn views(&self, side: u8) -> [(u64, u64, u8); 6] {
        let info = self.info(side);
        let page = PAGE as u64;
        [
            (info.tx_p, self.p_len(), R | W),
            (info.tx_c, page, R),
            (info.rx_p, self.p_len(), R),
            (info.rx_c, page, R | W),
            (info.tx_buffer, self.buffer as u64, R | W),
            (info.rx_buffer, self.buffer as u64, R),
        ]
    }
}

impl<M: Machine> Kernel<M> {
    /// A channel with fresh, zeroed memory and ends that nobody holds yet.
    pub(crate) fn new_channel(
        &mut self,
        number: u32,
        slots: u32,
        buffer: u32,
    ) -> Result<u8, Error> {
        let index = self.channels.iter().position(|c| c.base == 0).ok_or(Error::Full)?;
        let areas = (buffer as usize).is_multiple_of(PAGE) && buffer <= BUFFER_MAX;
        if !slots.is_power_of_two() || slots > SLOTS_MAX || !areas {
            return Err(Error::BadCall);
        }
        // Nobody there yet is not `Gone`: a driver starts before its clients, and what is sent early waits in the ring.
        let end = End { mapped: NONE, ..Channel::END };
        let ends = [end.clone(), end];
        let mut channel = Channel { slots, buffer, number, ends, ..Channel::FREE };
        channel.base = self.memory.take(channel.len())?;
        // Large ones are the manifest's, made at boot, when nobody runs yet; a child's has four pages.
        self.machine.zero(channel.base, channel.len() as usize);
        self.channels[index] = channel;
        Ok(index as u8)
    }

    /// Gives the end an object that belongs to the domain of the fiber in place `holder`, which may use it with
    /// `pledge`. An end that was used before begins a new generation.
    pub(crate) fn attach_end(
        &mut self,
        channel: u8,
        side: u8,
        holder: u8,
        pledge: u64,
    ) -> Result<u32, Error> {
        let owner = self.fibers[holder as usize % FIBERS].domain;
        let object = self.new_object(Object::new(Body::End { channel, side }, owner, pledge))?;
        let place = &mut self.channels[channel as usize % CHANNELS];
        let end = &mut place.ends[side as usize & 1];
        let tell = end.object != 0 && !end.told;
        *end = End { object, mapped: NONE, holder, ..Channel::END };
        self.publish_end(channel, side, true);
        if tell {
            self.announce(channel, side);
        }
        Ok(object)
    }

    /// Drops an end that nobody has mapped: the other side gets `Gone` and is woken. What was granted to it and
    /// not taken is gone, too.
    pub(crate) fn drop_end(&mut self, channel: u8, side: u8) {
        self.withdraw(channel, side);
        let place = &mut self.channels[channel as usize % CHANNELS];
        let end = &mut place.ends[side as usize & 1];
        end.gone = true;
        if place.ends[1 - (side as usize & 1)].far.is_none() {
            self.signal_end(channel, 1 - (side & 1));
        }
        self.publish_end(channel, side, false);
    }

    /// The end of a channel that was made for two fibers goes with its own capability, so that who starts many children
    /// does not use up the table; a copy that was granted goes alone. Those of the manifest stay for the next
    /// instance of their service.
    pub(crate) fn drop_private_end(&mut self, cap: &Cap) {
        let object = cap.object;
        let Body::End { channel, side } = self.body(object) else { return };
        let private = self.channels[channel as usize % CHANNELS].number == 0;
        if private && cap.depth == 0 {
            self.unmap_everywhere(object);
            self.drop_end(channel, side);
            self.free_object(object);
            self.free_channel_if_dead(channel);
        }
    }

    /// Frees a channel that was made for two fibers when both are gone. Those of the manifest stay.
    pub(crate) fn free_channel_if_dead(&mut self, channel: u8) {
        let place = &self.channels[channel as usize % CHANNELS];
        let dead = place.ends.iter().all(|end| end.gone || (place.foreign && end.far.is_some()));
        if place.number == 0 && place.base != 0 && dead && !self.is_kept_channel(channel) {
            let (base, len) = (place.base, place.len());
            let ends = [place.ends[0].object, place.ends[1].object];
            // Who broke its ring may still hold an end, and the place is the next pair's.
            for object in ends {
                if matches!(self.body(object), Body::End { channel: of, .. } if of == channel) {
                    self.unmap_everywhere(object);
                    self.free_object(object);
                }
            }
            if self.lending.has_end_of(channel) {
                // When it is back.
                return;
            }
            let foreign = self.channels[channel as usize % CHANNELS].foreign;
            self.forget_link(channel);
            self.channels[channel as usize % CHANNELS] = Channel::FREE;
            if !foreign {
                self.memory.give(base, len);
                self.accounts.give_channel(channel);
            }
        }
    }

    /// Maps an end into the current domain.
    pub(crate) fn channel_map(&mut self, channel: u8, side: u8) -> Result<MapInfo, Error> {
        let domain = self.domain;
        let place = &mut self.channels[channel as usize % CHANNELS];
        let end = &mut place.ends[side as usize & 1];
        if end.mapped != NONE && end.mapped != domain {
            return Err(Error::Exists);
        }
        if end.broken {
            return Err(Error::Gone);
        }
        end.mapped = domain;
        let (info, views) = (place.info(side), place.views(side));
        for (address, len, perms) in views {
            if let Err(error) = self.map_pages(address, len, perms, Memory::Normal) {
                self.channel_unmap(channel, side);
                return Err(error);
            }
        }
        Ok(info)
    }

    /// Unmaps an end from the domain that has it; from then on the kernel is that side.
    pub(crate) fn channel_unmap(&mut self, channel: u8, side: u8) {
        let place = &mut self.channels[channel as usize % CHANNELS];
        let domain = core::mem::replace(&mut place.ends[side as usize & 1].mapped, NONE);
        let (base, len) = (place.base, place.len());
        if domain != NONE {
            self.unmap_pages(domain, base, len);
        }
    }

    /// The object's latched bit is set and its waiters become ready: doorbell, interrupt, end. A bit that is
    /// set already stays.
    pub(crate) fn signal(&mut self, index: u32) {
        let object = &mut self.objects[index as usize % OBJECTS];
        object.latched = true;
        let waiters = core::mem::take(&mut object.waiters);
        if object.watchers != 0 {
            self.tell_watchers(index);
        }
        if waiters != 0 {
            self.wake_all(waiters);
        }
    }
}
