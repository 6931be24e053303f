//! The console driver: a PL011 (Arm DDI 0183) as one Photon fiber.
//!
//! Clients have two channels each, console in (0x1000) and console out (0x1001). [`driver`] moves
//! the bytes; here it is given the device and the rings, and the fiber waits: for the interrupt,
//! for the clients' doorbells, and while a client asked for silence on the line for the timer.
#![cfg_attr(not(test), no_std)]
#![forbid(unsafe_code)]

pub mod driver;
pub mod notes;

use abi::call::want;
use abi::cap::{Kind, slot};
use abi::ring::well_known::{CONSOLE_IN, CONSOLE_OUT};
use abi::stats::event::RESTARTED;
use driver::{CLIENTS, Driver, Next, Uart};
use notes::Notes;
use rt::channel::Ends;
use rt::handover::{self, Steps};
use rt::pl011::{DRAIN_NS, Pl011};
use rt::{Channel, Clock, Irq, manifest, object, wait};

/// Exit code: the manifest gives no window, or no interrupt.
const NO_DEVICE: usize = 2;
/// Exit code: the kernel refuses to wait.
const NO_WAIT: usize = 3;

/// The channels called `number`, mapped, as far as there are places.
fn clients(number: u32) -> [Option<Ends>; CLIENTS] {
    core::array::from_fn(|which| Channel::find(number, which as u32).ok()?.map().ok())
}

/// Exit code: the kernel does not tell where the last instance was stopped.
const NO_RESUME: usize = 4;

/// Serves until its end. `steps` are the image's own.
pub fn main(steps: Steps) -> usize {
    let window = manifest::own_grants(Kind::DEVICE).next();
    let line = manifest::own_grants(Kind::IRQ).next();
    let (Some(window), Some(line)) = (window, line) else { return NO_DEVICE };
    let Ok(registers) = Pl011::map(window.slot) else { return NO_DEVICE };
    let mut driver = Driver::new(Uart { registers, steps });
    driver.inputs = clients(CONSOLE_IN);
    driver.outputs = clients(CONSOLE_OUT);
    let all = driver.inputs.iter().chain(&driver.outputs).flatten();
    if handover::complete(&steps, all.flat_map(Notes::unfinished)).is_err() {
        return NO_RESUME;
    }
    driver.resume();
    serve(&mut driver, Irq(line.slot))
}

fn serve(driver: &mut Driver<Uart, Ends>, irq: Irq) -> usize {
    let mut list = wait::List::new();
    // The line is masked until its owner has looked after the device for the first time, too.
    let mut interrupted = true;
    loop {
        let next = driver.run();
        // After the device was served: a level that still held would interrupt at once.
        if core::mem::take(&mut interrupted) && irq.unmask().is_err() {
            return NO_WAIT;
        }
        list.clear();
        // The list has room: two, and one for each of at most 2 * CLIENTS channels.
        let _ = list.add(irq.0, want::EVENT);
        let _ = list.add(slot::EVENTS, want::READABLE);
        for client in driver.inputs.iter_mut().chain(&mut driver.outputs).flatten() {
            // Apart from the wait: a client that is not there (yet) must not make the wait fail.
            let _ = client.ring();
            let _ = list.add(client.slot(), client.want());
        }
        let deadline = (next == Next::Drain).then(|| Clock::OWN.now() + DRAIN_NS);
        match list.wait(deadline) {
            Ok(_) | Err(rt::Error::TimedOut) => {}
            Err(_) => return NO_WAIT,
        }
        // Taken, so that the channels of a client that was restarted can be rung again.
        let mut restarted = 0u64;
        if list.got(slot::EVENTS) != 0 {
            while let Ok(event) = object::next_event() {
                if event.kind == RESTARTED {
                    restarted |= 1 << (event.source % 64);
                }
            }
        }
        for place in driver.inputs.iter_mut().chain(&mut driver.outputs) {
            // DEAD alone: the capability is void, for good if its peer was not restarted. With another bit: the peer
            // went, and may come back.
            let dead = |c: &Ends| {
                list.got(c.slot()) == want::DEAD && restarted & 1 << (c.slot() % 64) == 0
            };
            if place.as_ref().is_some_and(dead) {
                *place = None;
            }
        }
        interrupted = list.got(irq.0) & want::EVENT != 0;
    }
}
