//! Switches between two domains: ping and pong with `switch-peer`, as many rounds as the first
//! argument says. With `unmap` as the second, every round also unmaps and maps this end, so that
//! TLB maintenance there is to be counted.
#![no_std]
#![no_main]
#![forbid(unsafe_code)]

use rt::channel::{Channel, Ends};
use rt::{Clock, Result, println, sys};

/// The peer ends itself; other kinds it answers.
const STOP: u16 = 0;
const ASK: u16 = 1;
/// Until it has ended, ns.
const END_NS: u64 = 100_000_000;

/// Sends, sleeps until the peer answered, and checks the answer: both sides are woken once.
fn round(ends: &mut Ends, n: u64) -> Result<bool> {
    ends.push_word(ASK, n)?;
    Ok(ends.recv(None)?.arg == n)
}

/// The rounds; answers how many were answered rightly.
fn rounds(channel: Channel, count: u64, unmap: bool) -> Result<u64> {
    let mut ends = channel.map()?;
    let mut good = 0;
    for n in 0..count {
        good += u64::from(round(&mut ends, n)?);
        if unmap {
            sys::map(channel.0, 0, 0, 0)?;
            ends = channel.map()?;
        }
    }
    Ok(good)
}

/// Ends the peer before this program ends, so that what their ends cost is the same on every run.
fn stop(channel: Channel) -> Result<()> {
    let mut ends = channel.map()?;
    ends.push_word(STOP, 0)?;
    ends.ring()?;
    Clock::OWN.sleep_until(Clock::OWN.now() + END_NS)
}

fn main() -> usize {
    let mut words = rt::args();
    let Some(count) = words.next().and_then(|a| a.parse().ok()) else { return 2 };
    let unmap = words.next() == Some("unmap");
    let Ok(channel) = Channel::find(0x1_0001, 0) else { return 3 };
    let Ok(before) = rt::stats::system() else { return 4 };
    let good = rounds(channel, count, unmap);
    let Ok(after) = rt::stats::system() else { return 4 };
    if stop(channel).is_err() {
        return 5;
    }
    println!("rounds {}", good.unwrap_or(0));
    println!("switches {}", after.switches - before.switches);
    println!("tlb-maintenance {}", after.tlb_maintenance - before.tlb_maintenance);
    0
}

rt::entry!(main, kdl: "name \"switch-storm\"\nversion 1\nkind \"npk\"\nspectrum \"matter\"\nenergy 2000\npledge \"STDIO\"\npolicy \"never\"\nstack \"16K\"\nheap \"0\"\nfibers 1\ndevices 0\nchannels 2\n");
