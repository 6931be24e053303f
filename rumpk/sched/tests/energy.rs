//! Who may be promised what: admission at its limits, a child's share, going down.
use abi::call::Error;
use abi::pledge::WINDOW_NS;
use proptest::prelude::*;
use sched::{Harmonic, KERNEL_STRETCH_NS, Params};

const MS: u64 = 1_000_000;
const K: u64 = KERNEL_STRETCH_NS;
const B: u64 = sched::RESTART_NS;

fn params(spectrum: u8, budget_ns: u64) -> Params {
    Params { spectrum, budget_ns }
}

fn core(set: &[Params]) -> Harmonic {
    let mut core = Harmonic::new();
    for (id, &params) in (0..).zip(set) {
        core.add(id, params).expect("fits");
    }
    core
}

/// The largest budget that is admitted beside `set`.
fn room(set: &[Params], spectrum: u8) -> u64 {
    let core = core(set);
    let window = WINDOW_NS[usize::from(spectrum)];
    let (mut fits, mut above) = (0, window + 1);
    while above - fits > 1 {
        let middle = u64::midpoint(fits, above);
        match core.admit(params(spectrum, middle)) {
            Ok(()) => fits = middle,
            Err(error) => {
                assert_eq!(error, Error::NoEnergy);
                above = middle;
            }
        }
    }
    fits
}

/// P+p, 6P+M+m, 26P+6M+G+g, each with a stretch of the kernel for every domain in them and one more, and the restarts that
/// touch the window.
#[test]
fn the_inequalities_at_their_limits() {
    let (p, m) = (params(3, 100_000), params(2, 500_000));
    assert_eq!(room(&[], 3), (2 * MS - B - 2 * K) / 2);
    assert_eq!(room(&[p], 3), (2 * MS - B - 3 * K - 100_000) / 2);
    assert_eq!(room(&[], 2), (10 * MS - 2 * B - 2 * K) / 2);
    assert_eq!(room(&[p, p], 2), (10 * MS - 2 * B - 4 * K - 6 * 200_000) / 2);
    assert_eq!(room(&[p, m], 2), (10 * MS - 2 * B - 4 * K - 600_000 - 500_000) / 2);
    assert_eq!(room(&[], 1), (50 * MS - 6 * B - 2 * K) / 2);
    assert_eq!(room(&[p, m], 1), (50 * MS - 6 * B - 4 * K - 2_600_000 - 3_000_000) / 2);
    // A new one above must leave those below their windows.
    let full = params(2, room(&[], 2));
    assert_eq!((room(&[full], 3), room(&[full], 2)), (0, 0));
    let full = params(1, room(&[], 1));
    assert_eq!((room(&[full], 3), room(&[full], 2)), (0, 0));
    // Defaults, ten times over.
    assert!(room(&[params(2, 500_000); 10], 2) >= 500_000);
}

#[test]
fn numbers_and_spectra_are_checked() {
    let mut c = core(&[params(3, 1)]);
    assert_eq!(c.add(0, params(3, 1)), Err(Error::Exists));
    assert_eq!(c.add(64, params(0, 0)), Err(Error::BadSlot));
    assert_eq!(c.add(1, params(4, 1)), Err(Error::BadCall));
    assert_eq!(c.add(1, params(3, 0)), Err(Error::NoEnergy));
    assert_eq!(c.add(1, params(1, u64::MAX)), Err(Error::NoEnergy));
    assert_eq!(c.add(1, params(0, u64::MAX)), Ok(()));
    assert_eq!(c.carve(63, params(3, 1)), Err(Error::NotFound));
    assert_eq!(c.carve(1, params(3, 1)), Err(Error::NoEnergy), "Void has nothing to give");
    assert_eq!(c.carve(1, params(0, 9)), Ok(0));
    assert_eq!(c.set_spectrum(63, 0), Err(Error::NotFound));
}

