//! The command line.
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

const CODES: &str = "\
Exit codes: 0 done (for run: the machine switched itself off in good order), 1 wrong usage, a build
or a check that failed, or a cell that ended with a code of its own, 2 nexus-boot refused the
bundle, 3 RumKV ended the cell, 4 kernel panic or trap, 5 QEMU failed or the machine hung,
130 interrupted.";

/// Builds, boots, measures and tests Nexus.
#[derive(Debug, Parser)]
#[command(name = "nexus", version, after_help = CODES, max_term_width = 100)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What can be done.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Build a profile, boot it in QEMU and give its console
    ///
    /// At a terminal every key goes to the machine; Ctrl-A x leaves, Ctrl-A h helps. Otherwise
    /// standard input is typed into the console as it is, followed by Ctrl-D, which switches a
    /// shell's machine off.
    Run(Run),
    /// Make a folder with an application that builds and runs as it is
    ///
    /// `nexus new NAME`, then `nexus run NAME`. docs/authors.md goes on from there.
    New(New),
    /// Build a profile's bundle and print its path
    Build(Build),
    /// Write what a machine boots from, nexus-boot and bundle, into a folder
    Image(Image),
    /// Turn a position-independent ELF into the flat image of an NPL or NPK
    Pack(Pack),
    /// Write nexus.h, the contract for C, generated from the crate `abi`
    Header(Header),
    /// Check profiles and explain mistakes
    Check(Check),
    /// Check format and lints, run the tests of the host and those that boot QEMU
    Test(Test),
    /// Look for inputs that make a decoder fail, led by what the inputs reach
    ///
    /// Without a name: shows the targets.
    Fuzz(Fuzz),
    /// Work on NexFS volumes in image files
    Fs(crate::fs::arguments::Fs),
    /// Show the sizes beside their budgets
    Size(Size),
    /// Boot the machines that measure and show the figures beside their budgets
    Bench(Bench),
    /// Verify saved audit chains
    Audit(Audit),
    /// Print a completion script for a shell
    Completions {
        /// The shell
        shell: clap_complete::Shell,
    },
}

/// Which profile, signed how.
#[derive(Debug, Args)]
pub struct Source {
    /// Name of a profile under profiles/, path of a KDL file, or folder of an application; default: the
    /// application in the current folder, else core
    pub profile: Option<String>,
    /// Key to sign with, instead of the development key of the tree
    #[arg(long, value_name = "FILE")]
    pub key: Option<PathBuf>,
    /// Version to give the bundle
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub bundle_version: u32,
    /// Lowest bundle version that nexus-boot accepts
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub floor: u32,
}

impl Source {
    /// What is meant where nothing is named.
    #[must_use]
    pub fn profile(&self) -> &str {
        let here = std::path::Path::new(crate::app::PROFILE).is_file();
        self.profile.as_deref().unwrap_or(if here { "./" } else { "core" })
    }
}

/// Arguments of `run`.
#[derive(Debug, Args)]
pub struct Run {
    /// What to run.
    #[command(flatten)]
    pub source: Source,
    /// Boot this bundle byte for byte instead of building one; the profile still says what
    /// machine it is for
    #[arg(long, value_name = "FILE")]
    pub bundle: Option<PathBuf>,
    /// Take RumKV without one of its checks (`stage2`: its memory is exposed), to see an attack succeed
    #[arg(long, value_name = "NAME", conflicts_with = "bundle")]
    pub sabotage: Option<String>,
    /// Save the audit chain of the machine when it stopped
    #[arg(long, value_name = "FILE")]
    pub audit: Option<PathBuf>,
    /// Wait for gdb at port 1234 before the first instruction
    #[arg(long)]
    pub gdb: bool,
    /// Count instructions: one is one nanosecond of guest time
    #[arg(long)]
    pub icount: bool,
    /// Give up after this many seconds
    #[arg(long, value_name = "SECONDS")]
    pub timeout: Option<u64>,
    /// Further arguments for QEMU
    #[arg(last = true)]
    pub qemu: Vec<String>,
}

/// Arguments of `audit`.
#[derive(Debug, Args)]
pub struct Audit {
    /// What to do.
    #[command(subcommand)]
    pub command: AuditCommand,
}

/// What can be done with saved chains.
#[derive(Debug, Subcommand)]
pub enum AuditCommand {
    /// Check a saved chain and name the first record that is not as it was written
    Verify(Verify),
    /// Print the public half of a sealing key
    Public {
        /// The secret key file, as profiles name it with `secret`
        secret: PathBuf,
    },
}

