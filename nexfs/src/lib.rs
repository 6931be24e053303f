#![doc = include_str!("../README.md")]
#![no_std]
#![forbid(unsafe_code)]

#[cfg(test)]
#[macro_use]
extern crate std;

mod bytes;
mod cache;
mod check;
mod crc;
mod device;
mod entry;
mod error;
mod file;
mod find;
mod fold;
mod graft;
mod layout;
mod map;
mod names;
mod path;
mod prune;
mod read;
mod reclaim;
mod shape;
mod snapshot;
mod superblock;
mod tree;
mod volume;
mod write;

pub use cache::Slot;
pub use check::{Finding, Frame, Report};
pub use device::{Device, DeviceError};
pub use entry::Kind;
pub use error::{Error, Part, Result};
pub use layout::{DEPTH_MAX, Geometry, MAX_SHIFT, MIN_SHIFT, NAME_MAX, PATH_MAX, VERSION};
pub use path::Place;
pub use read::{Entry, Space, Stat};
pub use volume::{CACHE_MIN, Format, Memory, Volume};

#[cfg(test)]
mod proof;
