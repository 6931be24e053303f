//! `forswear BIT [never]`: uses what a pledge bit allows, gives the bit up, and uses it again, which must be its end. With
//! `never` it was not given the bit, and exits with the number of the error that it is told. `forswear witness` tells which
//! violations ProvChain has.
#![no_std]
#![no_main]

use abi::call::{meta, op};
use abi::cap::{W, slot};
use abi::pledge;
use abi::prov::{ProvRecord, kind};
use abi::stats::{CLASS_FIBER, FiberStats};
use abi::vfs;
use rt::object::{Device, Irq, Wanted};
use rt::{Channel, Clock, Factory, Result, println, sys};

rt::entry!(main, kdl: r#"
name "forswear"
kind "npk"
pledge "STDIO" "RPATH" "WPATH" "INET" "EXEC" "BLOCK" "DEVICE" "AUDIT"
stack "16K"
devices 1
channels 4
"#);

/// Number of the channels that need INET and BLOCK.
const NUMBER: u32 = 0x1_0001;
/// First slot of what the manifest lists.
const FIRST: u8 = slot::FIRST;
/// A word of the PL061's window (Arm DDI 0190, GPIODATA).
const REGISTER: usize = 0x3FC;

/// A bit and a use of it.
type Attack = (u64, fn() -> Result<()>);

fn attack(name: &str) -> Option<Attack> {
    Some(match name {
        "stdio" => (pledge::STDIO, || Clock::OWN.time().map(drop)),
        "rpath" => (pledge::RPATH, || rt::fs::stat("/Boot").map(drop)),
        "wpath" => (pledge::WPATH, write),
        "inet" => (pledge::INET, channel),
        "exec" => (pledge::EXEC, || Factory::OWN.image("none", &[], Wanted::default()).map(drop)),
        "block" => (pledge::BLOCK, channel),
        "device" => (pledge::DEVICE, || Irq(FIRST + 1).unmask()),
        "window" => (pledge::DEVICE, window),
        "audit" => (pledge::AUDIT, audit),
        "stats" => (pledge::AUDIT, others),
        _ => return None,
    })
}

fn main() -> usize {
    let mut words = rt::args();
    if rt::raw_args().starts_with(b"witness") {
        return witness();
    }
    let Some((bit, act)) = words.next().and_then(attack) else { return 100 };
    if words.next() == Some("never") {
        return match act() {
            Ok(()) => 0,
            Err(error) => (error as isize).unsigned_abs(),
        };
    }
    // What the contract refuses for another reason is refused now too, and the program lives.
    let before = act();
    if rt::pledge::narrow(!bit).is_err() {
        return 101;
    }
    let after = act();
    if before == after { 102 } else { 103 }
}

/// Tells whose violations stand in ProvChain, when all others have ended.
fn witness() -> usize {
    let clock = Clock::OWN;
    if clock.sleep_until(clock.now() + 1_000_000_000).is_err() {
        return 104;
    }
    let Some(audit) = rt::audit::Audit::own() else { return 105 };
    for record in audit.records(0).filter_map(|bytes| ProvRecord::decode(&bytes)) {
        if record.kind == kind::PLEDGE_VIOLATION {
            println!("witness: {}", abi::text(&record.data[16..]));
        }
    }
    0
}

/// There is nothing yet that can be written: asking for it is the use.
fn write() -> Result<()> {
    let path = "/Boot/motd";
    let mut request = vfs::Request::zeroed();
    request.path = path.as_ptr().expose_provenance() as u64;
    request.path_len = path.len() as u32;
    request.perms = W.into();
    let vfs = Channel(slot::VFS);
    vfs.send(&rt::channel::message(vfs::op::OPEN, 0, &request.encode())?)?;
    match vfs.recv()?.arg as i64 as isize {
        0 => Ok(()),
        status => Err(rt::Error::from_status(status).unwrap_or(rt::Error::Unsupported)),
    }
}

/// The slot of a channel that the manifest gave, or where it would be.
fn channel() -> Result<()> {
    let slot = Channel::find(NUMBER, 0).map_or(FIRST, |c| c.0);
    sys::operate(slot, op::DOORBELL).map(drop)
}

/// The window stays mapped while the bit is there; afterwards the access is a page fault.
fn window() -> Result<()> {
    static MAPPED: core::sync::atomic::AtomicUsize = core::sync::atomic::AtomicUsize::new(0);
    let relaxed = core::sync::atomic::Ordering::Relaxed;
    if MAPPED.load(relaxed) == 0 {
        let _ = Device::map(FIRST, 0x1000)?;
        MAPPED.store(sys::map(FIRST, 0, 0x1000, abi::cap::R)?.0, relaxed);
    }
    let at = core::ptr::with_exposed_provenance::<u32>(MAPPED.load(relaxed) + REGISTER);
    // SAFETY: a register that reading does not change; without the bit the kernel must end the domain.
    let _ = unsafe { at.read_volatile() };
    Ok(())
}

fn audit() -> Result<()> {
    let mut buf = sys::Aligned::<128>::ZERO;
    sys::recv(FIRST, &mut *buf).map(drop)
}

/// Statistics of a place that is not the own one: the first driver's.
fn others() -> Result<()> {
    let mut buf = sys::Aligned::<{ FiberStats::SIZE }>::ZERO;
    buf[..4].copy_from_slice(&CLASS_FIBER.to_le_bytes());
    sys::meta(meta::STATS, &mut *buf).map(drop)
}
