//! Admitted sets against their promises.
mod machine;

use abi::pledge::WINDOW_NS;
use machine::Machine;
use proptest::prelude::*;
use sched::{Harmonic, KERNEL_STRETCH_NS, Params, RESTART_NS};

const MS: u64 = 1_000_000;

fn params(spectrum: u8, budget_ns: u64) -> Params {
    Params { spectrum, budget_ns }
}

/// Sets between nearly idle and full; what does not fit is left out.
fn admitted() -> impl Strategy<Value = Vec<Params>> {
    let one = (1u8..=3, 1u64..=100).prop_map(|(spectrum, share)| {
        params(spectrum, WINDOW_NS[usize::from(spectrum)] * share / 250)
    });
    (0u8..=3, proptest::collection::vec(one, 1..40)).prop_map(|(only, wanted)| {
        let mut core = Harmonic::new();
        let mut set = Vec::new();
        for p in wanted.into_iter().filter(|p| only == 0 || p.spectrum == only) {
            if set.len() < DOMAINS && core.add(set.len() as u8, p).is_ok() {
                set.push(p);
            }
        }
        set
    })
}

const DOMAINS: usize = 12;

/// One step of the outside world: after a pause, a domain is asked for work, or an endless job of it ends.
#[derive(Clone, Copy, Debug)]
struct Ask {
    pause_ns: u64,
    domain: usize,
    /// Part of its budget in 1/16; above 16: endless.
    share: u64,
    end_of: usize,
}

fn asks() -> impl Strategy<Value = Vec<Ask>> {
    let pause = prop_oneof![Just(0), 0u64..200_000, 0u64..2 * MS, 0u64..20 * MS];
    let ask = (pause, 0..DOMAINS, 1u64..=20, 0..DOMAINS * 4)
        .prop_map(|(pause_ns, domain, share, end_of)| Ask { pause_ns, domain, share, end_of });
    proptest::collection::vec(ask, 0..150)
}

/// Plays `asks` and answers the domains that missed a deadline.
fn play(set: &[Params], asks: &[Ask], stretch: u64) -> Vec<u8> {
    let mut m = Machine::new(set).expect("admitted");
    m.stretch = stretch;
    for ask in asks {
        m.run_to(m.now + ask.pause_ns);
        if let Some(params) = set.get(ask.domain)
            && m.loads[ask.domain].job.is_none()
        {
            let work = (params.budget_ns * ask.share / 16).max(1);
            m.ask(ask.domain, if ask.share > 16 { u64::MAX / 2 } else { work });
        }
        if let Some(job) = m.loads.get_mut(ask.end_of).and_then(|load| load.job.as_mut()) {
            job.left = job.left.min(1 + ask.pause_ns);
        }
    }
    m.run_to(m.now + 100 * MS);
    m.loads.iter().map(|load| load.id).filter(|&id| m.core.missed(id) > 0).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1500, ..ProptestConfig::default() })]

    /// Nobody with energy and work is late, whatever the others ask for: too much, too often, or again just
    /// before their window ends. Second, with every end of energy met inside the longest call.
    #[test]
    fn admitted_sets_miss_no_deadline(set in admitted(), asks in asks()) {
        prop_assert_eq!(play(&set, &asks, 0), []);
        prop_assert_eq!(play(&set, &asks, KERNEL_STRETCH_NS), []);
    }
}

/// `n` equal domains that would fill a window but for two stretches of the kernel.
fn crowd(n: u64) -> Vec<Params> {
    vec![params(3, (2 * MS - RESTART_NS - 2 * KERNEL_STRETCH_NS) / (n + 1)); n as usize]
}

/// Without a stretch for each domain the inequality would take a crowd that misses: every one of them finishes a
/// call that it could not pay for.
#[test]
fn a_crowd_that_overruns_is_refused() {
    assert!(Machine::new(&crowd(1)).is_some());
    for n in [2, 20, 40, 60] {
        assert!(Machine::new(&crowd(n)).is_none());
        let free = 2 * MS - RESTART_NS - (n + 1) * KERNEL_STRETCH_NS;
        let fits = vec![params(3, free / (n + 1)); n as usize];
        let mut m = Machine::new(&fits).expect("fits");
        m.stretch = KERNEL_STRETCH_NS;
        (0..n as usize).for_each(|id| m.ask(id, u64::MAX / 2));
        m.run_to(50 * MS);
        assert!((0..n as u8).all(|id| m.core.missed(id) == 0));
        // All of them got all that they were promised, 25 times.
        assert!(m.loads.iter().all(|load| load.ran >= 25 * load.params.budget_ns));
    }
}

/// Whoever wakes again shortly before its window ends, while one with a later deadline runs: with the plain rule it keeps
/// a deadline that it cannot meet.
#[test]
fn a_wake_just_before_the_deadline_gets_a_later_one() {
    let mut m = Machine::new(&[params(3, 400_000), params(3, 620_000)]).expect("fits");
    m.ask(0, 300_000);
    m.run_to(1_400_000);
    m.ask(1, 620_000);
    m.run_to(1_410_000);
    assert_eq!((m.core.energy_left(0), m.core.deadline(0)), (100_000, 2 * MS));
    // 100 us in 590 us is less than its bandwidth, but the other runs until 2.02 ms.
    m.ask(0, 100_000);
    assert_eq!(m.core.deadline(0), 3_410_000);
    assert_eq!(m.core.energy_left(0), 100_000 + 400_000 * 1_410 / 2_000);
    m.run_to(4 * MS);
    assert_eq!((m.core.missed(0), m.loads[0].worst), (0, 2_120_000 - 1_410_000));
}

/// Bandwidth: in no stretch of time does a domain run for more than its share of it and one budget.
#[test]
fn nobody_gets_more_than_its_bandwidth() {
    let set = [params(3, 200_000), params(2, MS), params(1, 5 * MS), params(0, 0)];
    for greedy in 0..3 {
        let mut m = Machine::new(&set).expect("fits");
        m.ask(3, u64::MAX / 2);
        let window = WINDOW_NS[usize::from(set[greedy].spectrum)];
        let mut samples = vec![(0, 0)];
        for step in 0..400 {
            // Endless work, or work that stops and starts at the worst of times.
            if m.loads[greedy].job.is_none() {
                m.ask(greedy, 1 + (step * 7919) % (2 * set[greedy].budget_ns));
            }
            m.run_to(m.now + 1 + (step * 104_729) % (window / 2));
            samples.push((m.now, m.loads[greedy].ran));
        }
        let budget = set[greedy].budget_ns;
        for (i, &(from, before)) in samples.iter().enumerate() {
            for &(to, after) in &samples[i..] {
                let allowed = budget
                    + (u128::from(to - from) * u128::from(budget)).div_ceil(window.into()) as u64;
                assert!(after - before <= allowed, "{greedy}: {} in {}", after - before, to - from);
            }
        }
        assert!(m.idle == 0, "Void takes what is left");
    }
}

/// Void runs whenever nothing else can, and takes turns.
#[test]
fn void_takes_what_is_left() {
    let set = [params(3, 100_000), params(2, 500_000), params(0, 0)];
    let mut m = Machine::new(&set).expect("fits");
    (0..3).for_each(|id| m.ask(id, u64::MAX / 2));
    m.run_to(1000 * MS);
    let ran: Vec<u64> = m.loads.iter().map(|l| l.ran).collect();
    assert_eq!(ran, [50 * MS, 50 * MS, 900 * MS]);
    assert_eq!(m.idle, 0);
}
