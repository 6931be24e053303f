//! The image of the console driver.
#![no_std]
#![no_main]
#![forbid(unsafe_code)]

rt::handover!(steps);
rt::entry!(main, "../manifest.kdl");

fn main() -> usize {
    uart::main(steps())
}