/// Arguments of `audit verify`.
#[derive(Debug, Args)]
pub struct Verify {
    /// What `run --audit` saved, or a terminal's log with what the shell's `audit export` printed
    pub file: PathBuf,
    /// A record with this hash must be there: 64 digits, or a file with them or with an earlier chain
    #[arg(long, value_name = "HASH|FILE")]
    pub head: Option<String>,
    /// Public key of the seals (`audit public`), instead of the development key of the tree
    #[arg(long, value_name = "FILE")]
    pub key: Option<PathBuf>,
    /// Number of the first record, for a part of a chain
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub from: u64,
}

/// Arguments of `build`.
#[derive(Debug, Args)]
pub struct Build {
    /// What to build.
    #[command(flatten)]
    pub source: Source,
    /// Take RumKV without one of its checks (`stage2`: its memory is exposed), to see an attack succeed
    #[arg(long, value_name = "NAME")]
    pub sabotage: Option<String>,
    /// Print a JSON object with all paths
    #[arg(long)]
    pub json: bool,
}

/// Arguments of `image`.
#[derive(Debug, Args)]
pub struct Image {
    /// What to write.
    #[command(flatten)]
    pub source: Source,
    /// Folder to write into
    #[arg(short, long, value_name = "FOLDER", default_value = "image")]
    pub output: PathBuf,
}

/// Arguments of `pack`.
#[derive(Debug, Args)]
pub struct Pack {
    /// The ELF file
    pub elf: PathBuf,
    /// Take the manifest from this KDL file instead of the ELF's section `.nexus.manifest`
    #[arg(long, value_name = "FILE")]
    pub manifest: Option<PathBuf>,
    /// File to write
    #[arg(short, long, value_name = "FILE")]
    pub output: PathBuf,
}

/// Arguments of `new`.
#[derive(Debug, Args)]
pub struct New {
    /// Name of the application, and of the folder: 1 to 31 of a-z 0-9 - _, a letter first
    pub name: String,
    /// Language of the template
    #[arg(long, value_enum, default_value = "rust")]
    pub lang: Lang,
}

/// Languages with a template.
#[derive(Debug, Clone, Copy, clap::ValueEnum)]
pub enum Lang {
    /// A crate that uses the runtime `rt`
    Rust,
    /// A source file that uses `nexus.h`
    C,
}

/// Arguments of `header`.
#[derive(Debug, Args)]
pub struct Header {
    /// File to write, instead of standard output
    #[arg(short, long, value_name = "FILE")]
    pub output: Option<PathBuf>,
}

/// Arguments of `check`.
#[derive(Debug, Args)]
pub struct Check {
    /// KDL files, or names of profiles
    #[arg(required = true)]
    pub profiles: Vec<String>,
}

/// Arguments of `test`.
#[derive(Debug, Args)]
pub struct Test {
    /// A suite (`--list` shows them), or a part of the names of tests; leaves format and lints out
    pub filter: Option<String>,
    /// Also the tests that take minutes or hours
    #[arg(long)]
    pub long: bool,
    /// Show the suites and what each runs
    #[arg(long, exclusive = true)]
    pub list: bool,
    /// Show each sentence of the specification beside the tests that show it
    #[arg(long, exclusive = true)]
    pub table: bool,
    /// Break N places of a copy of the tree, one after the other: the test that claims to guard each must fail; FILTER
    /// takes those that it is a part of, --long also those whose test boots QEMU
    #[arg(long, value_name = "N")]
    pub mutate: Option<usize>,
    /// Chooses which mutations
    #[arg(long, value_name = "S", requires = "mutate")]
    pub seed: Option<u64>,
}

/// Arguments of `fuzz`.
#[derive(Debug, Args)]
pub struct Fuzz {
    /// A target, or `all`
    pub target: Option<String>,
    /// How long, for each target
    #[arg(long, value_name = "SECONDS", default_value_t = 60)]
    pub seconds: u64,
    /// Seed of the changes
    #[arg(long, value_name = "S", default_value_t = 1)]
    pub seed: u64,
}

/// Arguments of `size`.
#[derive(Debug, Args)]
pub struct Size {
    /// Show where the kernel's bytes come from, and which of them every profile needs
    #[arg(long)]
    pub core: bool,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

/// Arguments of `bench`.
#[derive(Debug, Args)]
pub struct Bench {
    /// `kernel` (all machines that measure Rumpk), `rumkv`, or a part of the names of machines; without it all of them. `fs`: NexFS beside littlefs
    pub filter: Option<String>,
    /// Boot everything twice: figures that differ are an error
    #[arg(long)]
    pub twice: bool,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
    /// Write the figures that changed into the history, with this reason
    #[arg(long, value_name = "WHY")]
    pub record: Option<String>,
}
