//! From a profile to what a machine boots: programs, bundle, nexus-boot with its key.
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use crate::bundle::{self, Key, Table};
use crate::failure::{Context, Failure};
use crate::machine::arguments::Board;
use crate::machine::remark::Images;
use crate::profile::{self, ImageRef, Profile};
use crate::report::{Report, Reports};
use crate::workspace::Workspace;
use crate::{app, guest, loader, pack, size};

/// The loader's name as a program.
const LOADER: &str = "nexus-boot";

/// Who signs, and which versions there are.
pub struct Signing {
    /// Key of the bundle; its public half goes into nexus-boot.
    pub key: Key,
    /// Version of the bundle.
    pub version: u32,
    /// Lowest version that nexus-boot accepts.
    pub floor: u32,
}

impl Signing {
    /// Version 1 and floor 1 with the development key of the tree.
    pub fn development(workspace: &Workspace) -> Result<Self, Failure> {
        Ok(Self { key: Key::development(&workspace.root)?, version: 1, floor: 1 })
    }
}

/// A profile, built.
pub struct Built {
    /// The profile.
    pub profile: Profile,
    /// nexus-boot, flat, with key and floor.
    pub loader: Vec<u8>,
    /// The bundle; empty if only the loader was asked for.
    pub bundle: Vec<u8>,
    /// The ELF files of all programs, for symbols.
    pub elves: Vec<PathBuf>,
    /// Which of them is which image.
    pub(crate) sources: BTreeMap<ImageRef, PathBuf>,
}

impl Built {
    /// The machine that the profile describes.
    #[must_use]
    pub fn board(&self) -> Board {
        let machine = self.profile.machine();
        Board {
            cpu: machine.cpu.clone(),
            ram: machine.ram,
            cores: machine.cores,
            consoles: self.profile.consoles(),
            ..Board::default()
        }
    }

    /// The ELF files of the programs on the first or the second console, by the names that their fibers have: a service's own, an
    /// image's where it was started by path. Where two cells use a name for two images, the later one has it.
    #[must_use]
    pub fn programs(&self, second: bool) -> Images {
        let mut all = Images::new();
        for cell in self.profile.cells().iter().filter(|c| c.second_console() == second) {
            let packed = cell.images().into_iter().map(|i| (i.value.name(), i.value));
            let services = cell.services.iter();
            let named =
                services.filter_map(|s| Some((s.name.value.clone(), s.image.clone()?.value)));
            for (name, image) in packed.chain(named) {
                if let Some(elf) = self.sources.get(&image) {
                    all.insert(name, elf.clone());
                }
            }
        }
        all
    }
}

/// The file of a profile: that of an application whose folder is named, a path if it looks like one, else a
/// name under `profiles/`.
#[must_use]
pub fn profile_path(workspace: &Workspace, name: &str) -> PathBuf {
    let own = Path::new(name).join(app::PROFILE);
    if own.is_file() {
        return own;
    }
    let is_path = name.contains('/') || Path::new(name).extension().is_some();
    if is_path {
        name.into()
    } else {
        workspace.root.join("profiles").join(name).with_extension("kdl")
    }
}

/// The folder whose files become `/Boot`: `boot` beside the profile, else the tree's own.
#[must_use]
pub fn boot_folder(workspace: &Workspace, profile: &Path) -> PathBuf {
    let beside = profile.parent().unwrap_or(Path::new("")).join("boot");
    if beside.is_dir() { beside } else { workspace.root.join("profiles/boot") }
}

/// Builds the loader only, for a bundle that exists already.
pub fn loader(workspace: &Workspace, path: &Path, signing: &Signing) -> Result<Built, Failure> {
    let profile = profile::load(path)?;
    let elves = guest::build(workspace, &BTreeSet::from([LOADER.to_string()]))?;
    let programs = Programs { elves, apps: BTreeMap::new() };
    finish(profile, &programs, Vec::new(), signing)
}

/// Builds a profile completely.
pub fn build(workspace: &Workspace, path: &Path, signing: &Signing) -> Result<Built, Failure> {
    build_with(workspace, path, signing, |_| Ok(()))
}

