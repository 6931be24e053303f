//! Which source each instruction of the kernel comes from, and what of it is the core that every profile needs.
//!
//! The linker knows functions, and with one unit of code generation and fat LTO a function holds what was inlined into it from
//! anywhere: by its symbol `rumpk_syscall` would be a sixth of the kernel. So each instruction of `.text` is asked for its
//! line (DWARF, from line tables that every build has): it counts for the innermost file of this project among the frames that
//! it was inlined through, so that what the standard library adds counts for who uses it. What stands in no such file is
//! assembly (by its symbol), or a function of a library of its own. Read-only data says nothing of who reads it: it is shown
//! beside the core, and the figure is of instructions.
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;

use addr2line::Loader;
use object::{Object, ObjectSection, SectionKind};
use serde::Serialize;

use crate::failure::{Context, Failure};
use crate::guest;

/// Files and folders that are the core, and which part of it. All else stands beside it: what builds domains from images,
/// files, accounts, ProvChain, Blink, unveil, boot.
const CORE: &[(&str, &str)] = &[
    ("arch/src/aarch64/", "machine"),
    ("rumpk/cap/", "capabilities"),
    ("rumpk/ring/", "rings"),
    ("rumpk/sched/", "scheduler"),
    ("rumpk/src/call/channel.rs", "rings"),
    ("rumpk/src/call/grant.rs", "capabilities"),
    ("rumpk/src/call/mod.rs", "calls"),
    ("rumpk/src/call/tick.rs", "calls"),
    ("rumpk/src/call/wait", "calls"),
    ("rumpk/src/channel.rs", "rings"),
    ("rumpk/src/domain.rs", "fibers"),
    ("rumpk/src/end.rs", "faults"),
    ("rumpk/src/fiber.rs", "fibers"),
    ("rumpk/src/glue.rs", "calls"),
    ("rumpk/src/interrupt.rs", "faults"),
    ("rumpk/src/job.rs", "fibers"),
    ("rumpk/src/kernel.rs", "fibers"),
    ("rumpk/src/mapping.rs", "capabilities"),
    ("rumpk/src/object.rs", "capabilities"),
    ("rumpk/src/pair.rs", "calls"),
    ("rumpk/src/parked.rs", "capabilities"),
    ("rumpk/src/schedule.rs", "scheduler"),
    ("rumpk/src/trap.rs", "faults"),
];

/// Files that many use: what they add counts for the file that calls them.
const SHARED: [&str; 2] = ["abi/src/record.rs", "abi/src/lib.rs"];

/// Assembly that runs once.
const BOOT: [&str; 3] = ["_start", "__text_start", "arch_secondary"];

/// Functions without a line of ours that the core needs all the same: memory, and division by numbers of 128 bits.
const SUPPORT: [&str; 4] = ["mem", "__udiv", "__umod", "compiler_builtins::"];

/// Bytes by where they come from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Part {
    /// A file of the tree, a library, or a section.
    pub name: String,
    /// Of text, or of read-only data.
    pub bytes: u64,
    /// Which part of the core it is, if it is one.
    pub core: Option<&'static str>,
}

/// The parts of the kernel `elf`, the largest first. `root` is the tree.
pub fn parts(elf: &Path, root: &Path) -> Result<Vec<Part>, Failure> {
    let bytes = std::fs::read(elf).context(|| format!("read {}", elf.display()))?;
    let file = object::File::parse(&*bytes).context(|| "read the kernel's ELF".into())?;
    let loader = Loader::new(elf)
        .map_err(|e| Failure::new(format!("read the lines of {}: {e}", elf.display())))?;
    let mut found: BTreeMap<String, (u64, Option<&'static str>)> = BTreeMap::new();
    let mut add = |name: String, bytes: u64, core: Option<&'static str>| {
        found.entry(name).or_insert((0, core)).0 += bytes;
    };
    for section in file.sections() {
        match section.kind() {
            SectionKind::Text => {
                for pc in (section.address()..section.address() + section.size()).step_by(4) {
                    if let Some((name, core)) = owner(&loader, pc, root) {
                        add(name, 4, core);
                    }
                }
            }
            SectionKind::ReadOnlyData | SectionKind::ReadOnlyString | SectionKind::Data => {
                // The script fills it up with zeros to a whole page.
                let data = section.data().context(|| "read the kernel's data".into())?;
                let used = data.iter().rposition(|&b| b != 0).map_or(0, |last| last as u64 + 1);
                add(section.name().unwrap_or("data").into(), used, None);
            }
            _ => {}
        }
    }
    let mut out: Vec<Part> =
        found.into_iter().map(|(name, (bytes, core))| Part { name, bytes, core }).collect();
    out.sort_by(|a, b| b.bytes.cmp(&a.bytes).then(a.name.cmp(&b.name)));
    Ok(out)
}

