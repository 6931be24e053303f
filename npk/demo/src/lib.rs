//! What an application can do: it tells about the machine and itself, reads files, and, where it
//! owns the console's device (a unikernel), answers lines until it is switched off.
#![cfg_attr(not(test), no_std)]
#![forbid(unsafe_code)]

mod input;

use abi::call::Error;
use abi::pledge;
use abi::systable::FLAG_ISOLATED;
use abi::vfs::PATH_MAX;
use input::{Heard, Line};
use rt::object::Power;
use rt::{Clock, console, fs, print, println};

/// First slot that may hold POWER; the ones before are the console's device.
const POWER_FROM: u8 = 10;
/// How long the console may take before the cell is switched off, ns.
const PATIENCE_NS: u64 = 1_000_000_000;
/// ns in a millisecond.
const MILLISECOND: u64 = 1_000_000;

/// Tells, and serves where there is nobody else to do it; the value is the exit code.
pub fn main() -> usize {
    println!("Hello from Nexus.");
    machine();
    itself();
    if rt::stats::own().is_ok_and(|s| s.pledge & pledge::RPATH != 0) {
        list("/Boot");
        print_file("/Boot/motd");
    }
    if console::is_device() {
        serve();
    }
    0
}

fn machine() {
    let Some(table) = rt::sys::table() else { return };
    let isolated = if table.flags & FLAG_ISOLATED == 0 { "not isolated" } else { "isolated" };
    println!("contract {}.{}, {isolated}", table.abi_major, abi::systable::ABI_MINOR);
    println!("cores {}, counter {} Hz", table.cpu_count, table.counter_hz);
    match Clock::OWN.time() {
        Ok(t) => {
            println!("up {} ms, wall clock {} s", t.now / MILLISECOND, t.wall / 1_000_000_000);
        }
        Err(e) => println!("time: {}", rt::start::describe(e)),
    }
}

fn itself() {
    for argument in rt::args() {
        println!("argument {argument}");
    }
    if let Ok(own) = rt::stats::own() {
        println!("fiber {} in {} K", own.fiber, own.memory / 1024);
    }
    if let Ok(energy) = Clock::OWN.energy() {
        let spectrum = pledge::SPECTRA.get(energy.spectrum as usize).copied().unwrap_or("unknown");
        println!("energy {} of {} J, {spectrum}", energy.left, energy.budget);
    }
    let mut random = [0; 8];
    match rt::random(&mut random) {
        Ok(()) => println!("random {:016x}", u64::from_le_bytes(random)),
        Err(e) => println!("random: {}", rt::start::describe(e)),
    }
}

fn list(path: &str) {
    for index in 0.. {
        let mut name = [0; PATH_MAX];
        match fs::list(path, index, &mut name) {
            Ok(Some((name, stat))) if stat.directory => println!("         - {name}/"),
            Ok(Some((name, stat))) => println!("{:10} {name}", stat.size),
            Ok(None) => return,
            Err(e) => return println!("ls: {path}: {}", rt::start::describe(e)),
        }
    }
}

fn print_file(path: &str) {
    let copy = || {
        let file = fs::open(path)?;
        let (mut part, mut at) = ([0; 240], 0);
        loop {
            let n = file.read(at, &mut part)?;
            if n == 0 {
                return Ok(());
            }
            console::write(&part[..n])?;
            at += n as u64;
        }
    };
    let copied: Result<(), Error> = copy();
    if let Err(e) = copied {
        println!("cat: {path}: {}", rt::start::describe(e));
    }
}

/// Answers lines until the cell is switched off or the console is gone.
fn serve() {
    let mut line = Line::new();
    let mut buf = [0; console::READ_MAX];
    print!("demo> ");
    while let Ok(len) = console::read(&mut buf) {
        for &byte in &buf[..len] {
            match line.feed(byte) {
                Heard::Nothing => continue,
                Heard::Byte(byte) => {
                    // A console that is gone ends the loop above.
                    let _ = console::write(&[byte]);
                    continue;
                }
                Heard::Erase => {
                    print!("\x08 \x08");
                    continue;
                }
                Heard::End => {
                    println!();
                    poweroff();
                }
                Heard::Line => {
                    println!();
                    answer(line.text());
                    line.clear();
                }
            }
            print!("demo> ");
        }
    }
}

fn answer(line: &str) {
    let (command, rest) = line.trim().split_once(' ').unwrap_or((line.trim(), ""));
    match command {
        "" => {}
        "help" => println!("cat FILE, echo [WORD...], help, ls [PATH], poweroff, uptime"),
        "echo" => println!("{rest}"),
        "uptime" => {
            let ms = Clock::OWN.now() / MILLISECOND;
            println!("up {}.{:03}s", ms / 1000, ms % 1000);
        }
        "ls" => list(if rest.is_empty() { "/" } else { rest.trim() }),
        "cat" => print_file(rest.trim()),
        "poweroff" => poweroff(),
        other => println!("{other}: no such command; try `help`"),
    }
}

/// Switches the cell off when all output has left; returns only where that is not granted.
fn poweroff() {
    // A console that does not answer in time must not keep the cell on.
    let _ = console::sync(PATIENCE_NS);
    println!("poweroff: {}", rt::start::describe(Power::off_by_any(POWER_FROM)));
}
