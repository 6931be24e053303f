//! Interrupts: who learns of one, and at whose expense.
//!
//! The kernel serves no device. It masks the line, ends the interrupt, latches the bit of the line's object and wakes who
//! waits for it; the owner looks after its device and unmasks. Two rules keep a device that never stops from hurting
//! anybody but its driver:
//!
//! - The time that this takes is charged to the owner of the line, and taken off what whoever ran before is charged for.
//! - A line is unmasked only while its driver has energy. Who unmasks with its last call finds the line open when its next
//!   window begins: until then a storm stays masked.
//!
//! As every interrupt needs an unmask before it, and every unmask energy, a storm ends where the driver's budget does.
use crate::kernel::{DOMAINS, Kernel, NONE};
use crate::object::Body;
use arch::{CALL, Machine, TIMER};

impl<M: Machine> Kernel<M> {
    /// Takes every pending interrupt.
    pub(crate) fn interrupts(&mut self) {
        let (mut from, mut called) = (None, false);
        while let Some(intid) = self.machine.interrupt() {
            if intid == TIMER {
                self.counters.timer += 1;
                self.armed = u64::MAX;
                continue;
            }
            if intid == CALL {
                called = true;
                continue;
            }
            // The first look at the clock; a timer's interrupt, the common one, needs none.
            let began = from.unwrap_or_else(|| self.machine.now());
            self.counters.device += 1;
            // Masked until the owner has looked after its device; then the line may end.
            self.machine.mask_interrupt(intid, true);
            self.machine.end_interrupt(intid);
            if let Some(object) = self.irq_object(intid) {
                self.signal(object);
                from = Some(self.charge_owner(object, began));
            }
        }
        if called && self.attend() {
            // The rest comes as an interrupt of its own.
            self.machine.call_core(self.core);
        }
    }

    fn irq_object(&self, intid: u32) -> Option<u32> {
        let found = self
            .objects
            .iter()
            .position(|o| matches!(o.body, Body::Irq { intid: of } if of == intid));
        found.map(|index| index as u32)
    }

    /// Charges the time since `from` to the owner of the line and to nobody else; the time.
    pub(crate) fn charge_owner(&mut self, object: u32, from: u64) -> u64 {
        let now = self.machine.now();
        let owner = self.objects[object as usize % crate::kernel::OBJECTS].owner;
        let spent = now.saturating_sub(from);
        if owner == NONE {
            return now;
        }
        self.charged_until = self.charged_until.saturating_add(spent).min(now);
        self.domains[owner as usize % DOMAINS].time += spent;
        if owner == self.domain && self.current != NONE {
            // What it used is looked at when the interrupt is over, as for everything else that it does.
            self.sched.spend(owner, spent);
        } else {
            // No strike: it does not run.
            self.sched.charge(owner, spent, now);
        }
        now
    }

    /// `send` on an IRQ: the line may interrupt again, at once or when the caller's next window begins.
    pub(crate) fn unmask(&mut self, object: u32, intid: u32, domain: u8) {
        if self.sched.energy_left(domain) > 0 {
            self.machine.mask_interrupt(intid, false);
            return;
        }
        self.objects[object as usize % crate::kernel::OBJECTS].opens = domain + 1;
        self.shut |= 1 << (domain % 64);
    }

    /// Unmasks the lines that domain `id` wanted open when it had no energy.
    #[cold]
    pub(crate) fn open_lines(&mut self, id: u8) {
        self.shut &= !(1 << (id % 64));
        for object in &mut self.objects {
            if object.opens == id + 1 {
                object.opens = 0;
                if let Body::Irq { intid } = object.body {
                    self.machine.mask_interrupt(intid, false);
                }
            }
        }
    }
}
