//! The signed index: what makes an archive a bundle.
use crate::Refusal;
use crate::tar::{END, Member};
use abi::boot::{CELLS_NAME, INDEX_MAGIC, INDEX_NAME, IndexEntry, IndexHeader, SIGNATURE_LEN};
use ed25519_dalek::{Signature, VerifyingKey};

/// The index's header but for name, size and checksum: nothing signs it, so it has one form.
const HEADER: [(usize, &[u8]); 6] = [
    (5, &[0; 95]),
    (100, b"0000644\x000000000\x000000000\x00"),
    (135, b"\x0000000000000\x00"),
    (155, b"\x000"),
    (157, &[0; 100]),
    (265, &[0; 247]),
];

/// A bundle in which every byte is what the holder of the root key signed.
#[derive(Clone, Copy, Debug)]
pub struct Verified<'a> {
    /// The whole archive.
    pub bundle: &'a [u8],
    /// Its version.
    pub version: u32,
    /// BLAKE3-256 of the index's contents, the signature included: names the whole machine.
    pub machine: [u8; 32],
    entries: &'a [u8],
}

impl<'a> Verified<'a> {
    /// Entries of the index in order; entry 0 is the first member after the index itself.
    pub fn entries(&self) -> impl Iterator<Item = IndexEntry> + use<'a> {
        self.entries.chunks_exact(IndexEntry::SIZE).filter_map(IndexEntry::decode)
    }

    /// Entry `number` and its member.
    pub fn member(&self, number: usize) -> Option<(IndexEntry, Member<'a>)> {
        let at = number.checked_mul(IndexEntry::SIZE)?;
        let entry = IndexEntry::decode(self.entries.get(at..)?)?;
        Some((entry, Member::parse(self.bundle.get(entry.offset as usize..)?).ok()?))
    }

    /// Checks every member after the index, which ends at byte `at`.
    fn check_members(&self, mut at: usize, total_len: u64) -> Result<(), Refusal> {
        for (number, entry) in self.entries().enumerate() {
            let refuse = |reason| Refusal { member: entry.name, reason };
            let need = |held: bool, reason| held.then_some(()).ok_or(refuse(reason));
            let rest = self.bundle.get(at..).unwrap_or_default();
            let raw = rest.get(..entry.len as usize).ok_or(refuse("truncated or missing"))?;
            at += raw.len();
            if foreign(&entry) {
                need(entry.offset == (at - raw.len()) as u64, "not where it must be")?;
                continue;
            }
            need(*blake3::hash(raw).as_bytes() == entry.hash, "hash differs")?;
            let member = Member::parse(raw)?;
            let place = ((at - raw.len()) as u64, raw.len(), 0);
            need((entry.offset, member.raw.len(), entry.zero) == place, "not where it must be")?;
            need(member.name == entry.name, "another name in the index than in its header")?;
            let twice = self.entries().take(number).any(|other| other.name == entry.name);
            need(!twice && member.name() != INDEX_NAME, "twice in the bundle")?;
        }
        let ended = self.bundle[at..] == [0; END] && total_len == self.bundle.len() as u64;
        ended.then_some(()).ok_or(Refusal::new("bundle", "wrong end"))
    }
}

/// Whether a member belongs to a cell after the first, `cell1/...`: RumKV hashes it on a core of
/// that cell, so that cell 0 does not wait for it.
pub(crate) fn foreign(entry: &IndexEntry) -> bool {
    let number = abi::text(&entry.name).strip_prefix("cell").unwrap_or_default();
    number.starts_with(|c: char| c.is_ascii_digit() && c != '0')
}

/// Checks `bundle` completely, but for the contents of what belongs to cells after the first: the index's one possible header, its signature by `root_key` (RFC
/// 8032, without the leniencies of cofactor and small orders), its form, a version of at least
/// `floor`, and each member's place, hash and name. Nothing inside the index is interpreted before
/// the signature holds.
///
/// # Errors
/// The first member, in the archive's order, that is not as signed.
pub fn verify<'a>(
    bundle: &'a [u8],
    root_key: &[u8; 32],
    floor: u32,
) -> Result<Verified<'a>, Refusal> {
    let refuse = |reason| Refusal::new(INDEX_NAME, reason);
    let index = Member::parse(bundle).map_err(|r| refuse(r.reason))?;
    let need = |held: bool, reason| held.then_some(()).ok_or(refuse(reason));
    need(index.name() == INDEX_NAME, "missing")?;
    let numbers = index.raw[124..135].iter().chain(&index.raw[148..155]);
    let header = HEADER.iter().all(|(at, form)| index.raw[*at..].starts_with(form));
    need(header && numbers.into_iter().all(u8::is_ascii_digit), "not an index's header")?;
    let signed = index.contents.split_last_chunk::<SIGNATURE_LEN>();
    let (signed, signature) = signed.ok_or(refuse("too short"))?;
    VerifyingKey::from_bytes(root_key)
        .and_then(|key| key.verify_strict(signed, &Signature::from_bytes(signature)))
        .map_err(|_| refuse("not signed by the root key"))?;
    let head = IndexHeader::decode(signed).ok_or(refuse("too short"))?;
    let entries = &signed[IndexHeader::SIZE..];
    let len = u64::from(head.count) * IndexEntry::SIZE as u64;
    need((head.magic, head.version, entries.len() as u64) == (INDEX_MAGIC, 1, len), "malformed")?;
    need((head.zero, head.zero2) == (0, 0), "malformed")?;
    need(head.bundle_version >= floor, "version below the floor")?;
    let machine = *blake3::hash(index.contents).as_bytes();
    let verified = Verified { bundle, version: head.bundle_version, machine, entries };
    verified.check_members(index.raw.len(), head.total_len)?;
    let first = verified.entries().next();
    let cells = first.is_some_and(|entry| abi::text(&entry.name) == CELLS_NAME);
    cells.then_some(verified).ok_or(Refusal::new(CELLS_NAME, "missing"))
}
