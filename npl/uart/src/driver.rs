//! What the driver does, without saying how: bytes from the device to a client, messages of clients
//! to the device, and what to wait for when neither goes on.
use abi::call::Error;
use abi::ring::{INLINE_MAX, Slot};
use abi::vfs::{CONSOLE_DATA, CONSOLE_SYNC};
use rt::Result;
use rt::channel::{Ends, message, payload};
use rt::pl011::Pl011;

/// Most channels of either direction.
pub const CLIENTS: usize = 8;

/// A message ends after one of these, so that who reads one line takes nothing from who reads the
/// next: the shell and a program that it runs share the channel.
const ENDS: [u8; 4] = [b'\n', b'\r', 0x03, 0x04];

/// The device.
pub trait Port {
    /// Puts a byte into the transmit FIFO; `false`: it is full.
    fn put(&mut self, byte: u8) -> bool;
    /// Takes a byte from the receive FIFO.
    fn get(&mut self) -> Option<u8>;
    /// Everything that was put has left.
    fn idle(&mut self) -> bool;
    /// Forgets that the transmit FIFO had drained.
    fn clear_transmit(&mut self);
    /// Which interrupts may come.
    fn interrupts(&mut self, receive: bool, transmit: bool);
}

/// A client's channel.
pub trait Client {
    /// Puts a message towards the client: `Full`, `Gone`.
    fn push(&mut self, slot: &Slot) -> Result<()>;
    /// Looks at the client's next message and leaves it there: `Empty`, `Gone`.
    fn peek(&mut self) -> Result<Slot>;
    /// Frees the message last looked at.
    fn done(&mut self);
    /// Bytes of the message that [`Client::peek`] gives that left already; survives the driver.
    fn sent(&self) -> usize;
    /// Notes how many have.
    fn keep_sent(&mut self, bytes: usize);
    /// Bytes on their way to the client that no message holds yet, and their number; survive the driver.
    fn received(&self) -> ([u8; INLINE_MAX], usize);
    /// Adds one at place `at`.
    fn keep_received(&mut self, at: usize, byte: u8);
    /// Announces sleep until the client sent something; `false`: it has.
    fn sleep_for_message(&mut self) -> bool;
    /// Announces sleep until the client has room; `false`: it has.
    fn sleep_for_room(&mut self) -> bool;
    /// Takes the announcement back.
    fn awake(&mut self);
}

impl Port for Pl011 {
    fn put(&mut self, byte: u8) -> bool {
        Self::put(self, byte)
    }
    fn get(&mut self) -> Option<u8> {
        Self::get(self)
    }
    fn idle(&mut self) -> bool {
        Self::idle(self)
    }
    fn clear_transmit(&mut self) {
        Self::clear_transmit(self);
    }
    fn interrupts(&mut self, receive: bool, transmit: bool) {
        Self::interrupts(self, receive, transmit);
    }
}

impl Client for Ends {
    fn push(&mut self, slot: &Slot) -> Result<()> {
        Self::push(self, slot)
    }
    fn peek(&mut self) -> Result<Slot> {
        Self::peek(self)
    }
    fn done(&mut self) {
        Self::done(self);
    }
    fn sent(&self) -> usize {
        let note = self.note(false, 0);
        if note >> 16 == self.index(false) & 0xFFFF { note as usize & 0xFFFF } else { 0 }
    }
    fn keep_sent(&mut self, bytes: usize) {
        self.keep(false, 0, (self.index(false) << 16) | bytes as u32);
    }
    fn received(&self) -> ([u8; INLINE_MAX], usize) {
        let mut bytes = [0; INLINE_MAX];
        let note = self.note(true, 0);
        if note >> 16 != self.index(true) & 0xFFFF {
            // They belong to a message that is out.
            return (bytes, 0);
        }
        for (index, four) in bytes.as_chunks_mut().0.iter_mut().enumerate() {
            *four = self.note(true, 1 + index).to_le_bytes();
        }
        (bytes, (note as usize & 0xFFFF).min(INLINE_MAX))
    }
    fn keep_received(&mut self, at: usize, byte: u8) {
        let (index, shift) = (1 + at / 4, at % 4 * 8);
        let word = self.note(true, index) & !(0xFF << shift) | u32::from(byte) << shift;
        self.keep(true, index, word);
        self.keep(true, 0, (self.index(true) << 16) | (at as u32 + 1));
    }
    fn sleep_for_message(&mut self) -> bool {
        Self::sleep_for_message(self)
    }
    fn sleep_for_room(&mut self) -> bool {
        Self::sleep_for_room(self)
    }
    fn awake(&mut self) {
        Self::awake(self);
    }
}

