//! Two domains that pass the core to each other by their terms get what they would get by looking at everything each time.
use sched::{Harmonic, Params, Terms};

const PRICE: u64 = 5_000;

/// A small generator of its own, so that a run is told by its seed.
struct Random(u64);

impl Random {
    fn below(&mut self, n: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        (self.0 >> 33) % n
    }
}

/// Domain 0 runs, domain 1 sleeps.
fn two(a: Params, b: Params) -> Harmonic {
    let mut h = Harmonic::new();
    h.add(0, a).expect("fits");
    h.add(1, b).expect("fits");
    h.wake(0, 0);
    assert_eq!(h.pick(0).map(|c| c.id), Some(0));
    h
}

struct Passing {
    terms: Option<[Terms; 2]>,
    limit: u64,
    /// Since the terms were made, and in all.
    passes: u64,
    taken: u64,
}

impl Passing {
    /// As the kernel does it: by the terms while they hold, else by a look at everything, and new terms.
    fn step(&mut self, h: &mut Harmonic, from: u8, spent: u64, now: u64) -> Option<u64> {
        let to = 1 - from;
        if let Some(terms) = &self.terms
            && now < self.limit
            && let Some(until) = h.pass((from, spent + PRICE), (to, &terms[usize::from(to)]), now)
        {
            self.passes += 1;
            self.taken += 1;
            return Some(until);
        }
        self.end(h, from);
        let until = h.hand_over(from, to, spent, PRICE, true, now)?;
        self.terms = h.terms(0, 1);
        self.limit = self.terms.iter().flatten().map(Terms::deadline).min().unwrap_or(0);
        Some(until)
    }

    /// The tables are right again.
    fn end(&mut self, h: &mut Harmonic, runs: u8) {
        if core::mem::take(&mut self.passes) != 0 {
            h.passed(1 - runs, runs);
        }
        self.terms = None;
    }
}

fn runs_again(h: &mut Harmonic, id: u8, now: u64) -> bool {
    h.sleep(id, now);
    h.wake(id, now);
    h.pick(now).is_some_and(|c| c.id == id)
}

fn compare(seed: u64, a: Params, b: Params) -> u64 {
    let mut random = Random(seed);
    let (mut looks, mut passes) = (two(a, b), two(a, b));
    let mut passing = Passing { terms: None, limit: 0, passes: 0, taken: 0 };
    let (mut now, mut from) = (0, 0);
    for step in 0..2000 {
        let most = [300, 30_000, 3_000_000][random.below(3) as usize];
        let spent = random.below(most);
        now += spent;
        let one = looks.hand_over(from, 1 - from, spent, PRICE, true, now);
        let other = passing.step(&mut passes, from, spent, now);
        assert_eq!(one, other, "seed {seed}, step {step}");
        if one.is_some() {
            from = 1 - from;
        } else {
            // The general path: it runs on, and gets what the windows since then pay.
            looks.charge(from, spent, now);
            passes.charge(from, spent, now);
            while !runs_again(&mut looks, from, now) | !runs_again(&mut passes, from, now) {
                now += 50_000_000;
            }
        }
        if random.below(16) == 0 {
            passing.end(&mut passes, from);
            assert_eq!(format!("{looks:?}"), format!("{passes:?}"), "seed {seed}, step {step}");
        }
    }
    passing.taken
}

#[test]
fn passing_is_handing_over() {
    let of = |spectrum, budget_ns| Params { spectrum, budget_ns };
    let sets = [
        (of(2, 2_000_000), of(3, 400_000)),
        (of(3, 400_000), of(2, 2_000_000)),
        (of(2, 1_000_000), of(2, 3_000_000)),
        (of(1, 5_000_000), of(2, 100_000)),
    ];
    let mut taken = 0;
    for seed in 0..8 {
        for (a, b) in sets {
            taken += compare(seed, a, b);
        }
    }
    assert!(taken > 5_000, "{taken}");
}

#[test]
fn no_terms_in_void_or_beside_a_rival() {
    let of = |spectrum, budget_ns| Params { spectrum, budget_ns };
    let void = two(of(2, 1_000_000), of(0, 0));
    assert!(void.terms(0, 1).is_none());
    let mut h = two(of(2, 1_000_000), of(2, 1_000_000));
    assert!(h.terms(0, 1).is_some());
    h.add(2, of(3, 100_000)).expect("fits");
    assert!(h.terms(0, 1).is_some());
    h.wake(2, 0);
    assert!(h.terms(0, 1).is_none());
}
