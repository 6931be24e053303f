//! The machine in memory shows what it promises to show.
use abi::boot::virt;
use abi::cap::{R, W, X};
use arch::host::{Access, Fault, Frame as HostFrame, Host, Stale, Stopped};
use arch::{BadAddress, Frame, Machine, Memory, NoTable, TIMER, TablePool, UserAddr};

const BASE: u64 = 0x5000_0000;
const PAGE: u64 = abi::PAGE as u64;
/// Where the tests map things.
const VA: u64 = 0x4000_0000 - PAGE;

fn host() -> (Host, TablePool) {
    (Host::new(BASE, 64 * PAGE), TablePool { next: BASE, end: BASE + 16 * PAGE })
}

fn page(n: u64) -> u64 {
    BASE + (32 + n) * PAGE
}

fn fault(address: u64, access: Access) -> Result<(), Fault> {
    Err(Fault { address, access })
}

fn stopped(f: impl FnOnce()) -> Option<Stopped> {
    let payload = std::panic::catch_unwind(std::panic::AssertUnwindSafe(f)).err()?;
    payload.downcast_ref().copied()
}

fn panics<T>(f: impl FnOnce() -> T) -> bool {
    std::panic::catch_unwind(std::panic::AssertUnwindSafe(f)).is_err()
}

#[test]
fn rights_are_those_of_the_space() {
    let (mut h, mut pool) = host();
    let a = h.new_space(1, &mut pool).expect("room");
    let b = h.new_space(2, &mut pool).expect("room");
    // The two pages lie in different tables of every level.
    h.map(&a, &mut pool, VA, page(0), 2 * PAGE, R | W, Memory::Normal).expect("room");
    h.map(&b, &mut pool, VA, page(0), PAGE, R, Memory::Normal).expect("room");
    assert_eq!(h.load(VA, &mut [0]), fault(VA, Access::Read), "no space is active");
    h.activate(&a);
    let middle = VA + PAGE - 2;
    assert_eq!(h.store(middle, b"abcd"), Ok(()));
    assert_eq!(h.copy_out(UserAddr(middle), b"ABC"), Ok(()));
    assert_eq!((h.bytes(page(0) + PAGE - 2, 2), h.bytes(page(1), 2)), (&b"AB"[..], &b"Cd"[..]));
    let past = VA + 2 * PAGE;
    assert_eq!(h.store(past - 1, b"xy"), fault(past, Access::Write));
    assert_eq!(h.bytes(page(1) + PAGE - 1, 1), [0], "all or nothing");
    assert_eq!(h.fetch(VA, &mut [0]), fault(VA, Access::Execute));
    h.activate(&b);
    let mut got = [0; 2];
    assert_eq!(h.copy_in(UserAddr(middle), &mut got), Ok(()));
    assert_eq!(&got, b"AB");
    assert_eq!(h.copy_out(UserAddr(middle), b"x"), Err(BadAddress));
    assert_eq!(h.copy_in(UserAddr(middle), &mut [0; 3]), Err(BadAddress));
    for wild in [0, page(0), 1 << 39, u64::MAX - 1, u64::MAX] {
        assert_eq!(h.copy_in(UserAddr(wild), &mut [0; 2]), Err(BadAddress), "{wild:#x}");
    }
    assert_eq!((h.tlb_maintenance(), h.stale()), (0, vec![]));
}

#[test]
fn the_tlb_keeps_what_nobody_invalidates() {
    let (mut h, mut pool) = host();
    let a = h.new_space(1, &mut pool).expect("room");
    h.map(&a, &mut pool, VA, page(0), PAGE, R, Memory::Normal).expect("room");
    h.activate(&a);
    assert_eq!(h.load(VA, &mut [0]), Ok(()));
    // A new mapping over a live one: the old page stays visible, and the machine says so.
    h.map(&a, &mut pool, VA, page(1), PAGE, R | W, Memory::Normal).expect("room");
    assert_eq!(h.stale(), [Stale { tag: 1, va: VA }]);
    assert_eq!(h.store(VA, b"x"), fault(VA, Access::Write));
    h.unmap(&a, VA, PAGE);
    assert_eq!((h.load(VA, &mut [0]), h.tlb_maintenance()), (fault(VA, Access::Read), 1));
    h.map(&a, &mut pool, VA, page(1), PAGE, R | W, Memory::Normal).expect("room");
    assert_eq!((h.store(VA, b"x"), h.stale()), (Ok(()), vec![]));
    // The tag goes to another domain without `retire`: it sees the dead one's memory.
    let b = h.new_space(1, &mut pool).expect("room");
    h.activate(&b);
    assert_eq!(h.stale(), [Stale { tag: 1, va: VA }]);
    let mut seen = [0];
    assert_eq!((h.load(VA, &mut seen), &seen), (Ok(()), b"x"));
    // Even where the new one maps the same: it was not asked.
    h.map(&b, &mut pool, VA, page(1), PAGE, R | W, Memory::Normal).expect("room");
    assert_eq!(h.stale(), [Stale { tag: 1, va: VA }]);
    h.unmap(&b, VA, PAGE);
    h.retire(&b);
    assert_eq!((h.load(VA, &mut seen), h.stale()), (fault(VA, Access::Read), vec![]));
    h.activate(&b);
    assert_eq!(h.load(VA, &mut seen), fault(VA, Access::Read));
}

