//! What firmware says about the machine: its device tree (Devicetree Specification 0.4).
use cells::{Machine, Span};
use fdt::Fdt;

/// The firmware's device tree.
pub(super) struct Firmware<'a>(pub(super) Fdt<'a>);

fn span(start: *const u8, size: Option<usize>) -> Option<Span> {
    Span::new(start as u64, size? as u64).ok()
}

/// What a host of PCI shows of its bus: `ranges` of three cells there, two here, two of length
/// (IEEE Std 1275 PCI bus binding, 12).
fn behind<'a>(node: &fdt::node::FdtNode<'_, 'a>) -> impl Iterator<Item = Span> + use<'a> {
    let is = |n: &str| node.property(n).and_then(fdt::node::NodeProperty::as_str);
    let ranges = node.property("ranges").filter(|_| is("device_type") == Some("pci"));
    ranges.map_or(&[][..], |p| p.value).chunks_exact(28).filter_map(|range| {
        let number = |at: usize| range[at..at + 8].iter().fold(0, |n, b| n << 8 | u64::from(*b));
        Span::new(number(12), number(20)).ok()
    })
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
            || self.0.all_nodes().any(|n| behind(&n).any(|s| s.overlaps(wanted)))
    }

    fn has_core(&self, affinity: u64) -> bool {
        self.0.cpus().any(|cpu| cpu.ids().all().any(|id| id as u64 == affinity))
    }
}
