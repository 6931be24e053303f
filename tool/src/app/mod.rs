//! Applications outside the tree's own packages: a folder with a `manifest.kdl` and either a Rust crate
//! (`Cargo.toml`) or sources in C (`*.c`). A profile names the folder as an image.
mod c;
pub mod new;
mod rust;

use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use crate::failure::{Context, Failure};
use crate::pack;
use crate::workspace::Workspace;

/// The manifest of an application.
pub const MANIFEST: &str = "manifest.kdl";
/// The machine that an application's author runs it on.
pub const PROFILE: &str = "profile.kdl";

/// What a folder holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Language {
    /// A crate with one program.
    Rust,
    /// Files compiled and linked together.
    C,
}

/// An application, built.
#[derive(Clone, Debug)]
pub struct App {
    /// Its ELF, for symbols.
    pub elf: PathBuf,
    /// Its flat image.
    pub image: Vec<u8>,
}

/// What the folder at `path` holds, or why it is no application.
///
/// # Errors
/// A sentence.
pub fn language(path: &Path) -> Result<Language, String> {
    if !path.join(MANIFEST).is_file() {
        return Err(format!("the folder has no {MANIFEST}"));
    }
    if path.join("Cargo.toml").is_file() {
        return Ok(Language::Rust);
    }
    match c::sources(path) {
        Ok(sources) if !sources.is_empty() => Ok(Language::C),
        _ => Err("the folder has neither a Cargo.toml nor a file *.c".into()),
    }
}

/// Builds the application in `folder`, an absolute path.
///
/// # Errors
/// What the compilers say, and what [`pack::image`] says of the result.
pub fn build(workspace: &Workspace, folder: &Path) -> Result<App, Failure> {
    // Two builds of one folder would write the same files.
    static ONE: Mutex<()> = Mutex::new(());
    let _one = ONE.lock().unwrap_or_else(PoisonError::into_inner);
    let said = |why| Failure::new(format!("{}: {why}", folder.display()));
    let (elf, manifest) = match language(folder).map_err(said)? {
        Language::Rust => (rust::build(workspace, folder, &place(workspace, folder))?, None),
        Language::C => {
            let manifest = folder.join(MANIFEST);
            let text = std::fs::read_to_string(&manifest)
                .context(|| format!("read {}", manifest.display()))?;
            (c::build(workspace, folder, &place(workspace, folder))?, Some((manifest, text)))
        }
    };
    let bytes = std::fs::read(&elf).context(|| format!("read {}", elf.display()))?;
    let image = match &manifest {
        None => pack::image(&bytes)?,
        Some((path, text)) => pack::image_with(&bytes, &path.display().to_string(), text)?,
    };
    Ok(App { elf, image })
}

/// Where an application is built: in the tree's build folder, so that nothing appears in the author's;
/// the path's hash keeps two of one name apart.
fn place(workspace: &Workspace, folder: &Path) -> PathBuf {
    let hash = blake3::hash(folder.as_os_str().as_encoded_bytes()).to_hex();
    let name = folder.file_name().unwrap_or_default().to_string_lossy();
    workspace.target.join("applications").join(format!("{name}-{}", &hash[..8]))
}
