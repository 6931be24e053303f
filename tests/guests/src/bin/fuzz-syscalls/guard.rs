//! What this program must not do to itself: sleep forever, give up its rights, or run nonsense. Children do these.
use abi::call::{SPAWN_FIBER, WAIT_MAX, number as n, pledge_op};
use abi::cap::{SLOTS, slot, verb};

use crate::arena;
use crate::grammar::{CHANNELS, CHILDREN, Case, NEVER_FILLED, TAKEN, TAKES, VICTIM, World};

/// Longest that a `wait` may take, ns.
const PATIENCE_NS: u64 = 1_000_000;

/// Whether the call may be made.
pub fn allows(case: &Case, world: &World, victim: u8) -> bool {
    let a = &case.args;
    let on_slot = matches!(case.number, n::SPAWN | n::SEND | n::RECV | n::MAP | n::MASK | n::GRANT);
    if on_slot && (a[0] == VICTIM as usize || a[0] == victim as usize) {
        return false;
    }
    match case.number {
        n::EXIT => false,
        n::WAIT => waits(a, world),
        n::PLEDGE if a[0] == pledge_op::NARROW && a[2] == 8 => all_ones(a[1]),
        n::SPAWN => fiber_is_ours(a[1], world),
        n::MASK => keeps(a),
        // The console stays the way this program prints.
        n::SEND => a[2] == 0 || a[0] != slot::CONSOLE_OUT as usize,
        // Capabilities that were taken anywhere else would fill the slots for ever, the one that is never filled among them.
        n::RECV if (slot::FIRST as usize..SLOTS).contains(&a[3]) => {
            (TAKEN as usize..TAKEN as usize + TAKES).contains(&a[3])
        }
        n::RECV | n::MAP => a[0] != slot::CONSOLE_OUT as usize,
        _ => true,
    }
}

fn waits(a: &[usize; 6], world: &World) -> bool {
    if a[1] > WAIT_MAX {
        return true;
    }
    match (a[2], arena::word(a[2])) {
        (0, _) => {
            let first = arena::word(a[0]).map(|w| w as u16);
            a[1] > 0 && first == Some(NEVER_FILLED as u16 | 1 << 8)
        }
        (at, _) if !at.is_multiple_of(8) => true,
        (_, Some(deadline)) => deadline <= world.now + PATIENCE_NS,
        (at, None) => !readable(at),
    }
}

fn all_ones(at: usize) -> bool {
    match arena::word(at) {
        Some(mask) => mask == u64::MAX || !at.is_multiple_of(8),
        None => !readable(at),
    }
}

/// Memory outside the arena that this domain can read.
fn readable(at: usize) -> bool {
    let table = abi::systable::ADDRESS_AARCH64 as usize;
    (table..table + 2 * abi::PAGE).contains(&at) || crate::own(at)
}

fn fiber_is_ours(at: usize, world: &World) -> bool {
    match (arena::word(at), arena::word(at.wrapping_add(32))) {
        (Some(op), Some(entry)) => op as u32 != SPAWN_FIBER || entry == world.quick,
        _ => !crate::own(at),
    }
}

/// Narrowing is for the channels to children, and MASK stays: without it the slot could not be emptied any more, and the
/// next child would have no place for its channel.
fn keeps(a: &[usize; 6]) -> bool {
    let expendable = CHANNELS as usize..CHANNELS as usize + CHILDREN;
    let whole = a[1] >= 127 && a[2] >= 7 && (a[3] == 0 || arena::word(a[3]).is_none());
    let emptied = a[1] & verb::MASK as usize != 0 || a[1] & verb::ALL as usize == 0;
    whole || expendable.contains(&a[0]) && emptied
}
