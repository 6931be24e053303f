//! Subject zero: starts the services that the cell's manifest marks for it, in its order, and
//! waits.
//!
//! Silent while all is well. A service that ends is one line on the console; when nothing is left
//! to wait for, the cell is switched off if the manifest gives POWER, and init ends otherwise.
#![no_std]
#![forbid(unsafe_code)]

use abi::boot::Service;
use abi::call::{Error, want};
use abi::cap::{Kind, slot};
use rt::manifest::Manifest;
use rt::object::{Power, Wanted, next_event};
use rt::stats::Ended;
use rt::{Factory, Fiber, println, wait};

/// Most services at a time: a wait list holds their fibers and the events.
const SERVICES_MAX: usize = abi::call::WAIT_MAX - 1;
/// How long the console may take before the cell is switched off, ns.
const PATIENCE_NS: u64 = 2_000_000_000;

/// A service that was started.
#[derive(Clone, Copy)]
struct Started {
    fiber: Fiber,
    name: [u8; 32],
}

/// Starts, waits, and switches the cell off when nothing is left; the value is the exit code.
pub fn main() -> usize {
    let Some(manifest) = rt::manifest::of_cell() else {
        println!("init: no cell manifest");
        return 1;
    };
    let mut started = [None; SERVICES_MAX];
    let mut count = 0;
    for service in manifest.automatic() {
        let Some(place) = started.get_mut(count) else {
            println!("init: {}: too many services", abi::text(&service.name));
            break;
        };
        // A spawn may cost a whole window: giving way after each keeps it from counting as a
        // strike.
        rt::sys::yield_();
        *place = start(&manifest, &service);
        count += place.is_some() as usize;
    }
    watch(&mut started);
    leave()
}

fn start(manifest: &Manifest, service: &Service) -> Option<Started> {
    let name = abi::text(&service.name);
    match Factory::OWN.image(name, manifest.args(service), Wanted::default()) {
        Ok(fiber) => Some(Started { fiber, name: service.name }),
        Err(e) => {
            println!("init: {name}: not started: {}", rt::start::describe(e));
            None
        }
    }
}

/// Until every service has ended.
fn watch(started: &mut [Option<Started>]) {
    let mut list = wait::List::new();
    while started.iter().any(Option::is_some) {
        list.clear();
        // The list has a place for each service and one for the events.
        let _ = list.add(slot::EVENTS, want::READABLE);
        for s in started.iter().flatten() {
            let _ = list.add(s.fiber.0, want::EVENT);
        }
        if list.wait(None).is_err() {
            return;
        }
        // Taken, so that they are not ready again: what ended is asked for below, and a restart is
        // the kernel's business.
        while next_event().is_ok() {}
        for place in started.iter_mut() {
            let Some(s) = *place else { continue };
            match s.fiber.try_end() {
                Err(Error::Empty) => continue,
                Ok(how) => println!("init: {}: {}", abi::text(&s.name), Ended(&how)),
                Err(e) => println!("init: {}: {}", abi::text(&s.name), rt::start::describe(e)),
            }
            let _ = s.fiber.release_slot();
            *place = None;
        }
    }
}

/// Nothing is left: off, where the manifest gives that right.
fn leave() -> usize {
    if let Some(power) = rt::manifest::own_grants(Kind::POWER).next() {
        // A console that does not answer in time must not keep the cell on.
        let _ = rt::console::sync(PATIENCE_NS);
        let _ = Power(power.slot).off();
    }
    0
}
