//! Bundles: everything that one machine boots, in one signed archive.
//!
//! [`assemble`] goes from a checked profile to bytes, and lets the two crates that read those bytes
//! at boot check them before anyone boots them.
mod archive;
pub mod arm64;
mod boot;
mod guest;
mod key;
pub mod manifest;
mod place;
mod table;
mod tree;

use std::path::Path;

use abi::boot::{CELLS_NAME, place as purpose, virt};

pub use archive::{Archive, Member};
pub use key::{DEVELOPMENT, Key};
pub use table::Table;

use crate::{
    profile::{ImageRef, Profile, model::Cell},
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
    let mut members = Members(vec![Member::new(CELLS_NAME, Vec::new())]);
    let rumkv = match &profile.rumkv {
        Some(named) => {
            let flat = place::rumkv(named, image)?;
            Some((members.add("rumkv".into(), flat.bytes.clone()), flat))
        }
        None => None,
    };
    let mut cells = Vec::new();
    let mut boot = Vec::new();
    for (number, cell) in profile.cells.iter().enumerate() {
        let own = match &cell.guest {
            Some(guest) => guest::parts(cell, guest, number, &mut members)?,
            None => rumpk(cell, number, image, options, (&mut members, &mut boot))?,
        };
        cells.push(own);
    }
    let first = members.0.len();
    members.0.extend(boot::merged(boot)?);
    let boot = (members.0.len() > first).then(|| table::Boot {
        first,
        last: members.0.len() - 1,
        len: archive::length(&members.0[first..]),
    });
    if let Some(boot) = &boot {
        let with_files = profile.cells.iter().filter(|c| c.guest.is_none());
        Reports(with_files.filter_map(|c| place::archive(c, boot.len)).collect()).or(())?;
    }
    let table = Table::new(profile, rumkv.as_ref().map(|(n, f)| (*n, f)), &cells, boot.as_ref());
    members.0[0].contents = table.encode();
    Ok((Archive { version: options.version, members: members.0 }, table))
}

/// Members of the bundle so far.
struct Members(Vec<Member>);

impl Members {
    /// Adds one; its number in the index.
    fn add(&mut self, name: String, contents: Vec<u8>) -> usize {
        self.0.push(Member { name, version: 0, contents });
        self.0.len() - 1
    }
}

/// What of a cell lies where: physical address, bytes, member of the index.
#[derive(Clone, Copy, Debug)]
struct Load {
    member: usize,
    at: u64,
    len: u64,
}

/// A cell as the table needs it.
#[derive(Debug)]
struct Parts {
    /// Address of the first instruction and what is in `x0` there, as the cell sees them.
    entry: u64,
    argument: u64,
    /// `CELL_FLAT` for a foreign kernel.
    flags: u64,
    /// What is loaded.
    loads: Vec<Load>,
    /// Device tree and manifest of a Rumpk cell: what for, physical address, bytes.
    places: Vec<(u32, u64, u64)>,
}

/// The parts of a Rumpk cell. Its files go to `boot`.
fn rumpk(
    cell: &Cell,
    number: usize,
    image: ReadImage,
    options: Options,
    (members, boot): (&mut Members, &mut Vec<Member>),
) -> Result<Parts, Reports> {
    let Some(named) = &cell.kernel else {
        return Err(Report::new(format!("cell {number} has no kernel")).into());
    };
    let kernel = place::kernel(named, image)?;
    let mut plan = manifest::plan(cell);
    let packed = boot::images(cell, &mut plan, image)?;
    boot.extend(boot::members(cell, options.boot, packed)?);
    let fdt = tree::build(cell, None)
        .map_err(|e| Report::new(format!("the device tree cannot be built: {e}")))?;
    let manifest = plan.encode();
    place::fits(cell, fdt.len(), manifest.len())?;
    let mut parts = Parts {
        entry: kernel.entry_paddr,
        argument: virt::HANDOFF,
        flags: 0,
        loads: Vec::new(),
        places: Vec::new(),
    };
    for (what, at, contents) in
        [(purpose::FDT, virt::FDT, &fdt), (purpose::MANIFEST, virt::MANIFEST, &manifest)]
    {
        parts.places.push((what, cell.physical(at), contents.len() as u64));
    }
    let lens = (fdt.len() as u64, manifest.len() as u64);
    let mut load = |name: &str, contents, at, len| {
        let member = members.add(format!("cell{number}/{name}"), contents);
        parts.loads.push(Load { member, at: cell.physical(at), len });
    };
    load("kernel", kernel.bytes, kernel.base_paddr, kernel.mem_len);
    load("fdt", fdt, virt::FDT, lens.0);
    load("manifest", manifest, virt::MANIFEST, lens.1);
    if let Some(secret) = boot::secret(cell)? {
        load("secret", secret, virt::SECRET, virt::SECRET_LEN);
    }
    Ok(parts)
}