/// Up to one message of bytes on their way.
#[derive(Clone, Copy)]
struct Staged {
    bytes: [u8; INLINE_MAX],
    from: usize,
    to: usize,
}

impl Staged {
    const EMPTY: Self = Self { bytes: [0; INLINE_MAX], from: 0, to: 0 };

    fn of(slot: &Slot) -> Self {
        let bytes = payload(slot);
        let mut staged = Self { to: bytes.len(), ..Self::EMPTY };
        staged.bytes[..bytes.len()].copy_from_slice(bytes);
        staged
    }
    fn is_empty(&self) -> bool {
        self.from == self.to
    }
    /// Adds a byte that came for `client`, here and where the next instance finds it.
    fn add(&mut self, byte: u8, client: &mut impl Client) {
        client.keep_received(self.to, byte);
        self.bytes[self.to] = byte;
        self.to += 1;
    }
}

/// What has to happen before there is something to do again, besides what the clients and the
/// device's interrupts announce.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// Nothing else.
    Wait,
    /// Look again in a while: the transmitter shifts its last bits, and has no interrupt for that.
    Drain,
}

/// The driver's state.
pub struct Driver<P, C> {
    /// The device.
    pub port: P,
    /// Channels that take received bytes; the first one that is there gets them.
    pub inputs: [Option<C>; CLIENTS],
    /// Channels whose messages are transmitted, in turn.
    pub outputs: [Option<C>; CLIENTS],
    received: Staged,
    transmitting: Staged,
    /// Output whose message is being transmitted.
    speaker: usize,
    /// Output whose turn it is.
    turn: usize,
    /// A client waits until everything has left: which, and the argument of its message.
    sync: Option<(usize, u64)>,
}

impl<P: Port, C: Client> Driver<P, C> {
    /// A driver without clients. `early` is what was received before.
    pub fn new(port: P, early: &[u8]) -> Self {
        let mut received = Staged::EMPTY;
        received.to = early.len().min(INLINE_MAX);
        received.bytes[..received.to].copy_from_slice(&early[..received.to]);
        Self {
            port,
            inputs: [const { None }; CLIENTS],
            outputs: [const { None }; CLIENTS],
            received,
            transmitting: Staged::EMPTY,
            speaker: 0,
            turn: 0,
            sync: None,
        }
    }

    /// Goes on where an earlier instance stopped: what it had taken from the device comes before what this one found
    /// there.
    pub fn resume(&mut self) {
        let Some(client) = self.inputs.iter_mut().flatten().next() else { return };
        let (bytes, len) = client.received();
        let early = self.received;
        self.received = Staged { bytes, from: 0, to: len };
        for &byte in &early.bytes[..early.to.min(INLINE_MAX - len)] {
            self.received.add(byte, client);
        }
    }

    /// Does all that can be done, says to the device and the clients what is waited for, and
    /// returns what else is. Every client has then been told that the driver sleeps.
    pub fn run(&mut self) -> Next {
        for client in self.inputs.iter_mut().chain(&mut self.outputs).flatten() {
            client.awake();
        }
        self.port.clear_transmit();
        loop {
            while self.receive() | self.transmit() {}
            if self.sleep() {
                break;
            }
        }
        let reader = self.inputs.iter().any(Option::is_some);
        self.port.interrupts(reader && self.received.is_empty(), !self.transmitting.is_empty());
        if self.sync.is_some() { Next::Drain } else { Next::Wait }
    }

