//! The key that signs an index (Ed25519, RFC 8032).
//!
//! A key file is text: lines that begin with `#`, and one line of 64 hex digits, the secret seed.
use std::path::Path;

use ed25519_dalek::{Signer, SigningKey};

use crate::report::{Report, Reports};

/// Path of the development key in the tree.
pub const DEVELOPMENT: &str = "profiles/keys/development.key";

/// A signing key.
pub struct Key {
    key: SigningKey,
    development: bool,
}

impl Key {
    /// Reads a key file.
    ///
    /// # Errors
    /// A file that cannot be read or is none.
    pub fn from_file(path: &Path) -> Result<Self, Reports> {
        let shown = path.display();
        let text = std::fs::read_to_string(path)
            .map_err(|e| Report::new(format!("cannot read the key {shown}: {e}")))?;
        let help = "a key file holds one line of 64 hex digits; `#` begins a comment";
        let seed =
            seed(&text).ok_or_else(|| Report::new(format!("{shown} is no key file")).help(help))?;
        Ok(Self { key: SigningKey::from_bytes(&seed), development: false })
    }

    /// The development key of the tree at `root`. Everyone has it: it proves nothing.
    ///
    /// # Errors
    /// As [`Key::from_file`].
    pub fn development(root: &Path) -> Result<Self, Reports> {
        Ok(Self { development: true, ..Self::from_file(&root.join(DEVELOPMENT))? })
    }

    /// A key from its seed.
    pub fn from_seed(seed: [u8; 32]) -> Self {
        Self { key: SigningKey::from_bytes(&seed), development: false }
    }

    /// What nexus-boot must carry to accept bundles of this key.
    pub fn public_key(&self) -> [u8; 32] {
        self.key.verifying_key().to_bytes()
    }

    /// Whether it is the development key, which a user must be told.
    pub fn is_development(&self) -> bool {
        self.development
    }

    /// Signature of `bytes`.
    pub fn sign(&self, bytes: &[u8]) -> [u8; 64] {
        self.key.sign(bytes).to_bytes()
    }
}

fn seed(text: &str) -> Option<[u8; 32]> {
    let mut lines = text.lines().map(str::trim).filter(|l| !l.is_empty() && !l.starts_with('#'));
    let (line, None) = (lines.next()?, lines.next()) else { return None };
    if line.len() != 64 || !line.is_ascii() {
        return None;
    }
    let mut seed = [0; 32];
    for (byte, digits) in seed.iter_mut().zip(line.as_bytes().chunks(2)) {
        *byte = u8::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()?;
    }
    Some(seed)
}
