//! What appears under `/Boot`: files of a folder, single files, packed images.
use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use abi::boot::virt;

use super::{Member, ReadImage, manifest::Plan};
use crate::{
    pack::{self, Packed},
    profile::{ImageRef, check::narrower, model::Cell},
    report::{Report, Reports, Spanned},
};

/// Packs every image of `cell`, compares each with the services that use it, and completes `plan`.
///
/// # Errors
/// An image that cannot be packed, was altered, or is narrower than a service.
pub fn images(cell: &Cell, plan: &mut Plan, read: ReadImage) -> Result<Vec<Member>, Reports> {
    let mut out = Vec::new();
    let mut bad = Reports::default();
    for image in cell.images() {
        let (bytes, packed) = match packed(&image, read) {
            Ok(good) => good,
            Err(reports) => {
                bad.0.extend(reports.0);
                continue;
            }
        };
        for (index, service) in cell.services.iter().enumerate() {
            let own = service.image.as_ref().is_some_and(|i| i.value == image.value);
            if own {
                narrower::check(cell, service, &packed.manifest, &mut bad.0);
                plan.fill(index, service, &packed.manifest);
            }
        }
        let name = format!("Boot/bin/{}", image.value.name());
        out.push(Member { name, version: packed.manifest.version, contents: bytes });
    }
    bad.or(out)
}

fn packed(image: &Spanned<ImageRef>, read: ReadImage) -> Result<(Vec<u8>, Packed), Reports> {
    let bytes = read(&image.value)?;
    let name = image.value.name();
    let bytes = if bytes.starts_with(b"\x7fELF") {
        pack::image(&bytes).map_err(|mut reports| {
            reports.0.push(
                Report::new(format!("image `{name}` cannot be packed (see above)"))
                    .at(&image.at, "named here"),
            );
            reports
        })?
    } else {
        bytes
    };
    let packed = pack::inspect(&bytes).map_err(|why| {
        Report::new(format!("image `{name}`: {why}"))
            .at(&image.at, "this image")
            .help("pack it again with `nexus pack`")
    })?;
    Ok((bytes, packed))
}

/// The file that one service alone can read. It lies in the bundle but outside of `/Boot`.
///
/// # Errors
/// A file that cannot be read, or does not fit its page.
pub fn secret(cell: &Cell) -> Result<Option<Vec<u8>>, Reports> {
    let Some(path) = cell.services.iter().find_map(|s| s.secret.as_ref()) else { return Ok(None) };
    let shown = path.value.display();
    let bytes = std::fs::read(&path.value).map_err(|e| {
        Report::new(format!("cannot read the secret {shown}: {e}"))
            .at(&path.at, "named here")
            .help("paths are relative to this file")
    })?;
    // A zero byte after it, so that its end is known.
    if bytes.len() as u64 >= virt::SECRET_LEN {
        return Err(Report::new(format!("the secret {shown} takes {} bytes", bytes.len()))
            .at(&path.at, "named here")
            .help(format!("it must be shorter than {}", virt::SECRET_LEN))
            .into());
    }
    Ok(Some(bytes))
}

/// All members under `Boot/`, sorted by name.
///
/// # Errors
/// A folder or file that cannot be read, a name that is too long, two files of one name.
pub fn members(cell: &Cell, default: &Path, images: Vec<Member>) -> Result<Vec<Member>, Reports> {
    let folder = cell.boot.as_ref().map_or(default, |b| b.value.as_path());
    let mut files: BTreeMap<String, PathBuf> = BTreeMap::new();
    walk(folder, "Boot", &mut files)?;
    for file in &cell.files {
        if files.insert(file.name.value.clone(), file.from.value.clone()).is_some() {
            return Err(Report::new(format!("/{} is there already", file.name.value))
                .at(&file.name.at, "also in the folder of /Boot")
                .help("give it another name")
                .into());
        }
    }
    let mut out = images;
    for (name, path) in files {
        let contents = std::fs::read(&path)
            .map_err(|e| Report::new(format!("cannot read {}: {e}", path.display())))?;
        out.push(Member { name, version: 0, contents });
    }
    out.sort_by(|a, b| a.name.cmp(&b.name));
    for member in &out {
        if member.name.len() > abi::boot::NAME_MAX {
            let limit = abi::boot::NAME_MAX;
            return Err(Report::new(format!("the path /{} is too long", member.name))
                .help(format!("at most {limit} bytes are possible"))
                .into());
        }
    }
    match out.windows(2).find(|p| p[0].name == p[1].name) {
        Some(pair) => Err(Report::new(format!("/{} is there twice", pair[0].name))
            .help("/Boot/bin holds the images of the profile; rename the file")
            .into()),
        None => Ok(out),
    }
}

/// The files of all cells, sorted by name. The Rumpk cells of a machine share one `/Boot`, because
/// it is a range of the bundle: a name means the same in all of them.
///
/// # Errors
/// Two files of one name with different contents.
pub fn merged(all: Vec<Member>) -> Result<Vec<Member>, Reports> {
    let mut out: BTreeMap<String, Member> = BTreeMap::new();
    for member in all {
        match out.get(&member.name) {
            Some(other) if *other != member => {
                return Err(Report::new(format!("/{} differs between two cells", member.name))
                    .help("the cells of a machine share /Boot; give one of the files another name")
                    .into());
            }
            Some(_) => {}
            None => {
                out.insert(member.name.clone(), member);
            }
        }
    }
    Ok(out.into_values().collect())
}

/// Files of `folder` and below. Links and special files would not be the same on every machine.
fn walk(folder: &Path, prefix: &str, out: &mut BTreeMap<String, PathBuf>) -> Result<(), Reports> {
    let shown = folder.display();
    let fail = |e: std::io::Error| Report::new(format!("cannot read {shown}: {e}"));
    for entry in std::fs::read_dir(folder).map_err(fail)? {
        let entry = entry.map_err(fail)?;
        let path = entry.path();
        let name = entry
            .file_name()
            .into_string()
            .map_err(|_| Report::new(format!("the name of {} is not UTF-8", path.display())))?;
        let name = format!("{prefix}/{name}");
        let kind = entry.file_type().map_err(fail)?;
        if kind.is_dir() {
            walk(&path, &name, out)?;
        } else if kind.is_file() {
            out.insert(name, path);
        } else {
            return Err(Report::new(format!("{} is neither file nor folder", path.display()))
                .help("put a plain file there")
                .into());
        }
    }
    Ok(())
}
