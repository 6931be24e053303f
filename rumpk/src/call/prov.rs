//! `prov(slot, op, buf, len)`, and messages on an AUDIT slot.
use crate::kernel::Kernel;
use crate::object::{Answer, Stop, single};
use abi::boot::virt;
use abi::call::{Append, Error, prov_op};
use abi::cap::verb;
use abi::pledge;
use abi::prov::{Notice, ProvRecord, kind};
use abi::ring::{INLINE_MAX, Slot};
use abi::stats::{LAST_WORDS_MAX, end};
use arch::{Frame, Machine, UserAddr};
use prov::{BYTES, SEAL_LEN};

/// Records that one READ gives at most.
const READ_MAX: usize = 8;
/// Records that one READ hashes at most: so many keep it far below the longest stretch that the kernel may run.
const HASH_MAX: u64 = 3;
/// Application records of a fiber in one window.
const PER_WINDOW: u8 = 8;
/// The window of a fiber in Void, which has none of its own, ns.
const VOID_WINDOW: u64 = pledge::WINDOW_NS[1];

impl<M: Machine> Kernel<M> {
    #[inline(never)]
    pub(super) fn prov(&mut self, slot: usize, op: usize, buf: UserAddr, len: usize) -> Answer {
        let verb = match op {
            prov_op::APPEND => verb::SEND,
            prov_op::READ => verb::RECV,
            prov_op::SAVE..=prov_op::RESUMED => {
                let own = self.lookup(slot)?.object == single::SELF;
                return match op {
                    _ if !own => Err(Error::BadCall.into()),
                    prov_op::SAVE => self.save_checkpoint(buf, len),
                    prov_op::LOAD => self.load_checkpoint(buf, len),
                    prov_op::LEFT_OFF => self.left_off(buf, len),
                    _ => {
                        self.resumed();
                        Ok(0)
                    }
                };
            }
            _ => return Err(Error::BadCall.into()),
        };
        if self.lookup(slot)?.object != single::AUDIT {
            return Err(Error::BadCall.into());
        }
        self.lookup_for(slot, verb)?;
        if op == prov_op::APPEND { self.prov_append(buf, len) } else { self.prov_read(buf, len) }
    }

    fn prov_append(&mut self, buf: UserAddr, len: usize) -> Answer {
        let mut bytes = [0; Append::SIZE + SEAL_LEN];
        if !(Append::SIZE..=bytes.len()).contains(&len) {
            return Err(if len > bytes.len() { Error::TooBig } else { Error::BadCall }.into());
        }
        self.copy_in_words(buf, &mut bytes[..len])?;
        let head = Append::decode(&bytes).ok_or(Error::BadCall)?;
        let (data, zero) = (&bytes[Append::SIZE..len], head.zero == 0 && head.zero2 == 0);
        match head.kind {
            kind::APPLICATION if zero && data.len() <= 32 => {
                self.prov_note(head.object, head.status, data, false)
            }
            // Who has the key is where the chain is.
            kind::CHECKPOINT if self.chain_is_far() => Err(Error::Unsupported.into()),
            kind::CHECKPOINT if zero && head.status == 0 => {
                let signature = data.try_into().map_err(|_| Error::BadCall)?;
                self.seal(head.object, signature)
            }
            _ => Err(Error::BadCall.into()),
        }
    }

    /// Takes one record from the current fiber's share: so many in a window, then they are dropped and counted.
    fn share_of_chain(&mut self) -> Result<(), Error> {
        let now = self.machine.now();
        let window = match self.sched.spectrum(self.domain) {
            0 => VOID_WINDOW,
            spectrum => pledge::WINDOW_NS[spectrum as usize % 4],
        };
        let audit = &mut self.fiber_mut().audit;
        if now >= audit.window_end {
            (audit.window_end, audit.written) = (now.saturating_add(window), 0);
        }
        if audit.written >= PER_WINDOW {
            if self.chain_is_far() {
                self.counters.audits_refused += 1;
            } else {
                self.chain.drop_one();
            }
            return Err(Error::Full);
        }
        audit.written += 1;
        Ok(())
    }

    /// Appends an application record of the current fiber. Value: its number, of a message (`mute`) 0.
    fn prov_note(&mut self, object: u32, status: i32, data: &[u8], mute: bool) -> Answer {
        self.share_of_chain()?;
        let fiber = self.fiber().id;
        let entry = self.entry(kind::APPLICATION, fiber, object, status, data);
        if self.chain_is_far() {
            return self.append_far(&entry, mute);
        }
        let seq = self.audit_application(&entry)?;
        self.audit_charge();
        Ok(if mute { 0 } else { seq as usize })
    }

