//! Fuzz target: the syscalls. The input is a program for all fibers of a cell: calls with any arguments, bytes stored in
//! their memory, time that passes, faults. After each step the kernel's tables must fit together; at the end, when every
//! domain was ended, everything must be free again.
extern crate std;
use crate::Kernel;
use crate::host_tests::{boot, spawn_with};
use crate::kernel::{DOMAINS, FIBERS, NONE, OBJECTS};
use crate::object::{Body, single};
use crate::schedule::places;
use abi::PAGE;
use abi::call::number as n;
use abi::cap::{Kind, slot};
use abi::stats::end;
use arch::host::{Host, Stopped};
use arch::{Frame, Trap};
use cap::Cap;
use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::vec;
use std::vec::Vec;

/// Most steps of one input.
const STEPS: usize = 150;
/// Numbers that arguments are made of.
const EDGES: [usize; 12] = [
    0,
    1,
    7,
    16,
    64,
    65,
    4096,
    usize::MAX,
    usize::MAX - 7,
    0xFFFF_FF80_5008_0000,
    0x5000_0000,
    0x5008_0000,
];

/// The input, read from the front; zeros behind its end.
struct Input<'a>(&'a [u8]);

impl Input<'_> {
    fn byte(&mut self) -> u8 {
        self.word(1) as u8
    }
    fn word(&mut self, len: usize) -> u64 {
        let (now, rest) = self.0.split_at(len.min(self.0.len()));
        self.0 = rest;
        let mut bytes = [0; 8];
        bytes[..now.len()].copy_from_slice(now);
        u64::from_le_bytes(bytes)
    }
    fn bytes(&mut self, len: usize) -> Vec<u8> {
        let (now, rest) = self.0.split_at(len.min(self.0.len()));
        self.0 = rest;
        now.to_vec()
    }
}

/// Where the current domain's own data page is.
fn data(k: &Kernel<Host>) -> u64 {
    let first = k.domain().first as usize % FIBERS;
    k.fibers[first].frame.pc() + PAGE as u64
}

fn argument(k: &Kernel<Host>, input: &mut Input) -> usize {
    match input.byte() % 5 {
        0 | 1 => input.byte() as usize,
        2 => data(k) as usize + (input.word(2) as usize & 0xFF8),
        3 => EDGES[input.byte() as usize % EDGES.len()],
        _ => input.word(8) as usize,
    }
}

/// One step.
fn step(k: &mut Kernel<Host>, input: &mut Input) {
    match input.byte() % 10 {
        0..5 => {
            let number = input.byte() as usize % 14;
            // Subject zero's end is the cell's.
            let number = if number == n::EXIT && is_init(k, k.domain) { n::YIELD } else { number };
            let args = core::array::from_fn(|_| argument(k, input));
            if k.call(number, &args).status > 0 {
                k.schedule();
            }
        }
        5 | 6 => {
            let at = data(k) + (input.word(2) & 0xFF8);
            let len = input.byte() as usize % 128;
            let bytes = input.bytes(len);
            // Past the end of the page is somebody's guard: refused, and nothing is written.
            let _ = k.machine.store(at, &bytes);
        }
        7 => {
            let _ = spawn_with(k, input.byte() % 70, input.word(8) | 1 << 63);
        }
        8 => {
            k.machine.advance(input.word(4) % 20_000_000);
            k.trap(&Trap::Interrupt);
        }
        _ if !is_init(k, k.domain) => {
            k.trap(&Trap::Fault { cause: end::PAGE_FAULT, address: input.word(8), syndrome: 0 });
        }
        _ => {
            k.call(n::YIELD, &[0; 6]);
            k.schedule();
        }
    }
}

fn is_init(k: &Kernel<Host>, domain: u8) -> bool {
    // It is the cell's only service.
    k.domains[domain as usize % DOMAINS].service == 0
}

/// What was given for each (object, epoch): nobody may hold more.
type Given = BTreeMap<(u32, u32), Vec<Cap>>;

fn live_caps(k: &Kernel<Host>) -> Vec<Cap> {
    let alive = k.fibers.iter().filter(|f| f.is_alive());
    let caps = alive.flat_map(|f| f.caps.iter().map(|(_, cap)| *cap));
    let named = caps.filter(|cap| cap.object >= single::COUNT);
    named.filter(|c| k.objects[c.object as usize % OBJECTS].epoch == c.epoch).collect()
}