#[test]
fn tables_come_out_of_the_pool() {
    let (mut h, mut pool) = host();
    pool.end = pool.next + 3 * PAGE;
    let a = h.new_space(1, &mut pool).expect("room");
    h.map(&a, &mut pool, 0, page(0), PAGE, R, Memory::Normal).expect("root and two more");
    h.map(&a, &mut pool, PAGE, page(0), PAGE, R, Memory::Normal).expect("no more");
    let far = h.map(&a, &mut pool, 1 << 30, page(0), PAGE, R, Memory::Normal);
    assert_eq!((far, pool.next), (Err(NoTable), pool.end));
    assert_eq!(h.new_space(2, &mut pool).err(), Some(NoTable));
}

#[test]
fn what_no_kernel_may_ask_for_panics() {
    let (mut h, mut pool) = host();
    let a = h.new_space(1, &mut pool).expect("room");
    let mut bad =
        |va, pa, len, perms| panics(|| h.map(&a, &mut pool, va, pa, len, perms, Memory::Normal));
    assert!(bad(VA, page(0), PAGE, W | X));
    assert!(bad(VA + 1, page(0), PAGE, R));
    assert!(bad(VA, page(0), 100, R));
    assert!(bad(VA, BASE - PAGE, PAGE, R));
    assert!(bad(VA, BASE + 64 * PAGE, PAGE, R));
    assert!(bad((1 << 39) - PAGE, page(0), 2 * PAGE, R));
    assert!(!bad((1 << 39) - PAGE, page(0), PAGE, R));
    assert!(panics(|| h.new_space(0, &mut TablePool::default())));
    for (pa, len) in [(BASE - 1, 1), (BASE + 64 * PAGE, 1), (BASE, usize::MAX), (u64::MAX, 2)] {
        assert!(panics(|| h.bytes(pa, len).to_vec()), "{pa:#x} {len:#x}");
    }
    assert!(panics(|| h.store_release(BASE + 2, 0)));
    assert!(panics(|| h.copy(BASE, BASE + 8, 9)));
}

#[test]
fn code_is_fetched_only_after_it_was_synchronised() {
    let (mut h, mut pool) = host();
    let a = h.new_space(1, &mut pool).expect("room");
    h.map(&a, &mut pool, VA, page(0), PAGE, R | X, Memory::Normal).expect("room");
    h.activate(&a);
    h.bytes_mut(page(4), 4).copy_from_slice(b"code");
    h.copy(page(4), page(0), 4);
    let mut code = [0; 4];
    assert!(panics(|| h.fetch(VA, &mut code)));
    h.sync_code(page(0), 4);
    assert_eq!((h.fetch(VA, &mut code), &code), (Ok(()), b"code"));
    assert_eq!(h.store(VA, b"x"), fault(VA, Access::Write));
}

#[test]
fn lines_are_given_once_and_ended_once() {
    let mut h = Host::new(BASE, PAGE);
    h.prepare_interrupt(40, false);
    h.prepare_interrupt(33, true);
    h.raise(40);
    h.raise(33);
    h.raise(99);
    assert_eq!((h.interrupt(), h.is_masked(33), h.is_masked(99)), (None, Some(true), None));
    h.mask_interrupt(40, false);
    h.mask_interrupt(33, false);
    assert_eq!((h.interrupt(), h.interrupt(), h.interrupt()), (Some(33), Some(40), None));
    assert_eq!(h.active_lines(), [33, 40]);
    // A level that is still high comes again, an edge does not.
    h.end_interrupt(33);
    h.end_interrupt(40);
    assert_eq!(h.interrupt(), Some(40));
    h.mask_interrupt(40, true);
    h.end_interrupt(40);
    assert_eq!(h.interrupt(), None);
    h.lower(40);
    h.mask_interrupt(40, false);
    assert_eq!(h.interrupt(), None);
    assert!(panics(|| h.end_interrupt(40)) && panics(|| h.mask_interrupt(99, true)));
}

