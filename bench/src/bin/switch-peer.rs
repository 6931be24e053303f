//! The other domain of `switch-storm`: answers each message with itself, and sleeps in between.
#![no_std]
#![no_main]
#![forbid(unsafe_code)]

use rt::channel::Channel;

/// Sent when no answer is wanted any more.
const STOP: u16 = 0;

fn main() -> usize {
    let Ok(channel) = Channel::find(0x1_0001, 0) else { return 2 };
    let Ok(mut ends) = channel.map() else { return 3 };
    loop {
        let Ok(message) = ends.recv(None) else { return 4 };
        if message.kind == STOP {
            return 0;
        }
        if ends.push_word(message.kind, message.arg).is_err() {
            return 5;
        }
    }
}

rt::entry!(main, kdl: "name \"switch-peer\"\nversion 1\nkind \"npk\"\nspectrum \"matter\"\nenergy 2000\npledge \"STDIO\"\npolicy \"never\"\nstack \"16K\"\nheap \"0\"\nfibers 1\ndevices 0\nchannels 1\n");
