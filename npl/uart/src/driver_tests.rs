//! The driver against a made-up device and made-up clients.
use super::{CLIENTS, Client, Driver, Error, Next, Note, Notes, Port, Slot, message, payload};
use abi::vfs::{CONSOLE_DATA, CONSOLE_SYNC};
use core::sync::atomic::{AtomicU32, Ordering};
use proptest::prelude::*;
use std::cell::Cell;
use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::rc::Rc;

/// Steps that the driver still makes before it ends, and the next one after that; 0: it lives on.
type Fuse = Rc<[Cell<usize>; 2]>;

/// How the driver ends in the midst of anything.
struct Death;

fn burn(fuse: &Fuse) {
    let [now, next] = &**fuse;
    match now.get() {
        0 => {}
        1 => {
            now.set(next.take());
            resume_unwind(Box::new(Death));
        }
        left => now.set(left - 1),
    }
}

#[derive(Default)]
struct Device {
    fuse: Fuse,
    /// What the kernel would tell of a death between the device and the note.
    missing: Option<(usize, u32)>,
    set_up: bool,
    incoming: VecDeque<u8>,
    fifo: VecDeque<u8>,
    depth: usize,
    sent: Vec<u8>,
    receive: bool,
    transmit: bool,
}

impl Device {
    /// The store to the note, or the end before it.
    fn store(&mut self, note: Note, value: u32) {
        self.missing = Some((note.word.as_ptr() as usize, value));
        burn(&self.fuse);
        self.missing = None;
        note.word.store(value, Ordering::Relaxed);
    }

    /// The line takes `n` bytes.
    fn shift(&mut self, n: usize) {
        let n = n.min(self.fifo.len());
        self.sent.extend(self.fifo.drain(..n));
    }
}

impl Port for Device {
    fn put(&mut self, byte: u8, note: Note) -> bool {
        burn(&self.fuse);
        let room = self.fifo.len() < self.depth;
        if room {
            self.fifo.push_back(byte);
            self.store(note, note.value);
        }
        room
    }
    fn get(&mut self, note: Note) -> Option<u8> {
        burn(&self.fuse);
        let byte = self.incoming.pop_front()?;
        self.store(note, note.value | u32::from(byte));
        Some(byte)
    }
    fn is_set_up(&mut self) -> bool {
        self.set_up
    }
    fn set_up(&mut self) {
        burn(&self.fuse);
        self.set_up = true;
    }
    fn idle(&mut self) -> bool {
        self.fifo.is_empty()
    }
    fn clear_transmit(&mut self) {}
    fn interrupts(&mut self, receive: bool, transmit: bool) {
        (self.receive, self.transmit) = (receive, transmit);
    }
}

#[derive(Default)]
struct Peer {
    fuse: Fuse,
    to_client: VecDeque<Slot>,
    from_client: VecDeque<Slot>,
    slots: usize,
    broken: bool,
    /// What survives a driver: indices and words, received and sent. Boxed, as their addresses are told.
    index: [u32; 2],
    words: Box<[[AtomicU32; crate::notes::WORDS]; 2]>,
    asleep: (bool, bool),
}

impl Notes for Peer {
    fn index(&self, sends: bool) -> u32 {
        self.index[usize::from(sends)]
    }
    fn word(&self, sends: bool, place: usize) -> &AtomicU32 {
        burn(&self.fuse);
        &self.words[usize::from(sends)][place]
    }
}

impl Client for Peer {
    fn push(&mut self, slot: &Slot) -> rt::Result<()> {
        burn(&self.fuse);
        match () {
            () if self.broken => Err(Error::Gone),
            () if self.to_client.len() == self.slots => Err(Error::Full),
            () => {
                self.to_client.push_back(*slot);
                self.index[1] += 1;
                burn(&self.fuse);
                Ok(())
            }
        }
    }
    fn peek(&mut self) -> rt::Result<Slot> {
        let empty = if self.broken { Error::Gone } else { Error::Empty };
        self.from_client.front().copied().ok_or(empty)
    }
    fn done(&mut self) {
        burn(&self.fuse);
        self.from_client.pop_front();
        self.index[0] += 1;
        burn(&self.fuse);
    }
    fn sleep_for_message(&mut self) -> bool {
        self.asleep.0 = self.from_client.is_empty() && !self.broken;
        self.asleep.0
    }
    fn sleep_for_room(&mut self) -> bool {
        self.asleep.1 = self.to_client.len() == self.slots && !self.broken;
        self.asleep.1
    }
    fn awake(&mut self) {
        self.asleep = (false, false);
    }
}

#[expect(clippy::unnecessary_wraps, reason = "what a place of the driver holds")]
fn peer(slots: usize) -> Option<Peer> {
    Some(Peer { slots, ..Peer::default() })
}

fn driver(depth: usize) -> Driver<Device, Peer> {
    Driver::new(Device { depth, ..Device::default() })
}