    /// Received bytes to the first client that is there; `true`: something moved.
    fn receive(&mut self) -> bool {
        let mut moved = false;
        let staged = &mut self.received;
        // With nobody there the bytes are best kept by the device.
        let Some(place) = self.inputs.iter_mut().find(|c| c.is_some()) else { return moved };
        let Some(client) = place else { return moved };
        if staged.is_empty() {
            *staged = Staged::EMPTY;
            while staged.to < INLINE_MAX
                && let Some(byte) = self.port.get()
            {
                staged.add(byte, client);
                moved = true;
                if ENDS.contains(&byte) {
                    break;
                }
            }
        }
        if staged.is_empty() {
            return moved;
        }
        let sent = message(CONSOLE_DATA, 0, &staged.bytes[..staged.to]);
        match sent.and_then(|m| client.push(&m)) {
            Ok(()) => {
                *staged = Staged::EMPTY;
                true
            }
            Err(Error::Full) => moved,
            // A broken ring: this client is dropped, the bytes are the next one's.
            Err(_) => {
                *place = None;
                true
            }
        }
    }

    /// One client's message to the device; `true`: something moved.
    fn transmit(&mut self) -> bool {
        if let Some((client, arg)) = self.sync {
            return self.synchronized(client, arg);
        }
        if self.transmitting.to == 0 && !self.next_message() {
            return false;
        }
        if self.transmitting.to == 0 {
            // A message without bytes, which is dealt with.
            return true;
        }
        let staged = &mut self.transmitting;
        let Some(client) = &mut self.outputs[self.speaker] else {
            *staged = Staged::EMPTY;
            return true;
        };
        let before = staged.from;
        while staged.from < staged.to && self.port.put(staged.bytes[staged.from]) {
            staged.from += 1;
            client.keep_sent(staged.from);
        }
        if staged.is_empty() {
            // Freed only now: what has not left is the next instance's to send.
            client.done();
            *staged = Staged::EMPTY;
            return true;
        }
        staged.from > before
    }

    /// Takes the next message in turn; `false`: nobody has one.
    fn next_message(&mut self) -> bool {
        for _ in 0..CLIENTS {
            let index = self.turn;
            self.turn = (self.turn + 1) % CLIENTS;
            let Some(client) = &mut self.outputs[index] else { continue };
            match client.peek() {
                Ok(slot) if slot.kind == CONSOLE_DATA && slot.flags == 0 && slot.len > 0 => {
                    self.transmitting = Staged::of(&slot);
                    self.transmitting.from = client.sent().min(self.transmitting.to);
                    self.speaker = index;
                    return true;
                }
                Ok(slot) if slot.kind == CONSOLE_SYNC => {
                    self.sync = Some((index, slot.arg));
                    return true;
                }
                // A kind of a later version: nothing to do for it.
                Ok(_) => {
                    client.done();
                    return true;
                }
                Err(Error::Empty) => {}
                Err(_) => self.outputs[index] = None,
            }
        }
        false
    }

    /// Answers the client that waits for the transmitter, when it is idle.
    fn synchronized(&mut self, client: usize, arg: u64) -> bool {
        let idle = self.port.idle();
        if idle {
            self.sync = None;
            if let (Some(client), Ok(answer)) =
                (&mut self.outputs[client], message(CONSOLE_SYNC, arg, &[]))
            {
                // A client that does not take its answers has no use for another one.
                let _ = client.push(&answer);
                client.done();
            }
        }
        idle
    }

    /// Announces sleep to everyone who could end it; `false`: somebody has done so already.
    fn sleep(&mut self) -> bool {
        let mut asleep = true;
        if !self.received.is_empty() {
            let first = self.inputs.iter_mut().flatten().next();
            asleep &= first.is_none_or(Client::sleep_for_room);
        }
        // Behind a full FIFO or an unfinished synchronisation messages wait in their rings.
        if self.transmitting.is_empty() && self.sync.is_none() {
            for client in self.outputs.iter_mut().flatten() {
                asleep &= client.sleep_for_message();
            }
        }
        asleep
    }
}

#[cfg(test)]
#[path = "driver_tests.rs"]
mod tests;
