//! What a new fiber is born with: links and grants of the manifest, what everyone has, what it inherits.
use crate::channel::Channel;
use crate::fiber::Fiber;
use crate::kernel::{CHANNELS, DOMAINS, FIBERS, Kernel};
use crate::manifest::region_len;
use crate::object::{Body, Far, FarKind, Object, single};
use crate::spawn::{Plan, Wish};
use abi::boot::Service;
use abi::call::{Error, NO_SLOT};
use abi::cap::{Kind, R, W, X, slot, verb};
use abi::pledge;
use arch::Machine;
use cap::Cap;
use veil::Veil;

impl<M: Machine> Kernel<M> {
    /// Puts a capability into a slot of a new fiber if its pledge allows it to be used at all.
    pub(crate) fn give(&mut self, place: usize, slot: u8, cap: Cap) {
        let needs = self.objects[cap.object as usize % crate::kernel::OBJECTS].pledge;
        let has = self.domains[self.fibers[place].domain as usize % DOMAINS].pledge;
        if needs & !has == 0 {
            // Two things for one slot: the manifest's own come first.
            if self.fibers[place].caps.put(slot as usize, cap).is_ok() {
                self.count_loan(cap.object);
            }
        }
    }

    /// What a new domain sees of the files: a service what the manifest says, anything else no more than its parent.
    /// `Full` if the lists do not fit into one table.
    /// It is written where it lies; until the domain is there, nobody reads it.
    pub(crate) fn veil_at_birth(
        &mut self,
        id: usize,
        plan: &Plan,
        wish: &Wish,
    ) -> Result<(), Error> {
        let parent = self.fibers.get(wish.parent as usize).map(|p| p.domain as usize % DOMAINS);
        if let (None, Some(parent)) = (&plan.service, parent) {
            // The parent's place is in use, the child's is free: they are two.
            let pair = self.veils.get_disjoint_mut([parent, id]);
            let [parent, veil] = pair.map_err(|_| Error::Full)?;
            parent.bequeath(veil);
            return Ok(());
        }
        let mut veil = Veil::new();
        if let (Some((_, service)), Some(manifest)) = (&plan.service, self.manifest()) {
            veil.narrow(manifest.unveils(service))?;
        }
        self.veils[id] = veil;
        Ok(())
    }

    pub(crate) fn birth_slots(&mut self, place: usize, plan: &Plan, wish: &Wish) {
        let id = self.fibers[place].domain;
        if let Some((index, service)) = plan.service {
            self.give_links(place, index);
            self.give_grants(place, id, &service);
        }
        self.give_singles(place, id);
        self.inherit_console(place, wish.parent);
    }

    /// What every fiber has: itself, its events, the clock, files, the factory.
    pub(crate) fn give_singles(&mut self, place: usize, id: u8) {
        let all = verb::ALL & !verb::GRANT & !verb::SEND;
        for (at, kind, object, verbs) in [
            (slot::SELF, Kind::SELF, single::SELF, 0),
            (slot::EVENTS, Kind::EVENTS, single::EVENTS, verb::RECV),
            (slot::CLOCK, Kind::CLOCK, single::CLOCK, all),
            (slot::FACTORY, Kind::FACTORY, single::FACTORY, all),
        ] {
            let cap = self.cap(kind, object, verbs, 0);
            self.give(place, at, cap);
        }
        let domain = &self.domains[id as usize % DOMAINS];
        let mut vfs = domain.vfs;
        if vfs == 0 && domain.pledge & (pledge::RPATH | pledge::WPATH) != 0 {
            // Which of the two a request needs, it says itself.
            let object = Object::new(Body::Vfs { domain: id }, id, 0);
            vfs = self.new_object(object).unwrap_or(0);
            self.domains[id as usize % DOMAINS].vfs = vfs;
        }
        if vfs != 0 {
            let cap = self.cap(Kind::CHANNEL, vfs, verb::SEND | verb::RECV | verb::MASK, 0);
            self.give(place, slot::VFS, cap);
        }
    }

    fn give_links(&mut self, place: usize, service: u16) {
        let Some(count) = self.manifest().map(|m| m.link_count()) else { return };
        for index in 0..count {
            self.give_link(place, service, index);
        }
    }

    /// The ends of one link that are the service's; `false`: none is.
    pub(crate) fn give_link(&mut self, place: usize, service: u16, index: u16) -> bool {
        let Some(link) = self.manifest().and_then(|m| m.link(index)) else { return false };
        let mut found = false;
        for (side, owner, at) in [(0, link.a, link.a_slot), (1, link.b, link.b_slot)] {
            if owner != service {
                continue;
            }
            found = true;
            // Channels of the manifest were made at boot, in its order.
            let attached = self.attach_end(index as u8, side, place as u8, link.pledge as u64);
            if let Ok(object) = attached {
                let cap = self.cap(Kind::CHANNEL, object, verb::ALL, R | W);
                self.give(place, at, cap);
            }
        }
        found
    }

    fn give_grants(&mut self, place: usize, id: u8, service: &Service) {
        for index in 0..service.grant_count {
            self.give_grant(place, id, service, index);
        }
    }

    /// Where the MEMORY object of grant `index` lies: at the end of the extent, one after the other.
    fn region_at(&self, id: u8, service: &Service, index: u32) -> u64 {
        let (base, len) = self.domains[id as usize % DOMAINS].extent;
        let Some(manifest) = self.manifest() else { return base };
        let grants = (0..index).filter_map(|i| manifest.grant(service, i));
        let before: u64 = grants.filter(|g| g.kind == Kind::MEMORY.0).map(|g| region_len(&g)).sum();
        base + len - manifest.regions(service) + before
    }

