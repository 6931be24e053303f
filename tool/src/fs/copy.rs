//! Copying between the host's files and an image.
use std::fs;
use std::io::{Read, Write};
use std::path::Path;

use indicatif::{ProgressBar, ProgressStyle};
use nexfs::{Device, Error, Kind, Place, Volume};

use super::failed;
use crate::failure::{Context, Failure};

/// Bytes of one write: whole or not at all, so that memory and reserve are bounded.
const PIECE: usize = 1 << 20;

/// A bar over bytes; hidden where there is no terminal.
pub fn bar(bytes: u64) -> ProgressBar {
    let style =
        ProgressStyle::with_template("{bar:40} {bytes}/{total_bytes} {bytes_per_sec} {eta}");
    let bar = ProgressBar::new(bytes);
    if let Ok(style) = style { bar.with_style(style) } else { bar }
}

/// Copies a file or a folder of the host to `to`; folders on the way are made, files that are there are replaced at the end.
pub fn copy_in<D: Device>(v: &mut Volume<'_, D>, from: &Path, to: &str) -> Result<(), Failure> {
    let shown = from.display().to_string();
    folders(v, to)?;
    if !fs::metadata(from).context(|| format!("read {shown}"))?.is_dir() {
        return file_in(v, from, to);
    }
    make(v, to)?;
    for entry in fs::read_dir(from).context(|| format!("read {shown}"))? {
        let entry = entry.context(|| format!("read {shown}"))?;
        let name = entry.file_name();
        let name = name
            .to_str()
            .ok_or_else(|| Failure::new(format!("{}: not UTF-8", entry.path().display())))?;
        copy_in(v, &entry.path(), &format!("{to}/{name}"))?;
    }
    Ok(())
}

/// Makes the folders above `path`.
fn folders<D: Device>(v: &mut Volume<'_, D>, path: &str) -> Result<(), Failure> {
    for (at, _) in path.match_indices('/').filter(|(at, _)| *at > 0) {
        make(v, &path[..at])?;
    }
    Ok(())
}

fn make<D: Device>(v: &mut Volume<'_, D>, path: &str) -> Result<(), Failure> {
    if path.trim_matches('/').is_empty() {
        return Ok(());
    }
    match v.mkdir(path) {
        Ok(()) => Ok(()),
        Err(Error::Exists) if v.stat(Place::Live(path)).is_ok_and(|s| s.kind == Kind::Folder) => {
            Ok(())
        }
        Err(error) => Err(failed(path, error)),
    }
}

/// The copy grows under a name of its own and takes the file's in one step, so that no reader sees half of it.
fn file_in<D: Device>(v: &mut Volume<'_, D>, from: &Path, to: &str) -> Result<(), Failure> {
    let shown = from.display().to_string();
    let mut file = fs::File::open(from).context(|| format!("read {shown}"))?;
    let bar = bar(file.metadata().map_or(0, |m| m.len()));
    let part = format!("{to}.part");
    let _ = v.unlink(&part);
    v.create(&part).map_err(|e| failed(to, e))?;
    let mut buffer = vec![0; PIECE];
    loop {
        let n = file.read(&mut buffer).context(|| format!("read {shown}"))?;
        if n == 0 {
            break;
        }
        if let Err(error) = v.append(&part, &buffer[..n]) {
            let _ = v.unlink(&part).and_then(|()| v.sync());
            return Err(failed(to, error));
        }
        bar.inc(n as u64);
    }
    bar.finish_and_clear();
    v.rename(&part, to).map_err(|e| failed(to, e))
}

/// Copies a file or a folder of the image to the host.
pub fn copy_out<D: Device>(v: &mut Volume<'_, D>, from: &str, to: &Path) -> Result<(), Failure> {
    let stat = v.stat(Place::Live(from)).map_err(|e| failed(from, e))?;
    let shown = to.display().to_string();
    if stat.kind == Kind::File {
        let mut file = fs::File::create(to).context(|| format!("write {shown}"))?;
        return file_out(v, Place::Live(from), &mut file);
    }
    fs::create_dir_all(to).context(|| format!("make {shown}"))?;
    let mut last = String::new();
    while let Some(entry) = v.next_entry(Place::Live(from), &last).map_err(|e| failed(from, e))? {
        entry.name().clone_into(&mut last);
        copy_out(v, &format!("{from}/{last}"), &to.join(&last))?;
    }
    Ok(())
}

/// Writes a file's content to `out`.
pub fn file_out<D: Device>(
    v: &mut Volume<'_, D>,
    from: Place,
    out: &mut impl Write,
) -> Result<(), Failure> {
    let (Place::Live(shown) | Place::Snapshot(shown)) = from;
    let size = v.stat(from).map_err(|e| failed(shown, e))?.size;
    let (bar, mut buffer, mut at) = (bar(size), vec![0; PIECE], 0);
    loop {
        let n = v.read(from, at, &mut buffer).map_err(|e| failed(shown, e))?;
        if n == 0 {
            bar.finish_and_clear();
            return Ok(());
        }
        out.write_all(&buffer[..n]).context(|| format!("write what {shown} holds"))?;
        at += n as u64;
        bar.inc(n as u64);
    }
}
