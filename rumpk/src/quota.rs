//! What a domain may give to its children: memory and places in the kernel's tables, carved out of its own.
//!
//! Every domain has an account. A service's is filled by the manifest; a child's out of its parent's, first what the
//! child itself costs, then a share of the rest for children of its own. Who starts more than it can pay for is answered
//! `NoMemory` or `Full`, and nobody else notices: the sum of all accounts never grows (decision 0024).
//!
//! What a domain was given comes back at its end, but for what its own children still hold, which from then on is paid
//! by whoever paid for it. A fiber that ended and was not asked about keeps its place, and a channel its pages until both
//! ends are gone, at the expense of who asked for them.
use crate::kernel::{CHANNELS, DOMAINS, FIBERS, Kernel};
use abi::PAGE;
use abi::call::Error;
use abi::pledge;
use arch::Machine;

/// Of what is free at boot, the part that a service's children may take unless the manifest says otherwise.
const SHARE: u64 = 8;
/// Places for a service's children unless the manifest says otherwise.
const PLACES: u32 = 16;
/// Of what a parent has left, the part that a child gets for children of its own.
const HEIR: u64 = 8;

/// Memory in bytes, and places: one for each fiber that a domain may have, one for a channel.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Quota {
    pub bytes: u64,
    pub places: u32,
}

impl Quota {
    pub const NONE: Self = Self { bytes: 0, places: 0 };
    /// What a channel takes besides its pages.
    const fn channel(bytes: u64) -> Self {
        Self { bytes, places: 1 }
    }
    const PLACE: Self = Self { bytes: 0, places: 1 };

    /// `NoMemory` or `Full` if `other` is more.
    fn less(self, other: Self) -> Result<Self, Error> {
        Ok(Self {
            bytes: self.bytes.checked_sub(other.bytes).ok_or(Error::NoMemory)?,
            places: self.places.checked_sub(other.places).ok_or(Error::Full)?,
        })
    }
    pub const fn more(self, other: Self) -> Self {
        Self {
            bytes: self.bytes.saturating_add(other.bytes),
            places: self.places.saturating_add(other.places),
        }
    }
}

/// Who pays: domain + 1; 0 is nobody, as the manifest paid.
type Payer = u8;

#[derive(Clone, Copy)]
struct Account {
    /// All it was given: what the domain costs, and what it may spend.
    given: Quota,
    /// What it may still spend.
    left: Quota,
    payer: Payer,
}

/// The accounts of a core's domains.
pub struct Accounts {
    list: [Account; DOMAINS],
    /// Channels between a parent and a child, until both ends are gone.
    channels: [(Payer, u64); CHANNELS],
    /// First fibers that ended, until they are asked about.
    unasked: [Payer; FIBERS],
    /// Bytes of a service that the manifest says nothing about.
    share: u64,
}

impl Accounts {
    /// Nobody has anything.
    pub const NONE: Self = Self {
        list: [Account { given: Quota::NONE, left: Quota::NONE, payer: 0 }; DOMAINS],
        channels: [(0, 0); CHANNELS],
        unasked: [0; FIBERS],
        share: 0,
    };

    fn of(&mut self, domain: u8) -> &mut Account {
        &mut self.list[domain as usize % DOMAINS]
    }
    fn payer(&mut self, payer: Payer) -> Option<&mut Account> {
        self.list.get_mut((payer as usize).checked_sub(1)?)
    }
    /// The domain that pays for this one; `None` if none does.
    pub fn payer_of(&self, domain: u8) -> Option<u8> {
        self.list[domain as usize % DOMAINS].payer.checked_sub(1)
    }
    fn give(&mut self, payer: Payer, back: Quota) {
        if let Some(account) = self.payer(payer) {
            account.left = account.left.more(back);
        }
    }

    /// What a domain may still spend.
    #[cfg(test)]
    pub fn left(&mut self, domain: u8) -> Quota {
        self.of(domain).left
    }

    /// Says how much memory is free at boot.
    pub fn begin(&mut self, free: u64) {
        self.share = free / SHARE;
    }

    /// The account of a service: `pages` and `places` for its children as the manifest has them, 0: the default.
    pub fn open_service(&mut self, domain: u8, pages: u16, places: u16) {
        let bytes = if pages == 0 { self.share } else { u64::from(pages) * PAGE as u64 };
        let left = Quota { bytes, places: if places == 0 { PLACES } else { places.into() } };
        *self.of(domain) = Account { given: left, left, payer: 0 };
    }

    /// The account of a child that itself costs `cost`, out of its parent's; `heir`: it may need more than that.
    pub fn open_child(
        &mut self,
        parent: u8,
        child: u8,
        cost: Quota,
        heir: bool,
    ) -> Result<(), Error> {
        let left = self.take_child(parent, cost, heir)?;
        *self.of(child) = Account { given: cost.more(left), left, payer: parent + 1 };
        Ok(())
    }

