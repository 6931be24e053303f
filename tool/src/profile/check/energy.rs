//! Admission: no core may promise more than it has.
//!
//! With P, M, G the sums of the budgets of a spectrum, p, m, g the largest of them, and K the
//! longest kernel stretch, in µs:
//! P + p + K ≤ 2,000; 6P + M + m + K ≤ 10,000; 26P + 6M + G + g + K ≤ 50,000.
use abi::pledge::{SPECTRA, WINDOW_NS};

use super::super::model::{Cell, Service};
use crate::report::Report;

/// Longest kernel stretch in µs: 20,000 instructions of 1 ns.
const K: u128 = 20;
const PHOTON: usize = 3;
const MATTER: usize = 2;
const GRAVITY: usize = 1;

/// Sum and largest budget by spectrum, J (1 J is 1 µs).
#[derive(Clone, Copy, Default)]
struct Load([(u128, u128); 4]);

impl Load {
    fn with(mut self, service: &Service) -> Self {
        let (sum, largest) = &mut self.0[usize::from(service.spectrum.value)];
        let energy = u128::from(service.energy.value);
        *sum += energy;
        *largest = energy.max(*largest);
        self
    }

    /// The window that overflows: demand and supply in µs, and the spectrum whose promise breaks.
    fn overflow(&self) -> Option<(u128, u128, usize)> {
        let [_, (g_sum, g), (m_sum, m), (p_sum, p)] = self.0;
        let rows = [
            (p_sum + p + K, PHOTON),
            (6 * p_sum + m_sum + m + K, MATTER),
            (26 * p_sum + 6 * m_sum + g_sum + g + K, GRAVITY),
        ];
        rows.into_iter()
            .map(|(demand, spectrum)| (demand, u128::from(WINDOW_NS[spectrum] / 1000), spectrum))
            .find(|(demand, supply, _)| demand > supply)
    }
}

/// Adds up the services in their order and reports the first that no longer fits.
pub fn check(cell: &Cell, out: &mut Vec<Report>) {
    let mut load = Load::default();
    for service in &cell.services {
        let spectrum = usize::from(service.spectrum.value);
        if spectrum == 0 && service.energy.value != 0 {
            out.push(
                Report::new("spectrum `void` has no budget: it gets what is left")
                    .at(&service.energy.at, "a promise that nothing keeps")
                    .help("take `energy` away, or choose another spectrum"),
            );
            continue;
        }
        if spectrum != 0 && service.energy.value == 0 {
            out.push(
                Report::new(format!("service `{}` has no energy", service.name.value))
                    .at(&service.energy.at, "it could never run")
                    .help("give it energy, or the spectrum `void`"),
            );
        }
        load = load.with(service);
        if let Some((demand, supply, broken)) = load.overflow() {
            out.push(
                Report::new(format!(
                    "more energy is promised than a core of cell `{}` has: \
                     {demand} µs in a {} window of {supply} µs",
                    cell.name.value, SPECTRA[broken]
                ))
                .at(&service.energy.at, format!("`{}` does not fit any more", service.name.value))
                .help("lower `energy` here or above; docs/manifest.md shows the sums"),
            );
            return;
        }
    }
}