    /// One grant of the manifest.
    pub(crate) fn give_grant(&mut self, place: usize, id: u8, service: &Service, index: u32) {
        {
            let Some(g) = self.manifest().and_then(|m| m.grant(service, index)) else { return };
            let kind = Kind(g.kind);
            let (body, needs) = match kind {
                Kind::DEVICE => (Body::Device { base: g.a, len: g.b }, pledge::DEVICE),
                Kind::MEMORY => {
                    let base = self.region_at(id, service, index);
                    (Body::Memory { base, len: region_len(&g) }, pledge::STDIO)
                }
                Kind::IRQ => (Body::Irq { intid: g.a as u32 }, pledge::DEVICE),
                Kind::FIBER => {
                    self.give_fiber(place, g.arg as u16, g.slot, g.verbs);
                    return;
                }
                Kind::POWER | Kind::AUDIT | Kind::CLOCK => {
                    let object = match kind {
                        Kind::POWER => single::POWER,
                        Kind::AUDIT => single::AUDIT,
                        _ => single::CLOCK,
                    };
                    let cap = self.cap(kind, object, g.verbs, g.perms);
                    // One hop from the kernel, whose they are: no service revokes them for the others.
                    self.give(place, g.slot, Cap { depth: 1, ..cap });
                    return;
                }
                _ => return,
            };
            if kind == Kind::IRQ {
                self.machine.prepare_interrupt(g.a as u32, g.arg & 1 != 0);
            }
            if let Ok(object) = self.new_object(Object::new(body, id, needs)) {
                let mut cap = self.cap(kind, object, g.verbs, g.perms & !X);
                if let Body::Device { len, .. } | Body::Memory { len, .. } = body {
                    cap = cap.with_range(0, len);
                }
                self.give(place, g.slot, cap);
            }
        }
    }

    /// A capability to the fiber that runs another service, if it runs.
    fn give_fiber(&mut self, place: usize, service: u16, at: u8, verbs: u8) {
        let of = |f: &Fiber<M>| self.domains[f.domain as usize % DOMAINS].service;
        let found = self.fibers.iter().find(|f| f.is_alive() && f.object != 0 && of(f) == service);
        if let Some(object) = found.map(|f| f.object) {
            let cap = self.cap(Kind::FIBER, object, verbs, 0);
            // One hop from the capability of its parent, who may revoke it.
            self.give(place, at, Cap { depth: 1, ..cap });
        } else if let Some(home) = self.service_at(service) {
            let far = Body::Far(Far::of(FarKind::Fiber, home));
            let owner = self.fibers[place].domain;
            if let Ok(object) = self.new_object(Object::new(far, owner, 0)) {
                let cap = self.cap(Kind::FIBER, object, verbs, 0);
                self.give(place, at, Cap { depth: 1, ..cap });
            }
        }
    }

    /// The channel that the parent asked for, before anything of the child is decided.
    pub(crate) fn channel_to_child(&mut self, wish: &Wish) -> Result<Option<u8>, Error> {
        if wish.channel_slot == NO_SLOT || wish.parent as usize >= FIBERS {
            return Ok(None);
        }
        let channel = self.new_channel(0, abi::ring::DEFAULT_SLOTS, 0)?;
        let len = self.channels[channel as usize % CHANNELS].len();
        let payer = self.fibers[wish.parent as usize].domain;
        if let Err(error) = self.accounts.take_channel(payer, channel, len) {
            self.discard_channel(Some(channel));
            return Err(error);
        }
        Ok(Some(channel))
    }

    pub(crate) fn discard_channel(&mut self, channel: Option<u8>) {
        let Some(index) = channel else { return };
        let place = &mut self.channels[index as usize % CHANNELS];
        let channel = core::mem::replace(place, Channel::FREE);
        self.memory.give(channel.base, channel.len());
        self.accounts.give_channel(index);
    }

    /// Slot 3 of the child and the slot that the parent asked for: a channel of their own.
    pub(crate) fn connect_parent(&mut self, place: usize, wish: &Wish, channel: Option<u8>) {
        // Made only for who has a parent.
        let Some(channel) = channel else { return };
        let ends = (
            self.attach_end(channel, 0, wish.parent, 0),
            self.attach_end(channel, 1, place as u8, 0),
        );
        // Room for the objects was counted before.
        if let (Ok(a), Ok(b)) = ends {
            let cap = self.cap(Kind::CHANNEL, a, verb::ALL, R | W);
            // Checked to be free.
            let _ = self.fibers[wish.parent as usize].caps.put(wish.channel_slot as usize, cap);
            let cap = self.cap(Kind::CHANNEL, b, verb::ALL, R | W);
            self.give(place, slot::PARENT, cap);
            let id = self.fibers[place].domain;
            self.domains[id as usize % DOMAINS].link = channel + 1;
        }
    }

    /// Without a console of its own a child speaks through its parent's, which it can neither map nor pass on.
    pub(crate) fn inherit_console(&mut self, place: usize, parent: u8) {
        let Some(parent) = self.fibers.get(parent as usize) else { return };
        let ends =
            [slot::CONSOLE_IN, slot::CONSOLE_OUT].map(|at| (at, parent.caps.get(at).copied()));
        for (at, cap) in ends {
            if let Ok(cap) = cap {
                let copy = cap.inherited(verb::SEND | verb::RECV | verb::MASK);
                // What the parent has no right to say or hear leaves the slot free.
                if !copy.is_empty() {
                    self.give(place, at, copy);
                }
            }
        }
    }
}
