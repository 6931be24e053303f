//! Every state that three fibers can reach with three objects: nobody ever holds what nobody gave.
//!
//! The machine under test is made of the crate's own functions. Beside it runs a ledger, written without them, of what
//! was given: by whom is irrelevant, only verbs, hops, life, and whether it was taken back since. After every operation
//! each fiber may do with each object exactly what the ledger says, no more and no less.
//!
//! Operations are spawn, grant, mask, revoke, exit, blink and the passing of time; verbs SEND, MAP and GRANT (and MASK,
//! which everything carries). Breadth first; two states are one if nothing that happens later can tell them apart:
//! epochs and times count relative to now, and what is void is gone. The crate's functions come in through [`Rules`], so
//! that a broken one can be put in their place: each of three breaks must be found.
use abi::call::Error;
use abi::cap::{Kind, NEVER, verb};
use cap::{Cap, next_epoch};
use std::collections::HashSet;

const FIBERS: usize = 3;
const OBJECTS: usize = 3;
/// Hops after which GRANT is gone: few, so that the end is near.
const DEPTH: u8 = 2;
/// Fiber 0 owns a channel's end and memory, fiber 1 an interrupt; fiber 2 has what it is given.
const OWNER: [usize; OBJECTS] = [0, 0, 1];
const KIND: [Kind; OBJECTS] = [Kind::CHANNEL, Kind::MEMORY, Kind::IRQ];
const VERBS: u8 = verb::SEND | verb::MAP | verb::GRANT | verb::MASK;
/// What is left by a mask or asked for in a grant.
const MASKS: [u8; 3] = [VERBS, VERBS & !verb::GRANT, verb::SEND | verb::GRANT | verb::MASK];

/// The functions under test.
#[derive(Clone, Copy)]
struct Rules {
    hop: fn(&Cap, u8, u8, u64, u8) -> Result<Cap, Error>,
    raise: fn(u32) -> u32,
}
const REAL: Rules = Rules { hop: Cap::hop, raise: next_epoch };

/// What the ledger says that a fiber was given.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
struct Given {
    verbs: u8,
    hops: u8,
    /// Ticks left; `u8::MAX`: for ever.
    life: u8,
}

#[derive(Clone)]
struct State {
    now: u64,
    alive: [bool; FIBERS],
    epochs: [u32; OBJECTS],
    /// One slot per fiber and object.
    caps: [[Cap; OBJECTS]; FIBERS],
    given: [[Option<Given>; OBJECTS]; FIBERS],
}

#[derive(Clone, Copy, Debug)]
enum Step {
    Spawn { parent: usize, child: usize },
    Grant { from: usize, to: usize, object: usize, verbs: u8, ends: bool },
    Mask { fiber: usize, object: usize, verbs: u8 },
    Revoke { fiber: usize, object: usize },
    Exit { fiber: usize },
    Blink { fiber: usize },
    Expire,
}

impl State {
    fn start(rules: Rules) -> Self {
        let mut state = Self {
            now: 1,
            alive: [false; FIBERS],
            epochs: [0; OBJECTS],
            caps: [[Cap::EMPTY; OBJECTS]; FIBERS],
            given: [[None; OBJECTS]; FIBERS],
        };
        (0..FIBERS).for_each(|fiber| state.born(fiber, rules));
        state
    }

    /// A fresh CSpace: the manifest gives a fiber what it owns.
    fn born(&mut self, fiber: usize, rules: Rules) {
        self.alive[fiber] = true;
        for object in (0..OBJECTS).filter(|&o| OWNER[o] == fiber) {
            self.epochs[object] = (rules.raise)(self.epochs[object]);
            let verbs = VERBS & KIND[object].verbs();
            self.caps[fiber][object] = Cap::new(KIND[object], 0, self.epochs[object], VERBS, 3);
            self.given[fiber][object] = Some(Given { verbs, hops: 0, life: u8::MAX });
        }
    }

    /// The end of a fiber: what it held is gone, what it owned is void for everybody.
    fn ended(&mut self, fiber: usize, rules: Rules) {
        self.alive[fiber] = false;
        self.caps[fiber] = [Cap::EMPTY; OBJECTS];
        self.given[fiber] = [None; OBJECTS];
        for object in (0..OBJECTS).filter(|&o| OWNER[o] == fiber) {
            self.epochs[object] = (rules.raise)(self.epochs[object]);
            self.given.iter_mut().for_each(|held| held[object] = None);
        }
    }

    fn live(&self, fiber: usize, object: usize) -> Option<&Cap> {
        let cap = &self.caps[fiber][object];
        cap.check(self.epochs[object], self.now).is_ok().then_some(cap)
    }