#[test]
fn a_child_comes_out_of_its_parent() {
    let mut c = core(&[params(1, 10 * MS)]);
    c.wake(0, 0);
    let child = params(2, MS);
    // 1 ms per 10 ms is 5 per 50.
    assert_eq!(c.carve(0, child), Ok(5 * MS));
    assert_eq!((c.budget(0), c.energy_left(0)), (5 * MS, 5 * MS as i64));
    assert_eq!(c.add(1, child), Ok(()));
    assert_eq!(c.carve(0, child), Err(Error::NoEnergy), "nothing would be left");
    assert_eq!(c.carve(0, params(3, 200_000)), Err(Error::NoEnergy));
    c.remove(1);
    c.give_back(0, 5 * MS);
    assert_eq!((c.budget(0), c.energy_left(0)), (10 * MS, 5 * MS as i64));
    assert_eq!(c.pick(0).map(|choice| choice.until), Some(5 * MS));
}

#[test]
fn a_parent_that_used_its_energy_owes_what_it_gives() {
    let mut c = core(&[params(1, 10 * MS)]);
    c.wake(0, 0);
    assert!(c.pick(0).is_some());
    assert!(!c.charge(0, 7 * MS, 7 * MS).exhausted);
    assert_eq!(c.carve(0, params(1, 4 * MS)), Ok(4 * MS));
    assert_eq!(c.energy_left(0), -(MS as i64));
    assert_eq!(c.pick(7 * MS), None, "throttled until its window ends");
    assert_eq!(c.next_event(7 * MS), 50 * MS);
}

#[test]
fn going_down_is_one_way() {
    let mut c = core(&[params(3, 100_000), params(3, 100_000)]);
    c.wake(0, 0);
    c.wake(1, 0);
    for (spectrum, deadline) in [(2, 10 * MS), (1, 50 * MS)] {
        assert_eq!(c.set_spectrum(0, spectrum), Ok(()));
        assert_eq!(c.set_spectrum(0, spectrum + 1), Err(Error::Denied));
        assert_eq!((c.budget(0), c.deadline(0), c.spectrum(0)), (100_000, deadline, spectrum));
        assert!(c.preempts(1, 0) && !c.preempts(0, 1));
    }
    // Out of energy, then down to where none is needed.
    c.sleep(1, 0);
    assert!(c.pick(0).is_some() && c.charge(0, MS, MS).exhausted);
    assert_eq!(c.pick(MS), None);
    assert_eq!(c.set_spectrum(0, 0), Ok(()));
    assert_eq!(c.pick(MS).map(|choice| choice.until), Some(u64::MAX));
}

/// What is promised, in parts of the core's time, times 50 ms.
fn promised(core: &Harmonic) -> u64 {
    (0..64)
        .filter(|&id| core.spectrum(id) != 0)
        .map(|id| core.budget(id) * (50 * MS / WINDOW_NS[usize::from(core.spectrum(id))]))
        .sum()
}

proptest! {
    /// Whatever is carved, given back and lowered, nothing is promised that the root did not have, and giving
    /// everything back restores it.
    #[test]
    fn energy_is_conserved(
        steps in proptest::collection::vec((0u8..8, 1u8..8, 0u8..4, 1u64..3_000_000, any::<bool>()), 0..60),
    ) {
        let mut c = core(&[params(1, 20 * MS)]);
        let all = promised(&c);
        let mut children: Vec<Option<(u8, u64)>> = vec![None; 8];
        for (parent, child, spectrum, budget, ends) in steps {
            let parent = if children[usize::from(parent)].is_some() { parent } else { 0 };
            let slot = usize::from(child);
            match children[slot] {
                None => {
                    let wanted = params(spectrum, budget);
                    if let Ok(taken) = c.carve(parent, wanted) {
                        prop_assert_eq!(c.add(child, wanted), Ok(()), "carve said that it fits");
                        children[slot] = Some((parent, taken));
                    }
                }
                Some((parent, taken)) if ends && children.iter().flatten().all(|x| x.0 != child) => {
                    c.remove(child);
                    c.give_back(parent, taken);
                    children[slot] = None;
                }
                Some(_) => {}
            }
            prop_assert!(promised(&c) <= all);
            // Rounding is never in the child's favour, and costs less than 25 ns a child.
            prop_assert!(promised(&c) + 25 * 64 >= all);
        }
        while let Some(leaf) = (1..8u8).find(|&id| {
            children[usize::from(id)].is_some() && children.iter().flatten().all(|x| x.0 != id)
        }) {
            let (parent, taken) = children[usize::from(leaf)].take().expect("found");
            c.remove(leaf);
            c.give_back(parent, taken);
        }
        prop_assert_eq!(promised(&c), all);
    }
}
