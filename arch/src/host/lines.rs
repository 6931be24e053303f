//! Interrupt controller: lines with the states of a GIC (inactive, pending, active, both).
use std::collections::BTreeMap;
use std::vec::Vec;

#[derive(Debug)]
#[allow(
    clippy::struct_excessive_bools,
    reason = "independent wires and latches, as in the controller"
)]
struct Line {
    edge: bool,
    masked: bool,
    /// The device asserts the level.
    high: bool,
    /// An edge came.
    latched: bool,
    active: bool,
}

#[derive(Debug)]
pub(super) struct Lines(BTreeMap<u32, Line>);

impl Lines {
    pub(super) const OFF: Self = Self(BTreeMap::new());

    pub(super) fn prepare(&mut self, intid: u32, edge: bool) {
        let (high, latched) = self.0.get(&intid).map_or((false, false), |l| (l.high, l.latched));
        self.0.insert(intid, Line { edge, masked: true, high, latched, active: false });
    }

    fn at(&mut self, intid: u32) -> &mut Line {
        self.0.get_mut(&intid).unwrap_or_else(|| panic!("line {intid} was not prepared"))
    }

    pub(super) fn mask(&mut self, intid: u32, masked: bool) {
        self.at(intid).masked = masked;
    }

    /// A line nobody prepared is not looked at: as with real hardware, nothing happens.
    pub(super) fn raise(&mut self, intid: u32) {
        if let Some(line) = self.0.get_mut(&intid) {
            line.high = !line.edge;
            line.latched = line.edge;
        }
    }

    pub(super) fn lower(&mut self, intid: u32) {
        self.at(intid).high = false;
    }

    pub(super) fn is_masked(&self, intid: u32) -> Option<bool> {
        self.0.get(&intid).map(|line| line.masked)
    }

    pub(super) fn active(&self) -> Vec<u32> {
        self.0.iter().filter(|(_, line)| line.active).map(|(&intid, _)| intid).collect()
    }

    /// The lowest that would be given to the core.
    pub(super) fn pending(&self) -> Option<u32> {
        let mut given =
            self.0.iter().filter(|(_, l)| (l.high || l.latched) && !l.masked && !l.active);
        given.next().map(|(&intid, _)| intid)
    }

    pub(super) fn acknowledge(&mut self) -> Option<u32> {
        let intid = self.pending()?;
        let line = self.at(intid);
        (line.latched, line.active) = (false, true);
        Some(intid)
    }

    pub(super) fn end(&mut self, intid: u32) {
        let line = self.at(intid);
        assert!(line.active, "line {intid} ended without being active");
        line.active = false;
    }
}
