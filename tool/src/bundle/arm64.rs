//! The header of a flat arm64 kernel (Linux, `Documentation/arch/arm64/booting.rst`, "Call the kernel
//! image"). Linux, NetBSD and others have it.

/// Bytes of the header.
pub const LEN: u64 = 64;

/// What of it the loader needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Head {
    /// Bytes from a multiple of 2 MB to the image.
    pub offset: u64,
    /// Bytes that the kernel takes from there on, what it clears itself included.
    pub size: u64,
}

impl Head {
    /// Reads the header; `None`: there is none.
    pub fn read(image: &[u8]) -> Option<Self> {
        let word = |at: usize| Some(u64::from_le_bytes(image.get(at..at + 8)?.try_into().ok()?));
        let magic = image.get(56..60)? == b"ARM\x64";
        let (offset, size) = (word(8)?, word(16)?);
        // An old kernel says nothing of its size; none of these is wanted.
        (magic && size > 0 && size < 1 << 32 && offset < 2 << 20).then_some(Self { offset, size })
    }
}
