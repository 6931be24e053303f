//! Random operations on a volume and on the model beside it, remounted often, with the smallest cache there may be.
use std::string::{String, ToString};
use std::vec::Vec;

use super::disk::{Disk, Lent, findings};
use super::model::{Model, Op, everything, perform};
use crate::{Error, Volume};

/// A small generator (xorshift64*): a seed is a run.
pub struct Random(pub u64);

impl Random {
    pub fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 16
    }

    pub fn below(&mut self, n: u64) -> u64 {
        self.next() % n
    }

    fn bytes(&mut self, most: u64) -> Vec<u8> {
        let n = self.below(most);
        (0..n).map(|_| self.next() as u8).collect()
    }

    /// One of few names on up to three levels, so that operations meet; some are long, so that nodes split.
    fn path(&mut self) -> String {
        let mut path = String::new();
        for level in 0..=self.below(3) {
            if level > 0 {
                path.push('/');
            }
            let n = self.below(if level == 2 { 40 } else { 5 });
            path += "n";
            path += &n.to_string();
            if n.is_multiple_of(3) {
                path += &"x".repeat(200);
            }
        }
        path
    }

    fn op(&mut self) -> Op {
        match self.below(40) {
            0..7 => Op::Create(self.path()),
            7..11 => Op::Mkdir(self.path()),
            11..15 => Op::Write(self.path(), self.below(30_000), self.bytes(9000)),
            15..18 => Op::Write(self.path(), self.below(4) << 11, vec![self.next() as u8; 4096]),
            18..22 => Op::Append(self.path(), self.bytes(6000)),
            22..25 => Op::Truncate(self.path(), self.below(40_000)),
            25..28 => Op::Rename(self.path(), self.path()),
            28..31 => Op::Unlink(self.path()),
            31 => Op::RemoveAll(self.path()),
            32 => Op::Snapshot(std::format!("s{}", self.below(4))),
            33 => Op::RemoveSnapshot(std::format!("s{}", self.below(4))),
            34 if self.below(4) == 0 => Op::Restore(std::format!("s{}", self.below(4))),
            35 | 36 => Op::Clone(self.path(), self.path()),
            _ => Op::Sync,
        }
    }
}

/// What an operation leaves if it has no room: nothing, and everything else stays.
fn step(v: &mut Volume<'_, &mut Disk>, model: &mut Model, op: &Op, full: &mut u64) {
    let mut after = model.clone();
    let expected = after.apply(op);
    let done = perform(v, op);
    if done == Err(Error::NoSpace) {
        *full += 1;
        return;
    }
    assert_eq!(done, expected, "{op:?}");
    *model = after;
}

/// Runs `n` operations on a volume of `blocks` blocks of 2 KB; how many had no room.
fn run(seed: u64, n: u64, blocks: usize) -> u64 {
    std::println!("seed {seed}");
    let (mut r, mut disk, mut model, mut full) =
        (Random(seed), Disk::formatted(11, blocks), Model::default(), 0);
    let mut done = 0;
    while done < n {
        let mut lent = if r.below(2) == 0 { Lent::least(11) } else { Lent::new(11, 40) };
        let mut v = Volume::mount(&mut disk, lent.lend()).expect("mount");
        assert_eq!(everything(&mut v).expect("read"), model);
        for _ in 0..r.below(120) {
            let op = r.op();
            step(&mut v, &mut model, &op, &mut full);
            done += 1;
        }
        v.sync().expect("sync");
        assert_eq!(findings(&mut v), []);
    }
    full
}

fn seed() -> u64 {
    std::env::var("NEXUS_SEED").ok().and_then(|s| s.parse().ok()).unwrap_or(0x5EED)
}

#[test]
fn random_operations_do_what_the_model_does() {
    for i in 0..6 {
        assert_eq!(run(seed() + i, 1500, 20_000), 0);
    }
}

#[test]
fn a_volume_that_is_full_most_of_the_time_loses_nothing() {
    let full: u64 = (0..6).map(|i| run(seed() + 100 + i, 2500, 110)).sum();
    assert!(full > 50, "only {full} operations met a full volume");
}

#[test]
#[ignore = "minutes: many seeds"]
fn random_operations_for_long() {
    for i in 0..200 {
        run(seed() + i, 4000, 20_000);
        run(seed() + i, 4000, 80 + 2 * i as usize);
    }
}
