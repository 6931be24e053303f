//! Capabilities on their way: given by one end of a channel, not yet taken at the other.
//!
//! Four places per direction, first in, first out. A parked capability is void by the same rules as one in a slot:
//! when its object's epoch rises or its expiry comes. Nobody is told then; a void one leaves its place when
//! somebody looks, so that REVOKE need not know where copies are.
use abi::call::Error;
use abi::cap::PARKED;
use cap::Cap;

/// What waits at one channel: `to[side]` for whoever holds end `side`.
#[derive(Clone)]
pub struct Parked {
    to: [Line; 2],
}

/// One direction.
#[derive(Clone, Copy)]
struct Line {
    /// The first `count` are in use.
    caps: [Cap; PARKED],
    count: u8,
    /// Grants since the last event was taken.
    news: u32,
}

impl Parked {
    const EMPTY: Line = Line { caps: [Cap::EMPTY; PARKED], count: 0, news: 0 };
    /// Nothing.
    pub const NONE: Self = Self { to: [Self::EMPTY; 2] };

    fn line(&mut self, side: u8) -> &mut Line {
        &mut self.to[side as usize & 1]
    }

    /// Whether something waits at end `side`; it may be void.
    pub fn waits(&self, side: u8) -> bool {
        self.to[side as usize & 1].count != 0
    }

    /// Room for one more at end `side`, after what is void by `lives` is `left`: `Full` if there is none.
    pub fn make_room(
        &mut self,
        side: u8,
        lives: impl Fn(&Cap) -> bool,
        left: &mut [Cap; PARKED],
    ) -> Result<(), Error> {
        let line = self.line(side);
        line.keep(lives, left);
        if (line.count as usize) < PARKED { Ok(()) } else { Err(Error::Full) }
    }

    /// Parks a capability where [`Self::make_room`] found room.
    pub fn put(&mut self, side: u8, cap: Cap) {
        let line = self.line(side);
        if let Some(place) = line.caps.get_mut(line.count as usize) {
            *place = cap;
            line.count += 1;
            line.news = line.news.saturating_add(1);
        }
    }

    /// Takes the oldest one that `lives`; the void ones are `left`.
    pub fn take(
        &mut self,
        side: u8,
        lives: impl Fn(&Cap) -> bool,
        left: &mut [Cap; PARKED],
    ) -> Option<Cap> {
        let line = self.line(side);
        line.keep(lives, left);
        if line.count == 0 {
            return None;
        }
        let first = line.caps[0];
        line.caps.copy_within(1.., 0);
        line.count -= 1;
        line.caps[line.count as usize] = Cap::EMPTY;
        Some(first)
    }

    /// Grants to end `side` since the last call.
    pub fn take_news(&mut self, side: u8) -> u32 {
        core::mem::take(&mut self.line(side).news)
    }

    /// Nobody is there any more to take what waits at end `side`, which is handed out.
    pub fn clear(&mut self, side: u8) -> [Cap; PARKED] {
        core::mem::replace(self.line(side), Self::EMPTY).caps
    }
}

impl Line {
    fn keep(&mut self, lives: impl Fn(&Cap) -> bool, left: &mut [Cap; PARKED]) {
        let mut kept = 0;
        for at in 0..self.count as usize {
            let cap = self.caps[at];
            if lives(&cap) {
                self.caps[kept] = cap;
                kept += 1;
            } else {
                left[at - kept] = cap;
            }
        }
        self.caps[kept..].fill(Cap::EMPTY);
        self.count = kept as u8;
    }
}
