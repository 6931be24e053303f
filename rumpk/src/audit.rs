//! Audit: what the kernel notes in ProvChain, and when.
//!
//! Every event of the contract comes here as one call from the place where it happens. A record is copied into the ring
//! at once and hashed later (see `prov::Chain`); the price of the hash is charged here, to who caused the event.
use crate::kernel::{DOMAINS, FIBERS, Kernel, NONE};
use abi::boot::{BEB_KEPT, BEB_KEPT_LEN, BEB_MAGIC, Beb, Handoff, virt};
use abi::call::Error;
use abi::cap::R;
use abi::image::ImageHeader;
use abi::prov::{ProvRecord, boot, kind};
use abi::stats::end;
use arch::{Frame, Machine, Memory};
use prov::{BYTES, Entry};

/// What hashing one record costs, ns of processor time at one instruction per ns (measured on aarch64: 2,380).
pub(crate) const HASH_NS: u64 = 2400;

/// Records without a hash from which on each step of a job hashes one.
const OPEN_MOST: u64 = 32;

/// Bytes of a panic's text that are noted at the next boot.
const BEFORE_TEXT: usize = 160;

const _: () = assert!(BYTES as u64 == virt::PROVCHAIN_LEN);

impl<M: Machine> Kernel<M> {
    /// Appends a record of the kernel to the chain: `kind` of [`abi::prov::kind`], number of the fiber concerned (0: the
    /// kernel itself), and what docs/abi/provchain.md says of the kind. `data` is cut or padded to 32 bytes.
    pub fn audit(&mut self, kind: u16, fiber: u32, object: u32, status: i32, data: &[u8]) {
        let entry = self.entry(kind, fiber, object, status, data);
        self.audit_entry(&entry);
    }

    /// Appends a record that is complete but for number and hashes.
    pub(crate) fn audit_entry(&mut self, entry: &Entry) {
        if self.core == 0 {
            self.audit_append(entry);
        } else {
            // The chain's home is the boot core.
            self.audit_to_first(entry);
        }
        self.audit_charge();
    }

    /// Writes a record, whoever caused it.
    pub(crate) fn audit_append(&mut self, entry: &Entry) {
        self.chain.append(self.machine.bytes_mut(virt::PROVCHAIN, BYTES), entry);
        self.audit_signal();
    }

    /// Appends a record of an application, whoever pays for it; its number.
    pub(crate) fn audit_application(&mut self, entry: &Entry) -> Result<u64, Error> {
        let memory = self.machine.bytes_mut(virt::PROVCHAIN, BYTES);
        let seq = self.chain.append_application(memory, entry).map_err(|_| Error::Full)?;
        self.audit_signal();
        Ok(seq)
    }

    /// The running domain pays for the hash of a record that it caused.
    pub(crate) fn audit_charge(&mut self) {
        if self.current != NONE && self.domain != NONE {
            self.sched.spend(self.domain, HASH_NS);
        }
    }

    /// Hashes pending records, at most `most`. Their price was paid when they were appended: who reads them gets it back
    /// for the time that it takes now.
    pub(crate) fn audit_hash(&mut self, most: u64) {
        let done = self.chain.hash(self.machine.bytes_mut(virt::PROVCHAIN, BYTES), most);
        if self.current != NONE && self.domain != NONE {
            self.sched.refund(self.domain, done * HASH_NS);
        }
    }

    /// Maps the secret for the one service that it is for.
    pub(crate) fn map_secret(&mut self, id: u8) -> Result<(), Error> {
        if !self.is_sealer(self.domains[id as usize % DOMAINS].service) {
            return Ok(());
        }
        self.map_for(id, virt::SECRET, virt::SECRET_LEN, R, Memory::Normal)
    }

    pub(crate) fn entry(
        &self,
        kind: u16,
        fiber: u32,
        object: u32,
        status: i32,
        data: &[u8],
    ) -> Entry {
        let mut whole = [0; 32];
        let len = data.len().min(whole.len());
        whole[..len].copy_from_slice(&data[..len]);
        Entry { time: self.machine.now(), kind, cell: 0, fiber, object, status, data: whole }
    }

    /// Hashes one record that has none yet, for a core that has nothing else to do.
    pub(crate) fn audit_idle(&mut self) {
        if self.chain.pending() != 0 {
            self.chain.hash(self.machine.bytes_mut(virt::PROVCHAIN, BYTES), 1);
        }
    }

    /// Hashes one record beside a step of domain `id`'s job, at the price that was paid for it: so the calls that end in a
    /// job, which note most and are long anyway, seldom find so many open that they must hash in their own stretch.
    pub(crate) fn audit_beside(&mut self, id: u8) {
        if self.chain.pending() > OPEN_MOST {
            self.chain.hash(self.machine.bytes_mut(virt::PROVCHAIN, BYTES), 1);
            self.sched.refund(id, HASH_NS);
        }
    }

