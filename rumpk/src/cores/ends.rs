//! Channels between cores. The rings lie in memory that both sides map and need nobody; a core keeps of such a channel
//! what its own end needs, and of the other end where it is and whether it is there.
//!
//! That is one word for each end of each channel of each core ([`State`]), written by that core alone. A change rings the
//! other core's bell for the channel, and its look at the word is all there is to it: any number of changes costs one
//! look, and none is lost. Doorbells are bells too: the latched bit of the contract, across cores.
use super::CHANGED;
use crate::kernel::{CHANNELS, Kernel};
use arch::{CORES, Machine};
use core::sync::atomic::Ordering;

/// State of an end on its own core.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct State {
    /// Somebody holds it. Not held and with a serial number: nobody does any more.
    pub held: bool,
    /// Rises with every holder; 0: there was none yet.
    pub serial: u32,
}

impl State {
    fn encode(self) -> u32 {
        self.serial << 1 | u32::from(self.held)
    }
    fn decode(word: u32) -> Self {
        Self { held: word & 1 != 0, serial: word >> 1 }
    }
}

/// Where the end of a channel is that another core has.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Far {
    pub core: u8,
    /// Number of the channel there.
    pub index: u8,
    /// Of the holder that we know.
    pub serial: u32,
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
        let serial = before.serial + u32::from(held);
        self.set_end_state(channel, side, State { held, serial });
        let peer = 1 - (side & 1);
        if self.channels[channel as usize % CHANNELS].number != 0 {
            self.find_far(channel, peer);
        }
        if let Some(far) = self.channels[channel as usize % CHANNELS].ends[peer as usize].far {
            self.bell(far.core, CHANGED + far.index as usize);
        }
    }

    /// Looks for the core that has an end of a channel of the manifest. `true`: there is a holder that we did not know.
    fn find_far(&mut self, channel: u8, side: u8) -> bool {
        let own = self.core;
        let place = &self.channels[channel as usize % CHANNELS];
        let known = place.ends[side as usize & 1].far;
        if place.ends[side as usize & 1].object != 0 && known.is_none() {
            // It is our own.
            return false;
        }
        for core in (0..self.places.cores).filter(|&core| core != own) {
            let state = self.end_state(core, channel, side);
            let far = Far { core, index: channel, serial: state.serial };
            if state.held {
                let end = &mut self.channels[channel as usize % CHANNELS].ends[side as usize & 1];
                (end.far, end.gone, end.broken) = (Some(far), false, false);
                let new = known != Some(far);
                if new && known.is_some() {
                    self.channels[channel as usize % CHANNELS].generation += 1;
                }
                return new;
            }
        }
        false
    }

    /// The other core says that an end of this channel changed there.
    pub(super) fn end_changed(&mut self, channel: u8) {
        let place = &self.channels[channel as usize % CHANNELS];
        if place.base == 0 {
            return;
        }
        let of_manifest = place.number != 0;
        for side in [0, 1] {
            let mut changed = of_manifest && self.find_far(channel, side);
            let end = &self.channels[channel as usize % CHANNELS].ends[side as usize];
            if let Some(far) = end.far
                && !end.gone
            {
                let state = self.end_state(far.core, far.index, side);
                if !state.held || state.serial != far.serial {
                    self.channels[channel as usize % CHANNELS].ends[side as usize].gone = true;
                    changed = true;
                }
            }
            if changed {
                self.signal_end(channel, 1 - side);
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
