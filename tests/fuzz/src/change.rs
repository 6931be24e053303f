//! How an input is changed: the usual small damages of bytes, words and stretches.

/// SplitMix64 (Steele, Lea, Flood: Fast splittable pseudorandom number generators, 2014).
pub struct Random(u64);

impl Random {
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub fn draw(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// A number below `n`; 0 if `n` is.
    pub fn below(&mut self, n: usize) -> usize {
        (((self.draw() >> 32) * n as u64) >> 32) as usize
    }
}

/// Numbers at which checks tend to be wrong.
const EDGES: [u64; 14] = [
    0,
    1,
    7,
    8,
    63,
    64,
    255,
    4095,
    4096,
    1 << 31,
    u32::MAX as u64,
    1 << 63,
    u64::MAX - 7,
    u64::MAX,
];

/// Changes `input` in one to eight places.
pub fn change(r: &mut Random, input: &mut Vec<u8>, pool: &[Vec<u8>], longest: usize) {
    for _ in 0..=r.below(8) {
        match r.below(9) {
            0 => flip(r, input),
            1 => {
                let at = r.below(input.len());
                if let Some(byte) = input.get_mut(at) {
                    *byte = r.draw() as u8;
                }
            }
            2 => number(r, input, |r, _| EDGES[r.below(EDGES.len())]),
            3 => number(r, input, |r, old| old.wrapping_add(r.below(33) as u64).wrapping_sub(16)),
            4 => number(r, input, |r, _| r.draw()),
            5 => remove(r, input),
            6 => insert(r, input),
            7 => splice(r, input, pool),
            _ => repeat(r, input),
        }
    }
    input.truncate(longest);
}

fn flip(r: &mut Random, input: &mut [u8]) {
    let at = r.below(input.len());
    if let Some(byte) = input.get_mut(at) {
        *byte ^= 1 << r.below(8);
    }
}

/// A little-endian number of 1, 2, 4 or 8 bytes, mostly aligned, as records have them.
fn number(r: &mut Random, input: &mut [u8], of: impl Fn(&mut Random, u64) -> u64) {
    let width = 1 << r.below(4);
    let mut at = r.below(input.len());
    if r.below(4) != 0 {
        at &= !(width - 1);
    }
    let Some(place) = input.get_mut(at..at + width) else { return };
    let mut old = [0; 8];
    old[..width].copy_from_slice(place);
    let new = of(r, u64::from_le_bytes(old));
    place.copy_from_slice(&new.to_le_bytes()[..width]);
}

/// A stretch of the input, up to 64 bytes.
fn stretch(r: &mut Random, input: &[u8]) -> (usize, usize) {
    let start = r.below(input.len());
    (start, (start + 1 + r.below(64)).min(input.len()))
}

fn remove(r: &mut Random, input: &mut Vec<u8>) {
    let (start, end) = stretch(r, input);
    if r.below(4) == 0 {
        input.truncate(start);
    } else {
        input.drain(start..end);
    }
}

fn insert(r: &mut Random, input: &mut Vec<u8>) {
    let at = r.below(input.len() + 1);
    let same = r.below(2) == 0;
    let byte = r.draw() as u8;
    let new: Vec<u8> =
        (0..=r.below(16)).map(|_| if same { byte } else { r.draw() as u8 }).collect();
    input.splice(at..at, new);
}

fn splice(r: &mut Random, input: &mut Vec<u8>, pool: &[Vec<u8>]) {
    let Some(other) = pool.get(r.below(pool.len())) else { return };
    let (start, end) = stretch(r, other);
    let at = r.below(input.len() + 1);
    if r.below(2) == 0 {
        input.splice(at..at, other[start..end].iter().copied());
    } else {
        input.truncate(at);
        input.extend_from_slice(&other[start..]);
    }
}

fn repeat(r: &mut Random, input: &mut Vec<u8>) {
    let (start, end) = stretch(r, input);
    let piece = input[start..end].to_vec();
    let at = r.below(input.len() + 1);
    input.splice(at..at, piece);
}
