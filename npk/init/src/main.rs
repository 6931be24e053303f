//! The image of subject zero.
#![no_std]
#![no_main]

rt::entry!(init::main, "../manifest.kdl");
