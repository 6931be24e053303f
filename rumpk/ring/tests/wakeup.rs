//! The wake-up protocol under every interleaving and every permitted reordering (loom).
//!
//! Each fence has a test that leaves it out and demands that the model then finds the lost wake-up: if it no longer did, the
//! model would prove nothing.
use loom::sync::Arc;
use loom::sync::atomic::{AtomicU32, AtomicU64, Ordering, fence};
use loom::thread;
use ring::{Consumer, Memory, Producer, Word};

/// Which sides keep their fence.
#[derive(Clone, Copy)]
struct Fences {
    producer: bool,
    consumer: bool,
}

const BOTH: Fences = Fences { producer: true, consumer: true };

struct Shared {
    words: [AtomicU32; 4],
    headers: Vec<[AtomicU64; 2]>,
}

/// One side's view.
struct View {
    shared: Arc<Shared>,
    fenced: bool,
}

impl Memory for View {
    fn load_acquire(&self, word: Word) -> u32 {
        self.shared.words[word as usize].load(Ordering::Acquire)
    }
    fn load_relaxed(&self, word: Word) -> u32 {
        self.shared.words[word as usize].load(Ordering::Relaxed)
    }
    fn store_release(&self, word: Word, value: u32) {
        self.shared.words[word as usize].store(value, Ordering::Release);
    }
    fn fence(&self) {
        if self.fenced {
            fence(Ordering::SeqCst);
        }
    }
    fn read_header(&self, slot: u32) -> [u64; 2] {
        let [first, second] = &self.shared.headers[slot as usize];
        [first.load(Ordering::Relaxed), second.load(Ordering::Relaxed)]
    }
    fn write_header(&self, slot: u32, header: [u64; 2]) {
        let [first, second] = &self.shared.headers[slot as usize];
        first.store(header[0], Ordering::Relaxed);
        second.store(header[1], Ordering::Relaxed);
    }
    fn read_payload(&self, _slot: u32, _to: &mut [u8; 48]) {
        unreachable!("messages of kind and argument only")
    }
    fn write_payload(&self, _slot: u32, _from: &[u8; 48]) {
        unreachable!("messages of kind and argument only")
    }
}

fn views(slots: u32, fences: Fences) -> (View, View) {
    let shared = Arc::new(Shared {
        words: std::array::from_fn(|_| AtomicU32::new(0)),
        headers: (0..slots).map(|_| [AtomicU64::new(0), AtomicU64::new(0)]).collect(),
    });
    let other = shared.clone();
    (View { shared, fenced: fences.producer }, View { shared: other, fenced: fences.consumer })
}

/// The consumer takes what it finds and then sleeps once. If it sleeps and was not rung, nothing may be left.
fn consumer_sleeps(fences: Fences) {
    let (mine, theirs) = views(2, fences);
    let consumer = thread::spawn(move || {
        let mut c = Consumer::new(2).expect("power of two");
        let mut got = 0;
        loop {
            match c.pop_header(&theirs) {
                Ok(popped) => {
                    got += 1;
                    assert_eq!((popped.header.kind, popped.header.arg), (7, got));
                }
                Err(_) if c.prepare_sleep(&theirs) => return got,
                Err(_) => {}
            }
            if got == 2 {
                return got;
            }
        }
    });
    let mut p = Producer::new(2).expect("power of two");
    let mut rung = false;
    for arg in 1..=2 {
        rung |= p.push_word(&mine, 7, arg).expect("room").must_ring;
    }
    let got = consumer.join().expect("consumer");
    assert!(got == 2 || rung, "lost wake-up: {got} of 2 messages, asleep, not rung");
}

/// The producer finds the ring full and sleeps once. If it sleeps and was not rung, the ring must still be full.
fn producer_sleeps(fences: Fences) {
    let (mine, theirs) = views(1, fences);
    let mut p = Producer::new(1).expect("power of two");
    assert!(p.push_word(&mine, 7, 1).is_ok());
    let producer = thread::spawn(move || match p.push_word(&mine, 7, 2) {
        Ok(_) => false,
        Err(_) => p.prepare_sleep(&mine),
    });
    let mut c = Consumer::new(1).expect("power of two");
    let popped = c.pop_header(&theirs).expect("message");
    assert_eq!(popped.header.arg, 1);
    let asleep = producer.join().expect("producer");
    assert!(!asleep || popped.must_ring, "lost wake-up: room, asleep, not rung");
}

/// Every message arrives once, whole and in order through a ring of one slot that is written again and again.
fn transfer() {
    let (mine, theirs) = views(1, BOTH);
    let consumer = thread::spawn(move || {
        let mut c = Consumer::new(1).expect("power of two");
        let mut next = 1;
        while next <= 2 {
            match c.pop_header(&theirs) {
                Ok(popped) => {
                    assert_eq!((u64::from(popped.header.kind), popped.header.arg), (next, next));
                    next += 1;
                }
                Err(_) => thread::yield_now(),
            }
        }
    });
    let mut p = Producer::new(1).expect("power of two");
    for arg in 1..=2u16 {
        while p.push_word(&mine, arg, u64::from(arg)).is_err() {
            thread::yield_now();
        }
    }
    consumer.join().expect("consumer");
}

/// Whether the model finds a lost wake-up (and not some other failure).
fn loses(model: impl Fn() + Send + Sync + std::panic::UnwindSafe + 'static) -> bool {
    let loud = std::panic::take_hook();
    std::panic::set_hook(Box::new(|_| {}));
    let result = std::panic::catch_unwind(|| loom::model(model));
    std::panic::set_hook(loud);
    let Err(payload) = result else { return false };
    let text = match payload.downcast::<String>() {
        Ok(text) => *text,
        Err(payload) => (*payload.downcast_ref::<&str>().expect("a text")).to_owned(),
    };
    assert!(text.starts_with("lost wake-up"), "another failure: {text}");
    true
}

/// One test, because it swaps the process's panic hook while the models that must fail do.
#[test]
fn no_wakeup_is_lost_and_each_fence_is_needed() {
    loom::model(|| consumer_sleeps(BOTH));
    loom::model(|| producer_sleeps(BOTH));
    for fences in
        [Fences { producer: false, consumer: true }, Fences { producer: true, consumer: false }]
    {
        assert!(loses(move || consumer_sleeps(fences)), "consumer's sleep needs both fences");
        assert!(loses(move || producer_sleeps(fences)), "producer's sleep needs both fences");
    }
}

#[test]
fn every_message_arrives_once_and_whole() {
    loom::model(transfer);
}
