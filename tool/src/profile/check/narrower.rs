//! A service against the manifest of its image: what the image's author stated is the most.
use std::path::Path;

use abi::{image::ImageManifest, pledge};

use super::super::{
    image,
    model::{Cell, ImageRef, Service},
    tree::Tree,
};
use crate::{pack, report::Report};

/// The manifest of an image as far as it can be had without a build: of a packed image or an ELF, or of a
/// program of the tree whose package has a `manifest.kdl` with its name. Mistakes in it are said when the
/// image is packed.
pub fn known(image: &ImageRef, tree: Option<&Tree>) -> Option<ImageManifest> {
    match image {
        ImageRef::BuiltIn(name) => {
            let path = tree?.programs.get(name)?.join("manifest.kdl");
            let manifest = of_source(&path)?;
            (abi::text(&manifest.name) == name).then_some(manifest)
        }
        ImageRef::File(path) if path.is_dir() => of_source(&path.join(crate::app::MANIFEST)),
        ImageRef::File(path) => {
            let mut bytes = std::fs::read(path).ok()?;
            if bytes.starts_with(b"\x7fELF") {
                bytes = pack::image(&bytes).ok()?;
            }
            Some(pack::inspect(&bytes).ok()?.manifest)
        }
    }
}

fn of_source(path: &Path) -> Option<ImageManifest> {
    let text = std::fs::read_to_string(path).ok()?;
    image::compile(&path.display().to_string(), &text).ok().map(|(manifest, _)| manifest)
}

/// An image's manifest is the most that a service with it may have.
pub fn check(cell: &Cell, service: &Service, most: &ImageManifest, out: &mut Vec<Report>) {
    let name = &service.name.value;
    for bit in &service.pledges {
        if bit.value & most.pledge == 0 {
            let word = pledge::NAMES[bit.value.trailing_zeros() as usize];
            out.push(
                Report::new(format!("image of `{name}` is not pledged {word}"))
                    .at(&bit.at, "more than its manifest has")
                    .help("take the pledge away, or add it to the image's manifest.kdl"),
            );
        }
    }
    let spectrum = pledge::spectrum(most.pledge);
    if service.spectrum.value > spectrum {
        let word = pledge::SPECTRA[usize::from(spectrum)];
        out.push(
            Report::new(format!("image of `{name}` is of spectrum {word} at most"))
                .at(&service.spectrum.at, "a higher spectrum")
                .help(format!("write `spectrum \"{word}\"`")),
        );
    } else if service.spectrum.value == spectrum && service.energy.value > most.energy {
        out.push(
            Report::new(format!("image of `{name}` may have {} J at most", most.energy))
                .at(&service.energy.at, "more than its manifest has")
                .help(format!("write `energy {}`", most.energy)),
        );
    }
    for (what, wants, has) in
        [("stack", &service.stack, most.stack), ("heap", &service.heap, most.heap)]
    {
        if let Some(wants) = wants.as_ref().filter(|w| w.value > has) {
            out.push(
                Report::new(format!("image of `{name}` may have {has} bytes of {what} at most"))
                    .at(&wants.at, "more than its manifest has")
                    .help("write less, or raise it in the image's manifest.kdl"),
            );
        }
    }
    let served = cell.services.iter().flat_map(|s| &s.channels).filter(|c| c.to.value == *name);
    let counts = [
        ("devices", service.devices.len(), most.devices),
        ("channels", served.count() + service.channels.len(), most.channels),
    ];
    for (what, wants, has) in counts {
        if wants > has as usize {
            out.push(
                Report::new(format!("image of `{name}` wants {has} {what}, and is given {wants}"))
                    .at(&service.name.at, "this service")
                    .help(format!("take some away, or raise `{what}` in the image's manifest.kdl")),
            );
        }
    }
}
