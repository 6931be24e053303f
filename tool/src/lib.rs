//! The host tool as a library: profiles, packing and bundles here, the command line on top.
#![forbid(unsafe_code)]

pub mod app;
pub mod assembly;
pub mod audit;
pub mod bench;
pub mod budget;
pub mod bundle;
pub mod cli;
pub mod command;
pub mod failure;
pub mod fs;
pub mod fuzz;
pub mod guest;
pub mod header;
pub mod loader;
pub mod machine;
pub mod pack;
pub mod profile;
pub mod proof;
pub mod report;
pub mod sabotage;
pub mod size;
pub mod suite;
pub mod symbol;
pub mod workspace;
