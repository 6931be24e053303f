//! A driver of the PL031 that dies with its device at work. Its image says how the device comes to rest, so that the next instance
//! finds it quiet; `restless stuck` leaves it in a state that the last step waits for in vain.
#![no_std]
#![no_main]

use abi::cap::{R, W, slot};
use rt::println;

rt::entry!(main, kdl: r#"
name "restless"
kind "npk"
energy 400
pledge "STDIO" "DEVICE"
policy "restart"
stack "16K"
devices 1
channels 1
quiesce "write" reg=0x4 value=0x1111
quiesce "write" reg=0x4 value=0x2222
quiesce "write" reg=0x10 value=0
quiesce "poll" reg=0x10 mask=0x1 value=0 within-us=100
quiesce "poll" reg=0x8 mask=0x1 value=0 within-us=1000
"#);

/// PL031 (Arm DDI 0224, table 3-1), words of its window: the match register, the load register, the interrupt mask. All of them
/// read as they were written.
const MATCH: usize = 1;
const LOAD: usize = 2;
const MASK: usize = 4;
/// What the match register holds after the steps.
const QUIET: u32 = 0x2222;

fn main() -> usize {
    let Ok((address, _)) = rt::sys::map(slot::FIRST, 0, 0x1000, R | W) else { return 3 };
    let word =
        |index: usize| core::ptr::with_exposed_provenance_mut::<u32>(address).wrapping_add(index);
    // SAFETY: a register in the mapped window.
    let found = unsafe { word(MATCH).read_volatile() };
    // SAFETY: as above.
    let mask = unsafe { word(MASK).read_volatile() };
    println!("restless: match {found:#x}, mask {mask}");
    if found == QUIET {
        return 0;
    }
    // SAFETY: as above.
    unsafe { word(MATCH).write_volatile(0xDEAD) };
    // SAFETY: as above.
    unsafe { word(MASK).write_volatile(1) };
    let stuck = rt::args().next() == Some("stuck");
    // SAFETY: as above.
    unsafe { word(LOAD).write_volatile(u32::from(stuck)) };
    panic!("with the device at work")
}
