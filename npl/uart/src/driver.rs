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
    /// Takes a message of the client: `Empty`, `Gone`.
    fn pop(&mut self) -> Result<Slot>;
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
    fn pop(&mut self) -> Result<Slot> {
        Self::pop(self)
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
            turn: 0,
            sync: None,
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
        self.port.interrupts(self.received.is_empty(), !self.transmitting.is_empty());
        if self.sync.is_some() { Next::Drain } else { Next::Wait }
    }

    /// Received bytes to the first client that is there; `true`: something moved.
    fn receive(&mut self) -> bool {
        let mut moved = false;
        let staged = &mut self.received;
        if staged.is_empty() {
            *staged = Staged::EMPTY;
            while let Some(place) = staged.bytes.get_mut(staged.to)
                && let Some(byte) = self.port.get()
            {
                *place = byte;
                staged.to += 1;
                moved = true;
                if ENDS.contains(&byte) {
                    break;
                }
            }
        }
        if staged.is_empty() {
            return moved;
        }
        let Some(place) = self.inputs.iter_mut().find(|c| c.is_some()) else { return moved };
        let Some(client) = place else { return moved };
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
        if self.transmitting.is_empty() && !self.next_message() {
            return false;
        }
        let staged = &mut self.transmitting;
        let before = staged.from;
        while staged.from < staged.to && self.port.put(staged.bytes[staged.from]) {
            staged.from += 1;
        }
        staged.from > before || staged.is_empty()
    }

    /// Takes the next message in turn; `false`: nobody has one.
    fn next_message(&mut self) -> bool {
        for _ in 0..CLIENTS {
            let index = self.turn;
            self.turn = (self.turn + 1) % CLIENTS;
            let Some(client) = &mut self.outputs[index] else { continue };
            match client.pop() {
                Ok(slot) if slot.kind == CONSOLE_DATA && slot.flags == 0 => {
                    self.transmitting = Staged::of(&slot);
                    return true;
                }
                Ok(slot) if slot.kind == CONSOLE_SYNC => {
                    self.sync = Some((index, slot.arg));
                    return true;
                }
                // A kind of a later version: nothing to do for it.
                Ok(_) => return true,
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