/// Whether `a` is nothing that `b` is not.
fn within(a: &Cap, b: &Cap) -> bool {
    a.kind == b.kind
        && a.verbs & !b.verbs == 0
        && a.perms & !b.perms == 0
        && a.depth >= b.depth
        && a.expiry <= b.expiry
        && a.offset >= b.offset
        && a.offset + a.len <= b.offset + b.len
}

/// No capability that nobody gave: what appears for an object that was there before is within what somebody held of it.
fn check_caps(k: &Kernel<Host>, given: &mut Given) {
    let caps = live_caps(k);
    let mut new = Given::new();
    for cap in caps {
        assert!(cap.verbs & !cap.kind.verbs() == 0 && cap.perms < 8 && cap.depth <= 4, "{cap:?}");
        let object = &k.objects[cap.object as usize % OBJECTS];
        assert!(!object.is_free(), "a live capability to a free object: {cap:?}");
        let key = (cap.object, cap.epoch);
        match given.get(&key) {
            Some(had) => assert!(had.iter().any(|b| within(&cap, b)), "{cap:?} of {had:?}"),
            None => new.entry(key).or_default().push(cap),
        }
    }
    given.extend(new);
}

/// The tables fit together.
fn check(k: &Kernel<Host>, given: &mut Given) {
    assert_eq!(k.machine.stale(), [], "a forgotten invalidation");
    for (id, domain) in k.domains.iter().enumerate().filter(|(_, d)| !d.is_free()) {
        assert!(domain.ready & !domain.fibers == 0, "domain {id}: a ready fiber is not its own");
        for place in places(domain.fibers) {
            let fiber = &k.fibers[place];
            assert!(fiber.is_alive() && fiber.domain as usize == id, "domain {id}: fiber {place}");
        }
    }
    for (place, fiber) in k.fibers.iter().enumerate().filter(|(_, f)| f.is_alive()) {
        let domain = &k.domains[fiber.domain as usize % DOMAINS];
        assert!(domain.fibers & 1 << place != 0, "fiber {place} is in no domain");
    }
    if k.current != NONE {
        assert!(k.fibers[k.current as usize].is_alive(), "a dead fiber is current");
        assert_eq!(k.fibers[k.current as usize].domain, k.domain);
    }
    for (index, object) in k.objects.iter().enumerate().filter(|(_, o)| !o.is_free()) {
        let owner = object.owner;
        let alive = owner == NONE || !k.domains[owner as usize % DOMAINS].is_free();
        assert!(alive, "object {index} of a domain that ended: {object:?}");
    }
    check_caps(k, given);
}

/// Runs `f`; whether the machine stopped in it. Another panic goes on.
fn stops(f: impl FnOnce()) -> bool {
    let Err(payload) = catch_unwind(AssertUnwindSafe(f)) else { return false };
    if payload.downcast_ref::<Stopped>().is_none() {
        resume_unwind(payload);
    }
    true
}

fn children(k: &Kernel<Host>) -> Vec<u8> {
    let ids = 0..DOMAINS as u8;
    ids.filter(|&id| !k.domains[id as usize].is_free() && !is_init(k, id)).collect()
}

/// Ends every child, and drops the ends of channels that subject zero has left: its own end would be the cell's.
fn end_all(k: &mut Kernel<Host>) {
    for id in children(k) {
        k.end_domain(id, end::KILLED, 0);
    }
    // They end in steps, while others could run; a machine that sleeps has nothing left to do.
    stops(|| {
        for _ in 0..5000 {
            if children(k).is_empty() {
                break;
            }
            k.machine.advance(1_000_000);
            if k.current != NONE {
                k.call(n::YIELD, &[0; 6]);
            }
            k.schedule();
        }
    });
    for index in 0..OBJECTS as u32 {
        if let Body::End { channel, side } = k.body(index) {
            k.unmap_everywhere(index);
            k.drop_end(channel, side);
            k.free_object(index);
            k.free_channel_if_dead(channel);
        }
    }
}

/// What is in use.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Used {
    free: (u64, u64),
    channels: usize,
    domains: usize,
    fibers: usize,
}

