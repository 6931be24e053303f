//! Bundles: everything that one machine boots, in one signed archive.
//!
//! [`assemble`] goes from a checked profile to bytes, and lets the two crates that read those bytes
//! at boot check them before anyone boots them.
mod archive;
mod boot;
mod key;
pub mod manifest;
mod place;
mod table;
mod tree;

use std::path::Path;

use abi::boot::CELLS_NAME;

pub use archive::{Archive, Member};
pub use key::{DEVELOPMENT, Key};
pub use table::Table;

use crate::{
    pack::Flat,
    profile::{ImageRef, Profile},
    report::{Report, Reports},
};

/// What reads an image: its ELF, or the packed image.
pub type ReadImage<'a> = &'a mut dyn FnMut(&ImageRef) -> Result<Vec<u8>, Reports>;

/// Where the default files of `/Boot` are, and the version of the bundle.
#[derive(Clone, Copy, Debug)]
pub struct Options<'a> {
    /// Folder whose files appear under `/Boot` unless the profile names one.
    pub boot: &'a Path,
    /// Version of the bundle, compared with nexus-boot's floor.
    pub version: u32,
}

/// Makes the bundle of `profile`, signed by `key`, and verifies it as nexus-boot and RumKV will.
///
/// # Errors
/// What `image` says; an image that contradicts the profile; what does not fit its place.
pub fn assemble(
    profile: &Profile,
    image: ReadImage,
    key: &Key,
    boot: &Path,
    version: u32,
) -> Result<Vec<u8>, Reports> {
    let (archive, table) = draft(profile, image, Options { boot, version })?;
    check_table(&table)?;
    let bytes = archive.write(key).map_err(|why| Reports::from(Report::new(why)))?;
    let own = |member: &str, why: &str| {
        Reports::from(Report::new(format!("the bundle just made is refused: {member}: {why}")))
    };
    let verified = ::bundle::verify(&bytes, &key.public_key(), version)
        .map_err(|r| own(abi::text(&r.member), r.reason))?;
    ::bundle::Plan::new(verified, &[]).map_err(|r| own(abi::text(&r.member), r.reason))?;
    Ok(bytes)
}

/// As [`assemble`], but `edit` may change the cell table, and nothing is checked afterwards: what a
/// test needs to forge a bundle past `check`.
///
/// # Errors
/// As [`assemble`].
pub fn assemble_with(
    profile: &Profile,
    image: ReadImage,
    key: &Key,
    options: Options,
    edit: impl FnOnce(&mut Table),
) -> Result<Vec<u8>, Reports> {
    let (mut archive, mut table) = draft(profile, image, options)?;
    edit(&mut table);
    archive.members[0].contents = table.encode();
    archive.write(key).map_err(|why| Report::new(why).into())
}

/// Reads a bundle, lets `edit` change it, and signs it again: for tests that want another key, a
/// lower version, other members.
///
/// # Errors
/// What is no bundle.
pub fn rewrite(
    bytes: &[u8],
    key: &Key,
    edit: impl FnOnce(&mut Archive),
) -> Result<Vec<u8>, String> {
    let mut archive = Archive::read(bytes)?;
    edit(&mut archive);
    archive.write(key)
}

fn check_table(table: &Table) -> Result<(), Reports> {
    let bytes = table.encode();
    let fault = |f: cells::Fault| {
        Report::new(format!("the cell table of this profile is refused: {f}"))
            .help("RumKV would refuse it at boot")
    };
    let decoded = cells::Table::decode(&bytes).map_err(fault)?;
    Ok(cells::check(&decoded).map_err(fault)?)
}

/// Everything but the signature.
fn draft(
    profile: &Profile,
    image: ReadImage,
    options: Options,
) -> Result<(Archive, Table), Reports> {
    let rumkv = match &profile.rumkv {
        Some(named) => Some(place::rumkv(named, image)?),
        None => None,
    };
    let kernel = place::kernel(&profile.cell().kernel, image)?;
    let cell = profile.cell();
    let mut plan = manifest::plan(cell);
    let packed = boot::images(cell, &mut plan, image)?;
    let boot = boot::members(cell, options.boot, packed)?;
    let fdt = tree::build(cell)
        .map_err(|e| Report::new(format!("the device tree cannot be built: {e}")))?;
    let secret = boot::secret(cell)?;
    let parts = Parts { rumkv, kernel, fdt, manifest: plan.encode(), secret, boot };
    place::fits(&parts, cell)?;
    Ok(parts.draft(profile, options.version))
}

/// What goes into a bundle.
struct Parts {
    rumkv: Option<Flat>,
    kernel: Flat,
    fdt: Vec<u8>,
    manifest: Vec<u8>,
    /// For one service alone.
    secret: Option<Vec<u8>>,
    boot: Vec<Member>,
}

impl Parts {
    fn draft(self, profile: &Profile, version: u32) -> (Archive, Table) {
        let member =
            |name: &str, contents: Vec<u8>| Member { name: name.to_owned(), version: 0, contents };
        let mut members = vec![member(CELLS_NAME, Vec::new())];
        let mut numbers = [0; 4];
        let mut push = |which: usize, name: &str, contents: Vec<u8>| {
            numbers[which] = members.len();
            members.push(member(name, contents));
        };
        if let Some(rumkv) = &self.rumkv {
            push(0, "rumkv", rumkv.bytes.clone());
        }
        push(1, "cell0/kernel", self.kernel.bytes.clone());
        push(2, "cell0/fdt", self.fdt.clone());
        push(3, "cell0/manifest", self.manifest.clone());
        let secret = self.secret.map(|contents| {
            members.push(member("cell0/secret", contents));
            members.len() - 1
        });
        let first = members.len();
        members.extend(self.boot);
        let images = table::Images {
            rumkv: self.rumkv.as_ref(),
            kernel: &self.kernel,
            fdt_len: self.fdt.len() as u64,
            manifest_len: self.manifest.len() as u64,
            numbers,
            secret,
            boot: (members.len() > first).then(|| (first, members.len() - 1)),
        };
        let table = Table::new(profile, &images);
        members[0].contents = table.encode();
        (Archive { version, members }, table)
    }
}