#[test]
fn time_moves_only_when_told_or_asleep() {
    let mut h = Host::new(BASE, PAGE);
    h.prepare_interrupt(33, true);
    h.mask_interrupt(33, false);
    h.advance(100);
    h.set_timer(1000);
    h.raise_at(33, 500);
    assert_eq!((h.now(), h.interrupt(), h.timer()), (100, None, 1000));
    h.idle();
    assert_eq!((h.now(), h.interrupt()), (500, Some(33)));
    h.end_interrupt(33);
    h.idle();
    assert_eq!(
        (h.now(), h.interrupt(), h.timer(), h.interrupt()),
        (1000, Some(TIMER), u64::MAX, None)
    );
    assert_eq!(stopped(|| h.idle()), Some(Stopped::Asleep));
    // A masked line does not wake, but its time passes.
    h.mask_interrupt(33, true);
    h.raise_at(33, 2000);
    h.idle();
    assert_eq!((h.now(), h.interrupt()), (2000, None));
    // Nothing to sleep for: a line is pending, the timer is due.
    h.mask_interrupt(33, false);
    h.idle();
    h.set_timer(1);
    h.idle();
    assert_eq!((h.now(), h.interrupt(), h.interrupt()), (2000, Some(TIMER), Some(33)));
    assert_eq!(stopped(|| h.power_off()), Some(Stopped::Off));
    assert_eq!(stopped(|| h.reset()), Some(Stopped::Reset));
}

#[test]
fn shared_words_are_the_same_bytes() {
    let (h, mut pool) = host();
    let mut h = h;
    h.store_release(BASE + 4, 0x0403_0201);
    assert_eq!(h.bytes(BASE, 8), [0, 0, 0, 0, 1, 2, 3, 4]);
    h.write_words(BASE + 8, &[0x0807_0605_0403_0201, 9]);
    let mut words = [0; 3];
    h.read_words(BASE, &mut words);
    assert_eq!(words, [0x0403_0201_0000_0000, 0x0807_0605_0403_0201, 9]);
    h.bytes_mut(BASE + 4, 4).fill(0xFF);
    h.fence();
    assert_eq!(h.load_acquire(BASE + 4), u32::MAX);
    assert_eq!(h.ram(), (BASE, 64 * PAGE));
    pool.next = pool.end;
    assert_eq!(pool.take(), Err(NoTable));
}

#[test]
fn the_console_is_a_device_window() {
    let (mut h, mut pool) = host();
    let a = h.new_space(1, &mut pool).expect("room");
    h.map(&a, &mut pool, VA, virt::UART, PAGE, R | W, Memory::Device).expect("room");
    h.activate(&a);
    for byte in *b"hi" {
        assert_eq!(h.store(VA, &u32::from(byte).to_le_bytes()), Ok(()));
    }
    assert_eq!(h.console(), b"hi");
    let mut word = [0; 4];
    assert_eq!((h.load(VA + 0x18, &mut word), word[0]), (Ok(()), 1 << 4), "nothing received");
    h.type_in(b"ok");
    assert_eq!((h.load(VA + 0x18, &mut word), word[0]), (Ok(()), 0));
    assert_eq!((h.load(VA, &mut word), word), (Ok(()), [b'o', 0, 0, 0]));
}

#[test]
fn frames_floating_and_random() {
    let mut h = Host::new(BASE, PAGE);
    let mut a = HostFrame::start(0x1000, 0x2000, [1, 2, 3], true);
    let mut b = HostFrame::EMPTY;
    assert_eq!((a.pc(), a.sp(), a.x, a.isolated), (0x1000, 0x2000, [1, 2, 3], true));
    a.set_result(-3, 9);
    a.set_pc(0x1004);
    assert_eq!((a.result(), a.pc()), ((-3, 9), 0x1004));
    h.enter(&mut a);
    assert_eq!(h.current_frame(), &raw const a as usize);
    assert_eq!(h.floating(), None, "the first use traps");
    h.swap_floating(None, &mut a);
    h.allow_floating(true);
    *h.floating().expect("allowed") = 7;
    h.swap_floating(Some(&mut a), &mut b);
    assert_eq!((a.floating, h.floating().copied()), (7, Some(0)));
    h.swap_floating(Some(&mut b), &mut a);
    assert_eq!(h.floating().copied(), Some(7));
    let first = h.random();
    assert!(first.is_some() && first != h.random());
    h.set_random(None);
    assert_eq!(h.random(), None);
}