    /// Takes the cost of a child out of its parent's account, and a share for children of its own, which is answered.
    pub fn take_child(&mut self, parent: u8, cost: Quota, heir: bool) -> Result<Quota, Error> {
        let rest = self.of(parent).left.less(cost)?;
        let mut left = Quota::NONE;
        if heir {
            let bytes = rest.bytes / HEIR;
            left.bytes = bytes - bytes % PAGE as u64;
            left.places = rest.places / HEIR as u32;
        }
        self.of(parent).left = rest.less(left)?;
        Ok(left)
    }

    /// Gives back what [`Self::take_child`] took for a child on another core: all of it.
    pub fn give_child(&mut self, parent: u8, all: Quota) {
        self.give(parent + 1, all);
    }

    /// The account of a child whose parent on another core paid, with its share.
    pub fn open_given(&mut self, domain: u8, left: Quota) {
        *self.of(domain) = Account { given: left, left, payer: 0 };
    }

    /// The domain ended. The place of its first fiber stays paid for until [`Self::asked`].
    pub fn close(&mut self, domain: u8, first: Option<usize>) {
        let Account { given, payer, .. } = *self.of(domain);
        let mut back = given;
        let own = domain + 1;
        for account in self.list.iter_mut().filter(|a| a.payer == own) {
            account.payer = payer;
            back = back.less(account.given).unwrap_or_default();
        }
        for (of, bytes) in self.channels.iter_mut().filter(|(of, _)| *of == own) {
            *of = payer;
            back = back.less(Quota::channel(*bytes)).unwrap_or_default();
        }
        for of in self.unasked.iter_mut().filter(|of| **of == own) {
            *of = payer;
            back = back.less(Quota::PLACE).unwrap_or_default();
        }
        *self.of(domain) = Self::NONE.list[0];
        if let (Some(first), true) = (first, payer != 0) {
            self.unasked[first % FIBERS] = payer;
            back = back.less(Quota::PLACE).unwrap_or_default();
        }
        self.give(payer, back);
    }

    /// The place of an ended fiber is free.
    pub fn asked(&mut self, place: usize) {
        let payer = core::mem::take(&mut self.unasked[place % FIBERS]);
        self.give(payer, Quota::PLACE);
    }

    /// Pages for a stack of the domain's own.
    pub fn take_stack(&mut self, domain: u8, bytes: u64) -> Result<(), Error> {
        let account = self.of(domain);
        account.left = account.left.less(Quota { bytes, places: 0 })?;
        Ok(())
    }

    /// They are back.
    pub fn give_stack(&mut self, domain: u8, bytes: u64) {
        let account = self.of(domain);
        account.left = account.left.more(Quota { bytes, places: 0 });
    }

    /// A channel of `bytes` to a child.
    pub fn take_channel(&mut self, domain: u8, channel: u8, bytes: u64) -> Result<(), Error> {
        let account = self.of(domain);
        account.left = account.left.less(Quota::channel(bytes))?;
        self.channels[channel as usize % CHANNELS] = (domain + 1, bytes);
        Ok(())
    }

    /// It is free.
    pub fn give_channel(&mut self, channel: u8) {
        let (payer, bytes) = core::mem::take(&mut self.channels[channel as usize % CHANNELS]);
        self.give(payer, Quota::channel(bytes));
    }
}

impl<M: Machine> Kernel<M> {
    /// The energy of a domain that ended is its payer's again, but for what its own children hold: they hold it from the payer
    /// now, as [`Accounts::close`] does with memory. In the payer's windows, and all of them together no more than what
    /// was taken for the domain.
    pub(crate) fn return_energy(&mut self, id: u8) {
        let domain = &self.domains[id as usize % DOMAINS];
        let (mut rest, of) = (domain.carved, pledge::spectrum(domain.born));
        let payer = self.accounts.payer_of(id);
        let per = payer.map_or(of, |payer| self.sched.spectrum(payer));
        for child in 0..DOMAINS {
            if self.accounts.payer_of(child as u8) == Some(id) {
                let held = &mut self.domains[child].carved;
                *held = sched::share(*held, of, per).min(rest);
                rest -= *held;
            }
        }
        if let Some(payer) = payer {
            self.sched.give_back(payer, rest);
        }
    }

    /// Fibers that the domain has or had and did not ask about.
    pub(crate) fn own_fibers(&self, id: u8) -> u32 {
        let ended = |f: &&crate::fiber::Fiber<M>| {
            let of = self.fibers.get(f.parent as usize).map(|parent| parent.domain);
            !f.is_free() && !f.is_alive() && f.domain == id && of == Some(id)
        };
        let ended = self.fibers.iter().filter(ended).count() as u32;
        self.domains[id as usize % DOMAINS].fibers.count_ones() + ended
    }
}

#[cfg(test)]
#[path = "quota_tests.rs"]
mod tests;
