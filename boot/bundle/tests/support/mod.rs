//! A small writer of bundles, apart from the host tool's, that can also write what is wrong.
#![allow(dead_code, reason = "each test file uses its own part")]
use abi::boot::{CELLS_MAGIC, CELLS_VERSION, CellRecord, CellsHeader, cell};
use abi::boot::{INDEX_MAGIC, IndexEntry, IndexHeader};
use bundle::tar::BLOCK;
use ed25519_dalek::{Signer, SigningKey};

/// The key that signs.
pub fn key() -> SigningKey {
    SigningKey::from_bytes(&[7; 32])
}

/// Its public half.
pub fn root() -> [u8; 32] {
    key().verifying_key().to_bytes()
}

/// Header, contents and padding in the form of the host tool.
pub fn member(name: &str, contents: &[u8]) -> Vec<u8> {
    let mut head = vec![0; BLOCK];
    head[..name.len()].copy_from_slice(name.as_bytes());
    head[100..124].copy_from_slice(b"0000644\x000000000\x000000000\x00");
    head[124..136].copy_from_slice(format!("{:011o}\0", contents.len()).as_bytes());
    head[136..148].copy_from_slice(b"00000000000\0");
    head[156] = b'0';
    head[257..265].copy_from_slice(b"ustar\x0000");
    seal(&mut head);
    head.extend(contents);
    head.resize(head.len().next_multiple_of(BLOCK), 0);
    head
}

/// Writes the checksum of a header.
pub fn seal(head: &mut [u8]) {
    head[148..156].fill(b' ');
    let sum: u32 = head[..BLOCK].iter().map(|&b| u32::from(b)).sum();
    head[148..156].copy_from_slice(format!("{sum:07o}\0").as_bytes());
}

/// What stands in the index beside the members.
pub struct Shape {
    pub version: u32,
    pub edit_head: fn(&mut IndexHeader),
    pub edit_entries: fn(&mut Vec<IndexEntry>),
    pub end: Vec<u8>,
}

impl Default for Shape {
    fn default() -> Self {
        Self { version: 5, edit_head: |_| (), edit_entries: |_| (), end: vec![0; 2 * BLOCK] }
    }
}

/// A bundle of `members` (raw blocks, by the name the index gives them), signed whatever it says.
pub fn archive(members: &[(&str, Vec<u8>)], shape: &Shape) -> Vec<u8> {
    let index_len = IndexHeader::SIZE + members.len() * IndexEntry::SIZE + 64;
    let mut at = BLOCK + index_len.next_multiple_of(BLOCK);
    let mut entries = Vec::new();
    for (name, raw) in members {
        let hash = *blake3::hash(raw).as_bytes();
        let (offset, len) = (at as u64, raw.len() as u64);
        entries.push(IndexEntry { name: abi::name(name), version: 1, zero: 0, offset, len, hash });
        at += raw.len();
    }
    let mut head = IndexHeader {
        magic: INDEX_MAGIC,
        version: 1,
        count: members.len() as u32,
        bundle_version: shape.version,
        total_len: (at + shape.end.len()) as u64,
        signer: root(),
        ..IndexHeader::zeroed()
    };
    (shape.edit_head)(&mut head);
    (shape.edit_entries)(&mut entries);
    let mut index = head.encode().to_vec();
    index.extend(entries.iter().flat_map(IndexEntry::encode));
    index.extend(key().sign(&index).to_bytes());
    let mut out = member("index", &index);
    out.extend(members.iter().flat_map(|(_, raw)| raw.clone()));
    out.extend(&shape.end);
    out
}

/// A well-formed bundle of these files.
pub fn bundle(files: &[(&str, &[u8])]) -> Vec<u8> {
    let members: Vec<_> = files.iter().map(|(n, bytes)| (*n, member(n, bytes))).collect();
    archive(&members, &Shape::default())
}

/// The files of [`small`], in order.
pub const FILES: [(&str, &[u8]); 4] = [
    ("cells.bin", b"table"),
    ("cell0/kernel", &[0xA5; 513]),
    ("Boot/empty", b""),
    ("Boot/motd", b"hello\n"),
];

/// A bundle of four members, one of them empty, one over a block long.
pub fn small() -> Vec<u8> {
    bundle(&FILES)
}

/// A record of the cell table.
pub fn record(kind: u16, arg: u32, a: u64, b: u64, c: u64) -> CellRecord {
    CellRecord { kind, cell: 0, arg, a, b, c }
}

/// A cell table.
pub fn cells(rumkv: u32, entry: u64, handoff: u64, records: &[CellRecord]) -> Vec<u8> {
    let header = CellsHeader {
        magic: CELLS_MAGIC,
        version: CELLS_VERSION,
        cells: 1,
        count: records.len() as u32,
        rumkv,
        entry,
        handoff,
    };
    let mut out = header.encode().to_vec();
    out.extend(records.iter().flat_map(CellRecord::encode));
    out
}

/// Base and length of the RAM in [`machine`].
pub const RAM: (u64, u64) = (0x4000_0000, 0x2000_0000);

/// Records of a machine with one cell that is given a kernel (member 1) and an archive (2 to 3).
pub fn machine() -> Vec<CellRecord> {
    vec![
        record(cell::MACHINE_RAM, 0, RAM.0, 0, RAM.1),
        record(cell::CELL, 0x7F, 0x5008_0000, 0x5002_0000, 0),
        record(cell::CORE, 0, 0, 0, 0),
        record(cell::RAM, 0, 0x5000_0000, 0x5000_0000, 0x800_0000),
        record(cell::BEB, 0, 0x5001_0000, 0, 0x1_0000),
        record(cell::INTERRUPT_CONTROLLER, 0, 0x0800_0000, 0x080A_0000, 3),
        record(cell::PLACE, 1, 0x5003_0000, 0, 0x1000),
        record(cell::PLACE, 2, 0x5004_0000, 0, 0x2000),
        record(cell::LOAD, 1, 0x5008_0000, 0, 0x1000),
        record(cell::ARCHIVE, 2, 0x5020_0000, 3, 0x10_0000),
    ]
}
