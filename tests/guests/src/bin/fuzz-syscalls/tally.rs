//! Counts per call and per error.
use abi::call::{Error, number};
use rt::println;

/// Calls by number (the last place: numbers that there are not), each with how it ended (place 0: success).
pub struct Tally {
    counts: [[u32; Error::ALL.len() + 1]; number::NAMES.len() + 1],
}

impl Tally {
    /// Nothing counted.
    pub const fn new() -> Self {
        Self { counts: [[0; Error::ALL.len() + 1]; number::NAMES.len() + 1] }
    }

    /// Counts one call.
    pub fn add(&mut self, number: usize, place: usize) {
        self.counts[number.min(number::NAMES.len())][place] += 1;
    }

    /// One line for each error and each call, then the sum.
    pub fn print(&self, seed: usize) {
        for (i, error) in Error::ALL.iter().enumerate() {
            let count: u32 = self.counts.iter().map(|c| c[i + 1]).sum();
            println!("fuzz: error {error:?} {count}");
        }
        for (i, counts) in self.counts.iter().enumerate() {
            let name = number::NAMES.get(i).copied().unwrap_or("none");
            let failed: u32 = counts[1..].iter().sum();
            println!("fuzz: call {name} {} succeeded {failed} failed", counts[0]);
        }
        let succeeded: u32 = self.counts.iter().map(|c| c[0]).sum();
        let all: u32 = self.counts.iter().flatten().sum();
        println!("fuzz: seed {seed} calls {all} succeeded {succeeded}");
    }
}
