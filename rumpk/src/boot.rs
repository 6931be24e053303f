//! From the handoff to the first fibers.
use crate::kernel::{Kernel, NONE};
use crate::object::{Body, Object, single};
use crate::places::Places;
use crate::spawn::Wish;
use abi::PAGE;
use abi::boot::{
    BEB_MAGIC, Beb, HANDOFF_MAGIC, Handoff, MemoryRange, SERVICE_FIRST, SERVICE_INIT, beb, virt,
};
use abi::call::{ARGS_MAX, NO_SLOT};
use abi::cap::Kind;
use abi::pledge;
use abi::systable::{ABI_MAJOR, ENTRIES, FLAG_ISOLATED, HW_FDT, MAGIC, SysTable};
use arch::{CORES, Machine};

/// What differs between the kernel and a unikernel: where calls enter and what runs.
#[derive(Clone, Copy)]
pub struct Application {
    /// Address of the linked application's entry: (argument block, its length, SysTable).
    pub entry: u64,
    /// Address of direct entry 0 to 12.
    pub entries: fn(usize) -> u64,
}

/// Code of one gate: the number into `x8`, the trap, the way back.
fn gate(number: u32) -> [u32; 4] {
    const MOVZ_X8: u32 = 0xD280_0008;
    const SVC_0: u32 = 0xD400_0001;
    const RET: u32 = 0xD65F_03C0;
    const UDF: u32 = 0;
    [MOVZ_X8 | number << 5, SVC_0, RET, UDF]
}

impl<M: Machine> Kernel<M> {
    /// [`Self::take_over`] and the first services, for a machine of one core.
    pub fn boot(&mut self, machine: M, handoff: &Handoff, application: Option<Application>) {
        self.take_over(machine, handoff, application);
        self.start_first();
    }

    /// Takes over: tables, facts, channels. Panics with what is wrong: the bundle was verified, so that nothing here
    /// is anybody's input but the host tool's. Answers how many cores there are; who called founds the others'
    /// kernels, and then starts the first services.
    pub fn take_over(
        &mut self,
        machine: M,
        handoff: &Handoff,
        application: Option<Application>,
    ) -> usize {
        assert!(handoff.magic == HANDOFF_MAGIC && handoff.version == 1, "no handoff");
        self.machine = machine;
        self.isolated = application.is_none();
        (self.current, self.domain, self.floating) = (NONE, NONE, NONE);
        self.culprit = NONE;
        self.next_timer = u64::MAX;
        self.random = handoff.seed;
        self.places = Places::of(handoff);
        self.places.application = application.map_or(0, |a| a.entry);
        self.singles();
        self.places.cores = handoff.cores.clamp(1, CORES as u32) as u8;
        self.find_sealer();
        self.audit_boot(handoff);
        self.give_memory(handoff);
        self.write_facts(handoff, application);
        let mut head = Beb::zeroed();
        (head.magic, head.state) = (BEB_MAGIC, beb::RUNNING);
        crate::record(&mut self.machine, self.places.beb, head, format_args!(""));
        self.make_channels();
        self.places.cores as usize
    }

    pub(crate) fn singles(&mut self) {
        let all = [
            (single::SELF, Kind::SELF, 0),
            (single::EVENTS, Kind::EVENTS, 0),
            (single::CLOCK, Kind::CLOCK, pledge::STDIO),
            (single::FACTORY, Kind::FACTORY, 0),
            (single::AUDIT, Kind::AUDIT, pledge::AUDIT),
            (single::POWER, Kind::POWER, 0),
        ];
        assert!(all.len() == single::COUNT as usize);
        for (index, kind, needs) in all {
            let object = Object::new(Body::Single(kind), NONE, needs);
            self.objects[index as usize] = Object { epoch: 1, ..object };
        }
    }

