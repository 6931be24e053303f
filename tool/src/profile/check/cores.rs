//! Which core each service will run on: what is promised is added up core by core, as the kernel admits it.
//!
//! A service that says `core` runs there. Drivers that come first, subject zero and who has AUDIT run where the kernel
//! boots; the others where least is promised when they start, as `core_for` in `rumpk/src/cores/share.rs` chooses. Services
//! that nobody starts by itself come last: where they will run depends on what runs by then, and this is one way it can be.
use abi::boot::{SERVICE_AUTO, SERVICE_FIRST, SERVICE_INIT};
use abi::pledge::WINDOW_NS;

use super::super::model::{Cell, Service};

/// Number of the core, counted in the cell's list, for each service in the profile's order.
pub fn of_services(cell: &Cell) -> Vec<usize> {
    let mut loads = vec![0_u64; cell.cores.len().max(1)];
    let mut cores = vec![0; cell.services.len()];
    let mut order: Vec<usize> = (0..cell.services.len()).collect();
    order.sort_by_key(|&n| turn(&cell.services[n]));
    for n in order {
        let service = &cell.services[n];
        let core = placed(cell, service).unwrap_or_else(|| chosen(service, &loads));
        loads[core] = loads[core].saturating_add(load(service));
        cores[n] = core;
    }
    cores
}

/// Services start in this order, and in the profile's among equals.
fn turn(service: &Service) -> usize {
    let role = |flag| service.flags & flag != 0;
    [SERVICE_FIRST, SERVICE_INIT, SERVICE_AUTO].into_iter().position(role).unwrap_or(3)
}

/// Where its `core` says; one that the cell does not have is reported elsewhere.
fn placed(cell: &Cell, service: &Service) -> Option<usize> {
    let core = service.core.as_ref()?;
    cell.cores.iter().position(|own| own.value == core.value)
}

fn chosen(service: &Service, loads: &[u64]) -> usize {
    let stays = service.flags & (SERVICE_FIRST | SERVICE_INIT) != 0 || service.audit.is_some();
    let least = (0..loads.len()).min_by_key(|&core| loads[core]);
    least.filter(|_| !stays).unwrap_or(0)
}

/// Millionths of a core; a domain without energy counts for one.
fn load(service: &Service) -> u64 {
    let window = WINDOW_NS[usize::from(service.spectrum.value) & 3].max(1);
    let budget = if service.spectrum.value == 0 { 0 } else { service.energy.value };
    budget.saturating_mul(1000).saturating_mul(1_000_000) / window + 1
}
