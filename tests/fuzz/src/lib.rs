//! Fuzzing with the stable toolchain: a target is a test, the loop is here.
//!
//! Without instrumentation the loop runs the corpus, the seeds and random changes of them for a few seconds. In a build
//! with `-Cpasses=sancov-module` (`./nexus fuzz`) the compiler's counters say what an input reached, and what reached
//! something new becomes a seed itself: the method of AFL and libFuzzer.
#![deny(unsafe_code)]

mod change;
#[allow(unsafe_code, reason = "the compiler's counters lie in memory that it names by pointers")]
mod coverage;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use change::{Random, change};
use coverage::Coverage;

/// Time of a target in a normal test run.
const SECONDS: u64 = 2;
/// Longest input, bytes, unless a seed is longer.
const LONGEST: usize = 4096;
/// Inputs that are kept; past it a new one takes a random place.
const KEPT: usize = 4096;

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok().and_then(|text| text.parse().ok())
}

/// Runs `target` over the corpus of `name`, over `seeds`, and over changes of both until the time is over.
///
/// `NEXUS_FUZZ_SECONDS` sets the time, `NEXUS_SEED` the seed, `NEXUS_FUZZ_FOUND` the folder for inputs that fail or reach
/// something new (otherwise only those that fail are saved, in the system's temporary folder).
///
/// # Panics
/// With the first input that makes `target` panic, saved to the file that is named.
pub fn run(name: &str, seeds: &[Vec<u8>], target: impl Fn(&[u8])) {
    let mut run = Run {
        name,
        target: &target,
        found: std::env::var_os("NEXUS_FUZZ_FOUND").map(PathBuf::from),
        coverage: Coverage::new(),
        runs: 0,
    };
    let seed = number("NEXUS_SEED").unwrap_or(1);
    let mut pool: Vec<Vec<u8>> = corpus(name);
    pool.extend(run.found.iter().flat_map(|folder| files(folder)));
    pool.extend_from_slice(seeds);
    if pool.is_empty() {
        pool.push(Vec::new());
    }
    for input in &pool {
        run.one(input);
    }
    let longest = pool.iter().map(Vec::len).max().unwrap_or(0).max(LONGEST);
    let (mut r, start) = (Random::new(seed), Instant::now());
    let limit = Duration::from_secs(number("NEXUS_FUZZ_SECONDS").unwrap_or(SECONDS));
    let mut said = 0;
    while start.elapsed() < limit {
        let mut input = pool[r.below(pool.len())].clone();
        change(&mut r, &mut input, &pool, longest);
        if run.one(&input) {
            run.keep(&input);
            let place = r.below(KEPT);
            if pool.len() < KEPT { pool.push(input) } else { pool[place] = input }
        }
        let minute = start.elapsed().as_secs() / 60;
        if minute != said {
            said = minute;
            run.report(seed, &pool, start);
        }
    }
    run.report(seed, &pool, start);
}

/// The files of `corpus/NAME`.
#[must_use]
pub fn corpus(name: &str) -> Vec<Vec<u8>> {
    files(&Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus").join(name))
}

/// Contents of the files in a folder, in the order of their names; none if there is no folder.
fn files(folder: &Path) -> Vec<Vec<u8>> {
    let Ok(entries) = std::fs::read_dir(folder) else { return Vec::new() };
    let mut paths: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
    paths.sort();
    paths.iter().filter_map(|path| std::fs::read(path).ok()).collect()
}

struct Run<'a, F> {
    name: &'a str,
    target: &'a F,
    found: Option<PathBuf>,
    coverage: Coverage,
    runs: u64,
}

impl<F: Fn(&[u8])> Run<'_, F> {
    /// Runs one input; whether it reached something new.
    fn one(&mut self, input: &[u8]) -> bool {
        self.runs += 1;
        Coverage::clear();
        if catch_unwind(AssertUnwindSafe(|| (self.target)(input))).is_err() {
            let path = self.save("fails", input);
            panic!(
                "{}: {} bytes make it fail, saved as {}",
                self.name,
                input.len(),
                path.display()
            );
        }
        self.coverage.is_new()
    }

    fn keep(&self, input: &[u8]) {
        if self.found.is_some() {
            self.save("reaches", input);
        }
    }

    fn save(&self, why: &str, input: &[u8]) -> PathBuf {
        let folder = self.found.clone().unwrap_or_else(std::env::temp_dir);
        let path = folder.join(format!("{}-{why}-{:016x}", self.name, hash(input)));
        // Whoever cannot write still tells what happened; the seed finds it again.
        let _ = std::fs::create_dir_all(&folder);
        let _ = std::fs::write(&path, input);
        path
    }

    fn report(&self, seed: u64, pool: &[Vec<u8>], start: Instant) {
        let (reached, all) = self.coverage.reached();
        let seconds = start.elapsed().as_secs_f64();
        println!(
            "fuzz {}: NEXUS_SEED={seed}, {} runs in {seconds:.1} s, {} inputs, {reached} of {all} places",
            self.name,
            self.runs,
            pool.len()
        );
    }
}

/// FNV-1a (Fowler, Noll, Vo), for names of files.
fn hash(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xCBF2_9CE4_8422_2325, |hash: u64, &byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x100_0000_01B3)
    })
}
