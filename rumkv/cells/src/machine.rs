//! The rules between the table and the machine that it meets.
use abi::boot::{CellRecord, cell};

use crate::table::{Span, Table, physical};
use crate::{Fault, Reason};

/// What firmware says about the machine. RumKV's init reads it from the firmware's device tree.
pub trait Machine {
    /// Whether all of it is RAM.
    fn has_ram(&self, span: Span) -> bool;
    /// Whether firmware keeps a byte of it for itself.
    fn reserves(&self, span: Span) -> bool;
    /// Whether a device's registers start in its first page.
    fn has_device(&self, span: Span) -> bool;
    /// Whether there is a core of this affinity.
    fn has_core(&self, affinity: u64) -> bool;
}

/// Checks a table that passed [`crate::check`] against the machine.
///
/// # Errors
/// A [`Fault`] that names the first record which the machine contradicts.
pub fn check_machine(table: &Table<'_>, machine: &impl Machine) -> Result<(), Fault> {
    for (n, r) in table.records() {
        if let Some(reason) = contradicted(&r, machine) {
            return Err(Fault::at(n, r.kind, reason));
        }
    }
    Ok(())
}

fn contradicted(r: &CellRecord, machine: &impl Machine) -> Option<Reason> {
    let page = |base| Span::new(base, abi::PAGE as u64).ok();
    match r.kind {
        cell::CORE if !machine.has_core(r.a) => return Some(Reason::FirmwareHasNoCore),
        cell::INTERRUPT_CONTROLLER | cell::CONSOLE | cell::IOMMU => {
            let there = page(r.a).is_some_and(|span| machine.has_device(span));
            return (!there).then_some(Reason::FirmwareHasNoDevice);
        }
        _ => {}
    }
    let span = physical(r)?.ok()?;
    match r.kind {
        cell::MACHINE_RAM if !machine.has_ram(span) => Some(Reason::FirmwareHasNoRam),
        cell::RAM | cell::HYPERVISOR if machine.reserves(span) => Some(Reason::FirmwareReserves),
        cell::MACHINE_DEVICE if !machine.has_device(span) => Some(Reason::FirmwareHasNoDevice),
        _ => None,
    }
}
