//! Blink on the machine in memory: what a domain is after it, and what its peers and its parent see.
extern crate std;
use crate::Kernel;
use crate::domain::Domain;
use crate::fiber::Fiber;
use crate::host_tests::{boot, call, pc, spawn_with};
use crate::kernel::{DOMAINS, FIBERS};
use crate::object::Body;
use abi::PAGE;
use abi::call::{Error, number as n, op, pledge_op, prov_op};
use abi::cap::{R, W, slot};
use abi::image::policy;
use abi::ring::Slot;
use abi::stats::{Event, end, event, state};
use arch::host::Host;
use arch::{Frame as _, Machine as _, Trap};
use std::boxed::Box;
use std::collections::BTreeMap;
use std::format;
use std::string::String;
use std::vec::Vec;

pub(crate) const P: u64 = PAGE as u64;
/// Slot of subject zero's end of the channel to its child.
const CHANNEL: usize = 40;
type Facts = BTreeMap<&'static str, String>;

/// Everything that the kernel holds about a domain with one fiber. Taken apart without a rest pattern, so that a new field
/// does not compile before somebody has decided about it.
fn facts(k: &Kernel<Host>, id: u8) -> Facts {
    let mut all = Facts::new();
    let Domain {
        space,
        job,
        fate,
        history,
        link,
        layout,
        pool,
        extent,
        heap,
        pledge,
        born,
        policy,
        service,
        fibers,
        fibers_max,
        ready,
        first,
        last,
        parent,
        carved,
        time,
        handles,
        answer,
        vfs,
    } = &k.domains[id as usize];
    all.insert("domain.space", format!("{space:?}"));
    all.insert("domain.job", format!("{job:?}"));
    all.insert("domain.fate", format!("{fate:?}"));
    all.insert("domain.history", format!("{history:?}"));
    all.insert("domain.link", format!("{link}"));
    all.insert("domain.layout", format!("{layout:?}"));
    all.insert("domain.pool", format!("{pool:?}"));
    all.insert("domain.extent", format!("{extent:?} {heap:?}"));
    all.insert("domain.pledge", format!("{pledge:x} {born:x} {:?}", k.veils[id as usize]));
    all.insert("domain.manifest", format!("{policy} {service} {fibers_max}"));
    all.insert("domain.fibers", format!("{fibers:x} {ready:x} {first} {last}"));
    all.insert("domain.parent", format!("{parent} {carved}"));
    all.insert("domain.time", format!("{time}"));
    let open: Vec<_> = handles.iter().map(|h| h.address != 0).collect();
    all.insert("domain.files", format!("{open:?} {answer:?} {}", *vfs != 0));
    fiber_facts(k, *first as usize, &mut all);
    all.insert("energy.left", format!("{}", k.sched.energy_left(id)));
    all.insert("energy.deadline", format!("{}", k.sched.deadline(id)));
    let promised = (k.sched.spectrum(id), k.sched.budget(id), k.sched.strikes(id));
    all.insert("energy.promised", format!("{promised:?}"));
    let owned = k.objects.iter().filter(|o| !o.is_free() && o.owner == id);
    let mut owned: Vec<_> =
        owned.map(|o| format!("{:?} {} {:x}", o.body, o.latched, o.waiters)).collect();
    owned.sort();
    all.insert("objects", format!("{owned:?}"));
    let mapped = k.mappers.iter().filter(|m| m.has(id)).count();
    all.insert("objects.mapped", format!("{mapped}"));
    if let Some(channel) = link.checked_sub(1) {
        let channel = &k.channels[channel as usize];
        all.insert("channel.generation", format!("{}", channel.generation));
        let end = &channel.ends[1];
        let told = (end.mapped, end.holder, end.gone, end.broken, end.told);
        all.insert("channel.end", format!("{told:?}"));
    }
    all
}

