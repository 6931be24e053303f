//! The arguments of `fs`.
use std::path::PathBuf;

use clap::{Args, Subcommand};

/// Arguments of `fs`.
#[derive(Debug, Args)]
pub struct Fs {
    /// What to do.
    #[command(subcommand)]
    pub command: FsCommand,
}

/// What can be done with an image.
#[derive(Debug, Subcommand)]
pub enum FsCommand {
    /// Make an empty volume in a file, which is made or overwritten
    Mkfs(Mkfs),
    /// List a folder, or the snapshots
    Ls(Where),
    /// Print a file
    Cat(Where),
    /// Copy a file or folder into or out of an image: a path in the image starts with `:`
    Cp(Cp),
    /// Keep the state of now under a name; without a name list what is kept
    Snapshot(Snapshot),
    /// Mount an image on a folder through FUSE, until Ctrl-C or `umount`
    Mount(Mount),
    /// Check every block, hash and count; damage is named by path
    Check {
        /// The image
        image: PathBuf,
    },
}

/// Arguments of `fs mkfs`.
#[derive(Debug, Args)]
pub struct Mkfs {
    /// The image
    pub image: PathBuf,
    /// Its size: bytes, or a number with K, M, G or T
    #[arg(long, value_name = "SIZE", default_value = "64M")]
    pub size: String,
    /// Bytes in a block: a power of two from 2048 to 65536
    #[arg(long, value_name = "BYTES", default_value_t = 4096)]
    pub block: u32,
    /// A name for the volume, at most 32 bytes
    #[arg(long, value_name = "NAME", default_value = "")]
    pub label: String,
    /// Overwrite a file that is there
    #[arg(long)]
    pub force: bool,
}

/// A place in an image.
#[derive(Debug, Args)]
pub struct Where {
    /// The image
    pub image: PathBuf,
    /// Path in it
    #[arg(default_value = "")]
    pub path: String,
    /// As it was in this snapshot
    #[arg(long, value_name = "NAME")]
    pub snapshot: Option<String>,
}

/// Arguments of `fs cp`.
#[derive(Debug, Args)]
pub struct Cp {
    /// The image
    pub image: PathBuf,
    /// What to copy
    pub from: String,
    /// The name of the copy
    pub to: String,
}

/// Arguments of `fs snapshot`.
#[derive(Debug, Args)]
pub struct Snapshot {
    /// The image
    pub image: PathBuf,
    /// Its name
    pub name: Option<String>,
    /// Give it up
    #[arg(long, requires = "name")]
    pub remove: bool,
    /// Make all files and folders what they were in it
    #[arg(long, requires = "name", conflicts_with = "remove")]
    pub restore: bool,
}

/// Arguments of `fs mount`.
#[derive(Debug, Args)]
pub struct Mount {
    /// The image
    pub image: PathBuf,
    /// The folder, which should be empty
    pub folder: PathBuf,
    /// Mount this snapshot, to be read only
    #[arg(long, value_name = "NAME")]
    pub snapshot: Option<String>,
}
