//! Profiles: KDL files that describe a machine and what runs on it.
//!
//! Reading has three passes, each of which needs the one before: the document (`kdl`), its shape
//! ([`schema`], [`shape`]), what it means ([`read`] to [`model`], then [`check`]). A pass reports
//! every mistake it finds.
pub mod board;
pub(crate) mod check;
pub mod image;
pub mod model;
mod open;
mod quiesce;
mod read;
pub mod schema;
mod shape;
pub mod tree;
pub mod unveil;

use std::path::Path;

pub use model::{ImageRef, Machine, Profile};

use crate::report::Reports;

/// Reads and checks the profile in the KDL file at `path`.
///
/// # Errors
/// Every mistake of the first pass that finds one.
pub fn load(path: &Path) -> Result<Profile, Reports> {
    let (start, nodes) = open::with_includes(path)?;
    let mut out = Vec::new();
    shape::check(&nodes, schema::PROFILE, &start, &mut out);
    Reports(std::mem::take(&mut out)).or(())?;
    let name = name(path);
    let Some(profile) = read::profile(&nodes, &name) else {
        return Err(crate::report::Report::new("the profile does not fit the schema").into());
    };
    let tree = tree::Tree::around(path);
    check::check(&profile, tree.as_ref(), &mut out);
    Reports(out).or(profile)
}

/// A profile is called as its file without the extension; an application's, as its folder.
fn name(path: &Path) -> String {
    let folder = path.file_name().is_some_and(|n| n == crate::app::PROFILE);
    let full = if folder { path.canonicalize().ok() } else { None };
    let of = full.as_deref().and_then(Path::parent).unwrap_or(path);
    of.file_stem().unwrap_or_default().to_string_lossy().into_owned()
}
