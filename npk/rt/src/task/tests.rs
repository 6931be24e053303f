//! The executor against a kernel that counts its calls.
use core::cell::{Cell, RefCell};
use core::pin::pin;
use core::time::Duration;

use abi::call::want;

use super::{Either, Task, Tasks, block_on, join, select, sleep, sleep_until, timeout, yield_now};
use super::{readable, writable};
use crate::Error;
use crate::fake::kernel;

#[test]
fn one_wait_serves_all_tasks() {
    kernel(|k| k.coming = vec![(30, 8, want::READABLE), (20, 9, want::READABLE)]);
    let order = RefCell::new(Vec::new());
    let wait_for = async |slot: u8| {
        let got = readable(slot).await;
        order.borrow_mut().push((slot, got));
    };
    let tasks = Tasks::<3>::new();
    let (a, b) = (pin!(wait_for(8)), pin!(wait_for(9)));
    let timer = pin!(async {
        sleep_until(25).await.unwrap();
        order.borrow_mut().push((0, Ok(0)));
    });
    for task in [a as Task, b, timer] {
        tasks.spawn(task).unwrap();
    }
    tasks.run().unwrap();
    let readable = Ok(want::READABLE);
    assert_eq!(order.take(), [(9, readable), (0, Ok(0)), (8, readable)]);
    // Three things happened, and each wait listed all that were still waited for.
    let lens: Vec<_> = kernel(|k| k.waits.iter().map(Vec::len).collect());
    assert_eq!(lens, [2, 1, 1]);
}

#[test]
fn only_what_is_ready_is_polled() {
    kernel(|k| {
        k.coming = vec![(1, 8, want::READABLE), (2, 8, want::READABLE), (3, 9, want::READABLE)];
    });
    let polls = Cell::new(0);
    let counted = async {
        let mut inner = pin!(readable(9));
        core::future::poll_fn(|cx| {
            polls.set(polls.get() + 1);
            inner.as_mut().poll(cx)
        })
        .await
        .unwrap();
    };
    let other = async {
        readable(8).await.unwrap();
        readable(8).await.unwrap();
    };
    let tasks = Tasks::<2>::new();
    let (a, b) = (pin!(counted), pin!(other));
    tasks.spawn(a).unwrap();
    tasks.spawn(b).unwrap();
    tasks.run().unwrap();
    assert_eq!(polls.get(), 2, "once at first, once when its slot was ready");
}

#[test]
fn two_wants_of_one_slot_are_one_entry() {
    kernel(|k| k.coming = vec![(5, 8, want::READABLE | want::WRITABLE)]);
    let both = block_on(join(readable(8), writable(8)));
    assert_eq!(both, (Ok(want::READABLE), Ok(want::WRITABLE)));
    let waits = kernel(|k| core::mem::take(&mut k.waits));
    assert_eq!(waits, [[(8, want::READABLE | want::WRITABLE)]]);
}

#[test]
fn a_late_answer_is_timed_out_and_its_place_is_free_again() {
    block_on(async {
        // More often than an executor has places.
        for _ in 0..200 {
            let at = kernel(|k| k.now + 10);
            assert_eq!(timeout(at, readable(8)).await, Err(Error::TimedOut));
        }
        kernel(|k| k.held.insert(8, want::READABLE));
        assert_eq!(timeout(u64::MAX, readable(8)).await, Ok(Ok(want::READABLE)));
    });
}

#[test]
fn a_timer_is_not_starved_by_a_slot_that_is_always_ready() {
    let slept = Cell::new(false);
    let busy = async {
        for _ in 0..1000 {
            kernel(|k| {
                k.now += 1;
                k.held.insert(8, want::READABLE)
            });
            readable(8).await.unwrap();
            if slept.get() {
                return;
            }
        }
        panic!("the timer never fired");
    };
    let timer = async {
        sleep(Duration::from_nanos(50)).await.unwrap();
        slept.set(true);
    };
    block_on(join(busy, timer));
    assert!(kernel(|k| k.now) < 100);
}

#[test]
fn who_yields_lets_others_in() {
    kernel(|k| k.held.insert(8, want::READABLE));
    let spinner = async {
        loop {
            yield_now().await;
        }
    };
    let found = block_on(select(spinner, readable(8)));
    assert_eq!(found, Either::<(), _>::Second(Ok(want::READABLE)));
    assert!(kernel(|k| k.yields) > 0, "and other fibers of the domain");
}

#[test]
fn a_dead_slot_is_gone() {
    kernel(|k| k.dead.push(8));
    assert_eq!(block_on(readable(8)), Err(Error::Gone));
    // A doorbell that nobody hears does not keep the others from being heard.
    kernel(|k| {
        k.held.insert(9, want::READABLE);
        k.waits.clear();
    });
    let ring = super::Ready::new(8, want::READABLE | want::RING);
    assert_eq!(block_on(join(ring, readable(9))), (Err(Error::Gone), Ok(want::READABLE)));
    assert_eq!(kernel(|k| k.rung.clone()), [8], "nobody rings what did not ask for it");
}

#[test]
fn a_doorbell_is_rung_once() {
    kernel(|k| k.coming = vec![(5, 9, want::READABLE), (9, 8, want::READABLE)]);
    let ring = super::Ready::new(8, want::READABLE | want::RING);
    let _ = block_on(join(ring, readable(9)));
    assert_eq!(kernel(|k| k.rung.clone()), [8]);
}

#[test]
fn there_are_as_many_tasks_as_said() {
    let (ran, refused) = (Cell::new(0), Cell::new(0));
    let tasks = Tasks::<2>::new();
    let (late, extra) = (pin!(async { ran.set(ran.get() + 1) }), pin!(async {}));
    let spawns = pin!(async {
        // The place of who runs is its own, the second one is free.
        tasks.spawn(late).unwrap();
        refused.set(refused.get() + usize::from(tasks.spawn(extra) == Err(Error::Full)));
    });
    tasks.spawn(spawns).unwrap();
    tasks.run().unwrap();
    assert_eq!((ran.get(), refused.get()), (1, 1));
}

#[test]
fn too_much_to_wait_for_is_an_error() {
    let mut all: Vec<_> = (0..70).map(|_| Box::pin(readable(8))).collect();
    let full = block_on(core::future::poll_fn(|cx| {
        let polled = all.iter_mut().map(|f| f.as_mut().poll(cx));
        let full = polled.filter(|p| *p == core::task::Poll::Ready(Err(Error::Full))).count();
        core::task::Poll::Ready(full)
    }));
    assert_eq!(full, 70 - abi::call::WAIT_MAX);
}

#[test]
#[should_panic(expected = "only rt::task")]
fn another_executor_is_refused() {
    let mut cx = core::task::Context::from_waker(core::task::Waker::noop());
    let _ = pin!(readable(8)).poll(&mut cx);
}
