//! The driver against a made-up device and made-up clients.
use super::{CLIENTS, Client, Driver, Error, Next, Port, Slot, message, payload};
use abi::vfs::{CONSOLE_DATA, CONSOLE_SYNC};
use proptest::prelude::*;
use std::collections::VecDeque;

#[derive(Default)]
struct Device {
    incoming: VecDeque<u8>,
    fifo: VecDeque<u8>,
    depth: usize,
    sent: Vec<u8>,
    receive: bool,
    transmit: bool,
}

impl Device {
    /// The line takes `n` bytes.
    fn shift(&mut self, n: usize) {
        let n = n.min(self.fifo.len());
        self.sent.extend(self.fifo.drain(..n));
    }
}

impl Port for Device {
    fn put(&mut self, byte: u8) -> bool {
        let room = self.fifo.len() < self.depth;
        if room {
            self.fifo.push_back(byte);
        }
        room
    }
    fn get(&mut self) -> Option<u8> {
        self.incoming.pop_front()
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
    to_client: VecDeque<Slot>,
    from_client: VecDeque<Slot>,
    slots: usize,
    broken: bool,
    /// What survives a driver.
    sent: usize,
    received: Vec<u8>,
    asleep: (bool, bool),
}

impl Client for Peer {
    fn push(&mut self, slot: &Slot) -> rt::Result<()> {
        match () {
            () if self.broken => Err(Error::Gone),
            () if self.to_client.len() == self.slots => Err(Error::Full),
            () => {
                self.to_client.push_back(*slot);
                self.received.clear();
                Ok(())
            }
        }
    }
    fn peek(&mut self) -> rt::Result<Slot> {
        let empty = if self.broken { Error::Gone } else { Error::Empty };
        self.from_client.front().copied().ok_or(empty)
    }
    fn done(&mut self) {
        self.from_client.pop_front();
        self.sent = 0;
    }
    fn sent(&self) -> usize {
        self.sent
    }
    fn keep_sent(&mut self, bytes: usize) {
        self.sent = bytes;
    }
    fn received(&self) -> ([u8; 48], usize) {
        let mut bytes = [0; 48];
        bytes[..self.received.len()].copy_from_slice(&self.received);
        (bytes, self.received.len())
    }
    fn keep_received(&mut self, at: usize, byte: u8) {
        self.received.truncate(at);
        self.received.push(byte);
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
    Driver::new(Device { depth, ..Device::default() }, &[])
}

fn text(slots: &VecDeque<Slot>) -> Vec<u8> {
    slots.iter().flat_map(|s| payload(s).to_vec()).collect()
}

#[test]
fn what_was_received_before_comes_first() {
    let mut d = Driver::new(Device::default(), b"ab");
    d.inputs[0] = peer(4);
    d.resume();
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
    Die,
}

fn step() -> impl Strategy<Value = Step> {
    let bytes = || proptest::collection::vec(any::<u8>(), 0..=48);
    prop_oneof![
        bytes().prop_map(Step::Arrive),
        Just(Step::Read),
        (0..CLIENTS, bytes()).prop_map(|(client, b)| Step::Print(client, b)),
        (0..64usize).prop_map(Step::Shift),
        Just(Step::Die),
    ]
}

/// The driver died and another one has the same device and channels.
fn reborn(old: Driver<Device, Peer>) -> Driver<Device, Peer> {
    let mut new = Driver::new(old.port, &[]);
    (new.inputs, new.outputs) = (old.inputs, old.outputs);
    new.resume();
    new
}

proptest! {
    /// Whatever the order of things, and however often the driver dies between its steps, all that came arrives, and of each client's bytes none is
    /// lost, doubled or out of order.
    #[test]
    fn nothing_is_lost(steps in proptest::collection::vec(step(), 1..80), depth in 1usize..33) {
        let mut d = driver(depth);
        d.inputs[0] = peer(2);
        for client in &mut d.outputs {
            *client = peer(4);
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
                Step::Die => d = reborn(d),
            }
            d.run();
        }
        let total: usize = printed.iter().map(Vec::len).sum();
        for _ in 0..=total + came.len() {
            d.port.shift(depth);
            let client = d.inputs[0].as_mut().unwrap();
            read.extend(text(&client.to_client));
            client.to_client.clear();
            d.run();
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
