//! `fs`: volumes in image files.
use std::path::Path;

use nexfs::{Finding, Format, Frame, Kind, Place};

use super::print;
use crate::failure::{Context, Failure};
use crate::fs::arguments::{Cp, Fs, FsCommand, Mkfs, Mount, Snapshot, Where};
use crate::fs::{Lent, bar, copy_in, copy_out, create, failed, file_out, open, open_watched};

/// Runs the command that was named.
pub fn fs(a: &Fs) -> Result<u8, Failure> {
    match &a.command {
        FsCommand::Mkfs(a) => mkfs(a)?,
        FsCommand::Ls(a) => ls(a)?,
        FsCommand::Cat(a) => cat(a)?,
        FsCommand::Cp(a) => cp(a)?,
        FsCommand::Snapshot(a) => snapshot(a)?,
        FsCommand::Mount(a) => mount(a)?,
        FsCommand::Check { image } => check(image)?,
    }
    Ok(0)
}

/// `64M` in bytes.
fn bytes(text: &str) -> Option<u64> {
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let unit = match &text[digits.len()..] {
        "" => 1,
        "K" => 1 << 10,
        "M" => 1 << 20,
        "G" => 1 << 30,
        "T" => 1 << 40,
        _ => return None,
    };
    digits.parse::<u64>().ok()?.checked_mul(unit)
}

fn mkfs(a: &Mkfs) -> Result<(), Failure> {
    let size =
        bytes(&a.size).ok_or_else(|| Failure::new(format!("{}: not a size; try 64M", a.size)))?;
    if !a.block.is_power_of_two() || a.label.len() > 32 {
        return Err(Failure::new(
            "a block is a power of two from 2048 to 65536, a label has at most 32 bytes",
        ));
    }
    let (mut uuid, mut label) = ([0; 16], [0; 32]);
    std::fs::File::open("/dev/urandom")
        .and_then(|mut f| std::io::Read::read_exact(&mut f, &mut uuid))
        .context(|| "read /dev/urandom".into())?;
    label[..a.label.len()].copy_from_slice(a.label.as_bytes());
    create(&a.image, size, &Format { shift: a.block.trailing_zeros() as u8, uuid, label }, a.force)
}

/// The path and whether it lies in a snapshot.
fn path(a: &Where) -> (String, bool) {
    let inside = a.path.trim_matches('/');
    match &a.snapshot {
        Some(name) if inside.is_empty() => (name.clone(), true),
        Some(name) => (format!("{name}/{inside}"), true),
        None => (inside.to_owned(), false),
    }
}

fn place((path, snapshot): &(String, bool)) -> Place<'_> {
    if *snapshot { Place::Snapshot(path) } else { Place::Live(path) }
}

fn ls(a: &Where) -> Result<(), Failure> {
    let mut lent = Lent::default();
    let (mut v, at) = (open(&a.image, false, &mut lent)?, path(a));
    let mut last = String::new();
    while let Some(entry) = v.next_entry(place(&at), &last).map_err(|e| failed(&at.0, e))? {
        entry.name().clone_into(&mut last);
        match entry.stat.kind {
            Kind::Folder => print(format_args!("{:>12} {last}/\n", "-"))?,
            _ => print(format_args!("{:>12} {last}\n", entry.stat.size))?,
        }
    }
    Ok(())
}

fn cat(a: &Where) -> Result<(), Failure> {
    let mut lent = Lent::default();
    let (mut v, at) = (open(&a.image, false, &mut lent)?, path(a));
    file_out(&mut v, place(&at), &mut std::io::stdout().lock())
}

fn cp(a: &Cp) -> Result<(), Failure> {
    let mut lent = Lent::default();
    match (a.from.strip_prefix(':'), a.to.strip_prefix(':')) {
        (Some(from), None) => {
            let mut v = open(&a.image, false, &mut lent)?;
            copy_out(&mut v, from.trim_matches('/'), Path::new(&a.to))
        }
        (None, Some(to)) => {
            let mut v = open(&a.image, true, &mut lent)?;
            v.set_time(now());
            let to = to.trim_matches('/');
            copy_in(&mut v, Path::new(&a.from), to)?;
            v.sync().map_err(|e| failed(to, e))
        }
        (Some(from), Some(to)) => {
            let mut v = open(&a.image, true, &mut lent)?;
            v.set_time(now());
            v.clone_to(Place::Live(from), to).and_then(|()| v.sync()).map_err(|e| failed(to, e))
        }
        (None, None) => {
            Err(Failure::new("neither side lies in the image: a path in it starts with `:`"))
        }
    }
}

/// Nanoseconds since 1970.
fn now() -> u64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    since.map_or(0, |d| d.as_nanos() as u64)
}

fn snapshot(a: &Snapshot) -> Result<(), Failure> {
    let Some(name) = &a.name else {
        return ls(&Where {
            image: a.image.clone(),
            path: String::new(),
            snapshot: Some(String::new()),
        });
    };
    let mut lent = Lent::default();
    let mut v = open(&a.image, true, &mut lent)?;
    v.set_time(now());
    let done = match (a.remove, a.restore) {
        (true, _) => v.remove_snapshot(name),
        (_, true) => v.restore(name),
        _ => v.snapshot(name),
    };
    done.and_then(|()| v.sync()).map_err(|e| failed(name, e))
}

fn mount(a: &Mount) -> Result<(), Failure> {
    let (image, folder) = (a.image.display(), a.folder.display());
    crate::fs::mount(&a.image, &a.folder, a.snapshot.clone(), || {
        print(format_args!("{image} is mounted on {folder}; Ctrl-C unmounts it\n"))
    })
}

fn check(image: &Path) -> Result<(), Failure> {
    let mut lent = Lent::default();
    let bar = bar(0);
    let mut v = open_watched(image, false, &mut lent, bar.clone())?;
    let space = v.space();
    bar.set_length(space.blocks.saturating_sub(space.free) * u64::from(space.block));
    let blocks =
        usize::try_from(v.geometry().blocks).context(|| "check so large a volume".into())?;
    let (mut counts, mut stack, mut found) =
        (vec![0; blocks], vec![Frame::default(); 256], Vec::new());
    let mut tell = |path: &str, finding| found.push(describe(path, finding));
    let report = v.check(&mut counts, &mut stack, &mut tell);
    bar.finish_and_clear();
    let report = report.map_err(|e| failed(&image.display().to_string(), e))?;
    if !found.is_empty() {
        return Err(Failure::new(found.join("\n")));
    }
    let (files, folders) = (report.files, report.folders);
    print(format_args!(
        "in order: {files} files, {folders} folders, {} of {blocks} blocks used\n",
        report.used
    ))
}

/// A finding in words.
fn describe(path: &str, finding: Finding) -> String {
    let path = if path.is_empty() { "the volume" } else { path };
    match finding {
        Finding::Damaged(part, block) => format!("{path}: {part} is damaged (block {block})"),
        Finding::Unreadable(block) => format!("{path}: block {block} cannot be read"),
        Finding::References { block, counted, found } => {
            format!("block {block}: the space map counts {counted} pointers, there are {found}")
        }
        Finding::Free { counted, found } => {
            format!("the space map counts {counted} free blocks, there are {found}")
        }
        Finding::Superblocks(n) => format!("{n} of 4 copies of the superblock are missing"),
        Finding::TooDeep => format!("{path}: folders lie too deep to be checked"),
    }
}
