//! What the driver does, without saying how: bytes from the device to a client, messages of clients
//! to the device, and what to wait for when neither goes on.
use abi::call::Error;
use abi::ring::{INLINE_MAX, Slot};
use abi::vfs::{CONSOLE_DATA, CONSOLE_SYNC};
use rt::Result;
use rt::channel::{Ends, message, payload};
use rt::handover::{Note, Steps};
use rt::pl011::Pl011;

use crate::notes::Notes;

/// Most channels of either direction.
pub const CLIENTS: usize = 8;

/// A message ends after one of these, so that who reads one line takes nothing from who reads the
/// next: the shell and a program that it runs share the channel.
const ENDS: [u8; 4] = [b'\n', b'\r', 0x03, 0x04];

/// The device.
pub trait Port {
    /// Puts a byte into the transmit FIFO and makes the note, as one step; `false`: it is full.
    fn put(&mut self, byte: u8, note: Note) -> bool;
    /// Takes a byte from the receive FIFO; what the device gave is in the note in the same step.
    fn get(&mut self, note: Note) -> Option<u8>;
    /// All interrupts off; whether an instance before has set the device up.
    fn is_set_up(&mut self) -> bool;
    /// Sets it up, which empties its FIFOs.
    fn set_up(&mut self);
    /// Everything that was put has left.
    fn idle(&mut self) -> bool;
    /// Forgets that the transmit FIFO had drained.
    fn clear_transmit(&mut self);
    /// Which interrupts may come.
    fn interrupts(&mut self, receive: bool, transmit: bool);
}

/// A client's channel.
pub trait Client: Notes {
    /// Puts a message towards the client: `Full`, `Gone`.
    fn push(&mut self, slot: &Slot) -> Result<()>;
    /// Looks at the client's next message and leaves it there: `Empty`, `Gone`.
    fn peek(&mut self) -> Result<Slot>;
    /// Frees the message last looked at.
    fn done(&mut self);
    /// Announces sleep until the client sent something; `false`: it has.
    fn sleep_for_message(&mut self) -> bool;
    /// Announces sleep until the client has room; `false`: it has.
    fn sleep_for_room(&mut self) -> bool;
    /// Takes the announcement back.
    fn awake(&mut self);
}

/// A PL011 whose bytes are noted as they move.
pub struct Uart {
    /// The registers.
    pub registers: Pl011,
    /// Access and note.
    pub steps: Steps,
}

impl Port for Uart {
    fn put(&mut self, byte: u8, note: Note) -> bool {
        self.registers.give(byte, &self.steps, note)
    }
    fn get(&mut self, note: Note) -> Option<u8> {
        self.registers.take(&self.steps, note)
    }
    fn is_set_up(&mut self) -> bool {
        self.registers.is_set_up()
    }
    fn set_up(&mut self) {
        self.registers.set_up();
    }
    fn idle(&mut self) -> bool {
        self.registers.idle()
    }
    fn clear_transmit(&mut self) {
        self.registers.clear_transmit();
    }
    fn interrupts(&mut self, receive: bool, transmit: bool) {
        self.registers.interrupts(receive, transmit);
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
    fn add(&mut self, byte: u8, client: &impl Client) {
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
    /// A driver without clients.
    pub fn new(port: P) -> Self {
        Self {
            port,
            inputs: [const { None }; CLIENTS],
            outputs: [const { None }; CLIENTS],
            received: Staged::EMPTY,
            transmitting: Staged::EMPTY,
            speaker: 0,
            turn: 0,
            sync: None,
        }
    }

    /// Goes on where an earlier instance stopped, and sets the device up if none has: what came before that is taken first.
    pub fn resume(&mut self) {
        if let Some(client) = self.inputs.iter_mut().flatten().next() {
            let (bytes, to) = client.received();
            self.received = Staged { bytes, from: 0, to };
            if let Some(last) = to.checked_sub(1) {
                // Maybe it was only on its way.
                client.keep_received(last, bytes[last]);
            }
        }
        // A message that left in part goes on before any other one.
        let speaker = |c: &Option<C>| c.as_ref().is_some_and(|c| c.sent() != 0);
        self.turn = self.outputs.iter().position(speaker).unwrap_or(0);
        if !self.port.is_set_up() {
            self.collect();
            self.port.set_up();
        }
    }

    /// Takes what the device has, up to one message; `true`: something moved.
    fn collect(&mut self) -> bool {
        let staged = &mut self.received;
        let Some(client) = self.inputs.iter_mut().flatten().next() else { return false };
        let before = staged.to;
        while staged.to < INLINE_MAX
            && let Some(byte) = self.port.get(client.note_received(staged.to))
        {
            staged.add(byte, client);
            if ENDS.contains(&byte) {
                break;
            }
        }
        staged.to > before
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
        if self.received.is_empty() {
            self.received = Staged::EMPTY;
            moved = self.collect();
        }
        let staged = &mut self.received;
        // With nobody there the bytes are best kept by the device.
        let Some(place) = self.inputs.iter_mut().find(|c| c.is_some()) else { return moved };
        let Some(client) = place else { return moved };
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
        while let Some(&byte) = staged.bytes[..staged.to].get(staged.from)
            && self.port.put(byte, client.note_sent(staged.from + 1))
        {
            staged.from += 1;
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
