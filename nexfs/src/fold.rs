//! Hashes inside a file's node. A node keeps for each child its pointer and its BLAKE3 chaining value, and the chaining
//! values of aligned groups of 4, 8, 16, ... children, so that a changed child costs log2(children) compressions. Fanout
//! and block size are powers of two: the groups are exactly the subtrees of BLAKE3 over the content, and what stands at the
//! top of a file is its BLAKE3, whatever the block size and the history.
//!
//! With a header of 64 bytes, 48 per child and 32 per group the block is full to the last byte.
use blake3::hazmat::{HasherExt, Mode, merge_subtrees_non_root, merge_subtrees_root};

use crate::bytes::{hash_at, put};
use crate::layout::HEAD;
use crate::shape::{count, ptr, put_ptr, set_count};
use crate::superblock::Ptr;

/// A chaining value.
pub(crate) type Hash = [u8; 32];

/// Children that a node of this size holds.
fn fanout(block: &[u8]) -> usize {
    block.len() / 64
}

/// Offset of the pointer of child `i`.
pub(crate) fn child(i: usize) -> usize {
    HEAD + 16 * i
}

/// Offset of the value of group `i` of `size` children (a power of two, neither 2 nor all).
fn place(block: &[u8], size: usize, i: usize) -> usize {
    let f = fanout(block);
    let hashes = HEAD + 16 * f;
    if size == 1 {
        return hashes + 32 * i;
    }
    // Groups of 4 come first: f / 4 of them, then f / 8, ...: before those of `size` f / 2 - 2 f / size of them.
    hashes + 32 * (f + f / 2 - 2 * f / size + i)
}

/// The value of a group, from its two halves: the left one alone if there is nothing in the right one.
fn join(left: &Hash, right: Option<&Hash>) -> Hash {
    match right {
        Some(right) => merge_subtrees_non_root(left, right, Mode::Hash),
        None => *left,
    }
}

/// The value of group `i` of `size` as it is stored; of two children: computed.
fn stored(block: &[u8], size: usize, i: usize) -> Hash {
    if size == 2 { halves(block, size, i) } else { hash_at(block, place(block, size, i)) }
}

/// The value of group `i` of `size` from its halves.
fn halves(block: &[u8], size: usize, i: usize) -> Hash {
    let half = size / 2;
    let right = ((2 * i + 1) * half < count(block)).then(|| stored(block, half, 2 * i + 1));
    join(&stored(block, half, 2 * i), right.as_ref())
}

/// Recomputes the groups over child `i`.
fn refold(block: &mut [u8], i: usize) {
    let mut size = 4;
    while size < fanout(block) {
        let value = halves(block, size, i / size);
        let at = place(block, size, i / size);
        put(block, at, &value);
        size *= 2;
    }
}

/// Sets child `i`, one of those that are there or the next one.
pub(crate) fn set(block: &mut [u8], i: usize, at: Ptr, hash: &Hash) {
    put_ptr(block, child(i), at);
    let own = place(block, 1, i);
    put(block, own, hash);
    if i >= count(block) {
        set_count(block, i + 1);
    }
    refold(block, i);
}

/// Drops all children from `n` (at least 1) on.
pub(crate) fn cut(block: &mut [u8], n: usize) {
    let f = fanout(block);
    for i in n..count(block) {
        put_ptr(block, child(i), Ptr::default());
        let own = place(block, 1, i);
        put(block, own, &[0; 32]);
    }
    let mut size = 4;
    while size < f {
        for i in n.div_ceil(size)..f / size {
            let at = place(block, size, i);
            put(block, at, &[0; 32]);
        }
        size *= 2;
    }
    set_count(block, n);
    refold(block, n - 1);
}

/// Pointer and value of child `i`; `None` past the last.
pub(crate) fn get(block: &[u8], i: usize) -> Option<(Ptr, Hash)> {
    (i < count(block)).then(|| (ptr(block, child(i)), hash_at(block, place(block, 1, i))))
}

/// The node's own chaining value.
pub(crate) fn top(block: &[u8]) -> Hash {
    halves(block, fanout(block), 0)
}

/// BLAKE3 of a file whose highest node this is; `None` if it has a single child.
pub(crate) fn root(block: &[u8]) -> Option<Hash> {
    let mut size = fanout(block);
    while size > 1 {
        let half = size / 2;
        if half < count(block) {
            let halves = (stored(block, half, 0), stored(block, half, 1));
            return Some(*merge_subtrees_root(&halves.0, &halves.1, Mode::Hash).as_bytes());
        }
        size = half;
    }
    None
}

/// Whether all groups are what their children say, and nothing stands behind them.
pub(crate) fn consistent(block: &[u8]) -> bool {
    let (f, n) = (fanout(block), count(block));
    let mut size = 4;
    while size < f {
        for i in 0..f / size {
            let stored = stored(block, size, i);
            let right = if i * size < n { halves(block, size, i) } else { [0; 32] };
            if stored != right {
                return false;
            }
        }
        size *= 2;
    }
    (n..f).all(|i| ptr(block, child(i)) == Ptr::default() && stored(block, 1, i) == [0; 32])
}

/// The chaining value of a file's bytes from `offset` on, `offset` a multiple of the block size.
pub(crate) fn leaf(offset: u64, bytes: &[u8]) -> Hash {
    let mut hasher = blake3::Hasher::new();
    hasher.set_input_offset(offset).update(bytes);
    hasher.finalize_non_root()
}
