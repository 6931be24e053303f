//! What the next instance is told of where the last one stopped.
extern crate std;
use crate::Kernel;
use crate::blink_tests::{P, ask, child, fault, kill_from_parent, run};
use crate::host_tests::pc;
use abi::call::{Error, LeftOff, number as n, prov_op};
use abi::cap::slot;
use abi::image::policy;
use abi::stats::end;
use arch::Trap;
use arch::host::Host;

fn left_off(k: &mut Kernel<Host>) -> Result<LeftOff, Error> {
    let at = pc(k) + P + 512;
    let args = [slot::SELF.into(), prov_op::LEFT_OFF, at as usize, LeftOff::SIZE, 0, 0];
    let (status, len) = ask(k, n::PROV, args);
    if let Some(error) = Error::from_status(status) {
        return Err(error);
    }
    assert_eq!(len, LeftOff::SIZE);
    let mut bytes = [0; LeftOff::SIZE];
    k.machine.load(at, &mut bytes).expect("own data");
    Ok(LeftOff::decode(&bytes).expect("whole"))
}

fn resumed(k: &mut Kernel<Host>) {
    assert_eq!(ask(k, n::PROV, [slot::SELF.into(), prov_op::RESUMED, 0, 0, 0, 0]), (0, 0));
}

/// Stops `place` at `offset` behind its entry, by its own fault or by its parent.
fn stop(k: &mut Kernel<Host>, place: usize, offset: u64, own: bool) -> u64 {
    let at = pc(k) + offset;
    k.fiber_mut().frame.set_pc(at);
    if own {
        fault(k);
    } else {
        kill_from_parent(k, place);
    }
    run(k, place);
    at
}

#[test]
fn the_first_stop_is_told_until_an_instance_resumed() {
    let (mut k, place) = child(policy::RESTART);
    run(&mut k, place);
    assert_eq!(left_off(&mut k), Err(Error::Empty), "nobody stopped yet");
    let first = stop(&mut k, place, 8, false);
    assert_eq!(left_off(&mut k).map(|l| l.pc), Ok(first));
    // The second instance dies before it repaired anything: it hides nothing.
    stop(&mut k, place, 40, false);
    assert_eq!(left_off(&mut k).map(|l| l.pc), Ok(first));
    resumed(&mut k);
    assert_eq!(left_off(&mut k), Err(Error::Empty));
    let own = stop(&mut k, place, 12, true);
    assert_eq!(left_off(&mut k).map(|l| l.pc), Ok(own), "an own fault is told like a kill");
}

#[test]
fn a_violation_inside_a_call_leaves_nothing_undone() {
    let (mut k, place) = child(policy::RESTART);
    run(&mut k, place);
    k.trap(&Trap::Fault { cause: end::PLEDGE, address: 0, syndrome: 0 });
    run(&mut k, place);
    assert_eq!(left_off(&mut k), Err(Error::Empty));
    resumed(&mut k);
}
