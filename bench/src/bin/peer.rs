//! The other domain: wakes, notes when, and answers.
#![no_std]
#![no_main]

use abi::call::{WaitEntry, number, want};
use bench::{call, entry, timed, timed_floating};
use rt::channel::{Channel, Ends};

/// Ask for the time of waking, with FP registers in use or not, and for an answer.
const WAKE: u16 = 1;
const WAKE_FLOATING: u16 = 2;
const REQUEST: u16 = 3;

fn main() -> usize {
    let Ok(channel) = Channel::find(0x1_0001, 0) else { return 2 };
    let Ok(mut ends) = channel.map() else { return 3 };
    let wait = entry(number::WAIT);
    let mut kind = WAKE;
    loop {
        let list = WaitEntry { slot: ends.slot(), want: want::READABLE, got: 0, zero: 0 };
        let list = core::cell::UnsafeCell::new(list);
        let args = [list.get() as usize, 1, 0];
        let floating = kind == WAKE_FLOATING;
        let t = if floating {
            // SAFETY: the kernel writes the entry, which is a cell.
            unsafe { timed_floating(wait, args) }
        } else {
            // SAFETY: as above.
            unsafe { timed(wait, args) }
        };
        if t.status != 0 {
            return 4;
        }
        while let Ok((asked, arg)) = ends.pop_word() {
            kind = asked;
            let answer = if asked == REQUEST { arg } else { t.after };
            if ends.push_word(asked, answer).is_err() {
                return 5;
            }
        }
        if kind == REQUEST {
            return serve(&mut ends, wait);
        }
    }
}

/// Answers one request after the other until the client goes.
fn serve(ends: &mut Ends, wait: usize) -> usize {
    let list = WaitEntry { slot: ends.slot(), want: want::READABLE | want::RING, got: 0, zero: 0 };
    let list = core::cell::UnsafeCell::new(list);
    loop {
        // SAFETY: the kernel writes the entry, which is a cell.
        if unsafe { call(wait, [list.get() as usize, 1, 0]) } != 0 {
            return 4;
        }
        // Woken without a request: the client went.
        let Ok((_, arg)) = ends.pop_word() else { return 0 };
        if ends.push_word(REQUEST, arg).is_err() {
            return 5;
        }
    }
}

rt::entry!(main, kdl: "name \"bench-peer\"\nversion 1\nkind \"npk\"\nspectrum \"photon\"\nenergy 400\npledge \"STDIO\"\npolicy \"never\"\nstack \"16K\"\nheap \"0\"\nfibers 1\ndevices 0\nchannels 1\n");