    /// What is free: RAM behind the archive. Says so in the memory map.
    fn give_memory(&mut self, handoff: &Handoff) {
        let (ram, ram_len) = self.machine.ram();
        let archive_end = handoff.archive.max(virt::ARCHIVE) + handoff.archive_len;
        let free = archive_end.next_multiple_of(PAGE as u64);
        // The kernels of the other cores stand at the end of RAM.
        let others = if self.places.cores > 1 { virt::CORES_LEN } else { 0 };
        assert!(others == 0 || ram + ram_len >= virt::CORES + others, "RAM for more cores");
        let len = (ram + ram_len).checked_sub(free + others).expect("the archive fits into RAM");
        self.memory.give(free, len);
        self.accounts.begin(len);
        self.places.free = (free, len);
        self.places.reserved = ram_len - len;
        let ranges = [
            MemoryRange { base: ram, len: handoff.archive - ram, kind: 2, zero: 0 },
            MemoryRange { base: handoff.archive, len: free - handoff.archive, kind: 3, zero: 0 },
            MemoryRange { base: free, len, kind: 1, zero: 0 },
        ];
        let to = self.machine.bytes_mut(virt::MEMMAP, ranges.len() * MemoryRange::SIZE);
        for (to, range) in to.chunks_exact_mut(MemoryRange::SIZE).zip(ranges) {
            to.copy_from_slice(&range.encode());
        }
        self.places.memmap = (virt::MEMMAP, (ranges.len() * MemoryRange::SIZE) as u64);
    }

    /// SysTable and gates.
    fn write_facts(&mut self, handoff: &Handoff, application: Option<Application>) {
        let gate_at = |n| virt::GATES + n as u64 * virt::GATE_LEN;
        let entry = |n| application.map_or_else(|| gate_at(n), |a| (a.entries)(n));
        let table = SysTable {
            magic: MAGIC,
            abi_major: ABI_MAJOR,
            size: SysTable::SIZE as u16,
            flags: if self.isolated { FLAG_ISOLATED } else { 0 },
            entries: core::array::from_fn(entry),
            counter_hz: self.machine.counter_hz(),
            wall_at_boot: handoff.wall,
            hw_addr: handoff.fdt,
            hw_len: handoff.fdt_len as u32,
            hw_kind: HW_FDT,
            manifest_addr: handoff.manifest,
            manifest_len: handoff.manifest_len,
            memmap_addr: self.places.memmap.0,
            memmap_count: self.places.memmap.1 / MemoryRange::SIZE as u64,
            cpu_count: handoff.cores.max(1),
            boot_cpu: 0,
            beb_addr: handoff.beb,
            beb_len: handoff.beb_len,
            measurement: handoff.measurement,
        };
        self.places.systable = Some(table);
        let page = self.machine.bytes_mut(virt::SYSTABLE, PAGE);
        page.fill(0);
        page[..SysTable::SIZE].copy_from_slice(&table.encode());
        let page = self.machine.bytes_mut(virt::GATES, PAGE);
        page.fill(0);
        for (n, to) in page.chunks_exact_mut(virt::GATE_LEN as usize).take(ENTRIES).enumerate() {
            for (to, word) in to.chunks_exact_mut(4).zip(gate(n as u32)) {
                to.copy_from_slice(&word.to_le_bytes());
            }
        }
        self.machine.sync_code(virt::GATES, PAGE);
    }

    /// The channels of the manifest, in its order, so that a link's number is its channel's.
    fn make_channels(&mut self) {
        let count = self.manifest().expect("the cell manifest decodes").link_count();
        for index in 0..count {
            let link = self.manifest().and_then(|m| m.link(index)).expect("counted");
            let made = self.new_channel(link.number, link.slots, link.buffer);
            assert!(made == Ok(index as u8), "channel {index} of the manifest: {made:?}");
        }
    }

    /// Drivers that come before subject zero, then subject zero itself.
    pub fn start_first(&mut self) {
        self.publish_load();
        for flag in [SERVICE_FIRST, SERVICE_INIT] {
            let count = self.manifest().map_or(0, |m| m.service_count());
            for index in 0..count {
                let service = self.manifest().and_then(|m| m.service(index)).expect("counted");
                // What the manifest puts on no core begins here, where the boot is.
                let here = self.core == (service.core as u8).saturating_sub(1);
                if service.flags & flag != 0 && here {
                    self.start_service(index, &service);
                }
            }
        }
    }

    fn start_service(&mut self, index: u16, service: &abi::boot::Service) {
        let mut args = [0; ARGS_MAX];
        let text = self.manifest().map_or(&[][..], |m| m.args(service));
        let len = text.len().min(ARGS_MAX);
        args[..len].copy_from_slice(&text[..len]);
        let name = abi::text(&service.name);
        let started = self.start(&Wish {
            parent: NONE,
            far: None,
            service: Some(index),
            path: abi::text(&service.image),
            name,
            pledge: u64::MAX,
            energy: 0,
            heap: 0,
            args: &args[..len],
            channel_slot: NO_SLOT,
        });
        if let Err(error) = started {
            panic!("service {name:?} does not start: {error:?}");
        }
    }
}
