//! nexus-boot: verifies the bundle, puts its images where they belong, jumps.
//!
//! It runs at EL2 as firmware left it, MMU and caches off, so that every access is aligned (the
//! target sees to it) and what is written is in memory. Crate `bundle` decides; this file finds the
//! bundle, copies, jumps, and says on the console why it refuses. Nothing else is ever printed.
#![no_std]
#![no_main]

use aarch64_cpu::registers::{CNTPCT_EL0, CurrentEL, ELR_EL2, ESR_EL2, FAR_EL2, Readable};
use aarch64_cpu::registers::{SCTLR_EL2, VBAR_EL2, Writeable};
use abi::boot::{BEB_KEPT, BEB_KEPT_LEN, BEB_MAGIC, Beb, Handoff, beb, cell, virt};
use bundle::{Plan, Refusal, verify};
use core::convert::Infallible;
use core::fmt::{Display, Write};
use core::ptr::{with_exposed_provenance, with_exposed_provenance_mut};
use dtoolkit::fdt::{Fdt, FdtNode};
use dtoolkit::standard::NodeStandard;
use dtoolkit::{Node, Property};

core::arch::global_asm!(include_str!("entry.s"), main = sym main, trap = sym trap);

/// What the host tool writes into the image at byte 64.
#[repr(C)]
struct Root {
    magic: [u8; 8],
    key: [u8; 32],
    floor: u32,
    zero: u32,
}

unsafe extern "C" {
    safe static ROOT: Root;
    safe static VECTORS: u8;
    safe static __head: u8;
    safe static __end: u8;
    fn leave(handoff: u64, entry: u64, el1: bool) -> !;
}

extern "C" fn main(fdt: *const u8) -> ! {
    let started = CNTPCT_EL0.get();
    if CurrentEL.read(CurrentEL::EL) != 2 {
        refuse(&Refusal::new("nexus-boot", "the machine must start at EL2"));
    }
    VBAR_EL2.set((&raw const VECTORS).addr() as u64);
    // RES1 bits only: little-endian, MMU and caches off.
    SCTLR_EL2.set(0x30C5_0830);
    let Err(refusal) = boot(fdt, started);
    refuse(&refusal)
}

/// The whole way from the device tree to the jump.
fn boot(fdt: *const u8, started: u64) -> Result<Infallible, Refusal> {
    let no = |reason| Refusal::new("nexus-boot", reason);
    // SAFETY: the boot protocol passes the address of a device tree in x0.
    let fdt = unsafe { Fdt::from_raw(fdt) }.map_err(|_| no("no valid device tree"))?;
    fdt.root().children().filter(|n| n.is_compatible("arm,smmu-v3")).for_each(abort_streams);
    let chosen = fdt.find_node("/chosen").ok_or(no("no /chosen in the device tree"))?;
    let number = |name| {
        let property = chosen.property(name)?;
        Some(property.value().iter().fold(0, |n, byte| n << 8 | u64::from(*byte)))
    };
    let initrd = number("linux,initrd-start").zip(number("linux,initrd-end"));
    let (archive, end) = initrd.ok_or(Refusal::new("bundle", "missing: there is no initrd"))?;
    let archive_len = end.saturating_sub(archive);
    let boot_base = (&raw const __head).addr() as u64;
    let boot_len = (&raw const __end).addr() as u64 - boot_base;
    let (fdt, fdt_len) = (fdt.data().as_ptr().addr() as u64, fdt.data().len() as u64);
    let spans = [(archive, archive_len), (boot_base, boot_len), (fdt, fdt_len)];
    let taken = spans.map(|(from, len)| from..from + len);
    if taken.iter().any(|span| span.start < virt::BEB + virt::BEB_LEN && virt::BEB < span.end) {
        return Err(Refusal::new("bundle", "too big: it reaches the Boot Error Buffer"));
    }
    // What the boot before left, if RAM kept it, is for the kernel to note.
    // SAFETY: RAM of the board, and nothing that is in use.
    let before = unsafe { core::slice::from_raw_parts(pointer(virt::BEB), BEB_KEPT_LEN as usize) };
    copy(virt::BEB + BEB_KEPT, before);
    report(beb::BOOTING, 0, [0; 3]);

    // SAFETY: firmware put the bundle there, and nothing writes it before the jump.
    let bundle = unsafe { core::slice::from_raw_parts(pointer(archive), archive_len as usize) };
    let verified = verify(bundle, &ROOT.key, ROOT.floor)?;
    let plan = Plan::new(verified, &taken)?;
    for place in plan.placements() {
        copy(place.to, place.bytes);
        zero(place.to + place.bytes.len() as u64, place.len - place.bytes.len() as u64);
    }
    // PL031 (Arm DDI 0224, 3.3.1): seconds since the epoch at offset 0.
    let wall = plan.first(cell::CLOCK).map_or(0, |r| u64::from(get(r.a)) * 1_000_000_000);
    let seed = chosen.property("rng-seed").map(|p| *blake3::hash(p.value()).as_bytes());
    let seed = seed.unwrap_or_default();
    let facts = Handoff { archive, archive_len, fdt, fdt_len, ..Handoff::zeroed() };
    let facts = Handoff { wall, started, seed, boot_base, boot_len, ..facts };
    copy(plan.kernel_handoff, &plan.kernel(&facts).encode());
    if plan.header.rumkv == 1 {
        copy(plan.header.handoff, &plan.rumkv(&facts).encode());
    }
    // SAFETY: the entry lies in an image that was verified and placed, and is made for this jump.
    unsafe { leave(plan.header.handoff, plan.header.entry, plan.header.rumkv == 0) }
}

