//! The memory that calls may name, and what it must hold.
use core::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// Bytes of the arena: inputs stand in its first half, outputs in the second.
pub const LEN: usize = 8192;
const WORDS: usize = LEN / 8;
/// Bytes that are compared on either side of what a call may write.
const CANARY: usize = 32;

#[repr(align(4096))]
struct Words([AtomicU64; WORDS]);

/// What the kernel reads and writes.
static ARENA: Words = Words([const { AtomicU64::new(0) }; WORDS]);
/// What it must hold.
static SHADOW: Words = Words([const { AtomicU64::new(0) }; WORDS]);

/// Address of the arena.
pub fn base() -> usize {
    ARENA.0.as_ptr().expose_provenance()
}

/// Fills both with a pattern.
pub fn fill() {
    for i in 0..WORDS {
        let word = (i as u64).wrapping_mul(0x9E37_79B9_7F4A_7C15);
        ARENA.0[i].store(word, Relaxed);
        SHADOW.0[i].store(word, Relaxed);
    }
}

/// Writes a record at a multiple of 8; answers its address. What does not fit is left out.
pub fn put(offset: usize, bytes: &[u8]) -> usize {
    for (i, part) in bytes.chunks(8).enumerate() {
        let Some(to) = ARENA.0.get(offset / 8 + i) else { break };
        let mut word = to.load(Relaxed).to_le_bytes();
        word[..part.len()].copy_from_slice(part);
        to.store(u64::from_le_bytes(word), Relaxed);
        SHADOW.0[offset / 8 + i].store(u64::from_le_bytes(word), Relaxed);
    }
    base() + offset
}

/// The byte at an offset of the arena.
pub fn byte(offset: usize) -> Option<u8> {
    Some(at(&ARENA, offset)?.to_le_bytes()[offset % 8])
}

/// The u64 at an address inside the arena, which need not be aligned.
pub fn word(address: usize) -> Option<u64> {
    let start = address.checked_sub(base())?;
    let mut out = [0; 8];
    for (i, to) in out.iter_mut().enumerate() {
        *to = byte(start.checked_add(i)?)?;
    }
    Some(u64::from_le_bytes(out))
}

fn at(words: &Words, offset: usize) -> Option<u64> {
    Some(words.0.get(offset / 8)?.load(Relaxed))
}

fn differs(offset: usize) -> bool {
    let (Some(is), Some(was)) = (at(&ARENA, offset), at(&SHADOW, offset)) else { return false };
    is.to_le_bytes()[offset % 8] != was.to_le_bytes()[offset % 8]
}

/// Accepts what a call may have written there, after a look at the bytes around it: the offset of one that changed.
pub fn accept(address: usize, len: usize) -> Option<usize> {
    let start = address.wrapping_sub(base());
    if start >= LEN {
        return None;
    }
    let end = start.saturating_add(len).min(LEN);
    let around = (start.saturating_sub(CANARY)..start).chain(end..(end + CANARY).min(LEN));
    let changed = around.into_iter().find(|&o| differs(o));
    for i in start / 8..end.div_ceil(8) {
        SHADOW.0[i].store(ARENA.0[i].load(Relaxed), Relaxed);
    }
    changed
}

/// The offset of a word that is not what it must be.
pub fn changed() -> Option<usize> {
    (0..WORDS).find(|&i| ARENA.0[i].load(Relaxed) != SHADOW.0[i].load(Relaxed)).map(|i| i * 8)
}