/// Bytes of the core.
#[must_use]
pub fn total(parts: &[Part]) -> u64 {
    parts.iter().filter(|p| p.core.is_some()).map(|p| p.bytes).sum()
}

/// Whose the instruction at `pc` is; `None` for what fills a section up.
fn owner(loader: &Loader, pc: u64, root: &Path) -> Option<(String, Option<&'static str>)> {
    if let Some(file) = own_file(loader, pc, root) {
        let part = CORE.iter().find(|(core, _)| file.starts_with(core));
        return Some((file, part.map(|(_, part)| *part)));
    }
    let symbol = loader.find_symbol(pc)?;
    let name = addr2line::demangle_auto(symbol.into(), None).into_owned();
    if BOOT.contains(&name.as_str()) {
        return Some(("boot's assembly".into(), None));
    }
    if name.starts_with("arch_") {
        return Some(("vectors and other assembly".into(), Some("machine")));
    }
    if SUPPORT.iter().any(|s| name.starts_with(s)) {
        return Some(("memory and division".into(), Some("machine")));
    }
    let library = name.trim_start_matches(['<', '&', '_']).split("::").next().unwrap_or("?");
    Some((format!("library {library}"), None))
}

/// The innermost file of the tree among the frames at `pc`.
fn own_file(loader: &Loader, pc: u64, root: &Path) -> Option<String> {
    let mut frames = loader.find_frames(pc).ok()?;
    while let Ok(Some(frame)) = frames.next() {
        let file = frame.location.and_then(|l| l.file);
        let inside = file.map(Path::new).and_then(|f| within(f, root));
        if inside.as_deref().is_some_and(|f| !SHARED.contains(&f)) {
            return inside;
        }
    }
    None
}

/// The path inside the tree.
fn within(file: &Path, root: &Path) -> Option<String> {
    let inside = file.strip_prefix(guest::TREE).unwrap_or(file);
    let ours = inside.is_relative() && root.join(inside).is_file();
    ours.then(|| inside.to_string_lossy().into_owned())
}

/// The parts as a table for people: the core's parts, each with its files, then what stands beside it.
#[must_use]
pub fn table(parts: &[Part]) -> String {
    let mut groups: BTreeMap<&str, Vec<&Part>> = BTreeMap::new();
    for part in parts {
        groups.entry(part.core.unwrap_or("~")).or_default().push(part);
    }
    let mut out = String::new();
    for (group, parts) in &groups {
        let bytes: u64 = parts.iter().map(|p| p.bytes).sum();
        let name = if *group == "~" { "beside the core" } else { group };
        let _ = writeln!(out, "{bytes:>7}  {name}");
        for p in parts {
            let _ = writeln!(out, "{:>7}  {:>7}  {}", "", p.bytes, p.name);
        }
    }
    let _ = writeln!(out, "{:>7}  the core", total(parts));
    out
}

#[cfg(test)]
mod tests {
    use super::{CORE, Part, SHARED, total};
    use crate::workspace::Workspace;

    #[test]
    fn only_what_is_named_is_the_core() {
        let part = |core| Part { name: "x".into(), bytes: 3, core };
        assert_eq!(total(&[part(Some("rings")), part(None), part(Some("calls"))]), 6);
    }

    #[test]
    fn what_is_named_exists() {
        let root = Workspace::find().expect("the tree").root;
        for path in CORE.iter().map(|(path, _)| *path).chain(SHARED) {
            let there = root.join(path).exists() || root.join(format!("{path}.rs")).exists();
            assert!(there, "{path}");
        }
    }
}
