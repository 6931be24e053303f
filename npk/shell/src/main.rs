//! The image of the shell.
#![no_std]
#![no_main]
#![forbid(unsafe_code)]

rt::entry!(shell::main, "../manifest.kdl");
