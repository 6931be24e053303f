//! The image of subject zero.
#![no_std]
#![no_main]
#![forbid(unsafe_code)]

rt::entry!(init::main, "../manifest.kdl");
