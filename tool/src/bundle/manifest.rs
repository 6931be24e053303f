//! The compiled cell manifest: services, links and grants with their slots.
use abi::{
    PAGE,
    boot::{CellManifest, Grant, Link, MANIFEST_MAGIC, SERVICE_SECRET, Service as Record},
    cap::{Kind, R, W, slot},
    image::ImageManifest,
    ring::DEFAULT_SLOTS,
};

use crate::profile::{
    model::{Cell, Channel, Children, Service},
    unveil,
};
use crate::report::Spanned;

/// The manifest of a cell before it is bytes.
#[derive(Clone, Debug)]
pub struct Plan {
    /// Services in the profile's order.
    pub services: Vec<Record>,
    /// Channels.
    pub links: Vec<Link>,
    /// Grants, those of one service beside each other.
    pub grants: Vec<Grant>,
    text: Vec<u8>,
    next: Vec<usize>,
}

/// Lays out the manifest of `cell`. Names that the cell does not have are left out: `check` reports
/// them.
///
/// Slots from 8 on go to grants, then to channel ends, in the order of the profile; the console has
/// its own.
pub fn plan(cell: &Cell) -> Plan {
    let mut plan = Plan {
        services: Vec::new(),
        links: Vec::new(),
        grants: Vec::new(),
        text: Vec::new(),
        next: vec![usize::from(slot::FIRST); cell.services.len()],
    };
    for (index, service) in cell.services.iter().enumerate() {
        let first = plan.grants.len();
        plan.grant_all(cell, index, service);
        plan.add(service, first);
    }
    for (index, service) in cell.services.iter().enumerate() {
        for channel in &service.channels {
            plan.link(cell, index, channel);
        }
    }
    plan
}

/// A grant of all that its kind allows; the slot comes later.
fn whole(kind: Kind, perms: u8) -> Grant {
    Grant { kind: kind.0, verbs: kind.verbs(), perms, ..Grant::zeroed() }
}

impl Plan {
    fn grant_all(&mut self, cell: &Cell, index: usize, service: &Service) {
        for device in service.devices.iter().filter_map(|d| cell.device(&d.value)) {
            let window =
                Grant { a: device.at.value, b: device.len.value, ..whole(Kind::DEVICE, R | W) };
            self.grant(index, window);
            if let Some(irq) = &device.irq {
                self.grant(index, Grant { a: irq.value.into(), ..whole(Kind::IRQ, 0) });
            }
        }
        for (number, _) in service.fibers.iter().filter_map(|f| cell.service(&f.value)) {
            self.grant(index, Grant { arg: number as u32, ..whole(Kind::FIBER, 0) });
        }
        if service.power.is_some() {
            self.grant(index, whole(Kind::POWER, 0));
        }
        if service.audit.is_some() {
            self.grant(index, whole(Kind::AUDIT, 0));
        }
        if service.clock.is_some() {
            self.grant(index, whole(Kind::CLOCK, 0));
        }
        for region in &service.memory {
            self.grant(index, Grant { b: region.bytes.value, ..whole(Kind::MEMORY, R | W) });
        }
    }

    fn take(&mut self, index: usize) -> u8 {
        let slot = self.next[index];
        self.next[index] += 1;
        slot as u8
    }

    fn grant(&mut self, index: usize, grant: Grant) {
        let slot = self.take(index);
        self.grants.push(Grant { slot, ..grant });
    }

    fn add(&mut self, service: &Service, first: usize) {
        let args = service.args.as_ref().map_or("", |a| a.value.as_str());
        let unveils = unveil::encode(&service.unveils);
        let image = service
            .image
            .as_ref()
            .map_or(String::new(), |image| format!("Boot/bin/{}", image.value.name()));
        let children = service.children.as_ref();
        let asked = |of: fn(&Children) -> Option<&Spanned<u64>>| {
            children.and_then(of).map_or(0, |value| value.value)
        };
        self.services.push(Record {
            name: abi::name(&service.name.value),
            image: abi::name(&image),
            pledge: service.pledge(),
            energy: service.energy.value,
            stack: service.stack.as_ref().map_or(0, |s| s.value),
            heap: service.heap.as_ref().map_or(0, |h| h.value),
            flags: service.flags | service.secret.as_ref().map_or(0, |_| SERVICE_SECRET),
            policy: service.policy.as_ref().map_or(0, |p| p.value.into()),
            core: service.core.as_ref().map_or(0, |core| {
                u16::try_from(core.value).map_or(u16::MAX, |n| n.saturating_add(1))
            }),
            grant_first: first as u32,
            grant_count: (self.grants.len() - first) as u32,
            args: self.text.len() as u32,
            args_len: args.len() as u32,
            unveils: (self.text.len() + args.len()) as u16,
            unveils_len: unveils.len() as u16,
            child_pages: (asked(|c| c.memory.as_ref()) / PAGE as u64) as u16,
            child_places: asked(|c| c.places.as_ref()) as u16,
        });
        self.text.extend_from_slice(args.as_bytes());
        self.text.extend(unveils);
    }

    fn link(&mut self, cell: &Cell, index: usize, channel: &Channel) {
        let Some((server, _)) = cell.service(&channel.to.value) else { return };
        let a_slot = self.take(server);
        let b_slot = channel.slot.unwrap_or_else(|| self.take(index));
        self.links.push(Link {
            number: channel.number.value as u32,
            a: server as u16,
            b: index as u16,
            a_slot,
            b_slot,
            slots: channel.slots.as_ref().map_or(DEFAULT_SLOTS, |s| s.value as u32),
            buffer: channel.buffer.as_ref().map_or(0, |b| b.value as u32),
            pledge: channel.pledge,
            ..Link::zeroed()
        });
    }

    /// Takes from the image what the profile left open.
    pub fn fill(&mut self, index: usize, service: &Service, image: &ImageManifest) {
        let record = &mut self.services[index];
        if service.stack.is_none() {
            record.stack = image.stack;
        }
        if service.heap.is_none() {
            record.heap = image.heap;
        }
        if service.policy.is_none() {
            record.policy = image.policy.into();
        }
    }

    /// Slots that each service needs, those of birth included.
    pub fn slots_used(&self) -> &[usize] {
        &self.next
    }

    /// Length of the compiled manifest in bytes.
    pub fn len(&self) -> usize {
        self.text_offset() + self.text.len()
    }

    /// Whether there is no service at all.
    pub fn is_empty(&self) -> bool {
        self.services.is_empty()
    }

    fn text_offset(&self) -> usize {
        CellManifest::SIZE
            + self.services.len() * Record::SIZE
            + self.links.len() * Link::SIZE
            + self.grants.len() * Grant::SIZE
    }

    /// The compiled manifest.
    pub fn encode(&self) -> Vec<u8> {
        let head = CellManifest {
            magic: MANIFEST_MAGIC,
            version: 1,
            size: CellManifest::SIZE as u16,
            total_len: self.len() as u32,
            services: self.services.len() as u32,
            links: self.links.len() as u32,
            grants: self.grants.len() as u32,
            text: self.text_offset() as u32,
            text_len: self.text.len() as u32,
        };
        let mut out = head.encode().to_vec();
        out.extend(self.services.iter().flat_map(Record::encode));
        out.extend(self.links.iter().flat_map(Link::encode));
        out.extend(self.grants.iter().flat_map(Grant::encode));
        out.extend_from_slice(&self.text);
        out
    }
}
