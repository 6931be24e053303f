//! `bulk SEED`: the memory functions of the kernel, which this program is linked with in place of the compiler's own. Every
//! length up to 96, every alignment, ranges that overlap both ways, then what a seed says up to two pages, each compared
//! byte for byte with what it must be, the bytes before and behind included.
#![no_std]
#![no_main]

// The same file that the kernel is made of.
#[path = "../../../../arch/src/aarch64/bulk.rs"]
mod bulk;

use core::ptr::{read_volatile, write_volatile};

use rt::println;

rt::entry!(main, kdl: r#"
name "bulk"
kind "npk"
energy 0
spectrum "void"
pledge "STDIO"
stack "64K"
"#);

unsafe extern "C" {
    fn memcpy(to: *mut u8, from: *const u8, len: usize) -> *mut u8;
    fn memmove(to: *mut u8, from: *const u8, len: usize) -> *mut u8;
    fn memset(to: *mut u8, byte: i32, len: usize) -> *mut u8;
}

/// Bytes on each side of what is written, which must stay.
const MARGIN: usize = 64;
/// The longest range.
const MOST: usize = 2 * abi::PAGE;
const WHOLE: usize = 2 * (MARGIN + MOST + MARGIN);

/// From a cache line on, so that every alignment can be had.
#[repr(align(4096))]
struct Memory([u8; WHOLE]);

/// What is worked on, and what it must be like afterwards.
struct Pair {
    memory: &'static mut Memory,
    model: &'static mut Memory,
    failed: u32,
    done: u32,
}

impl Pair {
    /// Fills both with the same bytes. All accesses here are volatile, so that the compiler makes no call of them.
    fn fill(&mut self, until: usize, salt: u64) {
        for at in 0..until {
            let byte = ((at as u64 * 167 + salt * 31) >> 3) as u8 | 1;
            for memory in [&mut *self.memory, &mut *self.model] {
                // SAFETY: a byte of a reference.
                unsafe { write_volatile(&raw mut memory.0[at], byte) };
            }
        }
    }

    /// The same byte of both, or not.
    fn judge(&mut self, what: &str, case: [usize; 3], until: usize, result: bool) {
        let same = (0..until).all(|at| get(self.memory, at) == get(self.model, at));
        self.done += 1;
        if !(same && result) {
            self.failed += 1;
            if self.failed < 4 {
                println!("bulk: {what} {case:?} is wrong");
            }
        }
    }

    /// Copies inside of the memory; `overlaps`: by memmove.
    fn copy(&mut self, to: usize, from: usize, len: usize, overlaps: bool) {
        let until = to.max(from) + len + MARGIN;
        self.fill(until, (to + from + len) as u64);
        let base = self.memory.0.as_mut_ptr();
        let (at, source) = (base.wrapping_add(to), base.wrapping_add(from));
        let function = if overlaps { memmove } else { memcpy };
        // SAFETY: both ranges lie in the memory, and do not overlap where they must not.
        let result = unsafe { function(at, source, len) };
        // The model by single bytes, from the end that is not overwritten first.
        for n in 0..len {
            let n = if to > from { len - 1 - n } else { n };
            let byte = get(self.model, from + n);
            // SAFETY: a byte of a reference.
            unsafe { write_volatile(&raw mut self.model.0[to + n], byte) };
        }
        let what = if overlaps { "memmove" } else { "memcpy" };
        self.judge(what, [to, from, len], until, result == at);
    }

    fn set(&mut self, to: usize, byte: i32, len: usize) {
        let until = to + len + MARGIN;
        self.fill(until, (to + len) as u64);
        let at = self.memory.0.as_mut_ptr().wrapping_add(to);
        // SAFETY: the range lies in the memory.
        let result = unsafe { memset(at, byte, len) };
        for n in 0..len {
            // SAFETY: a byte of a reference.
            unsafe { write_volatile(&raw mut self.model.0[to + n], byte as u8) };
        }
        self.judge("memset", [to, byte as usize, len], until, result == at);
    }
}

/// A byte, read where no call is made of it.
fn get(memory: &Memory, at: usize) -> u8 {
    let byte = &raw const memory.0[at];
    // SAFETY: a byte of a reference.
    unsafe { read_volatile(byte) }
}

/// SplitMix64 (Steele, Lea and Flood, "Fast splittable pseudorandom number generators", 2014).
fn random(state: &mut u64, below: usize) -> usize {
    *state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
    let mut z = *state;
    z = (z ^ z >> 30).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ z >> 27).wrapping_mul(0x94D0_49BB_1331_11EB);
    ((z ^ z >> 31) % below as u64) as usize
}

fn main() -> usize {
    static mut MEMORY: [Memory; 2] = [const { Memory([0; WHOLE]) }; 2];
    let seed = rt::args().next().and_then(guests::number).unwrap_or(1) as u64;
    let memory = &raw mut MEMORY;
    // SAFETY: one fiber, and the only reference.
    let [memory, model] = unsafe { &mut *memory };
    let mut pair = Pair { memory, model, failed: 0, done: 0 };
    for len in 0..=96 {
        for skew in 0..16 {
            pair.copy(MARGIN + skew, 256 + (len + 5 * skew) % 16, len, false);
            // Overlapping, or not, by every distance that a turn could get wrong.
            pair.copy(MARGIN + skew, MARGIN + 8, len, true);
            pair.copy(MARGIN + 8 + 9 * skew, MARGIN + 8, len, true);
            pair.set(MARGIN + skew, (len % 3 * 0x155) as i32, len);
        }
    }
    let mut state = seed;
    for _ in 0..60 {
        let len = random(&mut state, MOST);
        let (one, other) = (random(&mut state, MOST), random(&mut state, MOST));
        pair.copy(MARGIN + one, MARGIN + other, len, true);
        // Of zeros at a cache line mostly: what goes by whole lines.
        let at = if one.is_multiple_of(4) { one } else { one & !63 };
        pair.set(MARGIN + at, (other % 4 / 3) as i32, len);
    }
    println!("bulk: seed {seed}, {} of {} wrong", pair.failed, pair.done);
    usize::from(pair.failed != 0)
}
