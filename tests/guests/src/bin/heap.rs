//! `heap reserve|exhaust`: uses the heap of its manifest, 64 KB, up to its end and beyond.
#![no_std]
#![no_main]
#![forbid(unsafe_code)]

extern crate alloc;

use alloc::boxed::Box;
use alloc::vec::Vec;

use rt::println;

rt::entry!(main, kdl: r#"
name "heap"
kind "npk"
energy 100
pledge "STDIO"
stack "16K"
heap "64K"
"#);
rt::heap!();

fn main() -> usize {
    match rt::args().next() {
        Some("reserve") => reserve(),
        Some("exhaust") => exhaust(),
        _ => 2,
    }
}

/// Blocks of many sizes hold what was put into them; what is too much is refused, and nothing is lost by it.
fn reserve() -> usize {
    for round in 0..20u8 {
        let mut blocks: Vec<Vec<u8>> = Vec::new();
        // Who computes for longer than its energy lasts, and never gives way, is struck.
        rt::sys::yield_();
        for len in (1..60).map(|n| n * 16) {
            blocks.push(alloc::vec![round ^ len as u8; len]);
        }
        let whole = blocks.iter().all(|b| b.iter().all(|&byte| byte == round ^ b.len() as u8));
        if !whole || Vec::<u8>::new().try_reserve(64 << 10).is_ok() {
            return 1;
        }
    }
    let mut most = Vec::<u8>::new();
    if most.try_reserve_exact(60 << 10).is_err() {
        return 3;
    }
    println!("heap: refused, and whole again");
    0
}

/// Takes until there is no more: a panic, as nobody asked whether there is.
fn exhaust() -> usize {
    let mut kept = Vec::new();
    loop {
        kept.push(Box::new([0u64; 128]));
    }
}
