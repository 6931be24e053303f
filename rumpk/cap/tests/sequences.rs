//! Two fibers, an owner's memory capability, and every sequence of MASK, GRANT, receipt, REVOKE and passing time up
//! to a length: the algebra as the kernel uses it, explored exhaustively.
//!
//! In every state: no capability gives anything that the owner did not have and give, none that was made
//! before a REVOKE lives, none lives past the least expiry on its way, and depth is the number of hops.
use abi::cap::{Kind, NEVER, R, W, verb};
use cap::{CSpace, Cap};
use std::collections::HashSet;

const MAX: u8 = 2;
const SLOTS: u8 = 3;

/// What the model remembers about a capability beside the capability itself: how it came about.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
struct Story {
    hops: u8,
    /// Meet of all that was asked for on the way: verbs, permissions, absolute start and end.
    verbs: u8,
    perms: u8,
    start: u64,
    end: u64,
    expiry: u64,
    epoch: u32,
}

type Held = Option<(Cap, Story)>;

#[derive(Clone)]
struct State {
    epoch: u32,
    now: u64,
    spaces: [CSpace; 2],
    stories: [[Option<Story>; SLOTS as usize]; 2],
    /// One place in the channel from each fiber to the other.
    parked: [Held; 2],
}

impl State {
    fn start() -> Self {
        let owner = Cap::new(Kind::MEMORY, 1, 0, verb::ALL, R | W).with_range(16, 64);
        let story = Story {
            hops: 0,
            verbs: owner.verbs,
            perms: R | W,
            start: 16,
            end: 80,
            expiry: NEVER,
            epoch: 0,
        };
        let mut spaces = [CSpace::new(), CSpace::new()];
        spaces[0].put(0u8, owner).expect("free");
        let mut stories: [[Option<Story>; 3]; 2] = Default::default();
        stories[0][0] = Some(story);
        Self { epoch: 0, now: 0, spaces, stories, parked: [None, None] }
    }

    fn live(&self, fiber: usize, slot: u8, verb: u8) -> Option<(Cap, Story)> {
        let cap = *self.spaces[fiber].get(slot).ok()?;
        cap.check(self.epoch, self.now).ok()?;
        cap.allows(verb).ok()?;
        Some((cap, self.stories[fiber][usize::from(slot)].clone()?))
    }

    fn mask(
        &self,
        fiber: usize,
        slot: u8,
        verbs: u8,
        perms: u8,
        range: Option<(u64, u64)>,
    ) -> Option<Self> {
        let (cap, mut story) = self.live(fiber, slot, verb::MASK)?;
        let left = cap.attenuate(verbs, perms, range).ok()?;
        let mut next = self.clone();
        next.spaces[fiber].replace(slot, left).ok()?;
        (story.verbs, story.perms) = (story.verbs & verbs, story.perms & perms);
        if let Some((start, len)) = range {
            story.start += start;
            story.end = story.start + len;
        }
        next.stories[fiber][usize::from(slot)] = (!left.is_empty()).then_some(story);
        Some(next)
    }

    fn grant(&self, fiber: usize, slot: u8, verbs: u8, expiry: u64) -> Option<Self> {
        let (cap, mut story) = self.live(fiber, slot, verb::GRANT)?;
        if self.parked[fiber].is_some() {
            return None;
        }
        let copy = cap.hop(verbs, R | W, expiry, MAX).ok()?;
        story.hops += 1;
        story.verbs &= verbs & if story.hops == MAX { !verb::GRANT } else { verb::ALL };
        story.expiry = story.expiry.min(expiry);
        let mut next = self.clone();
        next.parked[fiber] = Some((copy, story));
        Some(next)
    }

    fn receive(&self, fiber: usize, into: u8) -> Option<Self> {
        let (cap, story) = self.parked[1 - fiber].clone()?;
        let mut next = self.clone();
        next.spaces[fiber].put(into, cap).ok()?;
        next.stories[fiber][usize::from(into)] = Some(story);
        next.parked[1 - fiber] = None;
        Some(next)
    }

    fn revoke(&self, fiber: usize, slot: u8) -> Option<Self> {
        let (cap, mut story) = self.live(fiber, slot, verb::GRANT)?;
        cap.may_revoke().ok()?;
        let mut next = self.clone();
        next.epoch += 1;
        story.epoch = next.epoch;
        next.spaces[fiber].replace(slot, cap.restamped(next.epoch)).ok()?;
        next.stories[fiber][usize::from(slot)] = Some(story);
        Some(next)
    }

    fn tick(&self) -> Option<Self> {
        (self.now < 3).then(|| Self { now: self.now + 1, ..self.clone() })
    }

    fn next(&self) -> Vec<Self> {
        let mut all: Vec<Option<Self>> = vec![self.tick()];
        for fiber in 0..2 {
            for slot in 0..SLOTS {
                let keep = verb::MAP | verb::MASK;
                all.push(self.mask(fiber, slot, keep, R | W, None));
                all.push(self.mask(fiber, slot, verb::ALL, R, Some((8, 24))));
                all.push(self.mask(fiber, slot, verb::ALL, W, Some((8, 60))));
                all.push(self.mask(fiber, slot, 0, 0, None));
                all.push(self.grant(fiber, slot, verb::ALL, NEVER));
                all.push(self.grant(fiber, slot, verb::MAP | verb::GRANT, 2));
                all.push(self.revoke(fiber, slot));
                all.push(self.receive(fiber, slot));
            }
        }
        all.into_iter().flatten().collect()
    }

    fn check(&self) {
        for fiber in 0..2 {
            for slot in 0..SLOTS {
                let story = self.stories[fiber][usize::from(slot)].as_ref();
                let cap = self.spaces[fiber].get(slot).ok();
                assert_eq!(cap.is_some(), story.is_some());
                let (Some(cap), Some(story)) = (cap, story) else { continue };
                let lives = cap.check(self.epoch, self.now).is_ok();
                assert_eq!(lives, story.epoch == self.epoch && story.expiry > self.now);
                assert_eq!(
                    (cap.verbs, cap.perms, cap.depth),
                    (story.verbs, story.perms, story.hops)
                );
                assert_eq!((cap.offset, cap.offset + cap.len), (story.start, story.end));
                assert!(cap.offset >= 16 && cap.offset + cap.len <= 80);
                assert!(cap.depth <= MAX && (cap.depth < MAX || cap.allows(verb::GRANT).is_err()));
            }
        }
    }

    /// What tells two states apart.
    fn key(&self) -> String {
        let caps: Vec<_> = self.spaces.iter().flat_map(|s| s.iter().collect::<Vec<_>>()).collect();
        let owner = self.spaces[0].used();
        format!("{} {} {owner} {caps:?} {:?} {:?}", self.epoch, self.now, self.stories, self.parked)
    }
}

#[test]
fn every_short_sequence_keeps_the_invariants() {
    let (mut seen, mut frontier) = (HashSet::new(), vec![State::start()]);
    let mut steps = 0;
    for _ in 0..7 {
        let mut next = Vec::new();
        for state in &frontier {
            for after in state.next() {
                steps += 1;
                after.check();
                if seen.insert(after.key()) {
                    next.push(after);
                }
            }
        }
        frontier = next;
    }
    // Enough to have been deep: a revoked copy of a copy takes six calls.
    assert!(steps > 50_000, "{steps} steps");
    let deepest = frontier.iter().flat_map(|s| s.spaces.iter().flat_map(CSpace::iter));
    let deepest: Vec<u8> = deepest.map(|(_, cap)| cap.depth).collect();
    assert!(deepest.contains(&2), "no copy of a copy was reached");
}
