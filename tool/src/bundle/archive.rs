//! The archive: strict ustar (POSIX.1-2017 pax, "ustar Interchange Format"), index first, the same
//! bytes on every build.
//!
//! Times, owners and modes are fixed, so that nothing of the machine that built it is in it.
use std::io::Read;

use abi::boot::{INDEX_MAGIC, INDEX_NAME, IndexEntry, IndexHeader, NAME_MAX, SIGNATURE_LEN};

use super::key::Key;

const BLOCK: usize = 512;

/// One file of the archive.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    /// Its name.
    pub name: String,
    /// Version, for images.
    pub version: u32,
    /// What it holds.
    pub contents: Vec<u8>,
}

impl Member {
    /// A member without a version.
    pub fn new(name: &str, contents: Vec<u8>) -> Self {
        Self { name: name.to_owned(), version: 0, contents }
    }
}

/// Bytes of an archive of `members` alone, its end included.
pub fn length(members: &[Member]) -> u64 {
    let one = |m: &Member| (BLOCK + m.contents.len().next_multiple_of(BLOCK)) as u64;
    members.iter().map(one).sum::<u64>() + 2 * BLOCK as u64
}

/// A bundle before it is signed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Archive {
    /// Version of the bundle.
    pub version: u32,
    /// All members but the index, in order.
    pub members: Vec<Member>,
}

impl Archive {
    /// Number of the member called `name` in the index.
    pub fn number(&self, name: &str) -> Option<usize> {
        self.members.iter().position(|m| m.name == name)
    }

    /// The archive with its index, signed by `key`.
    ///
    /// # Errors
    /// A name that ustar's name field does not hold.
    pub fn write(&self, key: &Key) -> Result<Vec<u8>, String> {
        let count = self.members.len();
        let index_len = IndexHeader::SIZE + count * IndexEntry::SIZE + SIGNATURE_LEN;
        let mut offset = BLOCK + index_len.next_multiple_of(BLOCK);
        let mut entries = Vec::new();
        let mut body = Vec::new();
        for member in &self.members {
            let raw = raw(&member.name, &member.contents)?;
            let entry = IndexEntry {
                name: abi::name(&member.name),
                version: member.version,
                zero: 0,
                offset: offset as u64,
                len: raw.len() as u64,
                hash: *blake3::hash(&raw).as_bytes(),
            };
            offset += raw.len();
            entries.extend(entry.encode());
            body.extend(raw);
        }
        let header = IndexHeader {
            magic: INDEX_MAGIC,
            version: 1,
            count: count as u32,
            bundle_version: self.version,
            total_len: (offset + 2 * BLOCK) as u64,
            signer: key.public_key(),
            ..IndexHeader::zeroed()
        };
        let mut index = header.encode().to_vec();
        index.extend(entries);
        let signature = key.sign(&index);
        index.extend(signature);
        let mut out = raw(INDEX_NAME, &index)?;
        out.extend(body);
        out.resize(out.len() + 2 * BLOCK, 0);
        Ok(out)
    }

    /// Reads an archive back; nothing is verified.
    ///
    /// # Errors
    /// What is no ustar archive with an index.
    pub fn read(bytes: &[u8]) -> Result<Self, String> {
        let mut members = Vec::new();
        let mut index = Vec::new();
        for entry in tar::Archive::new(bytes).entries().map_err(|e| e.to_string())? {
            let mut entry = entry.map_err(|e| e.to_string())?;
            let name = String::from_utf8_lossy(&entry.path_bytes()).into_owned();
            let mut contents = Vec::new();
            entry.read_to_end(&mut contents).map_err(|e| e.to_string())?;
            if name == INDEX_NAME {
                index = contents;
                continue;
            }
            let at = IndexHeader::SIZE + members.len() * IndexEntry::SIZE;
            let known = index.get(at..).and_then(IndexEntry::decode);
            let version = known.ok_or_else(|| format!("{name}: not in the index"))?.version;
            members.push(Member { name, version, contents });
        }
        let header = IndexHeader::decode(&index).ok_or("the archive has no index")?;
        Ok(Self { version: header.bundle_version, members })
    }
}

/// Header, contents and padding of one file.
fn raw(name: &str, contents: &[u8]) -> Result<Vec<u8>, String> {
    if name.len() > NAME_MAX {
        return Err(format!("{name}: a name has at most {NAME_MAX} bytes"));
    }
    let mut header = tar::Header::new_ustar();
    header.as_old_mut().name[..name.len()].copy_from_slice(name.as_bytes());
    header.set_size(contents.len() as u64);
    header.set_mode(0o644);
    header.set_uid(0);
    header.set_gid(0);
    header.set_mtime(0);
    header.set_entry_type(tar::EntryType::Regular);
    header.set_cksum();
    let mut out = header.as_bytes().to_vec();
    out.extend_from_slice(contents);
    out.resize(out.len().next_multiple_of(BLOCK), 0);
    Ok(out)
}
