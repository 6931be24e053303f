//! The calls, one file each where they are more than a few lines.
//!
//! Every handler decodes and checks everything first and then applies, which cannot fail. Arguments are numbers until a
//! checked accessor has used them.
mod channel;
mod grant;
mod map;
mod meta;
mod pledge;
mod prov;
mod spawn;
mod tick;
mod vfs;
mod wait;

pub(crate) use grant::Offer;

use crate::kernel::{Kernel, NONE, OBJECTS};
use crate::object::{Answer, Body, Stop};
use crate::postmortem::Scene;
use abi::call::meta::VERSION;
use abi::call::{COST_J, Error, Range, number as n};
use abi::cap::verb;
use abi::stats::{end, state};
use abi::systable::{ABI_MAJOR, ABI_MINOR};
use arch::{Frame, Machine, UserAddr};

/// What a call costs, in ns of processor time: 1 J is 1 µs.
const COST_NS: [u64; 13] = {
    let mut cost = [0; 13];
    let mut i = 0;
    while i < 13 {
        cost[i] = COST_J[i] as u64 * 1000;
        i += 1;
    }
    cost
};

/// What an entry returns. A status above zero means that another fiber may run first: the frame holds the result.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Return {
    /// 0, a negative [`Error`], or [`Return::LATER`].
    pub status: isize,
    /// By call.
    pub value: usize,
}

impl Return {
    /// The result comes with the frame.
    pub const LATER: Self = Self { status: 1, value: 0 };

    fn of(answer: Result<usize, Error>) -> Self {
        match answer {
            Ok(value) => Self { status: 0, value },
            Err(error) => Self { status: error as isize, value: 0 },
        }
    }
}

/// The six arguments.
pub type Args = [usize; 6];

impl<M: Machine> Kernel<M> {
    /// Handles call `number` of the current fiber.
    pub fn call(&mut self, number: usize, args: &Args) -> Return {
        if (number, args[0]) == (n::META, VERSION) {
            return self.version();
        }
        self.call_other(number, args)
    }

    /// Handles the cheapest call there is, `meta(VERSION)`, which needs none of the room that the others make for
    /// themselves.
    #[inline(always)]
    pub fn version(&mut self) -> Return {
        self.counters.calls += 1;
        self.last_call = n::META as u8;
        let value = (ABI_MAJOR as usize) << 16 | ABI_MINOR as usize;
        if self.sched.spend(self.domain, COST_NS[n::META]) && !self.reconsider {
            return Return { status: 0, value };
        }
        self.finish(Ok(value), 0)
    }

    /// Handles any other call.
    #[inline(always)]
    pub fn call_other(&mut self, number: usize, args: &Args) -> Return {
        self.counters.calls += 1;
        self.last_call = number as u8;
        let Some(&cost) = COST_NS.get(number) else {
            return Return::of(Err(Error::BadCall));
        };
        // Charged when it starts, even below zero: the call is finished all the same.
        let solvent = self.sched.spend(self.domain, cost);
        let answer = self.handle(number, args);
        match answer {
            Ok(value) if solvent && !self.reconsider => Return { status: 0, value },
            answer => self.finish(answer, args[0]),
        }
    }

    #[inline(always)]
    fn handle(&mut self, number: usize, args: &Args) -> Answer {
        self.part();
        match number {
            // These note something: without room for it they wait.
            n::SPAWN | n::GRANT | n::PLEDGE if self.must_hold() => self.hold(number, args),
            n::META => self.meta(args[0], UserAddr(args[1] as u64), args[2]),
            n::EXIT => {
                self.end_fiber(self.current as usize, end::EXIT, args[0] as u64);
                Err(Stop::Later)
            }
            n::YIELD => {
                self.sched.cooperated(self.domain);
                self.fiber_mut().state = state::READY;
                self.fiber_mut().frame.set_result(0, 0);
                Err(Stop::Later)
            }
            n::WAIT => self.wait(UserAddr(args[0] as u64), args[1], args[2] as u64),
            n::SPAWN => self.spawn(args[0], UserAddr(args[1] as u64), args[2]),
            n::SEND => self.send(args[0], args[1], args[2]),
            n::RECV => self.recv(args[0], UserAddr(args[1] as u64), args[2], args[3]),
            n::MAP => self.map(args),
            n::MASK => self.mask(args),
            n::GRANT => self.grant(args),
            n::PLEDGE => self.pledge(args[0], UserAddr(args[1] as u64), args[2]),
            n::TICK => self.tick(args[0], args[1], UserAddr(args[2] as u64)),
            _ => self.prov(args[0], args[1], UserAddr(args[2] as u64), args[3]),
        }
    }

