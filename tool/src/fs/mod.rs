//! `nexus fs`: NexFS on image files. The volume goes by path and offset; here is what an image is to it (`image.rs`), the
//! arguments, and copying between the host's files and the volume's.
pub mod arguments;
mod copy;
mod image;

pub use copy::{copy_in, copy_out, file_out};
pub use image::{Image, Lent, create, failed, open};
