//! Does what a message says and answers with times: see `bench::mate`.
#![no_std]
#![no_main]

use abi::call::number;
use abi::cap::{R, slot};
use bench::mate::{END, MAP, TAKE, TAKE_AND_DROP};
use bench::{counter, entry, overhead, timed};
use rt::channel::{Channel, message};
use rt::{Result, object, sys};

/// Does it; the time that it took.
fn act(kind: u16, arg: u64) -> Result<u64> {
    let before = counter();
    match kind {
        TAKE | TAKE_AND_DROP => {
            object::take_parked(slot::PARENT, arg as u8)?;
        }
        MAP => {
            sys::map(arg as u8, 0, 4096, R)?;
        }
        _ => {}
    }
    let took = counter() - before - overhead();
    if kind == TAKE_AND_DROP {
        sys::mask(arg as u8, 0, 0, None)?;
    }
    Ok(took)
}

fn main() -> usize {
    let parent = Channel(slot::PARENT);
    loop {
        // SAFETY: no memory is concerned.
        let woken = unsafe { timed(entry(number::YIELD), [0; 3]) }.after;
        let Ok(request) = parent.try_recv() else { continue };
        if request.kind == END {
            return 0;
        }
        // An answer of another kind says that it failed.
        let done = act(request.kind, request.arg);
        let kind = if done.is_ok() { request.kind } else { 0 };
        let took = done.unwrap_or(0).to_le_bytes();
        let Ok(answer) = message(kind, woken, &took) else { return 2 };
        if parent.try_send(&answer).is_err() {
            return 3;
        }
    }
}

rt::entry!(main, kdl: "name \"bench-mate\"\nversion 1\nkind \"npk\"\nspectrum \"void\"\nenergy 0\npledge \"STDIO\"\npolicy \"never\"\nstack \"16K\"\nheap \"0\"\nfibers 1\ndevices 0\nchannels 1\n");
