//! What a domain sees of the files: the paths that `unveil` showed it.
//!
//! Before the first `unveil` a domain sees every path that its pledge allows; after it, what was unveiled. Of all paths
//! that begin a name, part by part, the longest one decides, so that a folder may be shown and a part of it hidden again.
//! The idea and the rule of the nearest path are OpenBSD's (unveil(2)); what differs is that a child is bound by what its
//! parent saw.
//!
//! That bound is a second list in the same table. A path's permissions are what *both* lists give it, and a list that is
//! empty gives everything. [`Veil::inherited`] folds both into the bound of a child: for every path that either names, what
//! both give. As of two paths that begin a name the shorter one also begins the longer one, the longest of all decides as
//! both lists together did; `tests/laws.rs` holds it against a model without the folding.
//!
//! The table has a fixed size, paths in one area of [`TEXT`] bytes, so that its worst lookup compares no more than that.
#![no_std]
#![forbid(unsafe_code)]

mod table;

pub use table::{PATHS, TEXT, Veil};
