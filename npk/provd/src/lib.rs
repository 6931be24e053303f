//! Seals ProvChain: the one service that can read the key.
//!
//! The kernel keeps the chain and says when a seal is due: after 256 records, when the ring gets full, and before the cell
//! is switched off. Then everything new is read and verified, the head is signed (Ed25519), and the signature becomes
//! part of the chain. From then on the kernel may overwrite what it covers. What this service has read it forgets: there
//! is no filesystem yet to keep it in (docs/limits.md).
//!
//! It trusts nobody: a chain that does not follow from what it signed before is not signed, and it ends with a code, which
//! subject zero prints.
#![no_std]
#![forbid(unsafe_code)]

use ed25519_dalek::{Signer, SigningKey};
use prov::{Hash, Verifier, seal_message, text};
use rt::audit::{Audit, secret};

/// Exit codes.
mod code {
    /// The manifest gives no secret, or no AUDIT.
    pub const NOT_GIVEN: usize = 1;
    /// The secret is no key.
    pub const NO_KEY: usize = 2;
    /// The chain is not one.
    pub const BROKEN: usize = 3;
    /// The kernel does not take a seal.
    pub const REFUSED: usize = 4;
}

/// Serves until something is wrong; the value is the exit code.
pub fn main() -> usize {
    let (Some(audit), Some(secret)) = (Audit::own(), secret()) else { return code::NOT_GIVEN };
    let Some(seed) = text::key(abi::text(secret)) else { return code::NO_KEY };
    let key = SigningKey::from_bytes(&seed);
    let mut reader = Reader::start(audit);
    loop {
        if audit.wait_for_seal().is_err() {
            return code::REFUSED;
        }
        let Some((last, head)) = reader.read(audit) else { return code::BROKEN };
        let signature = key.sign(&seal_message(&head)).to_bytes();
        if audit.seal(last, &signature).is_err() {
            return code::REFUSED;
        }
    }
}

/// What was read so far.
struct Reader(Verifier);

impl Reader {
    /// Begins with the oldest record that is there: an instance after a restart finds what the one before has sealed
    /// in part overwritten.
    fn start(audit: Audit) -> Self {
        let oldest = audit.records(0).next();
        let seq = oldest.and_then(|r| r.first_chunk().map(|seq| u64::from_le_bytes(*seq)));
        Self(Verifier::new(seq.unwrap_or(0)))
    }

    /// Reads all there is; number and hash of the last record. `None`: it does not follow from what was read before.
    fn read(&mut self, audit: Audit) -> Option<(u64, Hash)> {
        for record in audit.records(self.0.next()) {
            self.0.push(&record).ok()?;
        }
        Some((self.0.next().checked_sub(1)?, *self.0.head()?))
    }
}