/// As [`build`], but `edit` may change the checked profile before anything is built.
pub fn build_with(
    workspace: &Workspace,
    path: &Path,
    signing: &Signing,
    edit: impl FnOnce(&mut Profile) -> Result<(), Failure>,
) -> Result<Built, Failure> {
    let mut profile = profile::load(path)?;
    edit(&mut profile)?;
    let programs = Programs::build(workspace, &profile)?;
    size::check(workspace, &programs.elves)?;
    let folder = boot_folder(workspace, path);
    let mut read = |image: &ImageRef| programs.read(image);
    let bundle = bundle::assemble(&profile, &mut read, &signing.key, &folder, signing.version)?;
    finish(profile, &programs, bundle, signing)
}

/// As [`build`], but `edit` may change the cell table after the checks: for tests of who checks it
/// at boot.
pub fn forge(
    workspace: &Workspace,
    path: &Path,
    signing: &Signing,
    edit: impl FnOnce(&mut Table),
) -> Result<Built, Failure> {
    let profile = profile::load(path)?;
    let programs = Programs::build(workspace, &profile)?;
    let folder = boot_folder(workspace, path);
    let options = bundle::Options { boot: &folder, version: signing.version };
    let mut read = |image: &ImageRef| programs.read(image);
    let bundle = bundle::assemble_with(&profile, &mut read, &signing.key, options, edit)?;
    finish(profile, &programs, bundle, signing)
}

/// What a profile's images are made from.
struct Programs {
    /// Programs of the tree, by name.
    elves: BTreeMap<String, PathBuf>,
    /// Applications, by folder.
    apps: BTreeMap<PathBuf, app::App>,
}

impl Programs {
    /// Builds the loader and what the profile names.
    fn build(workspace: &Workspace, profile: &Profile) -> Result<Self, Failure> {
        let mut names = BTreeSet::from([LOADER.to_string()]);
        let mut apps = BTreeMap::new();
        for image in profile.images() {
            match image {
                ImageRef::BuiltIn(name) => {
                    names.insert(name);
                }
                ImageRef::File(path) if path.is_dir() => {
                    let app = app::build(workspace, &path)?;
                    apps.insert(path, app);
                }
                ImageRef::File(_) => {}
            }
        }
        Ok(Self { elves: guest::build(workspace, &names)?, apps })
    }

    fn read(&self, image: &ImageRef) -> Result<Vec<u8>, Reports> {
        let path = match image {
            ImageRef::File(path) => match self.apps.get(path) {
                Some(app) => return Ok(app.image.clone()),
                None => path,
            },
            ImageRef::BuiltIn(name) => self.elves.get(name).ok_or_else(|| {
                Report::new(format!("the profile did not name the program {name}"))
            })?,
        };
        std::fs::read(path).map_err(|e| {
            Report::new(format!("cannot read the image {}: {e}", path.display())).into()
        })
    }
}

fn finish(
    profile: Profile,
    programs: &Programs,
    bundle: Vec<u8>,
    signing: &Signing,
) -> Result<Built, Failure> {
    let elf = &programs.elves[LOADER];
    let bytes = std::fs::read(elf).context(|| format!("read {}", elf.display()))?;
    let flat = pack::flatten(&bytes).map_err(Failure::new)?;
    let loader = loader::patch(flat.bytes, &signing.key.public_key(), signing.floor)?;
    let mut sources = BTreeMap::new();
    for image in profile.images() {
        let elf = match &image {
            ImageRef::File(path) => Some(programs.apps.get(path).map_or(path, |app| &app.elf)),
            ImageRef::BuiltIn(name) => programs.elves.get(name),
        };
        if let Some(elf) = elf.cloned() {
            sources.insert(image, elf);
        }
    }
    let mut files: Vec<PathBuf> = programs.elves.values().cloned().collect();
    let own = sources.iter().filter(|(image, _)| matches!(image, ImageRef::File(_)));
    files.extend(own.map(|(_, elf)| elf.clone()));
    Ok(Built { profile, loader, bundle, elves: files, sources })
}
