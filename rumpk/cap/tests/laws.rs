//! The laws of the algebra.
use abi::call::Error;
use abi::cap::{Kind, MAX_DEPTH, NEVER, SLOTS, verb};
use cap::{CSpace, Cap, Mask};
use proptest::prelude::*;

fn range() -> impl Strategy<Value = (u64, u64)> {
    prop_oneof![
        (0u64..64, 0u64..64),
        // At the end of the number range, where sums wrap.
        (0u64..64, 0u64..64).prop_map(|(a, b)| (u64::MAX - a, a.min(b))),
    ]
}

fn capability() -> impl Strategy<Value = Cap> {
    (0u8..14, 0u32..3, 0u32..3, any::<u8>(), 0u8..8, range(), 0u64..9, 0..=MAX_DEPTH).prop_map(
        |(kind, object, epoch, verbs, perms, (offset, len), expiry, depth)| {
            let mut made = Cap::new(Kind(kind), object, epoch, verbs, perms);
            // Where there is nothing in it, a range has one form.
            if len > 0 {
                made = made.with_range(offset, len);
            }
            made.expiry = if expiry == 8 { NEVER } else { expiry };
            made.depth = depth;
            if made.verbs == 0 { Cap::EMPTY } else { made }
        },
    )
}

fn mask() -> impl Strategy<Value = Mask> {
    (any::<u8>(), any::<u8>(), any::<u64>(), proptest::option::of(range()))
        .prop_map(|(verbs, perms, expiry, range)| Mask { verbs, perms, expiry, range })
}

/// Whether `a` gives nothing that `b` does not.
fn below(a: &Cap, b: &Cap) -> bool {
    let end = |c: &Cap| u128::from(c.offset) + u128::from(c.len);
    a.is_empty()
        || ((a.kind, a.object, a.epoch) == (b.kind, b.object, b.epoch)
            && a.verbs & !b.verbs == 0
            && a.perms & !b.perms == 0
            && a.expiry <= b.expiry
            && a.depth >= b.depth
            && (a.len == 0 || (a.offset >= b.offset && end(a) <= end(b))))
}

proptest! {
    #[test]
    fn meet_is_idempotent(c in capability(), m in mask()) {
        prop_assert_eq!(c.meet(&m).meet(&m), c.meet(&m));
    }

    #[test]
    fn meet_is_commutative(c in capability(), m in mask(), n in mask()) {
        prop_assert_eq!(c.meet(&m).meet(&n), c.meet(&n).meet(&m));
    }

    /// Both masks met first are the same as one after the other.
    #[test]
    fn meet_is_associative(c in capability(), m in mask(), n in mask()) {
        let (a, b) = (m.range, n.range);
        let range = match (a, b) {
            (Some(a), Some(b)) => {
                let whole = Cap::new(Kind::MEMORY, 0, 0, verb::ALL, 0).with_range(a.0, a.1);
                let met = whole.meet(&Mask { verbs: verb::ALL, perms: 0, expiry: 0, range: Some(b) });
                Some((met.offset, met.len))
            }
            (a, b) => a.or(b),
        };
        let (verbs, perms) = (m.verbs & n.verbs, m.perms & n.perms);
        let both = Mask { verbs, perms, expiry: m.expiry.min(n.expiry), range };
        prop_assert_eq!(c.meet(&m).meet(&n), c.meet(&both));
    }

    #[test]
    fn meet_is_below_and_monotone(c in capability(), m in mask(), n in mask()) {
        prop_assert!(below(&c.meet(&m), &c));
        // The narrower of two capabilities stays the narrower.
        prop_assert!(below(&c.meet(&n).meet(&m), &c.meet(&m)));
    }

    #[test]
    fn attenuate_never_gains(c in capability(), verbs: u8, perms: u8, part in proptest::option::of(range())) {
        match c.attenuate(verbs, perms, part) {
            Ok(less) => {
                prop_assert!(below(&less, &c));
                prop_assert!(less.verbs & !verbs == 0 && less.perms & !perms == 0);
                if let (Some((start, len)), false) = (part, less.is_empty()) {
                    prop_assert_eq!(less.len, len);
                    prop_assert!(len == 0 || less.offset == c.offset + start);
                }
            }
            Err(error) => {
                prop_assert_eq!(error, Error::Denied);
                let (start, len) = part.expect("only a range is refused");
                prop_assert!(u128::from(start) + u128::from(len) > u128::from(c.len)
                    || c.offset.checked_add(start).is_none());
            }
        }
    }

    #[test]
    fn a_hop_never_gains_and_goes_deeper(c in capability(), verbs: u8, perms: u8, expiry: u64, max in 0u8..6) {
        if let Ok(copy) = c.hop(verbs, perms, expiry, max) {
            prop_assert!(below(&copy, &c) && !copy.is_empty());
            prop_assert!(c.allows(verb::GRANT).is_ok());
            prop_assert_eq!(copy.depth, c.depth + 1);
            prop_assert!(copy.expiry <= expiry && copy.depth <= max);
            prop_assert!(copy.depth < max || copy.allows(verb::GRANT).is_err());
            prop_assert_eq!(copy.may_revoke(), Err(Error::Denied));
        }
    }

    #[test]
    fn an_inheritance_never_gains_and_cannot_be_passed_on(c in capability(), verbs: u8) {
        let copy = c.inherited(verbs);
        prop_assert!(below(&copy, &c));
        prop_assert!(copy.allows(verb::GRANT).is_err() && copy.perms == 0);
        prop_assert!(copy.is_empty() || copy.depth == c.depth + 1);
    }

    #[test]
    fn epochs_differ_and_are_never_zero(epoch: u32) {
        let next = cap::next_epoch(epoch);
        prop_assert!(next != 0 && next != epoch);
    }

    #[test]
    fn sub_ranges_stay_inside(c in capability(), start: u64, len: u64) {
        if let Ok(offset) = c.sub_range(start, len) {
            prop_assert!(offset >= c.offset);
            prop_assert!(offset - c.offset + len <= c.len);
        }
    }
}

