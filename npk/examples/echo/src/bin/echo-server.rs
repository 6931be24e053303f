//! Answers each message with the same text in capitals. It keeps nothing but its rights to its channel.
#![no_std]
#![no_main]
#![forbid(unsafe_code)]

use echo::{CHANNEL, SHOUT};
use rt::channel::{message, payload};
use rt::{Channel, Result, info, warn};

rt::entry!(main, kdl: r#"
name "echo-server"
kind "npk"
energy 100
pledge "STDIO"
policy "restart"
stack "16K"
channels 2
"#);

fn main() -> Result<()> {
    // From here on messages pass without the kernel; `recv` sleeps when there is none.
    let mut client = Channel::find(CHANNEL, 0)?.map()?;
    loop {
        let request = match client.recv(None) {
            // The client went: what it asked for is answered.
            Err(rt::Error::Gone) => break,
            other => other?,
        };
        if request.kind != SHOUT {
            warn!("a request of kind {}", request.kind);
            continue;
        }
        let mut text = [0; rt::abi::ring::INLINE_MAX];
        let asked = payload(&request);
        text[..asked.len()].copy_from_slice(asked);
        text.make_ascii_uppercase();
        client.send(&message(SHOUT, request.arg, &text[..asked.len()])?)?;
    }
    info!("the client is gone");
    Ok(())
}
