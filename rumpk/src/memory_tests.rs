use super::*;

#[test]
fn what_was_taken_comes_back_whole() {
    let mut extents = Extents::NONE;
    extents.give(0x1000_0000, 1 << 20);
    let taken: [u64; 4] = core::array::from_fn(|i| extents.take(i as u64 * 5000 + 1).unwrap());
    assert_eq!(taken, [0x1000_0000, 0x1000_1000, 0x1000_3000, 0x1000_6000]);
    for i in [2, 0, 3, 1] {
        extents.give(taken[i], i as u64 * 5000 + 1);
    }
    assert_eq!(extents.free(), (1 << 20, 1 << 20));
    assert_eq!(extents.count, 1);
}

#[test]
fn exhaustion_and_nonsense_are_errors() {
    let mut extents = Extents::NONE;
    assert_eq!(extents.take(1), Err(Error::NoMemory));
    extents.give(0x1000, 0x2000);
    assert_eq!(extents.take(0x2001), Err(Error::NoMemory));
    assert_eq!(extents.take(0), Err(Error::NoMemory));
    assert_eq!(extents.take(u64::MAX), Err(Error::NoMemory));
    assert_eq!(extents.take(0x2000), Ok(0x1000));
    assert_eq!(extents.free(), (0, 0));
}
