//! What is known about the last end of each fiber, kept until the place ends again: `meta(STATS)` class 3 and the shell's `why`.
use crate::blink::Fate;
use crate::kernel::{DOMAINS, FIBERS, Kernel, OBJECTS};
use abi::stats::FiberPostMortem;
use arch::{Frame, Machine, UserAddr};

/// Of a place in which nobody ended: all zeros, so that a table of it costs no image.
pub const NOBODY: FiberPostMortem = FiberPostMortem {
    fiber: 0,
    cause: 0,
    last_call: 0,
    slot: 0,
    fate: 0,
    time: 0,
    pc: 0,
    sp: 0,
    address: 0,
    syndrome: 0,
    pledge: 0,
    base: 0,
    blinks: 0,
    message_len: 0,
    name: [0; 32],
    message: [0; 88],
    registers: [0; 8],
};

/// What the moment of a fault tells, and nobody afterwards.
#[derive(Clone, Copy, Debug)]
pub struct Scene {
    /// Syndrome as the hardware gave it; 0: no trap.
    pub syndrome: u64,
    /// Slot concerned, or 0xFF.
    pub slot: u8,
    /// Pledge bits that were needed and are not held.
    pub pledge: u64,
    pub message: [u8; 88],
    pub message_len: u8,
}

impl Scene {
    /// Nothing seen.
    pub const NONE: Self =
        Self { syndrome: 0, slot: 0, pledge: 0, message: [0; 88], message_len: 0 };
}

impl<M: Machine> Kernel<M> {
    /// Writes the record of a fiber that ends.
    pub(crate) fn record_end(&mut self, place: usize, fate: Fate) {
        let fiber = &self.fibers[place % FIBERS];
        let domain = &self.domains[fiber.domain as usize % DOMAINS];
        let culprit = self.culprit == place as u8;
        let last = &self.postmortems[place % FIBERS];
        if !culprit && last.fiber == fiber.id && last.time >= domain.history.ended {
            // Written when it faulted, by who saw more.
            return;
        }
        let scene = if culprit { self.scene } else { Scene::NONE };
        let mut record = FiberPostMortem::zeroed();
        (record.fiber, record.cause, record.fate) = (fiber.id, fiber.end, fate as u8);
        record.last_call = fiber.last_call;
        record.slot = if culprit { scene.slot } else { 0xFF };
        record.time = self.machine.now();
        (record.pc, record.sp) = (fiber.pc, fiber.frame.sp());
        (record.address, record.syndrome) = (fiber.code, scene.syndrome);
        record.pledge = scene.pledge;
        record.base = domain.image_base();
        record.blinks = domain.history.blinks;
        (record.message, record.message_len) = (scene.message, scene.message_len.into());
        record.name = fiber.name;
        record.registers = fiber.frame.registers();
        self.postmortems[place % FIBERS] = record;
    }

    /// Whether the record of the place is about a fiber of the own domain, or a child: they may see it without AUDIT.
    pub(crate) fn is_kin(&self, place: usize) -> bool {
        let (record, fiber) = (&self.postmortems[place % FIBERS], &self.fibers[place % FIBERS]);
        let own = !fiber.is_free() && fiber.id == record.fiber;
        own && (fiber.domain == self.domain || fiber.parent == self.current)
    }

    /// Whether it is about a child of fiber `asker` of another core.
    pub(crate) fn is_far_kin(&self, place: usize, asker: u32) -> bool {
        let (record, fiber) = (&self.postmortems[place % FIBERS], &self.fibers[place % FIBERS]);
        let own = !fiber.is_free() && fiber.id == record.fiber;
        own && fiber.far_parent.is_some() && fiber.far_parent_id == asker
    }

    /// The current fiber is at fault: where it was, and what it did last.
    pub(crate) fn witness(&mut self, scene: Scene) {
        let place = self.current as usize % FIBERS;
        let fiber = &mut self.fibers[place];
        (fiber.pc, fiber.last_call) = (fiber.frame.pc(), self.last_call);
        (self.culprit, self.scene) = (place as u8, scene);
    }

    /// Pledge bits that the object in the current fiber's slot needs.
    pub(crate) fn needed(&self, slot: usize) -> u64 {
        let cap = self.fiber().caps.get(slot);
        cap.map_or(0, |cap| self.objects[cap.object as usize % OBJECTS].pledge)
    }

    /// The current fiber panicked and says why, in memory that it names.
    pub(crate) fn keep_message(&mut self) {
        let [at, len, ..] = self.fiber().frame.registers();
        let len = (len as usize).min(self.scene.message.len());
        let mut message = [0; 88];
        // A fiber that lies about where its message is has none.
        if self.machine.copy_in(UserAddr(at), &mut message[..len]).is_ok() {
            (self.scene.message, self.scene.message_len) = (message, len as u8);
        }
    }
}