    /// The first records of a chain.
    pub(crate) fn audit_boot(&mut self, handoff: &Handoff) {
        let before = prov::found(self.machine.bytes(virt::PROVCHAIN, BYTES));
        let whole = before.filter_map(|r| ProvRecord::decode(r).filter(|_| prov::is_whole(r)));
        let head = whole.last().map(|record| record.hash);
        self.machine.bytes_mut(virt::PROVCHAIN, BYTES).fill(0);
        self.audit(kind::BOOT, 0, 0, boot::MACHINE, &handoff.machine);
        if let Some(head) = head {
            self.audit(kind::BOOT, 0, 0, boot::HEAD, &head);
        }
        self.audit_end_before(handoff);
    }

    /// How the boot before ended, where its RAM is still there: nexus-boot kept the Boot Error Buffer.
    fn audit_end_before(&mut self, handoff: &Handoff) {
        if handoff.beb_len < BEB_KEPT + BEB_KEPT_LEN {
            return;
        }
        let mut kept = [0; Beb::SIZE + BEFORE_TEXT];
        let len = kept.len();
        kept.copy_from_slice(self.machine.bytes(handoff.beb + BEB_KEPT, len));
        let Some(head) = Beb::decode(&kept).filter(|head| head.magic == BEB_MAGIC) else { return };
        let mut data = [0; 32];
        for (to, word) in data.chunks_exact_mut(8).zip([head.pc, head.address, head.syndrome]) {
            to.copy_from_slice(&word.to_le_bytes());
        }
        data[24..28].copy_from_slice(&head.state.to_le_bytes());
        data[28..].copy_from_slice(&head.code.to_le_bytes());
        self.audit(kind::BOOT, 0, 0, boot::END, &data);
        let text = &kept[Beb::SIZE..][..BEFORE_TEXT.min(head.text_len as usize)];
        for (piece, bytes) in text.chunks(32).enumerate() {
            self.audit(kind::BOOT, 0, piece as u32, boot::TEXT, bytes);
        }
    }

    /// A domain was started in `place` from the image whose file begins at the physical address `image`; 0: the
    /// application linked with the kernel.
    pub(crate) fn audit_domain(&mut self, place: usize, image: (u64, usize)) {
        let id = self.fibers[place % FIBERS].id;
        if image.1 >= ImageHeader::SIZE {
            let bytes = self.machine.bytes(image.0, ImageHeader::SIZE);
            let hash = ImageHeader::decode(bytes).map(|head| head.hash).unwrap_or_default();
            self.audit(kind::IMAGE, id, 0, 0, &hash);
        }
        self.audit_fiber(place, 0);
    }

    /// A fiber began in `place`; `status` 0: with a domain of its own, 1: in its parent's.
    pub(crate) fn audit_fiber(&mut self, place: usize, status: i32) {
        let fiber = &self.fibers[place % FIBERS];
        let (id, name) = (fiber.id, fiber.name);
        let parent =
            self.fibers.get(fiber.parent as usize).map_or(fiber.far_parent_id, |parent| parent.id);
        self.audit(kind::SPAWN, parent, id, status, &name);
    }

    /// The fiber in `place` ends, alone or with its domain.
    pub(crate) fn audit_end(&mut self, place: usize, cause: u8, code: u64) {
        let kind = match cause {
            end::EXIT | end::KILLED | end::STRIKES => kind::EXIT,
            end::PLEDGE => kind::PLEDGE_VIOLATION,
            _ => kind::FAULT,
        };
        let fiber = &self.fibers[place % FIBERS];
        let mut data = [0; 32];
        data[..8].copy_from_slice(&fiber.frame.pc().to_le_bytes());
        data[8..16].copy_from_slice(&code.to_le_bytes());
        data[16..].copy_from_slice(&fiber.name[..16]);
        self.audit(kind, fiber.id, u32::from(cause), code as i32, &data);
    }

    /// A domain ends: one record, about the fiber that caused it or, if none did, about its first one.
    pub(crate) fn audit_domain_end(&mut self, id: u8, cause: u8, code: u64) {
        let first = self.domains[id as usize % DOMAINS].first;
        let own = self.current != NONE && self.domain == id;
        let place = if own && cause != end::KILLED { self.current } else { first };
        self.audit_end(place as usize, cause, code);
    }

    /// The domain's mask became smaller.
    pub(crate) fn audit_pledge(&mut self, before: u64, after: u64) {
        if before != after {
            let mut data = [0; 16];
            data[..8].copy_from_slice(&before.to_le_bytes());
            data[8..].copy_from_slice(&after.to_le_bytes());
            let fiber = self.fiber().id;
            self.audit(kind::PLEDGE, fiber, 0, 0, &data);
        }
    }

    /// A strike of the running domain: the how many-th, and the spectrum it has from now on.
    pub(crate) fn audit_strike(&mut self, id: u8, strikes: u8) {
        let first = self.domains[id as usize % DOMAINS].first;
        let fiber = self.fibers.get(first as usize).map_or(0, |fiber| fiber.id);
        let spectrum = self.sched.spectrum(id);
        self.audit(kind::STRIKE, fiber, 0, i32::from(strikes), &[spectrum]);
    }
}