fn used(k: &Kernel<Host>) -> Used {
    Used {
        free: k.memory.free(),
        channels: k.channels.iter().filter(|c| c.base != 0).count(),
        domains: k.domains.iter().filter(|d| !d.is_free()).count(),
        fibers: k.fibers.iter().filter(|f| f.is_alive()).count(),
    }
}

/// Programs that spawn, talk, map, grant and end, to begin from.
fn seeds() -> Vec<Vec<u8>> {
    let small = |value: u8| [0, value];
    let at = |offset: u16| [&[2][..], &offset.to_le_bytes()].concat();
    let call = |number: usize, args: [Vec<u8>; 4]| -> Vec<u8> {
        [&[0, number as u8][..], &args.concat(), &[0; 4]].concat()
    };
    let of = |list: [u8; 4]| list.map(|value| small(value).to_vec());
    let spawn = [&[7, 40][..], &u64::MAX.to_le_bytes()].concat();
    let turn = call(n::YIELD, of([0; 4]));
    let map = |slot: u8| call(n::MAP, of([slot, 0, 0, 3]));
    let bell = |slot: u8| call(n::SEND, of([slot, 0, 0, 0]));
    let grant = |slot: u8, via: u8| call(n::GRANT, of([slot, via, 127, 7]));
    let revoke = |slot: u8| {
        let all = vec![3, 7];
        call(n::GRANT, [small(slot).to_vec(), all, small(0).to_vec(), small(0).to_vec()])
    };
    let take = |from: u8, into: u8| {
        let [a, c, d] = [from, 64, into].map(|value| small(value).to_vec());
        call(n::RECV, [a, at(512), c, d])
    };
    let drop = |slot: u8| call(n::MASK, of([slot, 0, 0, 0]));
    let kill = |slot: u8| call(n::SEND, of([slot, 1, 0, 0]));
    let pass = [&[8][..], &3_000_000_u32.to_le_bytes()].concat();
    let parent = slot::PARENT;
    vec![
        [&spawn[..], &turn, &map(parent), &bell(parent), &turn, &map(40), &bell(40), &pass]
            .concat(),
        [&spawn[..], &grant(8, 40), &turn, &take(parent, 50), &turn, &revoke(8), &pass].concat(),
        [&turn[..], &spawn, &pass, &drop(40), &pass, &kill(8), &pass, &spawn, &drop(8)].concat(),
        [&spawn[..], &turn, &[9, 1, 2, 3, 4, 5, 6, 7, 8], &turn, &pass, &spawn, &turn].concat(),
    ]
}

#[test]
fn any_program_of_calls_keeps_the_tables_whole() {
    let before = used(&boot());
    fuzz::run("calls", &seeds(), |bytes| {
        let mut k = boot();
        let (mut input, mut given) = (Input(bytes), Given::new());
        check(&k, &mut given);
        for _ in 0..STEPS {
            if input.0.is_empty() || k.current == NONE {
                break;
            }
            if stops(|| step(&mut k, &mut input)) {
                break;
            }
            check(&k, &mut given);
        }
        if k.fibers.iter().any(|f| f.is_alive() && is_init(&k, f.domain)) {
            end_all(&mut k);
            assert_eq!(used(&k), before, "something is lost");
        }
    });
}

/// The check for capabilities sees one that nobody gave.
#[test]
fn a_capability_that_nobody_gave_is_seen() {
    let mut k = boot();
    assert_eq!(spawn_with(&mut k, 40, u64::MAX).0, 0);
    let mut given = Given::new();
    check(&k, &mut given);
    let place = k.current as usize;
    let cap = *k.fibers[place].caps.get(40_usize).expect("the channel");
    assert_eq!(cap.kind, Kind::CHANNEL);
    k.fibers[place].caps.replace(40_usize, Cap { verbs: 2, ..cap }).expect("it is there");
    check(&k, &mut given);
    k.fibers[place].caps.replace(40_usize, Cap { expiry: cap.expiry, ..cap }).expect("there");
    check(&k, &mut given);
    given.values_mut().flatten().for_each(|c| c.verbs &= 2);
    assert!(catch_unwind(AssertUnwindSafe(|| check(&k, &mut given))).is_err());
}
