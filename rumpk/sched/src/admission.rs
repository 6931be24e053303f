//! Whether a set of budgets can be promised.
use abi::call::Error;
use abi::pledge::WINDOW_NS;

/// The longest the kernel runs without a scheduling point, ns: the budget of `docs/limits.md`, 20,000 instructions.
pub const KERNEL_STRETCH_NS: u64 = 20_000;

/// What a domain that starts anew may run on if it has less left, ns; once in [`RESTART_PERIOD_NS`] on a core. A Blink takes
/// about 110,000.
pub const RESTART_NS: u64 = 8 * KERNEL_STRETCH_NS;
/// The least time between two such advances, ns: Matter's window.
pub const RESTART_PERIOD_NS: u64 = WINDOW_NS[2];

/// Spectra by number: Void, Gravity, Matter, Photon.
pub(crate) const VOID: u8 = 0;

/// What a domain is promised.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Params {
    /// 0 Void, 1 Gravity, 2 Matter, 3 Photon.
    pub spectrum: u8,
    /// Energy per window in ns of processor time; Void is promised nothing and 0 is taken.
    pub budget_ns: u64,
}

/// Sums over the admitted domains, by spectrum.
#[derive(Clone, Copy, Default)]
pub(crate) struct Load {
    sum: [u64; 4],
    count: [u64; 4],
    largest: [u64; 4],
}

impl Load {
    /// One more domain; budgets are below a window, so that 64 of them do not overflow.
    pub(crate) fn include(&mut self, spectrum: u8, budget: u64) {
        let s = usize::from(spectrum & 3);
        self.sum[s] += budget;
        self.count[s] += 1;
        self.largest[s] = self.largest[s].max(budget);
    }

    /// The longest from ready to done in each spectrum, ns: every budget of the own window once, the largest
    /// once more (inside a spectrum nothing preempts), those of each higher spectrum as often as its windows touch
    /// ours, one stretch of the kernel before it all, and one for each domain that counts: a call begun with the last of
    /// the energy is finished, and paid for only later.
    pub(crate) fn response(&self) -> [u64; 4] {
        let [_, gravity, matter, photon] = self.sum;
        let [_, g, m, p] = self.largest;
        let [_, gravities, matters, photons] = self.count;
        let stretches = |domains: u64| (domains + 1) * KERNEL_STRETCH_NS;
        // As often as the periods of the restart's advance touch the window.
        let [often, twice, once] = [6, 2, 1].map(|times| times * RESTART_NS);
        let all = photons + matters + gravities;
        [
            u64::MAX,
            26 * photon + 6 * matter + gravity + g + stretches(all) + often,
            6 * photon + matter + m + stretches(photons + matters) + twice,
            photon + p + stretches(photons) + once,
        ]
    }

    /// `NoEnergy` if a spectrum that promises anything could end after its window.
    pub(crate) fn check(&self) -> Result<(), Error> {
        let response = self.response();
        let fits = (1..4).all(|s| self.sum[s] == 0 || response[s] <= WINDOW_NS[s]);
        if fits { Ok(()) } else { Err(Error::NoEnergy) }
    }
}

impl Params {
    /// `BadCall` for a spectrum that there is not, `NoEnergy` for a budget of nothing or above a window.
    pub(crate) fn check(self) -> Result<(), Error> {
        let window = *WINDOW_NS.get(usize::from(self.spectrum)).ok_or(Error::BadCall)?;
        let promised = self.spectrum == VOID || (1..=window).contains(&self.budget_ns);
        if promised { Ok(()) } else { Err(Error::NoEnergy) }
    }

    /// The budget that counts: none in Void.
    pub(crate) fn promised(self) -> u64 {
        if self.spectrum == VOID { 0 } else { self.budget_ns }
    }
}
