//! The image of the service that seals the audit chain.
#![no_std]
#![no_main]
#![forbid(unsafe_code)]

rt::entry!(provd::main, "../manifest.kdl");
