//! The layout of a wish in a parcel: what `spawn` says, for a core that starts the domain.
use super::parcel::Parcel;
use super::share::Home;
use crate::kernel::{CHANNELS, Kernel};
use crate::object::{Body, FarKind};
use crate::quota::Quota;
use crate::spawn::Wish;
use abi::call::ARGS_MAX;
use abi::cap::slot;
use arch::Machine;

/// Where the parts of a wish stand in the parcel, bytes.
pub(super) mod at {
    pub const PLEDGE: usize = 0;
    pub const ENERGY: usize = 8;
    pub const HEAP: usize = 16;
    pub const LIMIT: usize = 24;
    pub const SERVICE: usize = 32;
    pub const ARGS_LEN: usize = 40;
    pub const PARENT: usize = 48;
    pub const PARENT_ID: usize = 56;
    pub const CHANNEL: usize = 64;
    pub const CHANNEL_AT: usize = 72;
    /// Two words each.
    pub const CONSOLES: usize = 80;
    /// Bytes, then places.
    pub const LEFT: usize = 112;
    pub const NAME: usize = 128;
    pub const PATH: usize = 192;
    pub const ARGS: usize = 288;
}
const _: () = assert!(at::ARGS + ARGS_MAX <= super::parcel::LEN);

impl<M: Machine> Kernel<M> {
    /// Writes the current fiber's wish for a child that it names by `home`.
    pub(super) fn put_wish(
        &self,
        parcel: &Parcel,
        wish: &Wish,
        home: Home,
        channel: Option<u8>,
        left: Quota,
    ) {
        parcel.put_word(at::PLEDGE, wish.pledge);
        parcel.put_word(at::ENERGY, wish.energy);
        parcel.put_word(at::HEAP, wish.heap);
        parcel.put_word(at::LIMIT, self.domain().pledge);
        parcel.put_word(at::SERVICE, wish.service.map_or(u64::MAX, u64::from));
        parcel.put_word(at::ARGS_LEN, wish.args.len() as u64);
        parcel.put_word(at::PARENT, home.encode());
        parcel.put_word(at::PARENT_ID, self.fiber().id.into());
        let base = channel.map_or(0, |c| self.channels[c as usize % CHANNELS].base);
        parcel.put_word(at::CHANNEL, base);
        let serial = channel.map_or(0, |c| self.end_state(self.core, c, 0).serial);
        let index = channel.unwrap_or_default();
        parcel.put_word(at::CHANNEL_AT, u64::from(index) << 32 | u64::from(serial));
        parcel.put_word(at::LEFT, left.bytes);
        parcel.put_word(at::LEFT + 8, left.places.into());
        self.put_consoles(parcel);
        parcel.put(at::NAME, &abi::name::<64>(wish.name));
        parcel.put(at::PATH, &abi::name::<96>(wish.path));
        parcel.put(at::ARGS, wish.args);
    }

    /// The parent's console, lent to the child.
    fn put_consoles(&self, parcel: &Parcel) {
        for (n, at) in [slot::CONSOLE_IN, slot::CONSOLE_OUT].into_iter().enumerate() {
            let lent = self.fiber().caps.get(at).ok().and_then(|cap| {
                let home = match self.body(cap.object) {
                    Body::End { .. } => {
                        Home { core: self.core, object: cap.object as u16, epoch: cap.epoch }
                    }
                    Body::Far(far) if far.kind == FarKind::End => far.home,
                    _ => return None,
                };
                Some((home, cap.verbs, cap.depth))
            });
            let (word, rights) = lent.map_or((0, 0), |(home, verbs, depth)| {
                (home.encode(), u64::from(verbs) | u64::from(depth) << 8)
            });
            parcel.put_word(at::CONSOLES + n * 16, word);
            parcel.put_word(at::CONSOLES + n * 16 + 8, rights);
        }
    }
}
