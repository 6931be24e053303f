//! Ring, bells and wake-up between cores under every interleaving and every permitted reordering (loom).
//!
//! Each fence has a test that leaves it out and demands that the model then finds what was lost: if it no longer did,
//! the model would prove nothing.
use lane::{Desk, Lane, Message, Receiver, Sender, WORDS, answer, call};
use loom::sync::Arc;
use loom::sync::atomic::{AtomicU32, AtomicU64, Ordering, fence};
use loom::thread;

/// Which sides keep their fence.
#[derive(Clone, Copy)]
struct Fences {
    sender: bool,
    receiver: bool,
}

const BOTH: Fences = Fences { sender: true, receiver: true };

/// One lane with two places and one word of bells, the receiver's desk, and what a bell tells of.
struct Shared {
    written: AtomicU32,
    taken: AtomicU32,
    rung: AtomicU64,
    heard: AtomicU64,
    slots: [AtomicU64; 2],
    desk: AtomicU64,
    news: AtomicU64,
}

/// One side's view.
#[derive(Clone)]
struct View {
    shared: Arc<Shared>,
    fenced: bool,
}

impl Lane for View {
    fn written(&self) -> u32 {
        self.shared.written.load(Ordering::Acquire)
    }
    fn set_written(&self, count: u32) {
        self.shared.written.store(count, Ordering::Release);
    }
    fn taken(&self) -> u32 {
        self.shared.taken.load(Ordering::Acquire)
    }
    fn set_taken(&self, count: u32) {
        self.shared.taken.store(count, Ordering::Release);
    }
    fn read(&self, slot: u32) -> Message {
        let mut message = [0; WORDS];
        message[0] = self.shared.slots[slot as usize % 2].load(Ordering::Relaxed);
        message
    }
    fn write(&self, slot: u32, message: &Message) {
        self.shared.slots[slot as usize % 2].store(message[0], Ordering::Relaxed);
    }
    fn rung(&self, _: usize) -> u64 {
        self.shared.rung.load(Ordering::Acquire)
    }
    fn set_rung(&self, _: usize, bits: u64) {
        self.shared.rung.store(bits, Ordering::Release);
    }
    fn heard(&self, _: usize) -> u64 {
        self.shared.heard.load(Ordering::Acquire)
    }
    fn set_heard(&self, _: usize, bits: u64) {
        self.shared.heard.store(bits, Ordering::Release);
    }
    fn fence(&self) {
        if self.fenced {
            fence(Ordering::SeqCst);
        }
    }
}

impl Desk for View {
    fn fetch_or(&self, bits: u64) -> u64 {
        self.shared.desk.fetch_or(bits, Ordering::Relaxed)
    }
    fn clear(&self) {
        self.shared.desk.store(0, Ordering::Relaxed);
    }
    fn fence(&self) {
        Lane::fence(self);
    }
}

fn views(fences: Fences, desk: u64) -> (View, View) {
    let shared = Arc::new(Shared {
        written: AtomicU32::new(0),
        taken: AtomicU32::new(0),
        rung: AtomicU64::new(0),
        heard: AtomicU64::new(0),
        slots: [AtomicU64::new(0), AtomicU64::new(0)],
        desk: AtomicU64::new(desk),
        news: AtomicU64::new(0),
    });
    let sender = View { shared: shared.clone(), fenced: fences.sender };
    (sender, View { shared, fenced: fences.receiver })
}

/// The receiver was interrupted for something older and looks once, then sleeps. A message that it did not find must have
/// interrupted it again.
fn a_message_wakes(fences: Fences) {
    let (mine, theirs) = views(fences, 1 << 7);
    let receiver = thread::spawn(move || {
        answer(&theirs);
        Receiver::new().receive(&theirs).is_some()
    });
    let mut message = [0; WORDS];
    message[0] = 42;
    Sender::new().send(&mine, &message).expect("room");
    let interrupted = call(&mine, 1);
    let found = receiver.join().expect("receiver");
    assert!(found || interrupted, "lost: not found, not interrupted");
}

/// A bell that is rung already is not rung again: then the receiver, which hears it, must also find the later news.
fn a_bell_tells_the_last_news(fences: Fences) {
    let (mine, theirs) = views(fences, 0);
    let mut sender = Sender::new();
    assert!(sender.ring(&mine, 3), "nobody rang before");
    let receiver = thread::spawn(move || {
        let heard = Receiver::new().hear(&theirs, 0) != 0;
        (heard, theirs.shared.news.load(Ordering::Relaxed))
    });
    mine.shared.news.store(1, Ordering::Relaxed);
    let again = sender.ring(&mine, 3);
    let (heard, news) = receiver.join().expect("receiver");
    assert!(heard, "the first ring was there before the look");
    assert!(again || news == 1, "lost: old news, and no second ring");
}

/// Messages arrive once, whole and in order through slots that are written again and again.
fn transfer() {
    let (mine, theirs) = views(BOTH, 0);
    let receiver = thread::spawn(move || {
        let (mut end, mut next) = (Receiver::new(), 1);
        while next <= 3 {
            match end.receive(&theirs) {
                Some(message) => {
                    assert_eq!(message[0], next);
                    next += 1;
                }
                None => thread::yield_now(),
            }
        }
    });
    let mut end = Sender::new();
    for number in 1..=3 {
        // Two places: the protocol itself would allow more than this memory has.
        while mine.shared.taken.load(Ordering::Acquire) + 2 < number {
            thread::yield_now();
        }
        let mut message = [0; WORDS];
        message[0] = u64::from(number);
        end.send(&mine, &message).expect("room");
    }
    receiver.join().expect("receiver");
}

fn fails(model: impl Fn() + Sync + Send + 'static) -> bool {
    std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| loom::model(model))).is_err()
}

#[test]
fn no_message_is_lost() {
    loom::model(|| a_message_wakes(BOTH));
}

#[test]
fn without_the_senders_fence_a_message_is_lost() {
    assert!(fails(|| a_message_wakes(Fences { sender: false, ..BOTH })));
}

#[test]
fn without_the_receivers_fence_a_message_is_lost() {
    assert!(fails(|| a_message_wakes(Fences { receiver: false, ..BOTH })));
}

#[test]
fn no_news_is_lost() {
    loom::model(|| a_bell_tells_the_last_news(BOTH));
}

#[test]
fn without_the_ringers_fence_news_are_lost() {
    assert!(fails(|| a_bell_tells_the_last_news(Fences { sender: false, ..BOTH })));
}

#[test]
fn without_the_hearers_fence_news_are_lost() {
    assert!(fails(|| a_bell_tells_the_last_news(Fences { receiver: false, ..BOTH })));
}

#[test]
fn messages_arrive_once_and_in_order() {
    let mut model = loom::model::Builder::new();
    model.preemption_bound = Some(3);
    model.check(transfer);
}
