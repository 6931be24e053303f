//! Checked view of the compiled cell manifest ([`abi::boot::CellManifest`]).
//!
//! It is mapped for domains pledged DEVICE or AUDIT only. Nothing in it is trusted: every offset is
//! checked before it is used, a name that is not UTF-8 reads `?`.
use abi::boot::{CellManifest, Grant, Link, MANIFEST_MAGIC, SERVICE_AUTO, Service};
use abi::cap::Kind;

/// A cell manifest whose tables and text lie within its bytes.
#[derive(Clone, Copy, Debug)]
pub struct Manifest<'a> {
    services: &'a [u8],
    links: &'a [u8],
    grants: &'a [u8],
    text: &'a [u8],
}

/// Splits `count` records of `size` bytes off the front.
fn table(bytes: &[u8], count: u32, size: usize) -> Option<(&[u8], &[u8])> {
    bytes.split_at_checked((count as usize).checked_mul(size)?)
}

impl<'a> Manifest<'a> {
    /// Checks and takes apart; `None` for anything that is not a manifest.
    pub fn parse(bytes: &'a [u8]) -> Option<Self> {
        let head = CellManifest::decode(bytes)?;
        let size = CellManifest::SIZE;
        if head.magic != MANIFEST_MAGIC || head.version != 1 || head.size as usize != size {
            return None;
        }
        let bytes = bytes.get(..head.total_len as usize)?;
        let rest = bytes.get(size..)?;
        let (services, rest) = table(rest, head.services, Service::SIZE)?;
        let (links, rest) = table(rest, head.links, Link::SIZE)?;
        let (grants, _) = table(rest, head.grants, Grant::SIZE)?;
        let text = bytes.get(head.text as usize..)?.get(..head.text_len as usize)?;
        Some(Self { services, links, grants, text })
    }

    /// All services, in the manifest's order.
    pub fn services(&self) -> impl Iterator<Item = Service> + use<'a> {
        self.services.chunks_exact(Service::SIZE).filter_map(Service::decode)
    }

    /// All channels between services.
    pub fn links(&self) -> impl Iterator<Item = Link> + use<'a> {
        self.links.chunks_exact(Link::SIZE).filter_map(Link::decode)
    }

    /// The service called `name`.
    pub fn service(&self, name: &str) -> Option<Service> {
        self.services().find(|s| abi::text(&s.name) == name)
    }

    /// The services that subject zero starts at boot.
    pub fn automatic(&self) -> impl Iterator<Item = Service> + use<'a> {
        self.services().filter(|s| s.flags & SERVICE_AUTO != 0)
    }

    /// What `service` is given besides channels.
    pub fn grants(&self, service: &Service) -> impl Iterator<Item = Grant> + use<'a> {
        let all = self.grants.chunks_exact(Grant::SIZE).filter_map(Grant::decode);
        all.skip(service.grant_first as usize).take(service.grant_count as usize)
    }

    /// The name of service number `index`.
    pub fn name(&self, index: u32) -> Option<&'a str> {
        let at = (index as usize).checked_mul(Service::SIZE)?;
        // `name` is the record's first field.
        Some(abi::text(self.services.get(at..at.checked_add(32)?)?))
    }

    /// The argument block of `service`.
    pub fn args(&self, service: &Service) -> &'a [u8] {
        let from = self.text.get(service.args as usize..).unwrap_or(&[]);
        from.get(..service.args_len as usize).unwrap_or(&[])
    }
}

/// The cell's manifest; `None` without the pledge that shows it.
pub fn of_cell() -> Option<Manifest<'static>> {
    let table = crate::sys::table()?;
    let mask = crate::stats::own().ok()?.pledge;
    let shown = mask & (abi::pledge::DEVICE | abi::pledge::AUDIT) != 0;
    if !shown || table.manifest_addr == 0 {
        return None;
    }
    let at = core::ptr::with_exposed_provenance::<u8>(table.manifest_addr as usize);
    // SAFETY: the SysTable names it, and it is mapped read-only for a domain with this pledge.
    let bytes = unsafe { core::slice::from_raw_parts(at, table.manifest_len as usize) };
    Manifest::parse(bytes)
}

/// The slots in which the caller's own service is given objects of `kind`, in the manifest's order;
/// none where the manifest is not shown.
pub fn own_grants(kind: Kind) -> impl Iterator<Item = Grant> {
    let own = crate::stats::own().map(|s| s.name).unwrap_or_default();
    let found = of_cell().and_then(|m| Some((m, m.service(abi::text(&own))?)));
    let all = found.into_iter().flat_map(|(m, service)| m.grants(&service));
    all.filter(move |g| Kind(g.kind) == kind)
}

#[cfg(test)]
#[path = "manifest_tests.rs"]
mod tests;
