//! From ELF to what boots: flat binaries by physical address, and packed images of NPL and NPK.
mod elf;
mod flat;
mod image;
mod inspect;

pub use flat::{Flat, flatten};
pub use image::{image, image_with};
pub use inspect::{Packed, inspect};
