//! `nexus fs`: NexFS on image files. The volume goes by path and offset; here is what an image is to it (`image.rs`), the
//! arguments, copying between the host's files and the volume's, and mounting through FUSE: `mount.rs` serves, `fuse.rs` translates,
//! `mounted.rs` does it, `inodes.rs` has numbers for paths.
pub mod arguments;
mod copy;
mod fuse;
mod image;
mod inodes;
mod mount;
mod mounted;

pub use copy::{bar, copy_in, copy_out, file_out};
pub use image::{Image, Lent, create, failed, open, open_watched};
pub use mount::mount;