fn text(slots: &VecDeque<Slot>) -> Vec<u8> {
    slots.iter().flat_map(|s| payload(s).to_vec()).collect()
}

#[test]
fn what_was_received_before_comes_first() {
    let mut d = driver(1);
    d.inputs[0] = peer(4);
    d.port.incoming.extend(b"ab");
    d.resume();
    assert!(d.port.set_up && d.port.incoming.is_empty());
    d.port.incoming.extend(b"cd");
    assert_eq!(d.run(), Next::Wait);
    assert_eq!(text(&d.inputs[0].as_ref().unwrap().to_client), b"abcd");
    assert!(d.port.receive && !d.port.transmit);
}

#[test]
fn only_the_first_client_that_is_there_reads() {
    let mut d = driver(1);
    (d.inputs[2], d.inputs[5]) = (peer(4), peer(4));
    d.port.incoming.extend(b"one");
    d.run();
    d.inputs[2].as_mut().unwrap().broken = true;
    d.port.incoming.extend(b"two");
    d.run();
    assert!(d.inputs[2].is_none());
    assert_eq!(text(&d.inputs[5].as_ref().unwrap().to_client), b"two");
}

#[test]
fn a_full_client_masks_the_interrupt_and_loses_nothing() {
    let mut d = driver(1);
    d.inputs[0] = peer(2);
    d.port.incoming.extend((32..=255).cycle().take(1000));
    d.run();
    assert!(!d.port.receive);
    // Two messages in the ring, one staged, the rest in the device.
    assert_eq!(d.port.incoming.len(), 1000 - 3 * 48);
    let client = d.inputs[0].as_mut().unwrap();
    assert!(client.asleep.1);
    let mut got = text(&client.to_client);
    client.to_client.clear();
    while got.len() < 1000 {
        d.run();
        let client = d.inputs[0].as_mut().unwrap();
        got.extend(text(&client.to_client));
        client.to_client.clear();
    }
    d.run();
    assert!(d.port.receive);
    assert_eq!(got, (32..=255).cycle().take(1000).collect::<Vec<u8>>());
}

#[test]
fn a_message_holds_one_line() {
    let mut d = driver(1);
    d.inputs[0] = peer(8);
    d.port.incoming.extend(b"one\ntwo\r\n\x04th");
    d.run();
    let messages = &d.inputs[0].as_ref().unwrap().to_client;
    let lines: Vec<&[u8]> = messages.iter().map(payload).collect();
    assert_eq!(lines, [&b"one\n"[..], b"two\r", b"\n", b"\x04", b"th"]);
}

#[test]
fn nobody_reads_and_the_device_keeps_quiet() {
    let mut d = driver(1);
    d.port.incoming.extend(b"x");
    assert_eq!(d.run(), Next::Wait);
    assert!(!d.port.receive);
}

#[test]
fn a_full_fifo_interrupts_and_an_empty_one_does_not() {
    let mut d = driver(16);
    d.outputs[0] = peer(4);
    let client = d.outputs[0].as_mut().unwrap();
    client.from_client.push_back(message(CONSOLE_DATA, 0, &[7; 20]).unwrap());
    d.run();
    assert!(d.port.transmit);
    d.port.shift(16);
    d.run();
    assert!(!d.port.transmit && d.outputs[0].as_ref().unwrap().asleep.0);
    d.port.shift(16);
    assert_eq!(d.port.sent, [7; 20]);
}

#[test]
fn a_synchronisation_waits_for_what_was_sent_before() {
    let mut d = driver(4);
    (d.outputs[0], d.outputs[1]) = (peer(4), peer(4));
    let client = &mut d.outputs[0].as_mut().unwrap().from_client;
    client.push_back(message(CONSOLE_DATA, 0, b"bye").unwrap());
    client.push_back(message(CONSOLE_SYNC, 42, &[]).unwrap());
    assert_eq!(d.run(), Next::Drain);
    assert!(d.outputs[0].as_ref().unwrap().to_client.is_empty());
    d.port.shift(3);
    assert_eq!(d.run(), Next::Wait);
    let answer = d.outputs[0].as_mut().unwrap().to_client.pop_front().unwrap();
    assert_eq!((answer.kind, answer.arg), (CONSOLE_SYNC, 42));
}

#[test]
fn a_broken_client_is_dropped_and_the_others_go_on() {
    let mut d = driver(64);
    (d.outputs[0], d.outputs[1]) = (peer(4), peer(4));
    d.outputs[0].as_mut().unwrap().broken = true;
    let other = &mut d.outputs[1].as_mut().unwrap().from_client;
    other.push_back(message(CONSOLE_DATA, 0, b"on").unwrap());
    d.run();
    d.port.shift(2);
    assert!(d.outputs[0].is_none() && d.outputs[1].is_some());
    assert_eq!(d.port.sent, b"on");
}

