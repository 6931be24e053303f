//! Serves two clients at once from one fiber, with a timer beside them: the executor over mapped channels. The
//! clients are the example's `echo-client`.
#![no_std]
#![no_main]
#![forbid(unsafe_code)]

use core::time::Duration;

use rt::channel::Ends;
use rt::task::{self, Either};
use rt::{Channel, println};

rt::entry!(main, kdl: r#"
name "tasks"
kind "npk"
energy 100
pledge "STDIO"
stack "32K"
channels 3
"#);

/// The clients' channels.
const CHANNEL: u32 = 0x10010;

/// Answers in capitals until the client goes; how often.
async fn serve(mut client: Ends) -> u32 {
    let mut served = 0;
    while let Ok(mut message) = client.recv_async().await {
        message.payload.make_ascii_uppercase();
        if client.send_async(&message).await.is_err() {
            break;
        }
        served += 1;
    }
    served
}

fn main() -> rt::Result<()> {
    let (first, second) = (Channel::find(CHANNEL, 0)?.map()?, Channel::find(CHANNEL, 1)?.map()?);
    let beats = core::cell::Cell::new(0);
    let beat = async {
        loop {
            // What is shorter than a client's time to start is waited for while both wait.
            task::sleep(Duration::from_micros(500)).await?;
            beats.set(beats.get() + 1);
        }
    };
    let both = task::join(serve(first), serve(second));
    match task::block_on(task::select(both, beat)) {
        Either::First((a, b)) => println!("tasks: served {a} and {b}"),
        Either::Second(ended) => return ended,
    }
    println!("tasks: {}", if beats.get() > 0 { "the clock went on" } else { "no beat" });
    Ok(())
}
