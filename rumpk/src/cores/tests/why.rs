//! Post-mortems of fibers of another core: for their parent, and for who has AUDIT.
use super::*;
use abi::stats::{CLASS_POSTMORTEM, FiberPostMortem};

fn ask(c: &mut Cores, core: usize, place: u32) -> (isize, usize) {
    let input = u64::from(CLASS_POSTMORTEM) | u64::from(place) << 32;
    let at = c.store(core, 0, &input.to_le_bytes());
    c.call(core, n::META, [meta::STATS, at, FiberPostMortem::SIZE, 0, 0, 0])
}

fn refused(error: Error) -> (isize, usize) {
    (error as isize, 0)
}

#[test]
fn a_parent_and_who_has_audit_learn_why_a_fiber_of_another_core_ended() {
    let mut c = Cores::new(2);
    let (_, child) = c.spawn(0, NO_SLOT);
    let (place, id) = (FIBERS as u32 + u32::from(c.0[1].current), c.0[1].fiber().id);
    assert_eq!(ask(&mut c, 0, place), refused(Error::Denied), "nobody of its own ended there");
    assert_eq!(ask(&mut c, 1, 0), refused(Error::Denied), "nor does a child learn of its parent");
    stopped(|| {
        c.0[1].trap(&Trap::Fault { cause: end::PAGE_FAULT, address: 0x1234, syndrome: 0x77 });
    });
    c.settle();
    assert_eq!(ask(&mut c, 0, place), (0, FiberPostMortem::SIZE), "its parent");
    let record = FiberPostMortem::decode(&c.load::<256>(0, 0)).expect("whole");
    assert_eq!(
        (record.fiber, record.cause, abi::text(&record.name)),
        (id, end::PAGE_FAULT, "child")
    );
    assert_eq!((record.address, record.syndrome), (0x1234, 0x77));
    // Once it was asked for its end it is nobody's child.
    assert_eq!(c.ended(0, child).end, end::PAGE_FAULT);
    assert_eq!(ask(&mut c, 0, place), refused(Error::Denied));
    let domain = c.0[0].domain as usize;
    c.0[0].domains[domain].pledge |= abi::pledge::AUDIT;
    assert_eq!(ask(&mut c, 0, place), (0, FiberPostMortem::SIZE));
    let record = FiberPostMortem::decode(&c.load::<256>(0, 0)).expect("whole");
    assert_eq!(record.fiber, id);
    assert_eq!(ask(&mut c, 0, place + 1), refused(Error::Empty));
    assert_eq!(ask(&mut c, 0, 2 * FIBERS as u32), refused(Error::NotFound), "no such core");
}
