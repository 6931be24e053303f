//! A kernel for tests on the host: a SysTable whose entries are functions of the test program.
//!
//! It knows time, which stands still but in `wait`, and what becomes ready when. Each test thread has its own.
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::sync::Once;

use abi::call::{Error, WaitEntry, meta, want};
use abi::stats::{CLASS_HEAP, Heap};
use abi::systable::{ABI_MAJOR, ENTRIES, MAGIC, SysTable};

use crate::sys::{self, Answer};

/// What a test sets and looks at.
#[derive(Default)]
pub struct Fake {
    /// ns.
    pub now: u64,
    /// What becomes ready: when, which slot, which bits.
    pub coming: Vec<(u64, u8, u8)>,
    /// Bits that hold, by slot; a doorbell: `wait` takes them.
    pub held: BTreeMap<u8, u8>,
    /// The lists of all waits so far: (slot, want).
    pub waits: Vec<Vec<(u8, u8)>>,
    /// Slots whose doorbell was rung.
    pub rung: Vec<u8>,
    /// Slots that are void.
    pub dead: Vec<u8>,
    /// How often the fiber yielded.
    pub yields: usize,
    /// Where the heap is: address and bytes.
    pub heap: (u64, u64),
}

thread_local! {
    static FAKE: RefCell<Fake> = RefCell::default();
}

/// Looks at the kernel of this thread, or changes it; the runtime uses it from now on.
pub fn kernel<T>(f: impl FnOnce(&mut Fake) -> T) -> T {
    static INSTALL: Once = Once::new();
    INSTALL.call_once(|| {
        let mut entries = [refuse as *const () as usize as u64; ENTRIES];
        entries[0] = answer_meta as *const () as usize as u64;
        entries[2] = answer_yield as *const () as usize as u64;
        entries[3] = answer_wait as *const () as usize as u64;
        entries[5] = answer_send as *const () as usize as u64;
        entries[11] = answer_tick as *const () as usize as u64;
        let table = SysTable {
            magic: MAGIC,
            abi_major: ABI_MAJOR,
            size: SysTable::SIZE as u16,
            entries,
            ..SysTable::zeroed()
        };
        // SAFETY: leaked, so that it never changes and never goes.
        assert!(unsafe { sys::install(Box::leak(Box::new(table))) });
    });
    FAKE.with_borrow_mut(f)
}

const OK: Answer = Answer { status: 0, value: 0 };

fn no(error: Error) -> Answer {
    Answer { status: error as isize, value: 0 }
}

extern "C" fn refuse(_: usize, _: usize, _: usize, _: usize, _: usize, _: usize) -> Answer {
    no(Error::BadCall)
}

extern "C" fn answer_yield() -> Answer {
    FAKE.with_borrow_mut(|k| k.yields += 1);
    OK
}

/// The memory that a call names.
fn memory(at: usize, len: usize) -> &'static mut [u8] {
    let at = core::ptr::with_exposed_provenance_mut(at);
    // SAFETY: the runtime names memory that it has borrowed for the length of the call.
    unsafe { core::slice::from_raw_parts_mut(at, len) }
}

extern "C" fn answer_meta(query: usize, buf: usize, len: usize) -> Answer {
    let buf = memory(buf, len);
    if query != meta::STATS || buf[..4] != CLASS_HEAP.to_le_bytes() {
        return no(Error::NotFound);
    }
    let (base, len) = FAKE.with_borrow(|k| k.heap);
    buf[..Heap::SIZE].copy_from_slice(&Heap { base, len }.encode());
    OK
}

extern "C" fn answer_tick(_: usize, _: usize, record: usize) -> Answer {
    let now = FAKE.with_borrow(|k| k.now);
    memory(record, 8).copy_from_slice(&now.to_le_bytes());
    OK
}

extern "C" fn answer_send(slot: usize, _: usize, len: usize) -> Answer {
    FAKE.with_borrow_mut(|k| {
        if len != 0 {
            return no(Error::Full);
        }
        k.rung.push(slot as u8);
        if k.dead.contains(&(slot as u8)) { no(Error::Gone) } else { OK }
    })
}

extern "C" fn answer_wait(list: usize, n: usize, deadline: usize) -> Answer {
    let list = memory(list, n * WaitEntry::SIZE);
    let deadline = if deadline == 0 {
        u64::MAX
    } else {
        u64::from_le_bytes(memory(deadline, 8).try_into().expect("8 bytes"))
    };
    FAKE.with_borrow_mut(|k| k.wait(list, deadline))
}

impl Fake {
    fn wait(&mut self, list: &mut [u8], deadline: u64) -> Answer {
        let entries = || list.chunks_exact(WaitEntry::SIZE);
        self.waits.push(entries().map(|e| (e[0], e[1])).collect());
        if entries().any(|e| e[1] & want::RING != 0 && self.dead.contains(&e[0])) {
            return no(Error::Gone);
        }
        self.rung.extend(entries().filter(|e| e[1] & want::RING != 0).map(|e| e[0]));
        loop {
            for (_, slot, bits) in self.coming.extract_if(.., |c| c.0 <= self.now) {
                *self.held.entry(slot).or_default() |= bits;
            }
            let mut ready = 0;
            for entry in list.chunks_exact_mut(WaitEntry::SIZE) {
                let held = self.held.get(&entry[0]).copied().unwrap_or(0);
                let dead = if self.dead.contains(&entry[0]) { want::DEAD } else { 0 };
                entry[2] = held & entry[1] | dead;
                ready += usize::from(entry[2] != 0);
                if entry[2] != 0 {
                    self.held.remove(&entry[0]);
                }
            }
            if ready != 0 {
                return Answer { status: 0, value: ready };
            }
            let next = self.coming.iter().map(|c| c.0).min().unwrap_or(u64::MAX);
            if deadline <= next.max(self.now) {
                if deadline == u64::MAX {
                    eprintln!("a wait for nothing, for ever: {:?}", self.waits);
                    std::process::abort();
                }
                self.now = self.now.max(deadline);
                return no(Error::TimedOut);
            }
            self.now = next;
        }
    }
}
