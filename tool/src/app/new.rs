//! `nexus new`: an application that builds and runs as it is.
use std::path::{Path, PathBuf};

use super::{Language, MANIFEST, PROFILE};
use crate::failure::{Context, Failure};
use crate::workspace::Workspace;

/// Longest name of an image, in bytes.
const NAME_MAX: usize = 31;
/// Names that cargo refuses for a package, or that mean something else to Rust.
const RESERVED: [&str; 7] = ["test", "core", "std", "alloc", "proc_macro", "abi", "rt"];

/// Makes the folder `name` in `parent` and fills it; the paths of the files.
///
/// # Errors
/// A name that cannot be one, a folder that exists.
pub fn create(
    workspace: &Workspace,
    parent: &Path,
    name: &str,
    language: Language,
) -> Result<Vec<PathBuf>, Failure> {
    check(workspace, name)?;
    let folder = parent.join(name);
    if let Err(e) = std::fs::create_dir(&folder) {
        let shown = folder.display();
        return Err(Failure::new(match e.kind() {
            std::io::ErrorKind::AlreadyExists => {
                format!("{shown} exists already: take another name, or remove it")
            }
            _ => format!("cannot make {shown}: {e}"),
        }));
    }
    let root = workspace.root.display().to_string();
    let fill = |text: &str| text.replace("{name}", name).replace("{root}", &root);
    let mut out = Vec::new();
    for (file, text) in files(language) {
        let path = folder.join(file);
        let what = || format!("write {}", path.display());
        std::fs::create_dir_all(path.parent().unwrap_or(&folder)).context(what)?;
        std::fs::write(&path, fill(text)).context(what)?;
        out.push(path);
    }
    if language == Language::Rust {
        // The versions that the tree was tested with; cargo takes out what is not needed.
        let lock = workspace.root.join("Cargo.lock");
        let copy = folder.join("Cargo.lock");
        std::fs::copy(&lock, &copy).context(|| format!("copy {}", lock.display()))?;
    }
    Ok(out)
}

fn check(workspace: &Workspace, name: &str) -> Result<(), Failure> {
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-' || c == '_';
    let begins = name.starts_with(|c: char| c.is_ascii_lowercase());
    if !begins || !name.chars().all(plain) || name.len() > NAME_MAX {
        return Err(Failure::new(format!(
            "`{name}` cannot be a name: 1 to {NAME_MAX} of a-z 0-9 - _, a letter first"
        )));
    }
    if RESERVED.contains(&name) || workspace.program(name).is_ok() {
        return Err(Failure::new(format!("`{name}` is taken: Nexus or Rust has one of this name")));
    }
    Ok(())
}

/// The files of a template, by path.
fn files(language: Language) -> Vec<(&'static str, &'static str)> {
    let shared = [
        (MANIFEST, include_str!("../../templates/manifest.kdl")),
        (PROFILE, include_str!("../../templates/profile.kdl")),
    ];
    let own: &[(&str, &str)] = match language {
        Language::Rust => &[
            ("Cargo.toml", include_str!("../../templates/rust/Cargo.toml.in")),
            (".cargo/config.toml", include_str!("../../templates/rust/config.toml")),
            (".gitignore", "/target\n"),
            ("src/main.rs", include_str!("../../templates/rust/main.rs.in")),
        ],
        Language::C => &[("main.c", include_str!("../../templates/c/main.c"))],
    };
    shared.into_iter().chain(own.iter().copied()).collect()
}
