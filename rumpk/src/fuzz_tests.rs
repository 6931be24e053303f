//! Fuzz targets: what the kernel decodes of bytes that others wrote.
extern crate std;
use crate::archive;
use crate::host_tests::{cell_manifest, image, tar};
use crate::image::Image;
use crate::manifest::Manifest;
use abi::PAGE;
use abi::cap::{W, X};
use std::vec;
use std::vec::Vec;

/// What is accepted may be loaded as it is: [`crate::spawn`] relies on it without a further look.
#[test]
fn image_loader() {
    fuzz::run("image", &[image(u64::MAX), image(0)], |bytes| {
        let Ok(image) = Image::parse(bytes) else { return };
        assert!(image.mem_len.is_multiple_of(PAGE as u64) && image.mem_len != 0);
        let mut end = 0;
        for s in image.segments() {
            assert!(s.perms as u8 & (W | X) != W | X, "writable and executable");
            assert!(s.addr >= end && s.addr + s.mem_len <= image.mem_len, "overlap");
            assert!(s.offset as usize + s.file_len as usize <= bytes.len(), "outside the file");
            assert!(u64::from(s.file_len) <= s.mem_len, "outside its memory");
            end = s.addr + s.mem_len;
        }
        let code =
            image.segments().iter().find(|s| (s.addr..s.addr + s.mem_len).contains(&image.entry));
        assert!(code.is_some_and(|s| s.perms as u8 & X != 0), "entry outside its code");
        for i in 0..image.relocation_count() {
            if let Some((at, _)) = image.relocation(bytes, i) {
                assert!(at + 8 <= image.mem_len, "relocation outside");
            }
        }
    });
}

/// Every number in a manifest is tried as an index.
#[test]
fn cell_manifest_decoder() {
    fuzz::run("cell-manifest", &[cell_manifest()], |bytes| {
        let Some(manifest) = Manifest::new(bytes) else { return };
        for index in 0..=manifest.service_count() {
            let Some(service) = manifest.service(index) else { continue };
            assert!(manifest.args(&service).len() <= bytes.len());
            let _ = manifest.find(abi::text(&service.name));
            for n in [0, 1, service.grant_count, u32::MAX] {
                let _ = manifest.grant(&service, n);
            }
        }
        assert!(manifest.service(manifest.service_count()).is_none());
        assert!(manifest.link(manifest.link_count()).is_none());
    });
}

/// An archive and a path in it: what is found lies in the archive.
#[test]
fn archive_and_path() {
    let whole = tar(&[("Boot/motd", b"hello".to_vec()), ("Boot/bin/init", vec![1; 600])]);
    let seed = |path: &[u8]| -> Vec<u8> { [&[path.len() as u8][..], path, &whole].concat() };
    let seeds = [seed(b"/Boot/motd"), seed(b"/Boot/bin/"), seed(b"/"), seed(b"/Boot/../x")];
    fuzz::run("archive", &seeds, |bytes| {
        let Some((&len, rest)) = bytes.split_first() else { return };
        let (path, bytes) = rest.split_at(usize::from(len).min(rest.len()));
        let Some(path) = archive::check_path(path) else { return };
        assert!(!path.starts_with('/') && !path.split('/').any(|part| part == ".."));
        if let Some(found) = archive::find(bytes, path) {
            assert!(found.offset + found.len <= bytes.len(), "outside the archive");
        }
        for index in 0..4 {
            let Some((name, found)) = archive::entry(bytes, path, index, |_| true) else { break };
            assert!(!name.is_empty() && !name.contains('/'));
            assert!(found.offset + found.len <= bytes.len(), "outside the archive");
        }
    });
}