#[test]
fn kinds_and_flags_of_others_are_passed_over() {
    let mut d = driver(64);
    d.outputs[0] = peer(4);
    let client = &mut d.outputs[0].as_mut().unwrap().from_client;
    client.push_back(message(999, 0, b"no").unwrap());
    client.push_back(Slot { flags: 1, ..message(CONSOLE_DATA, 0, b"no").unwrap() });
    client.push_back(message(CONSOLE_DATA, 0, &[]).unwrap());
    client.push_back(message(CONSOLE_DATA, 0, b"yes").unwrap());
    d.run();
    d.port.shift(9);
    assert_eq!(d.port.sent, b"yes");
}

#[derive(Clone, Debug)]
enum Step {
    Arrive(Vec<u8>),
    Read,
    Print(usize, Vec<u8>),
    Shift(usize),
    /// The driver ends after so many of its steps, and the next one after so many.
    Die(usize, usize),
}

fn step() -> impl Strategy<Value = Step> {
    let bytes = || proptest::collection::vec(any::<u8>(), 0..=48);
    prop_oneof![
        bytes().prop_map(Step::Arrive),
        Just(Step::Read),
        (0..CLIENTS, bytes()).prop_map(|(client, b)| Step::Print(client, b)),
        (0..64usize).prop_map(Step::Shift),
        (1..400usize, 0..40usize).prop_map(|(first, next)| Step::Die(first, next)),
    ]
}

/// The driver died and another one has the same device and channels. It may die on its way, too.
fn reborn(old: Driver<Device, Peer>) -> Driver<Device, Peer> {
    let mut new = Driver::new(old.port);
    (new.inputs, new.outputs) = (old.inputs, old.outputs);
    if let Some((at, value)) = new.port.missing {
        let words = new.inputs.iter().chain(&new.outputs).flatten();
        let mut words = words.flat_map(|c| c.words.as_flattened());
        let word = words.find(|w| w.as_ptr() as usize == at).expect("a note of a client");
        word.store(value, Ordering::Relaxed);
        new.port.missing = None;
    }
    if lives(|| new.resume()) { new } else { reborn(new) }
}

/// Whether it came to its end without dying.
fn lives(f: impl FnOnce()) -> bool {
    match catch_unwind(AssertUnwindSafe(f)) {
        Ok(()) => true,
        Err(death) if death.is::<Death>() => false,
        Err(failure) => resume_unwind(failure),
    }
}

/// Runs until it waits, however often it dies meanwhile.
fn run(mut d: Driver<Device, Peer>) -> Driver<Device, Peer> {
    loop {
        if lives(|| _ = d.run()) {
            return d;
        }
        d = reborn(d);
    }
}

proptest! {
    /// Whatever the order of things, and wherever the driver dies, all that came arrives, and of each client's bytes none is
    /// lost, doubled or out of order.
    #[test]
    fn nothing_is_lost(steps in proptest::collection::vec(step(), 1..80), depth in 1usize..33) {
        let mut d = driver(depth);
        let fuse = d.port.fuse.clone();
        d.inputs[0] = peer(2);
        for client in &mut d.outputs {
            *client = peer(4);
        }
        for client in d.inputs.iter_mut().chain(&mut d.outputs).flatten() {
            client.fuse = fuse.clone();
        }
        let (mut came, mut read) = (Vec::new(), Vec::new());
        let mut printed = vec![Vec::new(); CLIENTS];
        for step in steps {
            match step {
                Step::Arrive(bytes) => {
                    came.extend(&bytes);
                    d.port.incoming.extend(bytes);
                }
                Step::Read => {
                    let client = d.inputs[0].as_mut().unwrap();
                    read.extend(text(&client.to_client));
                    client.to_client.clear();
                }
                // The client's number in the upper bits, so that its bytes are known again.
                Step::Print(client, mut bytes) => {
                    for byte in &mut bytes {
                        *byte = *byte >> 3 | (client as u8) << 5;
                    }
                    printed[client].extend(&bytes);
                    let queue = &mut d.outputs[client].as_mut().unwrap().from_client;
                    queue.push_back(message(CONSOLE_DATA, 0, &bytes).unwrap());
                }
                Step::Shift(n) => d.port.shift(n),
                Step::Die(first, next) => {
                    fuse[0].set(first);
                    fuse[1].set(next);
                }
            }
            d = run(d);
        }
        let total: usize = printed.iter().map(Vec::len).sum();
        for _ in 0..=total + came.len() {
            d.port.shift(depth);
            let client = d.inputs[0].as_mut().unwrap();
            read.extend(text(&client.to_client));
            client.to_client.clear();
            d = run(d);
        }
        prop_assert_eq!(read, came);
        for (client, expected) in printed.iter().enumerate() {
            let of = |b: &&u8| usize::from(**b >> 5) == client;
            let got: Vec<u8> = d.port.sent.iter().filter(of).copied().collect();
            prop_assert_eq!(&got, expected);
        }
        prop_assert_eq!(d.port.sent.len(), total);
    }
}