fn fiber_facts(k: &Kernel<Host>, place: usize, all: &mut Facts) {
    let Fiber {
        frame,
        caps,
        wait,
        id,
        state,
        end,
        domain,
        parent,
        object,
        timer,
        timer_fired,
        ended,
        restarted,
        offers,
        code,
        pc,
        time,
        stack,
        name,
        eager,
        last_call,
        audit,
        far_ended,
        asked,
        far_parent,
        far_parent_id,
    } = &k.fibers[place];
    all.insert("fiber.frame", format!("{frame:?}"));
    // Which object a slot names may differ in its number; what it is and allows may not.
    let kinds: Vec<_> = caps
        .iter()
        .map(|(slot, c)| {
            let lives = k.objects[c.object as usize].epoch == c.epoch;
            format!("{slot} {:?} {:?}", (c.kind, c.verbs, c.perms, c.depth, c.offset, c.len), lives)
        })
        .collect();
    all.insert("fiber.caps", format!("{kinds:?}"));
    all.insert("fiber.wait", format!("{} {} {}", wait.active, wait.timed_out, wait.unpledged));
    all.insert("fiber.name", format!("{id} {domain} {parent} {object} {name:?}"));
    all.insert("fiber.state", format!("{state} {end} {code} {pc} {last_call}"));
    all.insert("fiber.timer", format!("{timer} {timer_fired}"));
    all.insert("fiber.events", format!("{ended:x} {restarted:x} {offers:?}"));
    all.insert("fiber.time", format!("{time}"));
    let far = (far_ended, asked.pending, far_parent, far_parent_id);
    all.insert("fiber.far", format!("{far:?}"));
    let audit = (audit.next, audit.window_end, audit.written, audit.number);
    all.insert("fiber.audit", format!("{audit:?}"));
    all.insert("fiber.stack", format!("{stack:?}"));
    all.insert("fiber.floating", format!("{eager} {}", k.floating == place as u8));
}

/// The bytes that an instance may write: its data, heap and stack.
fn memory(k: &Kernel<Host>, id: u8) -> Vec<u8> {
    let domain = &k.domains[id as usize];
    let from = domain.image_base() + P;
    let len = domain.extent.0 + domain.extent.1 - from;
    k.machine.bytes(from, len as usize).to_vec()
}

/// Lets time pass until `done`.
fn until(k: &mut Kernel<Host>, what: &str, done: impl Fn(&Kernel<Host>) -> bool) {
    for _ in 0..1000 {
        if done(k) {
            return;
        }
        k.machine.advance(2_000_000);
        k.call(n::YIELD, &[0; 6]);
        k.schedule();
    }
    panic!("never: {what}");
}

/// A child of subject zero with a channel to it, and with `policy`; its place. It is the current one.
pub(crate) fn child(policy: u8) -> (Box<Kernel<Host>>, usize) {
    let mut k = boot();
    assert_eq!(call(&mut k, n::YIELD, [0; 6]), (0, 0));
    let init = k.current;
    assert_eq!(spawn_with(&mut k, CHANNEL as u8, u64::MAX).0, 0);
    let place = k.fibers.iter().position(|f| f.is_alive() && f.parent == init).expect("a child");
    let id = k.fibers[place].domain;
    k.domains[id as usize].policy = policy;
    until(&mut k, "the child runs", |k| k.current == place as u8);
    (k, place)
}

pub(crate) fn fault(k: &mut Kernel<Host>) {
    k.trap(&Trap::Fault { cause: end::PAGE_FAULT, address: 0x1234, syndrome: 7 });
}

/// Lets the fiber in `place` be what runs.
pub(crate) fn run(k: &mut Kernel<Host>, place: usize) {
    until(k, "it runs", |k| k.current == place as u8);
}

/// A call of the current fiber, which then waits for its energy: a child has little, and most calls cost all of it.
pub(crate) fn ask(k: &mut Kernel<Host>, number: usize, args: [usize; 6]) -> (isize, usize) {
    let place = k.current as usize;
    let answer = call(k, number, args);
    run(k, place);
    answer
}

/// Time in which nothing runs.
fn pass(k: &mut Kernel<Host>, ns: u64) {
    k.machine.advance(ns);
    k.charged_until += ns;
}

fn save(k: &mut Kernel<Host>, bytes: &[u8]) -> (isize, usize) {
    let at = pc(k) + P + 512;
    k.machine.store(at, bytes).expect("own data");
    ask(k, n::PROV, [slot::SELF.into(), prov_op::SAVE, at as usize, bytes.len(), 0, 0])
}

fn load(k: &mut Kernel<Host>) -> Result<Vec<u8>, Error> {
    let at = pc(k) + P + 512;
    let (status, len) = ask(k, n::PROV, [slot::SELF.into(), prov_op::LOAD, at as usize, 64, 0, 0]);
    if let Some(error) = Error::from_status(status) {
        return Err(error);
    }
    let mut bytes = std::vec![0; len.min(64)];
    k.machine.load(at, &mut bytes).expect("own data");
    Ok(bytes)
}