    /// What the current fiber said before it panicked, as records of its own and within its share.
    pub(crate) fn last_words(&mut self) {
        let frame = &self.fiber().frame;
        let (at, len) = (frame.argument(0), frame.argument(1).min(LAST_WORDS_MAX as u64) as usize);
        let mut words = [0; LAST_WORDS_MAX];
        // Words that are not the fiber's own are nobody's loss.
        if self.machine.copy_in(UserAddr(at), &mut words[..len]).is_err() {
            return;
        }
        for (part, text) in words[..len].chunks(32).enumerate() {
            // The kernel notes the end itself, whatever the fiber's share is.
            if self.share_of_chain().is_ok() {
                let (object, fiber) = (u32::from(end::PANIC), self.fiber().id);
                let entry = self.entry(kind::APPLICATION, fiber, object, part as i32, text);
                if self.chain_is_far() {
                    // The fiber is not there any more to wait for an answer.
                    self.audit_to_first(&entry);
                } else {
                    let _ = self.audit_application(&entry);
                }
                self.audit_charge();
            }
        }
    }

    /// Copies records out, from the number in the buffer's first 8 bytes on. Value: their bytes; 0 while the kernel
    /// still hashes what was asked for.
    fn prov_read(&mut self, buf: UserAddr, len: usize) -> Answer {
        if len < ProvRecord::SIZE {
            return Err(Error::BadCall.into());
        }
        let mut from = [0; 8];
        self.copy_in_words(buf, &mut from)?;
        let (first, most) = (u64::from_le_bytes(from), READ_MAX.min(len / ProvRecord::SIZE));
        if self.chain_is_far() {
            return self.read_far(first, most, buf);
        }
        let first = first.max(self.chain.oldest());
        if first >= self.chain.next() {
            return Err(Error::Empty.into());
        }
        self.audit_hash(HASH_MAX);
        let mut count = 0;
        while count < most {
            let memory = self.machine.bytes(virt::PROVCHAIN, BYTES);
            let Some(&record) = self.chain.record(memory, first + count as u64) else { break };
            let at = buf.0.checked_add((count * ProvRecord::SIZE) as u64);
            self.copy_out_words(UserAddr(at.ok_or(Error::BadAddress)?), &record)?;
            count += 1;
        }
        Ok(count * ProvRecord::SIZE)
    }

    /// `send` of a message on AUDIT: its payload becomes an application record.
    pub(super) fn audit_send(&mut self, message: &Slot) -> Answer {
        let len = message.len as usize;
        if message.kind != kind::APPLICATION || message.flags != 0 {
            return Err(Error::BadCall.into());
        }
        if len > 32 {
            return Err(Error::TooBig.into());
        }
        let (object, status) = (message.arg as u32, (message.arg >> 32) as i32);
        self.prov_note(object, status, &message.payload[..len], true)
    }

    /// `recv` on AUDIT: the next record that this fiber has not received, without its hashes.
    pub(super) fn audit_recv(
        &mut self,
        buf: UserAddr,
        len: usize,
        to: &mut Slot,
    ) -> Result<(), Stop> {
        if self.chain_is_far() {
            return self.next_far(buf, len);
        }
        let seq;
        (*to, seq) = self.notice_of(self.fiber().audit.next)?;
        self.fiber_mut().audit.next = seq + 1;
        Ok(())
    }

    /// The first record from number `first` on as a message, and its number.
    pub(crate) fn notice_of(&self, first: u64) -> Result<(Slot, u64), Error> {
        let seq = first.max(self.chain.oldest());
        let memory = self.machine.bytes(virt::PROVCHAIN, BYTES);
        let record = self.chain.unhashed(memory, seq).and_then(|r| ProvRecord::decode(r));
        let record = record.ok_or(Error::Empty)?;
        let notice = Notice {
            time: record.time,
            fiber: record.fiber,
            status: record.status,
            data: record.data,
        };
        let mut to = Slot::zeroed();
        (to.kind, to.len) = (record.kind, INLINE_MAX as u32);
        to.arg = u64::from(record.seq as u32) | u64::from(record.object) << 32;
        to.payload = notice.encode();
        Ok((to, seq))
    }
}
