//! The lines before, newest last; a bounded number of them.
use crate::Buffer;

/// The last `H` lines of at most `N` bytes.
#[derive(Clone, Debug)]
pub struct History<const N: usize, const H: usize> {
    lines: [Buffer<N>; H],
    /// Lines ever added; line number n stands at n mod H.
    added: usize,
}

impl<const N: usize, const H: usize> Default for History<N, H> {
    fn default() -> Self {
        Self::new()
    }
}

impl<const N: usize, const H: usize> History<N, H> {
    /// No lines.
    pub const fn new() -> Self {
        Self { lines: [const { Buffer::new() }; H], added: 0 }
    }

    /// Adds a line. An empty one and one equal to the newest are not kept.
    pub fn add(&mut self, text: &str) {
        if text.is_empty() || H == 0 || self.back(1) == Some(text) {
            return;
        }
        self.lines[self.added % H].set(text);
        self.added += 1;
    }

    /// The line `steps` back, 1 for the newest.
    pub fn back(&self, steps: usize) -> Option<&str> {
        let kept = self.added.min(H);
        (1..=kept).contains(&steps).then(|| self.lines[(self.added - steps) % H].text())
    }

    /// All lines with their numbers from 1, oldest first.
    pub fn iter(&self) -> impl Iterator<Item = (usize, &str)> {
        let kept = self.added.min(H);
        (1..=kept).rev().filter_map(move |s| Some((self.added - s + 1, self.back(s)?)))
    }
}