    fn with(&self, fiber: usize, object: usize, verb: u8) -> Option<Cap> {
        self.live(fiber, object).filter(|cap| cap.allows(verb).is_ok()).copied()
    }

    /// A free slot, or one whose capability is void.
    fn free(&self, fiber: usize, object: usize) -> bool {
        self.alive[fiber] && self.live(fiber, object).is_none()
    }

    /// The state after a step; `None` if it is refused.
    fn after(&self, step: Step, rules: Rules) -> Option<Self> {
        let mut next = self.clone();
        match step {
            Step::Spawn { parent, child } => {
                if self.alive[child] || !self.alive[parent] {
                    return None;
                }
                next.born(child, rules);
                // The console of the parent: it may be spoken through, not mapped, not passed on.
                if OWNER[0] != child
                    && let Some(cap) = self.live(parent, 0)
                {
                    next.caps[child][0] = cap.inherited(verb::SEND | verb::MASK);
                    next.given[child][0] = narrowed(self.given[parent][0], verb::SEND | verb::MASK);
                }
            }
            Step::Grant { from, to, object, verbs, ends } => {
                if !self.free(to, object) {
                    return None;
                }
                let cap = self.with(from, object, verb::GRANT)?;
                let expiry = if ends { self.now + 1 } else { NEVER };
                next.caps[to][object] = (rules.hop)(&cap, verbs, 3, expiry, DEPTH).ok()?;
                let mut given = narrowed(self.given[from][object], verbs)?;
                if given.hops == DEPTH {
                    given.verbs &= !verb::GRANT;
                }
                given.life = given.life.min(if ends { 1 } else { u8::MAX });
                next.given[to][object] = Some(given);
            }
            Step::Mask { fiber, object, verbs } => {
                let cap = self.with(fiber, object, verb::MASK)?;
                next.caps[fiber][object] = cap.attenuate(verbs, 3, None).ok()?;
                let given = self.given[fiber][object]?;
                let left = given.verbs & verbs;
                next.given[fiber][object] = (left != 0).then_some(Given { verbs: left, ..given });
            }
            Step::Revoke { fiber, object } => {
                let cap = *self.live(fiber, object)?;
                cap.may_revoke().ok()?;
                next.epochs[object] = (rules.raise)(self.epochs[object]);
                next.caps[fiber][object] = cap.restamped(next.epochs[object]);
                let own = self.given[fiber][object];
                next.given.iter_mut().for_each(|held| held[object] = None);
                next.given[fiber][object] = own;
            }
            Step::Exit { fiber } => {
                if !self.alive[fiber] {
                    return None;
                }
                next.ended(fiber, rules);
            }
            Step::Blink { fiber } => {
                if !self.alive[fiber] {
                    return None;
                }
                next.ended(fiber, rules);
                next.born(fiber, rules);
            }
            Step::Expire => {
                next.now += 1;
                for given in next.given.iter_mut().flatten() {
                    *given = match *given {
                        Some(Given { life: 1, .. }) => None,
                        other => other,
                    };
                }
            }
        }
        Some(next)
    }

    /// The first thing that a fiber may do and was not given, or was given and may not do.
    fn wrong(&self) -> Option<(usize, usize)> {
        let all = (0..FIBERS).flat_map(|f| (0..OBJECTS).map(move |o| (f, o)));
        all.into_iter().find(|&(fiber, object)| {
            let may = |verb| self.with(fiber, object, verb).is_some();
            let given = |verb| self.given[fiber][object].is_some_and(|g| g.verbs & verb != 0);
            let verbs = [verb::SEND, verb::MAP, verb::MASK, verb::GRANT];
            let revokes = self.live(fiber, object).is_some_and(|cap| cap.may_revoke().is_ok());
            let owns = self.given[fiber][object].is_some_and(|g| g.hops == 0);
            verbs.into_iter().any(|verb| may(verb) != given(verb))
                || revokes != (owns && given(verb::GRANT))
        })
    }

    /// What tells two states apart. As machine and ledger agree, the ledger is enough but for the machine's expiries.
    fn key(&self) -> [u8; FIBERS * OBJECTS * 3 + 1] {
        let mut key = [0; FIBERS * OBJECTS * 3 + 1];
        for (fiber, held) in self.given.iter().enumerate() {
            for (object, given) in held.iter().enumerate() {
                let (Some(given), Some(cap)) = (given, self.live(fiber, object)) else { continue };
                let left = cap.expiry.saturating_sub(self.now).min(9) as u8;
                let at = (fiber * OBJECTS + object) * 3;
                key[at..at + 3].copy_from_slice(&[given.verbs, given.hops << 4 | left, given.life]);
            }
        }
        let alive = self.alive.iter().enumerate().map(|(i, &a)| u8::from(a) << i);
        key[FIBERS * OBJECTS * 3] = alive.sum();
        key
    }
}

