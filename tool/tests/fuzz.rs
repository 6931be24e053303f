//! Fuzz targets: a profile's source, and an ELF.
#![forbid(unsafe_code)]
mod forge;

use std::path::Path;

use forge::Elf;
use nexus::{pack, profile};

/// A source is refused with an explanation, or is in order; its paths lead to the corpus of manifests.
#[test]
fn kdl_source() {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/manifests/good");
    let files = nexus::proof::files(&corpus, "kdl").expect("the corpus");
    let seeds: Vec<Vec<u8>> = files.iter().map(|f| std::fs::read(f).expect("readable")).collect();
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("x.kdl");
    fuzz::run("kdl", &seeds, |bytes| {
        std::fs::write(&path, bytes).expect("writable");
        if let Err(reports) = profile::load(&path) {
            assert!(!reports.0.is_empty() && !reports.render(true).is_empty());
        }
    });
}

/// An ELF is refused, or becomes an image that the packer's own reader accepts.
#[test]
fn elf_packer() {
    let manifest = forge::manifest("thing", "npl");
    fuzz::run("elf", &[Elf::image(&manifest).bytes()], |bytes| {
        let _ = pack::flatten(bytes);
        if let Ok(image) = pack::image(bytes) {
            pack::inspect(&image).expect("what was packed can be read");
        }
    });
}
