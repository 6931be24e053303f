//! The image of the demonstration.
#![no_std]
#![no_main]
#![forbid(unsafe_code)]

rt::entry!(demo::main, "../manifest.kdl");
