//! Admission: no core may promise more than it has. The kernel's own arithmetic, crate `sched`, decides,
//! so that a profile that passes here is admitted at boot.
use abi::pledge::{SPECTRA, WINDOW_NS};
use sched::{DOMAINS, Harmonic, Params};

use super::super::model::{Cell, Service};
use crate::report::Report;

/// Adds up the services of each core, by `cores`, in their order and reports the first that no longer fits.
pub fn check(cell: &Cell, cores: &[usize], out: &mut Vec<Report>) {
    let count = cell.cores.len().max(1);
    let mut sums: Vec<Harmonic> = (0..count).map(|_| Harmonic::new()).collect();
    // More services than the kernel has domains are reported elsewhere.
    for ((id, service), &core) in (0..DOMAINS as u8).zip(&cell.services).zip(cores) {
        if !is_promise(service, out) {
            continue;
        }
        let (sum, spectrum) = (&mut sums[core], service.spectrum.value);
        if sum.add(id, params(spectrum, service.energy.value)).is_err() {
            out.push(overflow(cell, service, core, most(sum, spectrum)));
            return;
        }
    }
}

/// 1 J is 1 µs.
fn params(spectrum: u8, energy: u64) -> Params {
    Params { spectrum, budget_ns: energy.saturating_mul(1000) }
}

/// Whether there is something to admit; a promise of nothing, and one that nothing keeps, are reported.
fn is_promise(service: &Service, out: &mut Vec<Report>) -> bool {
    match (service.spectrum.value, service.energy.value) {
        (0, 0) => {}
        (0, _) => out.push(
            Report::new("spectrum `void` has no budget: it gets what is left")
                .at(&service.energy.at, "a promise that nothing keeps")
                .help("take `energy` away, or choose another spectrum"),
        ),
        (_, 0) => out.push(
            Report::new(format!("service `{}` has no energy", service.name.value))
                .at(&service.energy.at, "it could never run")
                .help("give it energy, or the spectrum `void`"),
        ),
        _ => return true,
    }
    false
}

/// The largest energy, J, that a core still admits in `spectrum`, 0 if none.
fn most(core: &Harmonic, spectrum: u8) -> u64 {
    let (mut fits, mut too_much) = (0, WINDOW_NS[usize::from(spectrum)] / 1000 + 1);
    while too_much - fits > 1 {
        let middle = fits.midpoint(too_much);
        match core.admit(params(spectrum, middle)) {
            Ok(()) => fits = middle,
            Err(_) => too_much = middle,
        }
    }
    fits
}

fn overflow(cell: &Cell, service: &Service, core: usize, most: u64) -> Report {
    let spectrum = SPECTRA[usize::from(service.spectrum.value)];
    let most = match most {
        0 => format!("no energy is left in {spectrum}: lower what stands above"),
        most => format!("{most} J would fit here, more if what stands above is lower"),
    };
    Report::new(format!(
        "more energy is promised than a core of cell `{}` has: {} J more in {spectrum} do not fit",
        cell.name.value, service.energy.value,
    ))
    .at(
        &service.energy.at,
        format!("`{}` does not fit any more{}", service.name.value, on(cell, core)),
    )
    .help(format!("{most}; docs/manifest.md shows the sums"))
}

/// Names the core where there are several.
pub(super) fn on(cell: &Cell, core: usize) -> String {
    match cell.cores.get(core) {
        Some(core) if cell.cores.len() > 1 => format!(" on core {}", core.value),
        _ => String::new(),
    }
}
