//! Saved audit chains: out of a stopped machine's memory, out of a terminal's log, and whether they are whole.
use std::path::Path;

use abi::prov::ProvRecord;
use ed25519_dalek::{Signature, VerifyingKey};
use prov::{Anchor, Hash, Report, found, hash_of, text};

use crate::bundle::Key;
use crate::failure::{Context, Failure};

/// Path of the development key that seals, in the tree.
pub const DEVELOPMENT: &str = "profiles/keys/audit.key";
/// Bytes of a record.
const LEN: usize = ProvRecord::SIZE;
/// Where a record's hash of the one before begins, and where its own.
const LINKS: [usize; 2] = [64, 96];

/// The chain in the memory of a machine's ring. The last records may not have been hashed when it stopped: that is done
/// here, as the kernel would have; no seal covers them.
#[must_use]
pub fn of_memory(memory: &[u8]) -> Vec<u8> {
    let mut out: Vec<u8> = Vec::new();
    for record in found(memory) {
        let mut record = *record;
        if record[LINKS[0]..] == [0; LEN - LINKS[0]] {
            let prev = out.last_chunk().copied().unwrap_or([0; 32]);
            record[LINKS[0]..LINKS[1]].copy_from_slice(&prev);
            let hash = hash_of(&record);
            record[LINKS[1]..].copy_from_slice(&hash);
        }
        out.extend(record);
    }
    out
}

/// The chain in a file: the lines that a shell's `audit export` printed, with whatever stands between them, or else the
/// records themselves. Of several exports in one log the last one counts.
#[must_use]
pub fn of_file(bytes: &[u8]) -> Vec<u8> {
    let log = String::from_utf8_lossy(bytes);
    let begin = log.rfind(text::BEGIN).unwrap_or(0);
    let mut parts = log[begin..].lines().filter_map(text::Part::read).peekable();
    if parts.peek().is_none() {
        return bytes.to_vec();
    }
    parts.flat_map(|part| part.bytes).collect()
}

/// The anchor that `--head` names: 64 hexadecimal digits, or a file with them or with a chain that ends there.
///
/// # Errors
/// A file that cannot be read, or is neither.
pub fn anchor(named: &str) -> Result<Anchor, Failure> {
    if let Some(head) = text::hex(named) {
        return Ok(Anchor::Head(head));
    }
    let bytes = std::fs::read(named).context(|| format!("read the anchor {named}"))?;
    let head = std::str::from_utf8(&bytes).ok().and_then(text::key);
    let head = head.or_else(|| of_file(&bytes).last_chunk().copied());
    head.map(Anchor::Head).ok_or_else(|| Failure::new(format!("{named} is no anchor")))
}

/// The public key that seals are compared with.
///
/// # Errors
/// A file that cannot be read or holds no key.
pub fn sealing_key(public: Option<&Path>, root: &Path) -> Result<VerifyingKey, Failure> {
    let Some(file) = public else {
        let key = Key::from_file(&root.join(DEVELOPMENT))?;
        return valid(&key.public_key(), "the development key");
    };
    let shown = file.display().to_string();
    let text = std::fs::read_to_string(file).context(|| format!("read the key {shown}"))?;
    let key = text::key(&text).ok_or_else(|| {
        Failure::new(format!("{shown} is no public key: one line of 64 hexadecimal digits"))
    })?;
    valid(&key, &shown)
}

fn valid(key: &Hash, name: &str) -> Result<VerifyingKey, Failure> {
    VerifyingKey::from_bytes(key).map_err(|_| Failure::new(format!("{name} is no Ed25519 key")))
}

/// Verifies a chain that begins with record `from`.
#[must_use]
pub fn verify(chain: &[u8], from: u64, anchor: Anchor, key: &VerifyingKey) -> Report {
    prov::verify(chain, from, anchor, &|message, signature| {
        key.verify_strict(message, &Signature::from_bytes(signature)).is_ok()
    })
}

/// A hash in hexadecimal digits.
#[must_use]
pub fn digits(hash: &Hash) -> String {
    hash.iter().fold(String::new(), |text, byte| text + &format!("{byte:02x}"))
}

/// What a report says, for people.
#[must_use]
pub fn describe(report: &Report) -> String {
    if report.count == 0 {
        return "no records\n".into();
    }
    let end = report.first + report.count;
    let good = format!("records {} to {}: good", report.first, end - 1);
    let head = format!("head: {}", digits(&report.head));
    let sealed = match (report.unsealed, report.seals) {
        (_, 0) => "sealed: nothing".into(),
        (until, 1) => format!("sealed: up to record {} (1 seal)", until - 1),
        (until, seals) => format!("sealed: up to record {} ({seals} seals)", until - 1),
    };
    let tail = match (report.closed, end - report.unsealed) {
        (true, _) => "unsealed tail: only the last seal itself".into(),
        (_, 1) => "unsealed tail: 1 record".into(),
        (_, tail) => format!("unsealed tail: {tail} records"),
    };
    [good, head, sealed, tail].map(|line| line + "\n").concat()
}
