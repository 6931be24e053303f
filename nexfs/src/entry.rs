//! The value of an entry: what a name stands for. 80 bytes, so that it changes in place.
use crate::bytes::{hash_at, put, put_u64, u64_at};
use crate::superblock::{Ptr, Tree};

/// Bytes of a value.
pub(crate) const VALUE: usize = 80;

/// What a name stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Kind {
    /// A file.
    File = 1,
    /// A folder.
    Folder = 2,
    /// The last request of a client, in its own tree.
    Client = 3,
}

/// A file, a folder, or a client's last request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Object {
    pub kind: Kind,
    /// Levels of a folder's tree. Those of a file follow from its size.
    pub height: u8,
    /// Bytes of a file; number of a client's request.
    pub size: u64,
    /// When it changed last, in nanoseconds since 1970; the answer to a client's request.
    pub time: u64,
    pub root: Ptr,
    /// BLAKE3 chaining value of a file's content.
    pub hash: [u8; 32],
    /// When it was made.
    pub made: u64,
}

impl Object {
    pub(crate) fn new(kind: Kind, time: u64) -> Self {
        Object { kind, height: 0, size: 0, time, root: Ptr::default(), hash: [0; 32], made: time }
    }

    /// A folder's tree.
    pub(crate) fn tree(&self) -> Tree {
        Tree { root: self.root, height: self.height }
    }

    /// The same folder with another tree.
    pub(crate) fn with_tree(mut self, tree: Tree) -> Self {
        (self.root, self.height) = (tree.root, tree.height);
        self
    }

    pub(crate) fn encode(&self) -> [u8; VALUE] {
        let mut b = [0; VALUE];
        put(&mut b, 0, &[self.kind as u8, self.height]);
        put_u64(&mut b, 8, self.size);
        put_u64(&mut b, 16, self.time);
        put_u64(&mut b, 24, self.root.block);
        put_u64(&mut b, 32, self.root.birth);
        put(&mut b, 40, &self.hash);
        put_u64(&mut b, 72, self.made);
        b
    }

    /// The value at `at`; `None` for a kind that there is not.
    pub(crate) fn decode(block: &[u8], at: usize) -> Option<Self> {
        let kind = match block.get(at)? {
            1 => Kind::File,
            2 => Kind::Folder,
            3 => Kind::Client,
            _ => return None,
        };
        Some(Object {
            kind,
            height: *block.get(at + 1)?,
            size: u64_at(block, at + 8),
            time: u64_at(block, at + 16),
            root: Ptr { block: u64_at(block, at + 24), birth: u64_at(block, at + 32) },
            hash: hash_at(block, at + 40),
            made: u64_at(block, at + 72),
        })
    }
}
