//! What firmware says about the machine: its device tree (Devicetree Specification 0.4).
use cells::{Machine, Span};
use fdt::Fdt;

/// The firmware's device tree.
pub(super) struct Firmware<'a>(pub(super) Fdt<'a>);

fn span(start: *const u8, size: Option<usize>) -> Option<Span> {
    Span::new(start as u64, size? as u64).ok()
}

impl Machine for Firmware<'_> {
    fn has_ram(&self, wanted: Span) -> bool {
        let mut nodes = self.0.all_nodes().filter(|n| {
            n.property("device_type").and_then(fdt::node::NodeProperty::as_str) == Some("memory")
        });
        nodes.any(|node| {
            let mut regions = node.reg().into_iter().flatten();
            regions.any(|r| span(r.starting_address, r.size).is_some_and(|s| s.holds(wanted)))
        })
    }

    fn reserves(&self, wanted: Span) -> bool {
        let mut listed = self.0.memory_reservations();
        let in_list =
            listed.any(|r| span(r.address(), Some(r.size())).is_some_and(|s| s.overlaps(wanted)));
        let node = self.0.find_node("/reserved-memory");
        let mut regions =
            node.iter().flat_map(|n| n.children()).flat_map(|n| n.reg().into_iter().flatten());
        in_list
            || regions.any(|r| span(r.starting_address, r.size).is_some_and(|s| s.overlaps(wanted)))
    }

    fn has_device(&self, wanted: Span) -> bool {
        let nodes = self.0.all_nodes();
        let mut regions = nodes.flat_map(|n| n.reg().into_iter().flatten());
        regions.any(|r| span(r.starting_address, r.size).is_some_and(|s| s.overlaps(wanted)))
    }

    fn has_core(&self, affinity: u64) -> bool {
        self.0.cpus().any(|cpu| cpu.ids().all().any(|id| id as u64 == affinity))
    }
}
