//! The image of the console driver.
#![no_std]
#![no_main]
#![forbid(unsafe_code)]

rt::entry!(uart::main, "../manifest.kdl");