fn narrowed(given: Option<Given>, verbs: u8) -> Option<Given> {
    let given = given?;
    let left = given.verbs & verbs;
    (left != 0).then_some(Given { verbs: left, hops: given.hops + 1, ..given })
}

fn steps() -> Vec<Step> {
    let mut all = vec![Step::Expire];
    for fiber in 0..FIBERS {
        all.push(Step::Exit { fiber });
        all.push(Step::Blink { fiber });
        for other in (0..FIBERS).filter(|&other| other != fiber) {
            all.push(Step::Spawn { parent: fiber, child: other });
        }
        for object in 0..OBJECTS {
            all.push(Step::Revoke { fiber, object });
            for verbs in [MASKS[1], MASKS[2], 0] {
                all.push(Step::Mask { fiber, object, verbs });
            }
            for to in (0..FIBERS).filter(|&to| to != fiber) {
                for verbs in MASKS {
                    for ends in [false, true] {
                        all.push(Step::Grant { from: fiber, to, object, verbs, ends });
                    }
                }
            }
        }
    }
    all
}

/// What a walk saw.
#[derive(Debug, PartialEq, Eq)]
struct Seen {
    states: usize,
    steps: usize,
}

/// All states that at most `depth` steps reach; the way to the first wrong one.
fn explore(rules: Rules, depth: usize) -> Result<Seen, Vec<Step>> {
    let steps = steps();
    let start = State::start(rules);
    let mut seen = HashSet::from([start.key()]);
    // The way of each state is kept as the number of its predecessor and the step from there.
    let mut ways: Vec<(usize, Step)> = vec![(0, Step::Expire)];
    let (mut frontier, mut taken) = (vec![(start, 0)], 0);
    for round in 1..=depth {
        let mut next = Vec::new();
        for (state, number) in frontier {
            for &step in &steps {
                let Some(after) = state.after(step, rules) else { continue };
                taken += 1;
                if after.wrong().is_some() {
                    return Err(way(&ways, number, step));
                }
                // Nothing starts from the states of the last round.
                if seen.insert(after.key()) && round < depth {
                    ways.push((number, step));
                    next.push((after, ways.len() - 1));
                }
            }
        }
        frontier = next;
    }
    Ok(Seen { states: seen.len(), steps: taken })
}

fn way(ways: &[(usize, Step)], mut number: usize, last: Step) -> Vec<Step> {
    let mut back = vec![last];
    while number != 0 {
        let (before, step) = ways[number];
        back.push(step);
        number = before;
    }
    back.reverse();
    back
}

#[test]
fn nobody_ever_holds_what_nobody_gave() {
    let seen = explore(REAL, 5).unwrap_or_else(|way| panic!("{way:?}"));
    println!("model: {} states, {} steps", seen.states, seen.steps);
    assert!(seen.states > 500_000, "{seen:?}");
}

#[test]
#[ignore = "minutes"]
fn nobody_ever_holds_what_nobody_gave_deeper() {
    let seen = explore(REAL, 6).unwrap_or_else(|way| panic!("{way:?}"));
    println!("model: {} states, {} steps", seen.states, seen.steps);
    assert!(seen.states > 5_000_000, "{seen:?}");
}

/// GRANT survives the last hop.
fn hop_keeps_grant(c: &Cap, verbs: u8, perms: u8, expiry: u64, max: u8) -> Result<Cap, Error> {
    let copy = c.hop(verbs, perms, expiry, max)?;
    Ok(Cap { verbs: copy.verbs | c.verbs & verbs & verb::GRANT, ..copy })
}

/// A grant lives as long as it asks to.
fn hop_resets_expiry(c: &Cap, verbs: u8, perms: u8, expiry: u64, max: u8) -> Result<Cap, Error> {
    Ok(Cap { expiry, ..c.hop(verbs, perms, expiry, max)? })
}

#[test]
fn each_break_is_found_by_the_shortest_way() {
    let breaks = [
        ("GRANT kept at full depth", Rules { hop: hop_keeps_grant, ..REAL }, 2),
        ("epoch not raised", Rules { raise: |epoch| epoch, ..REAL }, 2),
        ("expiry reset by grant", Rules { hop: hop_resets_expiry, ..REAL }, 3),
    ];
    for (what, rules, length) in breaks {
        let way = explore(rules, 4).expect_err(what);
        println!("model: {what}: {way:?}");
        assert_eq!(way.len(), length, "{what}: {way:?}");
    }
}
