//! The image of the console driver.
#![no_std]
#![no_main]

rt::entry!(uart::main, "../manifest.kdl");
