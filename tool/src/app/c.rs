//! An application in C: clang for the machine, Rust's own linker, and `npk/c` from the tree.
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::failure::{Context, Failure};
use crate::guest;
use crate::workspace::Workspace;

/// Options of the compiler: no library, position-independent, the same bytes in every folder.
const FLAGS: [&str; 12] = [
    "--target=aarch64-none-elf",
    "-std=c11",
    "-O2",
    "-gline-tables-only",
    "-ffreestanding",
    "-fno-builtin",
    "-fpie",
    "-fno-stack-protector",
    "-mno-outline-atomics",
    "-Wall",
    "-Wextra",
    "-c",
];

/// Names under which clang may be installed, the best first.
const NAMES: [&str; 8] =
    ["clang", "clang-20", "clang-19", "clang-18", "clang-17", "clang-16", "clang-15", "clang-14"];

/// The sources in C of a folder, by name.
pub fn sources(folder: &Path) -> std::io::Result<Vec<PathBuf>> {
    let mut out = Vec::new();
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        if path.extension().is_some_and(|e| e == "c") {
            out.push(path);
        }
    }
    out.sort();
    Ok(out)
}

/// Compiles and links what lies in `folder` into `place`; the path of the program.
pub fn build(workspace: &Workspace, folder: &Path, place: &Path) -> Result<PathBuf, Failure> {
    std::fs::create_dir_all(place).context(|| format!("make {}", place.display()))?;
    let clang = clang(&workspace.root)?;
    let runtime = workspace.root.join("npk/c");
    let mut objects = Vec::new();
    let own = sources(folder).context(|| format!("read {}", folder.display()))?;
    for source in own.iter().chain([&runtime.join("start.c")]) {
        let name = source.file_stem().unwrap_or_default().to_string_lossy();
        let object = place.join(format!("{}-{name}.o", objects.len()));
        let mut command = Command::new(clang);
        command
            .args(FLAGS)
            .arg("-I")
            .arg(&runtime)
            .arg(format!("-ffile-prefix-map={}=/app", folder.display()))
            .arg(format!("-ffile-prefix-map={}=/nexus", workspace.root.display()))
            .arg(source)
            .arg("-o")
            .arg(&object);
        run(&mut command, &format!("{} did not compile", source.display()))?;
        objects.push(object);
    }
    let name = folder.file_name().unwrap_or_default();
    let program = place.join(name).with_extension("elf");
    let mut command = Command::new(linker(workspace)?);
    command
        .args(["-flavor", "gnu", "-pie", "--no-dynamic-linker", "-z", "max-page-size=4096"])
        .arg("--gc-sections")
        .arg("-T")
        .arg(workspace.root.join("npk/rt/npk.ld"))
        .args(&objects)
        .arg("-o")
        .arg(&program);
    run(&mut command, &format!("{} did not link", folder.display()))?;
    Ok(program)
}

fn run(command: &mut Command, what: &str) -> Result<(), Failure> {
    let status =
        command.status().context(|| format!("start {}", command.get_program().display()))?;
    if status.success() { Ok(()) } else { Err(Failure::new(format!("{what} (see above)"))) }
}

/// clang from the path; where there is none, the script that installs what is missing installs it.
fn clang(root: &Path) -> Result<&'static str, Failure> {
    if let Some(found) = installed() {
        return Ok(found);
    }
    let mut script = Command::new(root.join("nexus"));
    run(script.args(["need", "clang"]), "clang could not be installed")?;
    installed().ok_or_else(|| Failure::new("clang is installed, and not in PATH"))
}

fn installed() -> Option<&'static str> {
    let works = |name: &&&str| {
        let quiet = std::process::Stdio::null;
        let status = Command::new(name).arg("--version").stdout(quiet()).stderr(quiet()).status();
        status.is_ok_and(|s| s.success())
    };
    NAMES.iter().find(works).copied()
}

/// The linker that comes with Rust and links the tree's own programs, too.
fn linker(workspace: &Workspace) -> Result<PathBuf, Failure> {
    let folder = guest::sysroot(workspace)?.join("lib/rustlib");
    let hosts = std::fs::read_dir(&folder).context(|| format!("read {}", folder.display()))?;
    let linkers = hosts.flatten().map(|host| host.path().join("bin/rust-lld"));
    linkers.into_iter().find(|l| l.is_file()).ok_or_else(|| {
        Failure::new(format!("this Rust has no rust-lld under {}", folder.display()))
    })
}
