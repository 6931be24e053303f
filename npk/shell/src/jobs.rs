//! Children of the shell, and what else it may end.
use abi::call::{ARGS_MAX, Error, want};
use abi::cap::Kind;
use abi::image::policy::RESTART;
use abi::stats::{FiberEnd, FiberStats, state};
use rt::object::Wanted;
use rt::stats::{Ended, fibers};
use rt::{Clock, Factory, Fiber, manifest, print, println, wait};

use crate::words::Words;

/// Most children at a time.
const JOBS_MAX: usize = 16;
/// Longest name that is remembered.
const NAME_MAX: usize = 32;

/// How long the end of a child is waited for after it was killed, ns.
const END_NS: u64 = 200_000_000;

/// A child.
#[derive(Clone, Copy)]
struct Job {
    fiber: Fiber,
    /// Its number, as `ps` shows it; 0 where statistics are not to be had.
    number: u32,
    name: [u8; NAME_MAX],
}

/// Children that were started and whose end was not told yet.
pub struct Jobs {
    jobs: [Option<Job>; JOBS_MAX],
}

impl Jobs {
    /// None.
    pub const fn new() -> Self {
        Self { jobs: [None; JOBS_MAX] }
    }

    /// Starts an image or service with the words from number 1 on; waits for its end unless it goes
    /// to the background.
    pub fn run(&mut self, words: &Words) {
        let name = words.get(1).unwrap_or_default();
        let Some(place) = self.jobs.iter_mut().find(|j| j.is_none()) else {
            println!("run: {name}: too many children");
            return;
        };
        let mut block = [0; ARGS_MAX];
        let mut len = 0;
        for word in words.from(2) {
            // A line is shorter than an argument block.
            block[len..len + word.len()].copy_from_slice(word.as_bytes());
            len += word.len() + 1;
        }
        let job = match spawn(name, &block[..len]) {
            Ok(fiber) => {
                // A spawn may have used up the window; what follows it begins as a willing one.
                rt::sys::yield_();
                let number = if words.background { number_of(name) } else { 0 };
                Job { fiber, number, name: abi::name(name) }
            }
            Err(e) => {
                println!("run: {name}: {}", rt::start::describe(e));
                return;
            }
        };
        if words.background {
            println!("{} {name}", job.number);
            *place = Some(job);
        } else {
            tell(&job, job.fiber.end());
        }
    }

    /// Tells of all children that have ended, `lead` before the first; `true`: there was one.
    pub fn reap(&mut self, lead: &str) -> bool {
        let mut told = false;
        for place in &mut self.jobs {
            let Some(job) = place else { continue };
            match job.fiber.try_end() {
                Err(Error::Empty) => {}
                end => {
                    if !core::mem::replace(&mut told, true) {
                        print!("{lead}");
                    }
                    tell(job, end);
                    *place = None;
                }
            }
        }
        told
    }

    /// Adds the children's ends to a wait list.
    pub fn watch(&self, list: &mut wait::List) {
        for job in self.jobs.iter().flatten() {
            // The list has more places than there are children.
            let _ = list.add(job.fiber.0, want::EVENT);
        }
    }

    /// Waits for all children.
    pub fn wait(&mut self) {
        for place in &mut self.jobs {
            if let Some(job) = place.take() {
                tell(&job, job.fiber.end());
            }
        }
    }

    /// Ends a child, or a fiber that the manifest lets the shell end, by name or number.
    pub fn kill(&mut self, what: &str) {
        let found = self.child(what).or_else(|| granted(what));
        // In quarantine a kill is for good, whatever the policy.
        let restarts = |s: &FiberStats| s.policy == RESTART && s.state != state::QUARANTINED;
        let again = fibers().any(|s| is(what, s.fiber, &s.name) && restarts(&s));
        match found.map(Fiber::kill) {
            Some(Ok(())) if again => println!("kill: {what}: its policy is to restart"),
            Some(Ok(())) => {
                // Its end is work of the kernel at its own expense; one that is restarted has none.
                if let Some(child) = self.child(what) {
                    let _ = wait::one(child.0, want::EVENT, Some(Clock::OWN.now() + END_NS));
                }
                self.reap("");
            }
            // The manifest speaks of the service; a shell that another one runs has its name only.
            Some(Err(Error::BadSlot)) => println!("kill: {what}: not permitted"),
            Some(Err(e)) => println!("kill: {what}: {}", rt::start::describe(e)),
            None if fibers().any(|s| is(what, s.fiber, &s.name)) => {
                println!("kill: {what}: not permitted");
            }
            None => println!("kill: {what}: not found"),
        }
    }

    /// Restarts a child, or a fiber that the manifest lets the shell restart, by name or number.
    pub fn blink(&mut self, what: &str) {
        let found = self.child(what).or_else(|| granted(what));
        match found.map(Fiber::blink) {
            Some(Ok(())) => {}
            Some(Err(Error::BadSlot)) => println!("blink: {what}: not permitted"),
            Some(Err(e)) => println!("blink: {what}: {}", rt::start::describe(e)),
            None if fibers().any(|s| is(what, s.fiber, &s.name)) => {
                println!("blink: {what}: not permitted");
            }
            None => println!("blink: {what}: not found"),
        }
    }

    fn child(&self, what: &str) -> Option<Fiber> {
        let mut jobs = self.jobs.iter().flatten();
        jobs.find(|j| is(what, j.number, &j.name)).map(|j| j.fiber)
    }
}

/// Starts `name` with what its manifest says; where that does not fit into what the shell has left,
/// with half of it.
fn spawn(name: &str, args: &[u8]) -> rt::Result<Fiber> {
    match Factory::OWN.image(name, args, Wanted::default()) {
        Err(Error::NoEnergy) => {
            let energy = Clock::OWN.energy()?.budget / 2;
            Factory::OWN.image(name, args, Wanted { energy, ..Wanted::default() })
        }
        other => other,
    }
}

/// The number of the youngest fiber called `name`.
fn number_of(name: &str) -> u32 {
    let named = fibers().filter(|s| abi::text(&s.name) == name);
    named.map(|s| s.fiber).max().unwrap_or(0)
}

fn is(what: &str, number: u32, name: &[u8]) -> bool {
    what.parse() == Ok(number) && number != 0 || abi::text(name) == what
}

/// A fiber that the manifest names for the shell: the service's name is that of the grant.
fn granted(what: &str) -> Option<Fiber> {
    let cell = manifest::of_cell()?;
    let mut grants = manifest::own_grants(Kind::FIBER);
    let grant = grants.find(|g| {
        let Some(name) = cell.name(g.arg) else { return false };
        name == what || what.parse() == Ok(number_of(name))
    });
    grant.map(|g| Fiber(g.slot))
}

fn tell(job: &Job, end: rt::Result<FiberEnd>) {
    let name = abi::text(&job.name);
    match end {
        Ok(end) => println!("{name}: {}", Ended(&end)),
        Err(e) => println!("{name}: {}", rt::start::describe(e)),
    }
    // The kernel has taken it back already when it told the parent.
    let _ = job.fiber.release_slot();
}