    /// A call that waited for room in the audit chain.
    pub(crate) fn held_call(&mut self, number: usize, args: &Args) -> Answer {
        match number {
            n::SPAWN => self.spawn(args[0], UserAddr(args[1] as u64), args[2]),
            n::GRANT => self.grant(args),
            n::PLEDGE => self.pledge(args[0], UserAddr(args[1] as u64), args[2]),
            _ => Err(Error::BadCall.into()),
        }
    }

    /// The less common ends of a call.
    pub(crate) fn finish(&mut self, answer: Answer, slot: usize) -> Return {
        let result = match answer {
            Ok(value) => Ok(value),
            Err(Stop::Error(error)) => Err(error),
            Err(Stop::Later) => {
                if self.current != NONE {
                    self.fiber_mut().last_call = self.last_call;
                }
                return Return::LATER;
            }
            Err(Stop::Violation) => {
                self.counters.faults += 1;
                self.witness(Scene { slot: slot as u8, ..Scene::NONE });
                self.scene.pledge = self.needed(slot) & !self.domain().pledge;
                self.end_domain(self.domain, end::PLEDGE, 0);
                self.culprit = NONE;
                return Return::LATER;
            }
        };
        let done = Return::of(result);
        if !self.reconsider && self.sched.energy_left(self.domain) > 0 {
            return done;
        }
        self.fiber_mut().frame.set_result(done.status, done.value);
        Return::LATER
    }

    /// `mask(slot, verbs, perms, &range)`.
    fn mask(&mut self, args: &Args) -> Answer {
        let [slot, verbs, perms, range, ..] = *args;
        if verbs > verb::ALL as usize || perms > 7 {
            return Err(Error::BadCall.into());
        }
        let cap = match self.lookup_for(slot, verb::MASK) {
            // A void one is dropped without a look at what it was, or its slot would never be free again.
            Err(Stop::Error(Error::Revoked)) if verbs == 0 => {
                let void = self.fiber_mut().caps.take(slot)?;
                self.let_go(&void);
                return Ok(0);
            }
            found => found?,
        };
        let range = if range == 0 {
            None
        } else {
            let mut bytes = [0; Range::SIZE];
            self.copy_in_words(UserAddr(range as u64), &mut bytes)?;
            Range::decode(&bytes).map(|r| (r.offset, r.len))
        };
        let left = cap.attenuate(verbs as u8, perms as u8, range)?;
        // What is mapped may be more than what is left: the caller maps again what it still may.
        let narrower = (left.perms, left.offset, left.len) != (cap.perms, cap.offset, cap.len);
        if left.is_empty() || narrower {
            self.unmap_object(cap.object, self.domain);
        }
        if left.is_empty() {
            self.drop_private_end(&cap);
        }
        self.fiber_mut().caps.replace(slot, left)?;
        if left.is_empty() {
            self.let_go(&cap);
        }
        Ok(0)
    }

    /// Reads a record that the contract wants on an 8-byte boundary.
    pub(crate) fn copy_in_words(&mut self, from: UserAddr, to: &mut [u8]) -> Result<(), Stop> {
        if from.0 & 7 != 0 {
            return Err(Error::BadAddress.into());
        }
        Ok(self.machine.copy_in(from, to)?)
    }
    /// Writes such a record.
    pub(crate) fn copy_out_words(&mut self, to: UserAddr, from: &[u8]) -> Result<(), Stop> {
        if to.0 & 7 != 0 {
            return Err(Error::BadAddress.into());
        }
        Ok(self.machine.copy_out(to, from)?)
    }

    /// What a capability's object is.
    pub(crate) fn body(&self, object: u32) -> Body {
        self.objects[object as usize % OBJECTS].body
    }
}
