//! Wake of a fiber of another domain, and a request with its answer, on one core.
#![no_std]
#![no_main]

use abi::call::{WaitEntry, number, want};
use bench::{call, counter, entry, median, overhead, timed, timed_floating};
use rt::channel::{Channel, Ends};
use rt::{Clock, println};

const WAKE: u16 = 1;
const WAKE_FLOATING: u16 = 2;
const REQUEST: u16 = 3;
const SAMPLES: usize = 21;
/// Between two samples, so that both domains have their whole energy again, ns.
const PAUSE_NS: u64 = 60_000_000;

fn pause() {
    let _ = Clock::OWN.sleep_until(Clock::OWN.now() + PAUSE_NS);
}

/// From the doorbell's call to the peer's first instruction after its `wait`.
fn wake(ends: &mut Ends, kind: u16) -> u64 {
    let send = entry(number::SEND);
    let mut samples = [0; SAMPLES];
    // The first round tells the peer what it is asked for from then on.
    for round in 0..=SAMPLES {
        pause();
        if ends.push_word(kind, 0).is_err() {
            return 0;
        }
        let args = [ends.slot() as usize, 0, 0];
        let floating = kind == WAKE_FLOATING;
        let t = if floating {
            // SAFETY: a doorbell touches no memory.
            unsafe { timed_floating(send, args) }
        } else {
            // SAFETY: as above.
            unsafe { timed(send, args) }
        };
        // The peer is of a higher spectrum: it ran before the call came back.
        let Ok((_, woken)) = ends.pop_word() else { return 0 };
        if let Some(sample) = round.checked_sub(1).and_then(|i| samples.get_mut(i)) {
            *sample = woken - t.before - overhead();
        }
    }
    median(&mut samples)
}

/// From a request's first instruction to its answer in hand, the one that follows another at once, and the first after a
/// pause; each side enters the kernel once.
fn request(ends: &mut Ends) -> Option<(u64, u64)> {
    let list = WaitEntry { slot: ends.slot(), want: want::READABLE | want::RING, got: 0, zero: 0 };
    let list = core::cell::UnsafeCell::new(list);
    let wait = [entry(number::WAIT), list.get() as usize];
    let (mut first, mut next) = ([0; SAMPLES], [0; SAMPLES]);
    for (round, (first, next)) in first.iter_mut().zip(&mut next).enumerate() {
        pause();
        // The first round of all also tells the peer what it is asked for from then on.
        *first = ask(ends, wait, 2 * round as u64)?;
        *next = ask(ends, wait, 2 * round as u64 + 1)?;
    }
    Some((median(&mut next), median(&mut first)))
}

/// One request: its instructions.
#[inline]
fn ask(ends: &mut Ends, [wait, list]: [usize; 2], arg: u64) -> Option<u64> {
    let before = counter();
    let sent = ends.push_word(REQUEST, arg);
    // SAFETY: the kernel writes the entry, which is a cell.
    let status = unsafe { call(wait, [list, 1, 0]) };
    let answer = ends.pop_word();
    let after = counter();
    let good = sent.is_ok() && status == 0 && answer.is_ok_and(|(_, a)| a == arg);
    good.then(|| after - before - overhead())
}

fn main() -> usize {
    let Ok(channel) = Channel::find(0x1_0001, 0) else { return 2 };
    let Ok(mut ends) = channel.map() else { return 3 };
    // The peer has to wait before it is woken.
    pause();
    println!("figure wake-cross-domain {} instructions", wake(&mut ends, WAKE));
    println!("figure wake-cross-domain-fp {} instructions", wake(&mut ends, WAKE_FLOATING));
    let Some((next, first)) = request(&mut ends) else { return 4 };
    println!("figure request-answer {next} instructions");
    println!("figure request-answer-first {first} instructions");
    0
}

rt::entry!(main, kdl: "name \"bench-wake\"\nversion 1\nkind \"npk\"\nspectrum \"matter\"\nenergy 2000\npledge \"STDIO\"\npolicy \"never\"\nstack \"16K\"\nheap \"0\"\nfibers 1\ndevices 0\nchannels 2\n");
