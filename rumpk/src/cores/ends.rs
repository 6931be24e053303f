//! Channels between cores. The rings lie in memory that both sides map and need nobody; a core keeps of such a channel
//! what its own end needs, and of the other end where it is and whether it is there.
//!
//! That is one word for each end of each channel of each core ([`State`]), written by that core alone. A change rings the
//! other core's bell for the channel, and its look at the word is all there is to it: any number of changes costs one
//! look, and none is lost. Doorbells are bells too: the latched bit of the contract, across cores.
use super::CHANGED;
use crate::domain::Domain;
use crate::kernel::{CHANNELS, Kernel};
use arch::{CORES, Machine};
use core::sync::atomic::Ordering;

/// State of an end on its own core.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct State {
    /// Somebody holds it. Not held and with a serial number: nobody does any more.
    pub held: bool,
    /// Its holder is in quarantine: it is nobody's for now.
    pub parked: bool,
    /// Which instance of its holder has it, modulo 256.
    pub instance: u8,
    /// Rises with every holder, modulo 2^22; 0: there was none yet.
    pub serial: u32,
}

impl State {
    fn encode(self) -> u32 {
        let flags = u32::from(self.parked) << 1 | u32::from(self.held);
        self.serial << 10 | u32::from(self.instance) << 2 | flags
    }
    fn decode(word: u32) -> Self {
        Self {
            held: word & 1 != 0,
            parked: word & 2 != 0,
            instance: (word >> 2) as u8,
            serial: word >> 10,
        }
    }
}

/// Where the end of a channel is that another core has.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Far {
    pub core: u8,
    /// Number of the channel there.
    pub index: u8,
    /// Of the holder that we know, and which of its instances.
    pub instance: u8,
    pub serial: u32,
}

/// What a look at another core's end found.
#[derive(Clone, Copy, PartialEq, Eq)]
enum News {
    None,
    /// Its first holder came, or its last one went.
    Changed,
    /// Another instance holds it.
    Another,
}

impl<M: Machine> Kernel<M> {
    pub(super) fn end_state(&self, core: u8, index: u8, side: u8) -> State {
        let Some(shared) = self.shared else { return State::default() };
        let ends = &shared.ends[core as usize % CORES][index as usize % CHANNELS];
        // Sequentially consistent, here and in `set_end_state`: of two cores that each write their own end and then
        // look at the other's, one at least sees what the other wrote.
        State::decode(ends[side as usize & 1].load(Ordering::SeqCst))
    }

    fn set_end_state(&self, index: u8, side: u8, state: State) {
        let Some(shared) = self.shared else { return };
        let ends = &shared.ends[self.core as usize % CORES][index as usize % CHANNELS];
        ends[side as usize & 1].store(state.encode(), Ordering::SeqCst);
    }

    /// An end was attached or dropped here. Tells the core that has the other one.
    pub(crate) fn publish_end(&mut self, channel: u8, side: u8, held: bool) {
        if self.shared.is_none() {
            return;
        }
        if !held && self.is_lent_end(channel, side) {
            // Told when no other core can reach it any more.
            return;
        }
        let before = self.end_state(self.core, channel, side);
        let state = match (held, before.held) {
            // One that was told already, or comes out of quarantine.
            (true, true) => {
                let instance = before.instance.wrapping_add(before.parked.into());
                State { parked: false, instance, ..before }
            }
            (true, false) => State { held, parked: false, instance: 0, serial: before.serial + 1 },
            (false, _) => State { held, parked: false, ..before },
        };
        self.publish_state(channel, side, state);
    }

    /// The holder of an end restarts, or waits in quarantine for that.
    pub(crate) fn publish_restart(&mut self, channel: u8, side: u8, parked: bool) {
        if self.shared.is_none() {
            return;
        }
        let before = self.end_state(self.core, channel, side);
        let instance = before.instance.wrapping_add((!parked).into());
        self.publish_state(channel, side, State { held: true, parked, instance, ..before });
    }

    fn publish_state(&mut self, channel: u8, side: u8, state: State) {
        self.set_end_state(channel, side, state);
        let peer = 1 - (side & 1);
        let place = &self.channels[channel as usize % CHANNELS];
        if place.number != 0 && place.ends[peer as usize].far.is_none() {
            self.find_far(channel, peer);
        }
        if let Some(far) = self.channels[channel as usize % CHANNELS].ends[peer as usize].far {
            self.bell(far.core, CHANGED + far.index as usize);
        }
    }

