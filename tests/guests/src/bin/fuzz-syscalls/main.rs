//! `fuzz-syscalls SEED CALLS`: calls from a grammar, half of them with one field changed, each judged by the contract.
//!
//! A call must answer 0 or an error of the list, leave all other registers zero, and write nothing but what the contract
//! lets it write: canaries around the buffer after each call, the whole arena, the own image and the memory of another
//! domain now and then. The first violation is printed and ends the program with code 1.
#![no_std]
#![no_main]

mod arena;
mod family;
mod grammar;
mod guard;
mod leak;
mod random;
mod tally;

use core::ptr::with_exposed_provenance;
use core::sync::atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed};

use abi::call::number;
use abi::systable::SysTable;
use grammar::{Case, World};
use random::Random;
use rt::{Clock, Fiber, println};
use tally::Tally;

rt::entry!(main, kdl: r#"
name "fuzz-syscalls"
kind "npk"
energy 4000
pledge "STDIO" "RPATH" "EXEC" "AUDIT"
stack "64K"
fibers 8
channels 1
"#);

unsafe extern "C" {
    static __image_end: u8;
}

/// Calls between two looks at the whole arena, the clock and the children.
const ROUND: usize = 128;
/// Rounds between two questions to the victim and two hashes of the own image.
const LONG_ROUND: usize = 200;

/// Lies in the first page after text and constants.
static MARK: AtomicU64 = AtomicU64::new(0x4D41_524B);
/// First byte of the image, for [`own`].
static IMAGE: AtomicUsize = AtomicUsize::new(0);

fn image() -> (usize, usize) {
    let start = _start as *const () as usize & !(abi::PAGE - 1);
    (start, (&raw const __image_end) as usize)
}

/// Whether an address lies in the own image outside the arena, so that the kernel may read a record there.
fn own(at: usize) -> bool {
    let start = IMAGE.load(Relaxed);
    // Image, guard page, stack.
    (start..image().1 + (64 << 10) + abi::PAGE).contains(&at) && arena::word(at).is_none()
}

/// A sum over text and constants that every byte moves.
fn hash() -> u64 {
    let end = MARK.as_ptr().expose_provenance() & !(abi::PAGE - 1);
    (image().0..end).step_by(8).fold(MARK.load(Relaxed), |sum, at| {
        // SAFETY: text and constants of the own image are readable and never change.
        let word = unsafe { with_exposed_provenance::<u64>(at).read() };
        (sum.rotate_left(5) ^ word).wrapping_mul(0x9E37_79B9_7F4A_7C15)
    })
}

/// A fiber of the own domain that ends at once.
extern "C" fn quick(_: *const u8, _: usize, _: *const SysTable) -> ! {
    rt::sys::exit(0)
}

fn world(victim_at: usize) -> World {
    let (start, end) = image();
    World {
        hostile: [
            0,
            8,
            0x1000,
            0xFFFF_FF80_5008_0000,
            0xFFFF_FF80_5000_0000,
            0x5008_0000,
            0x0900_0000,
            0x4020_0000,
            0x0000_0080_0000_0000,
            usize::MAX,
            usize::MAX - 7,
            usize::MAX - 63,
            // The guard page before the stack, the own text, the SysTable, another domain.
            end,
            start,
            abi::systable::ADDRESS_AARCH64 as usize,
            victim_at,
        ],
        quick: quick as *const () as u64,
        now: Clock::OWN.now(),
        child: 0,
        fibers: [grammar::NEVER_FILLED; grammar::CHILDREN],
    }
}

/// Why the run stops.
enum Fault {
    Status(Case, isize),
    Registers(Case, usize),
    Canary(Case, usize),
    Arena(Case, usize),
    Image,
    Victim,
    End(u8),
    Leak,
}

fn main() -> usize {
    let mut words = rt::args();
    let seed = words.next().and_then(guests::number).unwrap_or(1);
    let calls = words.next().and_then(guests::number).unwrap_or(10_000);
    IMAGE.store(image().0, Relaxed);
    arena::fill();
    let before = leak::settled();
    let (victim, victim_at) = match family::victim() {
        Ok(victim) => victim,
        Err(e) => {
            println!("fuzz: no victim: {}", rt::start::describe(e));
            return 2;
        }
    };
    let mut tally = Tally::new();
    let mut world = world(victim_at);
    let ran = run(seed, calls, victim, victim_at, &mut world, &mut tally);
    family::end_all(&world, victim);
    tally.print(seed);
    match ran.and_then(|()| if leak::none(&before) { Ok(()) } else { Err(Fault::Leak) }) {
        Ok(()) => 0,
        Err(fault) => {
            tell(&fault);
            1
        }
    }
}

fn run(
    seed: usize,
    calls: usize,
    victim: Fiber,
    victim_at: usize,
    world: &mut World,
    tally: &mut Tally,
) -> Result<(), Fault> {
    let mut r = Random(seed as u64);
    let before = hash();
    let mut last = Case { number: 0, args: [0; 6] };
    for done in 0..calls {
        if done % ROUND == 0 {
            if let Some(at) = arena::changed() {
                return Err(Fault::Arena(last, at));
            }
            world.now = Clock::OWN.now();
            family::give_back(&mut r);
            if let Some(end) = family::reap(world, &mut r) {
                return Err(Fault::End(end));
            }
        }
        if done % (ROUND * LONG_ROUND) == 0 {
            look(before, victim_at)?;
        }
        last = loop {
            let case = grammar::case(&mut r, world);
            if guard::allows(&case, world, victim.0) {
                break case;
            }
        };
        one(&last, world, tally)?;
    }
    look(before, victim_at)
}

fn look(before: u64, victim_at: usize) -> Result<(), Fault> {
    if hash() != before {
        return Err(Fault::Image);
    }
    if family::intact(victim_at) { Ok(()) } else { Err(Fault::Victim) }
}

/// Makes one call and judges it.
fn one(case: &Case, world: &mut World, tally: &mut Tally) -> Result<(), Fault> {
    let may = grammar::writes(case);
    // SAFETY: what it may write to is the arena, which is made of atomics, or nothing.
    let left = unsafe { guests::trap(case.number, case.args) };
    let Some(place) = grammar::place(left.status) else {
        return Err(Fault::Status(*case, left.status));
    };
    if left.rest != 0 || place != 0 && left.value != 0 {
        return Err(Fault::Registers(*case, left.rest | left.value));
    }
    if let Some((at, len)) = may
        && let Some(changed) = arena::accept(at, len)
    {
        return Err(Fault::Canary(*case, changed));
    }
    if place == 0 && case.number == number::SPAWN {
        family::born(world, left.value);
    }
    tally.add(case.number, place);
    Ok(())
}

fn tell(fault: &Fault) {
    let name = |case: &Case| number::NAMES.get(case.number).copied().unwrap_or("none");
    match fault {
        Fault::Status(c, s) => println!("fuzz: status {s} of {} {:x?}", name(c), c.args),
        Fault::Registers(c, bits) => {
            println!("fuzz: bits {bits:#x} left by {} {:x?}", name(c), c.args);
        }
        Fault::Canary(c, at) => println!("fuzz: {} {:x?} changed {at:#x}", name(c), c.args),
        Fault::Arena(c, at) => println!("fuzz: {at:#x} changed by {} {:x?}", name(c), c.args),
        Fault::Image => println!("fuzz: the own image changed"),
        Fault::Victim => println!("fuzz: the victim changed"),
        Fault::Leak => println!("fuzz: something was not given back"),
        Fault::End(end) => println!("fuzz: a child ended with cause {end}"),
    }
}