/// An instance does what it can to leave traces.
fn dirty(k: &mut Kernel<Host>) {
    let data = pc(k) + P;
    k.machine.store(data, &[0xAA; 256]).expect("own data");
    let sp = k.fiber().frame.sp();
    k.machine.store(sp - 128, &[0xBB; 128]).expect("own stack");
    assert_eq!(ask(k, n::MAP, [slot::PARENT.into(), 0, 0, (R | W).into(), 0, 0]).0, 0);
    k.machine.store(data + 256, &u64::MAX.wrapping_sub(1).to_le_bytes()).expect("own data");
    let arm = [slot::CLOCK.into(), abi::call::tick_op::ARM, (data + 256) as usize, 0, 0, 0];
    assert_eq!(ask(k, n::TICK, arm).0, 0);
    let lowest = abi::pledge::STDIO | 1 << abi::pledge::SPECTRUM_SHIFT;
    k.machine.store(data + 256, &lowest.to_le_bytes()).expect("own data");
    assert_eq!(ask(k, n::PLEDGE, [pledge_op::NARROW, (data + 256) as usize, 8, 0, 0, 0]).0, 0);
    k.fiber_mut().frame.floating = 77;
}

/// By class, not by luck: whatever is not named in `survives.txt` is as it was before the first instance ran.
#[test]
fn a_new_instance_finds_everything_as_the_first_one_did() {
    let (mut k, place) = child(policy::RESTART);
    let id = k.fibers[place].domain;
    let (before, bytes) = (facts(&k, id), memory(&k, id));
    let used = (k.memory.free(), k.objects.iter().filter(|o| o.is_free()).count());
    let listed = include_str!("survives.txt");
    let listed: Vec<&str> = listed
        .lines()
        .filter(|l| !l.starts_with('#') && !l.is_empty())
        .map(|l| l.split_once(": ").expect("a field and its reason").0)
        .collect();
    for name in &listed {
        assert!(before.contains_key(name), "survives.txt names {name}, which there is not");
    }
    for round in 0..4 {
        dirty(&mut k);
        if round % 2 == 0 {
            fault(&mut k);
        } else {
            kill_from_parent(&mut k, place);
        }
        run(&mut k, place);
        let after = facts(&k, id);
        for (name, value) in &before {
            let same = after.get(name) == Some(value);
            assert!(same || listed.contains(name), "round {round}: {name}: {value} is {after:?}");
        }
        assert_eq!(memory(&k, id), bytes, "round {round}: memory of the dead one");
        assert_eq!(k.machine.stale(), [], "round {round}");
        let now = (k.memory.free(), k.objects.iter().filter(|o| o.is_free()).count());
        assert_eq!(now, used, "round {round}: leaks");
        assert_eq!(k.domains[id as usize].history.blinks, round + 1);
    }
}

/// Subject zero ends the child through its FIBER capability.
pub(crate) fn kill_from_parent(k: &mut Kernel<Host>, place: usize) {
    operate(k, place, op::FIBER_KILL);
}

/// Subject zero sends `operation` to its capability on the fiber in `place`.
fn operate(k: &mut Kernel<Host>, place: usize, operation: usize) -> (isize, usize) {
    let init = k.fibers[place].parent as usize;
    run(k, init);
    let object = k.fibers[place].object;
    let slot = k.fibers[init].caps.iter().find(|(_, c)| c.object == object).expect("its own").0;
    ask(k, n::SEND, [slot.into(), operation, 0, 0, 0, 0])
}

#[test]
fn five_own_faults_in_ten_seconds_end_in_quarantine_and_release_ends_that() {
    let (mut k, place) = child(policy::RESTART);
    for _ in 0..4 {
        run(&mut k, place);
        fault(&mut k);
    }
    run(&mut k, place);
    fault(&mut k);
    until(&mut k, "quarantine", |k| k.fibers[place].state == state::QUARANTINED);
    assert_eq!(operate(&mut k, place, op::FIBER_BLINK).0, Error::NotReady as isize);
    assert_eq!(operate(&mut k, place, op::FIBER_RELEASE), (0, 0));
    run(&mut k, place);
    assert_eq!(k.domains[k.domain as usize].history.blinks, 0);
    // Asked for, it never ends in quarantine.
    for _ in 0..20 {
        kill_from_parent(&mut k, place);
        run(&mut k, place);
    }
    // Faults that are far apart do not, either.
    for _ in 0..8 {
        fault(&mut k);
        run(&mut k, place);
        pass(&mut k, 11_000_000_000);
        run(&mut k, place);
    }
}

