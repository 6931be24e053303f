//! The compiled cell manifest. It is part of the verified bundle; it is decoded with checks all the same.
use abi::boot::{CellManifest, Grant, Link, MANIFEST_MAGIC, Service};
use abi::cap::Kind;

/// The manifest's bytes, header checked.
#[derive(Clone, Copy)]
pub struct Manifest<'a> {
    bytes: &'a [u8],
    head: CellManifest,
}

impl<'a> Manifest<'a> {
    /// `None` if header and lengths do not fit together.
    pub fn new(bytes: &'a [u8]) -> Option<Self> {
        let head = CellManifest::decode(bytes)?;
        let all = Self { bytes, head };
        let end = all.text_at();
        let fits = head.magic == MANIFEST_MAGIC
            && head.version == 1
            && head.total_len as usize == bytes.len()
            && end == head.text as usize
            && end.checked_add(head.text_len as usize) == Some(bytes.len());
        fits.then_some(all)
    }
    fn services_end(&self) -> usize {
        CellManifest::SIZE + self.head.services as usize * Service::SIZE
    }
    fn links_end(&self) -> usize {
        self.services_end() + self.head.links as usize * Link::SIZE
    }
    fn text_at(&self) -> usize {
        self.links_end() + self.head.grants as usize * Grant::SIZE
    }

    /// Number of services.
    pub fn service_count(&self) -> u16 {
        self.head.services as u16
    }
    /// Number of links.
    pub fn link_count(&self) -> u16 {
        self.head.links as u16
    }
    /// Service `index`.
    pub fn service(&self, index: u16) -> Option<Service> {
        let at = CellManifest::SIZE + index as usize * Service::SIZE;
        (index < self.service_count()).then(|| Service::decode(&self.bytes[at..]))?
    }
    /// Link `index`.
    pub fn link(&self, index: u16) -> Option<Link> {
        let at = self.services_end() + index as usize * Link::SIZE;
        (index < self.link_count()).then(|| Link::decode(&self.bytes[at..]))?
    }
    /// Grant number `index` of a service.
    pub fn grant(&self, service: &Service, index: u32) -> Option<Grant> {
        let number = service.grant_first.checked_add(index)?;
        let at = self.links_end() + number as usize * Grant::SIZE;
        let there = index < service.grant_count && number < self.head.grants;
        there.then(|| Grant::decode(&self.bytes[at..]))?
    }
    /// Bytes of all MEMORY objects of a service, each in whole pages.
    pub fn regions(&self, service: &Service) -> u64 {
        let grants = (0..service.grant_count).filter_map(|i| self.grant(service, i));
        grants.filter(|g| Kind(g.kind) == Kind::MEMORY).map(|g| region_len(&g)).sum()
    }
    /// Argument text of a service; empty if it points outside.
    pub fn args(&self, service: &Service) -> &'a [u8] {
        let start = self.head.text as usize + service.args as usize;
        self.bytes.get(start..start + service.args_len as usize).unwrap_or_default()
    }
    /// What a service sees of the files, as [`veil::Veil::narrow`] reads it; empty: everything.
    pub fn unveils(&self, service: &Service) -> &'a [u8] {
        let start = self.head.text as usize + service.unveils as usize;
        self.bytes.get(start..start + service.unveils_len as usize).unwrap_or_default()
    }
    /// The service with this name. Only names are looked at: to decode all services would be a tenth of a spawn.
    pub fn find(&self, name: &str) -> Option<u16> {
        const { assert!(core::mem::offset_of!(Service, name) == 0) };
        let wanted: [u8; 32] = abi::name(name);
        let services = self.bytes.get(CellManifest::SIZE..self.services_end())?;
        let mut services = services.as_chunks::<{ Service::SIZE }>().0.iter();
        let found = services.position(|service| service.starts_with(&wanted));
        found.filter(|_| name.len() <= wanted.len()).map(|index| index as u16)
    }
}

/// Most bytes of a MEMORY object: it is mapped and unmapped as a whole in one call.
const REGION_MAX: u64 = 8 << 20;

/// Bytes of the MEMORY object that a grant asks for, at most [`REGION_MAX`].
pub fn region_len(grant: &Grant) -> u64 {
    grant.b.min(REGION_MAX).next_multiple_of(abi::PAGE as u64)
}