#[test]
fn a_verb_counts_only_where_it_means_something() {
    for number in 0..=255 {
        let kind = Kind(number);
        let all = Cap { kind, verbs: 0xFF, ..Cap::EMPTY };
        for bit in 0..8 {
            let allowed = all.allows(1 << bit).is_ok();
            assert_eq!(allowed, kind.verbs() >> bit & 1 == 1, "kind {number} bit {bit}");
        }
        assert_eq!(Cap::new(kind, 0, 0, 0xFF, 0).verbs, kind.verbs());
    }
    let send = Cap::new(Kind::CHANNEL, 0, 0, verb::SEND, 0);
    assert_eq!(send.allows(verb::SEND), Ok(()));
    assert_eq!(send.allows(verb::SEND | verb::RECV), Err(Error::Denied));
}

#[test]
fn a_capability_dies_by_epoch_and_by_time() {
    let mut c = Cap::new(Kind::CLOCK, 3, 7, verb::ALL, 0);
    assert_eq!(Cap::EMPTY.check(0, 0), Err(Error::BadSlot));
    assert_eq!(c.check(7, u64::MAX - 1), Ok(()));
    assert_eq!((c.check(8, 0), c.check(6, 0)), (Err(Error::Revoked), Err(Error::Revoked)));
    assert_eq!(c.restamped(8).check(8, 0), Ok(()));
    c.expiry = 100;
    assert_eq!((c.check(7, 99), c.check(7, 100)), (Ok(()), Err(Error::Revoked)));
}

#[test]
fn decay_ends_at_the_maximum_depth() {
    let mut c = Cap::new(Kind::MEMORY, 0, 0, verb::ALL, 7).with_range(0, 4096);
    assert_eq!(c.may_revoke(), Ok(()));
    for depth in 1..=MAX_DEPTH {
        c = c.hop(verb::ALL, 7, NEVER, MAX_DEPTH).expect("GRANT until the last hop");
        assert_eq!((c.depth, c.len, c.may_revoke()), (depth, 4096, Err(Error::Denied)));
    }
    assert_eq!(c.verbs, verb::MAP | verb::MASK);
    assert_eq!(c.hop(verb::ALL, 7, NEVER, MAX_DEPTH), Err(Error::Denied));
    assert_eq!(Cap::new(Kind::SELF, 0, 0, verb::ALL, 0).hop(1, 0, 0, 9), Err(Error::Denied));
    let root = Cap::new(Kind::IRQ, 0, 0, verb::ALL, 0);
    assert_eq!(root.hop(verb::TICK, 0, 0, 4), Err(Error::Denied), "nothing left to give");
    assert_eq!(root.attenuate(0, 7, None), Ok(Cap::EMPTY));
}

#[test]
fn a_range_ends_where_it_ends() {
    let c = Cap::new(Kind::MEMORY, 0, 0, verb::ALL, 7).with_range(4096, 64);
    assert_eq!(
        (c.sub_range(0, 64), c.sub_range(64, 0), c.sub_range(63, 1)),
        (Ok(4096), Ok(4160), Ok(4159))
    );
    for (start, len) in [(0, 65), (64, 1), (65, 0), (u64::MAX, 1), (1, u64::MAX)] {
        assert_eq!(c.sub_range(start, len), Err(Error::Denied));
        assert_eq!(c.attenuate(verb::ALL, 7, Some((start, len))), Err(Error::Denied));
    }
}

#[test]
fn a_space_has_64_slots() {
    let mut s = CSpace::new();
    let c = |object| Cap::new(Kind::CHANNEL, object, 0, verb::ALL, 0);
    assert_eq!((s.get(0usize), s.get(64usize)), (Err(Error::BadSlot), Err(Error::BadSlot)));
    assert_eq!(s.put(usize::MAX, c(0)), Err(Error::BadSlot));
    for slot in 0..SLOTS as u8 {
        assert_eq!(s.free_slot(0), Some(slot));
        assert_eq!(s.put(slot, c(slot.into())), Ok(()));
        assert_eq!(s.put(slot, c(99)), Err(Error::Exists));
    }
    assert_eq!((s.free_slot(0), s.free_slot(200), s.used()), (None, None, 64));
    assert_eq!(s.take(9u8), Ok(c(9)));
    assert_eq!((s.take(9u8), s.replace(9u8, c(1))), (Err(Error::BadSlot), Err(Error::BadSlot)));
    assert_eq!((s.free_slot(8), s.free_slot(10)), (Some(9), None));
    assert_eq!(s.replace(10u8, Cap::EMPTY), Ok(()));
    assert_eq!((s.check_free(10u8), s.check_free(11u8)), (Ok(()), Err(Error::Exists)));
    s.retain(|slot, cap| slot % 2 == 0 && cap.object < 20);
    let left: Vec<u8> = s.iter().map(|(slot, _)| slot).collect();
    assert_eq!(left, [0, 2, 4, 6, 8, 12, 14, 16, 18]);
    s.clear();
    assert_eq!(s, CSpace::new());
}
