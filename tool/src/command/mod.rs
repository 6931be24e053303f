//! The commands: each takes its arguments, calls the library, and says what came out.
mod audit;
mod bench;
mod build;
mod fs;
mod fuzz;
mod miri;
mod new;
mod proof;
mod run;
mod storage;
mod test;

use std::io::Write;
use std::path::{Path, PathBuf};

use clap::CommandFactory;

use crate::assembly::{self, Built, Signing, profile_path};
use crate::bundle::Key;
use crate::cli::{Check, Cli, Command, Pack, Size, Source};
use crate::failure::{Context, Failure};
use crate::workspace::Workspace;
use crate::{budget, pack, profile, sabotage, size};

/// Runs a command; answers the exit code.
pub fn run(command: Command) -> Result<u8, Failure> {
    match command {
        Command::Run(a) => run::run(a),
        Command::Build(a) => build::build(&a),
        Command::Image(a) => build::image(&a),
        Command::Pack(a) => pack_elf(&a),
        Command::New(a) => new::new(&a),
        Command::Header(a) => new::header(&a),
        Command::Check(a) => check(&a),
        Command::Test(a) => test::test(&a),
        Command::Fs(a) => fs::fs(&a),
        Command::Fuzz(a) => fuzz::fuzz(&a),
        Command::Size(a) => sizes(&a),
        Command::Bench(a) => bench::bench(&a),
        Command::Audit(a) => audit::audit(&a),
        Command::Completions { shell } => {
            let mut script = Vec::new();
            clap_complete::generate(shell, &mut Cli::command(), "nexus", &mut script);
            print(String::from_utf8_lossy(&script))?;
            Ok(0)
        }
    }
}

/// The key and versions that the arguments ask for; names the development key if it is that one.
fn signing(workspace: &Workspace, source: &Source) -> Result<Signing, Failure> {
    let key = match &source.key {
        Some(file) => Key::from_file(file)?,
        None => Key::development(&workspace.root)?,
    };
    name_key(&key);
    Ok(Signing { key, version: source.bundle_version, floor: source.floor })
}

/// Builds a profile, with a sabotaged RumKV if one is asked for; says so.
fn assemble(
    workspace: &Workspace,
    path: &Path,
    signing: &Signing,
    sabotage: Option<&str>,
) -> Result<Built, Failure> {
    let Some(name) = sabotage else { return assembly::build(workspace, path, signing) };
    assembly::build_with(workspace, path, signing, |profile| {
        sabotage::apply(workspace, profile, name)?;
        eprintln!("nexus: RumKV is sabotaged on purpose: {name}");
        Ok(())
    })
}

fn name_key(key: &Key) {
    if key.is_development() {
        eprintln!("nexus: signing with the development key, which everyone has (--key FILE)");
    }
}

/// Writes a file whole or not at all.
fn write(path: &Path, bytes: &[u8]) -> Result<(), Failure> {
    let folder = path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let what = || format!("write {}", path.display());
    std::fs::create_dir_all(folder).context(what)?;
    let mut file = tempfile::NamedTempFile::new_in(folder).context(what)?;
    file.write_all(bytes).context(what)?;
    file.persist(path).map(|_| ()).context(what)
}

/// Prints to standard output, which may have lost its reader: then that is the failure.
fn print(text: impl std::fmt::Display) -> Result<(), Failure> {
    let mut out = std::io::stdout().lock();
    let written = write!(out, "{text}").and_then(|()| out.flush());
    written.context(|| "write to standard output".into())
}

fn print_json(value: &impl serde::Serialize) -> Result<(), Failure> {
    let text = serde_json::to_string_pretty(value).context(|| "write JSON".into())?;
    print(text + "\n")
}

fn pack_elf(a: &Pack) -> Result<u8, Failure> {
    let elf = std::fs::read(&a.elf).context(|| format!("read {}", a.elf.display()))?;
    let image = match &a.manifest {
        None => pack::image(&elf)?,
        Some(path) => {
            let shown = path.display().to_string();
            let text = std::fs::read_to_string(path).context(|| format!("read {shown}"))?;
            pack::image_with(&elf, &shown, &text)?
        }
    };
    write(&a.output, &image)?;
    Ok(0)
}

fn check(a: &Check) -> Result<u8, Failure> {
    let workspace = Workspace::find()?;
    name_key(&Key::development(&workspace.root)?);
    let mut bad = Vec::new();
    for name in &a.profiles {
        let path: PathBuf = profile_path(&workspace, name);
        match profile::load(&path) {
            Ok(p) => print(format_args!("{}: {} is in order\n", path.display(), p.name()))?,
            Err(reports) => bad.push(reports.to_string()),
        }
    }
    if bad.is_empty() { Ok(0) } else { Err(Failure::new(bad.join("\n"))) }
}

fn sizes(a: &Size) -> Result<u8, Failure> {
    let workspace = Workspace::find()?;
    if a.core {
        let parts = size::of_kernel(&workspace)?;
        if a.json {
            print_json(&parts)?;
        } else {
            print(size::core::table(&parts))?;
        }
        return Ok(0);
    }
    let rows = size::all(&workspace)?;
    if a.json {
        print_json(&rows)?;
    } else {
        print(budget::table(&rows))?;
    }
    let problems = budget::problems(&rows);
    if problems.is_empty() { Ok(0) } else { Err(Failure::new(problems.join("\n"))) }
}