    /// Looks for the core that has an end of a channel of the manifest.
    fn find_far(&mut self, channel: u8, side: u8) -> News {
        let own = self.core;
        let place = &self.channels[channel as usize % CHANNELS];
        let known = place.ends[side as usize & 1].far;
        if place.ends[side as usize & 1].object != 0 && known.is_none() {
            // It is our own.
            return News::None;
        }
        for core in (0..self.places.cores).filter(|&core| core != own) {
            let state = self.end_state(core, channel, side);
            let State { instance, serial, .. } = state;
            let far = Far { core, index: channel, instance, serial };
            if state.held && !state.parked {
                let end = &mut self.channels[channel as usize % CHANNELS].ends[side as usize & 1];
                (end.far, end.gone, end.broken) = (Some(far), false, false);
                return match known {
                    Some(known) if known == far => News::None,
                    Some(_) => News::Another,
                    None => News::Changed,
                };
            }
        }
        News::None
    }

    /// Looks at what the core says that is known to have an end.
    fn look_at(&mut self, channel: u8, side: u8) -> News {
        let end = &self.channels[channel as usize % CHANNELS].ends[side as usize & 1];
        let Some(far) = end.far else { return News::None };
        let (gone, state) = (end.gone, self.end_state(far.core, far.index, side));
        let end = &mut self.channels[channel as usize % CHANNELS].ends[side as usize & 1];
        if !state.held || state.parked || state.serial != far.serial {
            end.gone = true;
            return if gone { News::None } else { News::Changed };
        }
        if state.instance == far.instance {
            return News::None;
        }
        end.far = Some(Far { instance: state.instance, ..far });
        (end.gone, end.broken) = (false, false);
        News::Another
    }

    /// Whether a private channel whose ends are both gone will be used again: where a child on the other core, or our own of
    /// a parent there, is in quarantine.
    pub(crate) fn is_kept_channel(&self, channel: u8) -> bool {
        let place = &self.channels[channel as usize % CHANNELS];
        let linked = |domain: &Domain<M>| domain.link == channel + 1;
        let kept = place.foreign && !place.ends[0].gone && self.domains.iter().any(linked);
        kept || self.is_parked_end(channel, 1)
    }

    /// A private channel goes: the instance that its child may have next is born without it.
    pub(crate) fn forget_link(&mut self, channel: u8) {
        for domain in self.domains.iter_mut().filter(|d| d.link == channel + 1) {
            domain.link = 0;
        }
        if self.channels[channel as usize % CHANNELS].foreign
            && self.end_state(self.core, channel, 1).held
        {
            self.publish_end(channel, 1, false);
        }
    }

    /// Whether the holder of an end on another core is in quarantine: it still has the channel's memory.
    fn is_parked_end(&self, channel: u8, side: u8) -> bool {
        let end = &self.channels[channel as usize % CHANNELS].ends[side as usize & 1];
        end.far.is_some_and(|far| {
            let state = self.end_state(far.core, far.index, side);
            state.held && state.parked && state.serial == far.serial
        })
    }

    /// The other core says that an end of this channel changed there.
    pub(super) fn end_changed(&mut self, channel: u8) {
        let place = &self.channels[channel as usize % CHANNELS];
        if place.base == 0 {
            return;
        }
        let of_manifest = place.number != 0;
        for side in [0, 1] {
            let found = if of_manifest { self.find_far(channel, side) } else { News::None };
            let news = if found == News::None { self.look_at(channel, side) } else { found };
            match news {
                News::None => {}
                News::Changed => {
                    self.signal_end(channel, 1 - side);
                }
                News::Another => self.announce(channel, side),
            }
        }
        self.free_channel_if_dead(channel);
    }

    /// A doorbell of the end or ends that are ours.
    pub(super) fn heard_doorbell(&mut self, channel: u8) {
        for side in [0, 1] {
            let end = &self.channels[channel as usize % CHANNELS].ends[side];
            if end.far.is_none() && end.object != 0 && !end.gone {
                let object = end.object;
                self.signal(object);
            }
        }
    }

    /// Latches the doorbell of an end, wherever it is; `false`: it was latched already, on another core.
    pub(crate) fn signal_end(&mut self, channel: u8, side: u8) -> bool {
        let end = &self.channels[channel as usize % CHANNELS].ends[side as usize & 1];
        match end.far {
            Some(_) if end.gone => true,
            Some(far) => self.bell(far.core, far.index as usize),
            None if end.object != 0 => {
                let object = end.object;
                self.signal(object);
                true
            }
            None => true,
        }
    }
}