#[test]
fn a_kill_in_quarantine_is_for_good() {
    let (mut k, place) = child(policy::RESTART);
    let init = k.fibers[place].parent as usize;
    for _ in 0..5 {
        run(&mut k, place);
        fault(&mut k);
    }
    until(&mut k, "quarantine", |k| k.fibers[place].state == state::QUARANTINED);
    assert_eq!(operate(&mut k, place, op::FIBER_KILL), (0, 0));
    until(&mut k, "its end", |k| k.fibers[place].state == state::ENDED);
    assert!(k.fibers[init].ended & 1 << place != 0);
}

/// The kernel works for a restarted domain also when that starts a fiber: a kill is one all the same.
#[test]
fn a_kill_is_not_lost_while_a_further_fiber_is_made() {
    let (mut k, place) = child(policy::RESTART);
    fault(&mut k);
    run(&mut k, place);
    let id = k.fibers[place].domain;
    k.begin(id, crate::job::Phase::Stack);
    let blinks = k.domains[id as usize].history.blinks;
    k.end_domain(id, end::KILLED, 0);
    until(&mut k, "a Blink", |k| k.domains[id as usize].history.blinks == blinks + 1);
}

#[test]
fn the_checkpoint_is_kept_once_and_not_by_who_cannot_be_trusted() {
    let (mut k, place) = child(policy::RESTART);
    assert_eq!(load(&mut k), Err(Error::Empty));
    assert_eq!(save(&mut k, b"first"), (0, 5));
    fault(&mut k);
    run(&mut k, place);
    assert_eq!(load(&mut k), Ok(b"first".to_vec()), "the first Blink");
    assert_eq!(save(&mut k, b"second"), (0, 6));
    kill_from_parent(&mut k, place);
    run(&mut k, place);
    assert_eq!(load(&mut k), Ok(b"second".to_vec()), "asked for");
    fault(&mut k);
    run(&mut k, place);
    assert_eq!(load(&mut k), Err(Error::Empty), "the second own fault inside ten seconds");
    pass(&mut k, 20_000_000_000);
    run(&mut k, place);
    assert_eq!(save(&mut k, b"third"), (0, 5));
    k.trap(&Trap::Fault { cause: end::PLEDGE, address: 0, syndrome: 0 });
    run(&mut k, place);
    assert_eq!(load(&mut k), Err(Error::Empty), "a death by pledge");
    let big = std::vec![1; 4097];
    let at = pc(&k) as usize + P as usize;
    let args = [slot::SELF.into(), prov_op::SAVE, at, big.len(), 0, 0];
    assert_eq!(call(&mut k, n::PROV, args).0, Error::TooBig as isize);
}

/// Takes the next event of the current fiber.
fn take_event(k: &mut Kernel<Host>) -> Option<Event> {
    let at = pc(k) + P + 1024;
    let (status, _) = ask(k, n::RECV, [slot::EVENTS.into(), at as usize, 64, 0, 0, 0]);
    if status != 0 {
        return None;
    }
    let mut bytes = [0; Slot::SIZE];
    k.machine.load(at, &mut bytes).expect("own data");
    Event::decode(&Slot::decode(&bytes)?.payload)
}

fn send(k: &mut Kernel<Host>, slot: usize, arg: u64) -> isize {
    let at = pc(k) + P + 1024;
    let message = Slot { kind: 1, flags: 0, len: 0, arg, payload: [0; 48] };
    k.machine.store(at, &message.encode()).expect("own data");
    ask(k, n::SEND, [slot, at as usize, 16, 0, 0, 0]).0
}

fn recv(k: &mut Kernel<Host>, slot: usize) -> Result<u64, isize> {
    let at = pc(k) + P + 1024;
    let (status, _) = ask(k, n::RECV, [slot, at as usize, 64, 0, 0, 0]);
    let mut bytes = [0; Slot::SIZE];
    k.machine.load(at, &mut bytes).expect("own data");
    if status == 0 { Ok(Slot::decode(&bytes).expect("whole").arg) } else { Err(status) }
}

