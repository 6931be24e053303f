//! The writer: a ring of records, their quotas, and what happens when there is no room.
//!
//! Records are appended without their hash and hashed in order later, at most a few at a time: BLAKE3 costs some thousand
//! instructions, and `grant` or `pledge` must not. Nobody can tell, since nothing is read before it is hashed.
use crate::{HASHED, Hash, hash_of};
use abi::prov::{ProvRecord, kind};

/// Records of the ring.
pub const RECORDS: u64 = 1024;
/// Bytes of the ring's memory.
pub const BYTES: usize = RECORDS as usize * ProvRecord::SIZE;
/// Places that application records, and the overrun records about them, may take.
const APPLICATION: u64 = RECORDS / 4;
/// Places for everything else.
const KERNEL: u64 = RECORDS - APPLICATION;
/// Kernel places kept for events that nobody can be made to wait for: faults, ends, Blinks.
pub const RESERVED: u64 = 64;
/// Records that may stand unhashed; from then on each append hashes one.
const PENDING: u64 = 64;
/// Kernel records lost between two overrun records.
const LOSSES_TOLD: u64 = 256;

/// What happened; number and hashes are the chain's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Entry {
    /// ns since boot.
    pub time: u64,
    /// [`abi::prov::kind`].
    pub kind: u16,
    /// Cell.
    pub cell: u16,
    /// Number of the fiber concerned; 0: the kernel.
    pub fiber: u32,
    /// By kind.
    pub object: u32,
    /// By kind.
    pub status: i32,
    /// By kind.
    pub data: [u8; 32],
}

/// The quarter of the applications is full: the record was dropped, and counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Full;

/// State of the ring; the records lie in memory that every call is given, [`BYTES`] long. All zeros is an empty chain.
#[derive(Debug, Default)]
pub struct Chain {
    /// Number of the next record.
    next: u64,
    /// Number of the first record without a hash.
    hashed: u64,
    /// Number of the first record that must not be overwritten.
    floor: u64,
    /// Number of the first record that no seal covers.
    sealed: u64,
    /// Records from `floor` on, by quota.
    kernel: u64,
    application: u64,
    /// Application records dropped since boot, and how many of them an overrun record told.
    dropped: u64,
    dropped_told: u64,
    /// Kernel records overwritten before they were sealed, likewise.
    lost: u64,
    lost_told: u64,
    /// Hash of record `hashed` − 1.
    head: Hash,
}

