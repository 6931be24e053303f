//! Asks the server to shout its arguments, one by one.
#![no_std]
#![no_main]
#![forbid(unsafe_code)]

use echo::{CHANNEL, SHOUT};
use rt::channel::{message, payload};
use rt::{Channel, Clock, Error, Result, println};

rt::entry!(main, kdl: r#"
name "echo-client"
kind "npk"
energy 100
pledge "STDIO"
policy "never"
stack "16K"
channels 2
"#);

/// How long an answer may take, ns.
const PATIENCE: u64 = 1_000_000_000;

fn main() -> Result<()> {
    let mut server = Channel::find(CHANNEL, 0)?.map()?;
    for (number, word) in (0..).zip(rt::args()) {
        server.send(&message(SHOUT, number, word.as_bytes())?)?;
        let answer = server.recv(Some(Clock::OWN.now() + PATIENCE))?;
        // A peer is not trusted: an answer to something else is a mistake of its own.
        if (answer.kind, answer.arg) != (SHOUT, number) {
            return Err(Error::BadCall);
        }
        let text = core::str::from_utf8(payload(&answer)).map_err(|_| Error::BadCall)?;
        println!("{word} -> {text}");
    }
    Ok(())
}