/// Unread requests stay, and the peer's slot is dead until it has heard of the restart.
#[test]
fn a_peer_is_told_and_what_it_sent_is_still_there() {
    let (mut k, place) = child(policy::RESTART);
    let init = k.fibers[place].parent as usize;
    run(&mut k, init);
    for arg in 1..=3 {
        assert_eq!(send(&mut k, CHANNEL, arg), 0);
    }
    run(&mut k, place);
    assert_eq!(recv(&mut k, slot::PARENT.into()), Ok(1));
    fault(&mut k);
    run(&mut k, place);
    fault(&mut k);
    run(&mut k, place);
    run(&mut k, init);
    assert_eq!(send(&mut k, CHANNEL, 4), Error::Gone as isize);
    let told = take_event(&mut k).expect("an event");
    assert_eq!((told.kind, told.source, told.count), (event::RESTARTED, CHANNEL as u32, 2));
    let link = k.domains[k.fibers[place].domain as usize].link as usize - 1;
    assert_eq!(told.generation, k.channels[link].generation);
    assert_eq!(take_event(&mut k), None);
    assert_eq!(send(&mut k, CHANNEL, 4), 0);
    run(&mut k, place);
    let got: Vec<_> = (0..4).map(|_| recv(&mut k, slot::PARENT.into())).collect();
    assert_eq!(got, [Ok(2), Ok(3), Ok(4), Err(Error::Empty as isize)]);
}

/// In quarantine nobody answers, and the peers are not left to wait.
#[test]
fn an_end_in_quarantine_is_gone_until_it_is_released() {
    let (mut k, place) = child(policy::RESTART);
    let init = k.fibers[place].parent as usize;
    for _ in 0..5 {
        run(&mut k, place);
        fault(&mut k);
    }
    until(&mut k, "quarantine", |k| k.fibers[place].state == state::QUARANTINED);
    run(&mut k, init);
    assert_eq!(take_event(&mut k).map(|e| e.kind), Some(event::RESTARTED));
    assert_eq!(send(&mut k, CHANNEL, 1), Error::Gone as isize);
    operate(&mut k, place, op::FIBER_RELEASE);
    run(&mut k, place);
    run(&mut k, init);
    assert_eq!(take_event(&mut k).map(|e| e.kind), Some(event::RESTARTED));
    assert_eq!(send(&mut k, CHANNEL, 1), 0);
}

/// Where a child may not fault, its parent ends by its own policy: subject zero's is to stop the cell.
#[test]
fn an_escalation_ends_the_parent() {
    let (mut k, _) = child(policy::ESCALATE);
    let how = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| fault(&mut k)));
    let how = how.expect_err("the machine stops");
    assert_eq!(how.downcast_ref(), Some(&arch::host::Stopped::Off));
}

#[test]
fn a_post_mortem_tells_what_was_seen() {
    let (mut k, place) = child(policy::RESTART);
    let at = pc(&k);
    fault(&mut k);
    run(&mut k, place);
    let record = k.postmortems[place];
    assert_eq!((record.cause, record.fate, record.pc), (end::PAGE_FAULT, 1, at));
    assert_eq!((record.address, record.syndrome), (0x1234, 7));
    assert_eq!(record.base, k.domains[k.domain as usize].image_base());
    assert_eq!(abi::text(&record.name), "child");
}

/// Nobody keeps more of the kernel's tables than before, however often somebody crashes.
#[test]
fn a_thousand_crashes_leave_nothing() {
    let (mut k, place) = child(policy::RESTART);
    let count = |k: &Kernel<Host>| {
        let domains = (0..DOMAINS).filter(|&d| !k.domains[d].is_free()).count();
        let fibers = (0..FIBERS).filter(|&f| !k.fibers[f].is_free()).count();
        let kept = k.objects.iter().filter(|o| o.body == Body::Kept).count();
        let objects = k.objects.iter().filter(|o| !o.is_free()).count();
        (domains, fibers, objects, kept, k.memory.free())
    };
    let before = count(&k);
    for _ in 0..1000 {
        fault(&mut k);
        run(&mut k, place);
        k.domains[k.domain as usize].history = crate::blink::History::NONE;
    }
    assert_eq!(count(&k), before);
    assert_eq!(k.machine.stale(), []);
}
