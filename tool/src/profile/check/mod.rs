//! What a profile may not say: every rule with the words that explain it.
mod cores;
mod energy;
mod guest;
mod machine;
mod memory;
pub mod narrower;
mod promise;
mod services;

use std::collections::BTreeSet;

use abi::image::ImageManifest;

use super::{
    model::{Cell, ImageRef, Profile, Service},
    read::unknown,
    tree::Tree,
};
use crate::report::{Report, Spanned, Spot};

/// Checks everything that can be seen without building the images.
pub fn check(profile: &Profile, tree: Option<&Tree>, out: &mut Vec<Report>) {
    if profile.cells.is_empty() {
        out.push(
            Report::new("the profile has no cell")
                .at(&profile.machine.ram_at, "a machine, and nothing runs on it")
                .help("add `cell \"name\" { ... }`"),
        );
    }
    machine::check(profile, out);
    let mut images: Vec<&Spanned<ImageRef>> = profile.rumkv.iter().collect();
    for cell in &profile.cells {
        guest::check(profile, cell, out);
        if cell.kernel.is_none() {
            continue;
        }
        services::check(cell, out);
        let cores = cores::of_services(cell);
        energy::check(cell, &cores, out);
        let known = |s: &Service| narrower::known(&s.image.as_ref()?.value, tree);
        let most: Vec<Option<ImageManifest>> = cell.services.iter().map(known).collect();
        for (service, most) in cell.services.iter().zip(&most) {
            if let Some(most) = most {
                narrower::check(cell, service, most, out);
            }
        }
        promise::check(cell, &cores, &most, out);
        files(cell, out);
        images.extend(&cell.kernel);
        images.extend(cell.services.iter().filter_map(|s| s.image.as_ref()));
        images.extend(&cell.images);
    }
    for found in images {
        image(found, tree, out);
    }
    if let (None, Some(second)) = (&profile.rumkv, profile.cells.get(1)) {
        out.push(
            Report::new("without RumKV there is one cell")
                .at(&second.name.at, "the second cell")
                .help("add `rumkv` at the top of the file"),
        );
    }
    if let Some(more) = profile.cells.get(usize::from(cells::MAX_CELLS)) {
        out.push(
            Report::new(format!("a machine has at most {} cells", cells::MAX_CELLS))
                .at(&more.name.at, "one more")
                .help("leave it out"),
        );
    }
}

/// Reports the second of two equal names.
fn unique<'a>(what: &str, names: impl Iterator<Item = &'a Spanned<String>>, out: &mut Vec<Report>) {
    let mut seen: Vec<&Spanned<String>> = Vec::new();
    for name in names {
        if let Some(first) = seen.iter().find(|s| s.value == name.value) {
            out.push(
                Report::new(format!("two {what}s are called `{}`", name.value))
                    .at(&name.at, "again here")
                    .note(&first.at, "first here")
                    .help("give one of them another name"),
            );
        }
        seen.push(name);
    }
}

/// An image must be a program of the tree, or a file that is what it says.
fn image(image: &Spanned<ImageRef>, tree: Option<&Tree>, out: &mut Vec<Report>) {
    match &image.value {
        ImageRef::BuiltIn(name) => {
            let Some(tree) = tree else { return };
            if !tree.programs.contains_key(name) {
                let known: Vec<&str> = tree.programs.keys().map(String::as_str).collect();
                let text = Spanned { value: name.clone(), at: image.at.clone() };
                out.push(unknown("image", &text, &known));
            }
        }
        ImageRef::File(path) => {
            if let Err(why) = file_image(path) {
                out.push(
                    Report::new(format!("image {}: {why}", path.display()))
                        .at(&image.at, "this image")
                        .help("paths are relative to this file; `nexus pack` makes an image"),
                );
            }
        }
    }
}

fn file_image(path: &std::path::Path) -> Result<(), String> {
    if path.is_dir() {
        return crate::app::language(path).map(drop);
    }
    let bytes = std::fs::read(path).map_err(|e| e.to_string())?;
    if bytes.starts_with(b"\x7fELF") {
        return Ok(());
    }
    crate::pack::inspect(&bytes).map(|_| ())
}

/// Names of the files of `/Boot`.
fn files(cell: &Cell, out: &mut Vec<Report>) {
    unique("file", cell.files.iter().map(|f| &f.name), out);
    for file in &cell.files {
        let path = &file.name.value;
        let plain = |part: &str| !part.is_empty() && part != "." && part != "..";
        if !path.starts_with("Boot/") || !path.split('/').all(plain) {
            out.push(
                Report::new(format!("`{path}` is no path under /Boot"))
                    .at(&file.name.at, "not there")
                    .help("write `/Boot/NAME`"),
            );
        } else if path.starts_with("Boot/bin/") || path.len() > abi::boot::NAME_MAX {
            out.push(
                Report::new(format!("`/{path}` cannot be a file"))
                    .at(&file.name.at, "this name")
                    .help("/Boot/bin holds images only, and a path has at most 100 bytes"),
            );
        }
        readable(&file.from.value, &file.from.at, false, out);
    }
    if let Some(boot) = &cell.boot {
        readable(&boot.value, &boot.at, true, out);
    }
    let mut seen = BTreeSet::new();
    for image in cell.images() {
        if !seen.insert(image.value.name()) {
            out.push(
                Report::new(format!("two images would be /Boot/bin/{}", image.value.name()))
                    .at(&image.at, "the second")
                    .help("rename one of the files"),
            );
        }
    }
}

fn readable(path: &std::path::Path, at: &Spot, folder: bool, out: &mut Vec<Report>) {
    let fits = if folder { path.is_dir() } else { path.is_file() };
    if !fits {
        let what = if folder { "folder" } else { "file" };
        out.push(
            Report::new(format!("there is no {what} {}", path.display()))
                .at(at, "named here")
                .help("paths are relative to this file"),
        );
    }
}