impl Chain {
    /// An empty chain.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            next: 0,
            hashed: 0,
            floor: 0,
            sealed: 0,
            kernel: 0,
            application: 0,
            dropped: 0,
            dropped_told: 0,
            lost: 0,
            lost_told: 0,
            head: [0; 32],
        }
    }

    /// Number of the next record: so many were written.
    #[must_use]
    pub fn next(&self) -> u64 {
        self.next
    }
    /// Number of the oldest record that is still there.
    #[must_use]
    pub fn oldest(&self) -> u64 {
        self.next.saturating_sub(RECORDS)
    }
    /// Records without a hash.
    #[must_use]
    pub fn pending(&self) -> u64 {
        self.next - self.hashed
    }
    /// Records that no seal covers, those of the last seal itself included.
    #[must_use]
    pub fn unsealed(&self) -> u64 {
        self.next - self.sealed
    }
    /// Application records dropped, and kernel records overwritten unsealed, since boot.
    #[must_use]
    pub fn overrun(&self) -> (u64, u64) {
        (self.dropped, self.lost)
    }

    /// Whether an event that can wait may be noted without touching the reserve, with `others` records besides it.
    #[must_use]
    pub fn has_room(&self, others: u64) -> bool {
        self.kernel + others + 1 + RESERVED <= KERNEL
    }
    /// Whether either quota is half used: time for a seal, however few records there are.
    #[must_use]
    pub fn is_half_full(&self) -> bool {
        self.kernel > KERNEL / 2 || self.application > APPLICATION / 2
    }

    /// Notes an event of the kernel; its number. Always succeeds: with no place left the oldest kernel record goes.
    pub fn append(&mut self, memory: &mut [u8], entry: &Entry) -> u64 {
        self.tell_overrun(memory, entry);
        if self.kernel == KERNEL {
            self.lose(memory);
        }
        self.kernel += 1;
        self.write(memory, entry)
    }

    /// Notes an application's record; its number.
    ///
    /// # Errors
    /// [`Full`]: its quarter has no place. One is kept for the record that tells of the overrun.
    pub fn append_application(&mut self, memory: &mut [u8], entry: &Entry) -> Result<u64, Full> {
        // A refused record tells nothing: the first of many would take the place that is kept for their number.
        if self.application + 1 < APPLICATION {
            self.tell_overrun(memory, entry);
        }
        if self.application + 1 >= APPLICATION {
            self.drop_one();
            return Err(Full);
        }
        self.application += 1;
        Ok(self.write(memory, entry))
    }

    /// Counts an application record that was not even tried, as its fiber wrote too many.
    pub fn drop_one(&mut self) {
        self.drop_many(1);
    }

    /// Counts several.
    pub fn drop_many(&mut self, count: u64) {
        self.dropped = self.dropped.saturating_add(count);
    }

    /// Everything before record `until` is signed and taken away: it may be overwritten. At most [`RECORDS`] short steps.
    pub fn seal(&mut self, memory: &[u8], until: u64) {
        let until = until.min(self.hashed);
        while self.floor < until {
            self.release(memory);
        }
        self.sealed = self.sealed.max(until);
    }

    /// Hashes at most `most` of the pending records, oldest first; how many.
    pub fn hash(&mut self, memory: &mut [u8], most: u64) -> u64 {
        let until = self.next.min(self.hashed.saturating_add(most));
        let before = self.hashed;
        while self.hashed < until {
            let Some(record) = place(self.hashed, memory.len())
                .and_then(|at| memory[at..].first_chunk_mut::<{ ProvRecord::SIZE }>())
            else {
                break;
            };
            record[HASHED - 32..HASHED].copy_from_slice(&self.head);
            self.head = hash_of(record);
            record[HASHED..].copy_from_slice(&self.head);
            self.hashed += 1;
        }
        self.hashed - before
    }

    /// Record `seq`; `None`: overwritten, not written yet, or not hashed yet.
    #[must_use]
    pub fn record<'a>(&self, memory: &'a [u8], seq: u64) -> Option<&'a [u8; ProvRecord::SIZE]> {
        if !(self.oldest()..self.hashed).contains(&seq) {
            return None;
        }
        memory[place(seq, memory.len())?..].first_chunk()
    }

    /// As [`Self::record`], also before it is hashed: its hashes are then zeros.
    #[must_use]
    pub fn unhashed<'a>(&self, memory: &'a [u8], seq: u64) -> Option<&'a [u8; ProvRecord::SIZE]> {
        if !(self.oldest()..self.next).contains(&seq) {
            return None;
        }
        memory[place(seq, memory.len())?..].first_chunk()
    }

    /// Number of the first record without a hash, and the hash of the one before: the head of what can be read.
    #[must_use]
    pub fn head(&self) -> (u64, &Hash) {
        (self.hashed, &self.head)
    }

    /// Writes the overrun record that is due, in a place of the applications' quarter.
    fn tell_overrun(&mut self, memory: &mut [u8], cause: &Entry) {
        let losses = self.lost - self.lost_told;
        let due = self.dropped != self.dropped_told
            || losses >= LOSSES_TOLD
            || (losses != 0 && self.lost_told == 0);
        if !due || self.application >= APPLICATION {
            return;
        }
        (self.dropped_told, self.lost_told) = (self.dropped, self.lost);
        let mut data = [0; 32];
        data[..8].copy_from_slice(&self.dropped.to_le_bytes());
        data[8..16].copy_from_slice(&self.lost.to_le_bytes());
        let entry = Entry { kind: kind::OVERRUN, fiber: 0, object: 0, status: 0, data, ..*cause };
        self.application += 1;
        self.write(memory, &entry);
    }

    /// Gives up the oldest kernel record.
    fn lose(&mut self, memory: &[u8]) {
        let before = self.kernel;
        while self.kernel == before && self.floor < self.next {
            self.release(memory);
        }
        self.lost += 1;
    }

    /// Lets the oldest kept record be overwritten.
    fn release(&mut self, memory: &[u8]) {
        let at = place(self.floor, memory.len()).unwrap_or(0) + KIND;
        let kind = u16::from_le_bytes([memory[at], memory[at + 1]]);
        let quota = if is_of_applications(kind) { &mut self.application } else { &mut self.kernel };
        *quota = quota.saturating_sub(1);
        self.floor += 1;
    }

    fn write(&mut self, memory: &mut [u8], entry: &Entry) -> u64 {
        if self.pending() >= PENDING {
            self.hash(memory, 1);
        }
        let seq = self.next;
        let Some(at) = place(seq, memory.len()) else { return seq };
        let record = ProvRecord {
            seq,
            time: entry.time,
            kind: entry.kind,
            cell: entry.cell,
            fiber: entry.fiber,
            object: entry.object,
            status: entry.status,
            data: entry.data,
            prev: [0; 32],
            hash: [0; 32],
        };
        memory[at..at + ProvRecord::SIZE].copy_from_slice(&record.encode());
        self.next += 1;
        seq
    }
}

/// The records in a ring's memory that nobody keeps the state of: after a reset, or read from outside. Oldest first;
/// those that were not hashed any more carry zeros in `hash`.
pub fn found(memory: &[u8]) -> impl Iterator<Item = &[u8; ProvRecord::SIZE]> {
    let at = |seq: u64| {
        let record = memory[place(seq, memory.len())?..].first_chunk::<{ ProvRecord::SIZE }>()?;
        let own = record.first_chunk().is_some_and(|own| u64::from_le_bytes(*own) == seq);
        // Number 0 is also what memory says that nobody wrote.
        (own && *record != [0; ProvRecord::SIZE]).then_some(record)
    };
    let whole = memory.as_chunks::<{ ProvRecord::SIZE }>().0;
    let numbers = whole.iter().filter_map(|r| r.first_chunk().map(|own| u64::from_le_bytes(*own)));
    let newest = numbers.filter(|seq| at(*seq).is_some()).max();
    let oldest = newest.map_or(0, |seq| (seq + 1).saturating_sub(RECORDS));
    let until = newest.map_or(0, |seq| seq + 1);
    (oldest..until).map_while(at)
}

/// Offset of `kind` in a record.
const KIND: usize = 16;

fn is_of_applications(kind: u16) -> bool {
    kind == kind::APPLICATION || kind == kind::OVERRUN
}

/// Where record `seq` stands in memory of `len` bytes; `None` where that is too short for a ring.
fn place(seq: u64, len: usize) -> Option<usize> {
    (len >= BYTES).then_some((seq % RECORDS) as usize * ProvRecord::SIZE)
}