/// Lets an SMMU abort what comes before it is set up (IHI 0070, 6.3 `SMMU_GBPA`: UPDATE 31,
/// ABORT 20).
fn abort_streams(smmu: FdtNode) {
    let base = smmu.reg().ok().flatten().and_then(|mut reg| reg.next()?.address::<u64>().ok());
    let gbpa = base.expect("an SMMU has an address") + 0x44;
    put(gbpa, get(gbpa) | 1 << 31 | 1 << 20);
    while get(gbpa) >> 31 != 0 {}
}

/// A trap to EL2: a fault of nexus-boot or, without RumKV, what the kernel let pass.
extern "C" fn trap() -> ! {
    report(beb::TRAP, 0, [ELR_EL2.get(), FAR_EL2.get(), ESR_EL2.get()]);
    stop()
}

#[panic_handler]
fn panic(info: &core::panic::PanicInfo) -> ! {
    refuse(&format_args!("nexus-boot: {}", info.message()))
}

/// Says why there is nothing to run, on the console and in the Boot Error Buffer, and stops.
fn refuse(why: &dyn Display) -> ! {
    let mut text = Text(0);
    _ = write!(text, "nexus-boot: refused: {why}");
    report(beb::REFUSED, text.0, [0; 3]);
    _ = text.write_str("\n");
    stop()
}

/// Switches the machine off; without PSCI it stands still.
fn stop() -> ! {
    _ = smccc::psci::system_off::<smccc::Smc>();
    loop {
        aarch64_cpu::asm::wfe();
    }
}

/// Writes the head of the Boot Error Buffer.
fn report(state: u32, text_len: u32, [pc, address, syndrome]: [u64; 3]) {
    let (magic, time) = (BEB_MAGIC, CNTPCT_EL0.get());
    let head = Beb { magic, state, text_len, time, pc, address, syndrome, ..Beb::zeroed() };
    copy(virt::BEB, &head.encode());
}

/// Bytes written so far to the console and after the head of the Boot Error Buffer.
struct Text(u32);

impl Write for Text {
    fn write_str(&mut self, s: &str) -> core::fmt::Result {
        for byte in s.bytes() {
            // PL011 (Arm DDI 0183, 3.3): UARTCR = UARTEN | TXE; UARTFR bit 5 = TXFF; UARTDR.
            put(virt::UART + 0x30, 0x101);
            while get(virt::UART + 0x18) & 0x20 != 0 {}
            put(virt::UART, u32::from(byte));
            copy(virt::BEB + Beb::SIZE as u64 + u64::from(self.0), &[byte]);
            self.0 += 1;
        }
        Ok(())
    }
}

fn pointer<T>(at: u64) -> *mut T {
    with_exposed_provenance_mut(at as usize)
}

/// Copies to physical memory that is no object of this program: a placement, a handoff, the BEB.
fn copy(to: u64, bytes: &[u8]) {
    // SAFETY: the plan or `boot` saw to it that `to` is RAM outside of this program and its inputs.
    unsafe { pointer::<u8>(to).copy_from_nonoverlapping(bytes.as_ptr(), bytes.len()) }
}

/// Zeroes such memory.
fn zero(to: u64, len: u64) {
    // SAFETY: as for `copy`.
    unsafe { pointer::<u8>(to).write_bytes(0, len as usize) }
}

/// Reads a register of a device.
fn get(at: u64) -> u32 {
    // SAFETY: the board or the verified cell table has a register of 32 bits there.
    unsafe { with_exposed_provenance::<u32>(at as usize).read_volatile() }
}

/// Writes a register of a device.
fn put(at: u64, value: u32) {
    // SAFETY: as for `get`.
    unsafe { pointer::<u32>(at).write_volatile(value) }
}
