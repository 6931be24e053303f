//! The flattened device tree of a cell (Devicetree Specification 0.4): what is in the cell, and
//! nothing else.
//!
//! The same bytes with and without RumKV, and on every build: no seed, no address of the bundle.
use abi::{boot::virt, pledge::hard};
use vm_fdt::{Error, FdtWriter};

use super::guest::Chosen;
use crate::profile::board::SECOND_UART;
use crate::profile::model::{Cell, Device};

const GIC: u32 = 1;
const CLOCK: u32 = 2;
/// Interrupt cells: kind, number, trigger (binding `arm,gic-v3`).
const SPI: u32 = 0;
const PPI: u32 = 1;
const LEVEL_HIGH: u32 = 4;
/// INTID of the first SPI and the first PPI.
const FIRST_SPI: u32 = 32;
const FIRST_PPI: u32 = 16;
/// Interrupts of the generic timer: secure, non-secure, virtual, hypervisor (Arm BSA, PPI
/// assignments).
const TIMER_PPIS: [u32; 4] = [29, 30, virt::VTIMER_INTID, 26];

/// Builds the tree.
///
/// # Errors
/// What `vm-fdt` refuses: a name with bytes that the format does not have.
pub fn build(cell: &Cell, guest: Option<&Chosen>) -> Result<Vec<u8>, Error> {
    let mut fdt = FdtWriter::new()?;
    let root = fdt.begin_node("")?;
    fdt.property_string("compatible", "linux,dummy-virt")?;
    fdt.property_string("model", "nexus-cell")?;
    fdt.property_u32("#address-cells", 2)?;
    fdt.property_u32("#size-cells", 2)?;
    fdt.property_u32("interrupt-parent", GIC)?;
    chosen(&mut fdt, cell, guest)?;
    cpus(&mut fdt, cell)?;
    for (n, ram) in cell.ram.iter().enumerate() {
        let at = if n == 0 { cell.seen() } else { ram.at.value };
        let node = fdt.begin_node(&format!("memory@{at:x}"))?;
        fdt.property_string("device_type", "memory")?;
        fdt.property_array_u64("reg", &[at, ram.len.value])?;
        fdt.end_node(node)?;
    }
    psci(&mut fdt)?;
    timer(&mut fdt)?;
    interrupt_controller(&mut fdt, cell)?;
    for device in &cell.devices {
        window(&mut fdt, device)?;
    }
    if cell.devices.iter().any(is_uart) {
        clock(&mut fdt)?;
    }
    fdt.end_node(root)?;
    fdt.finish()
}

fn is_uart(device: &Device) -> bool {
    device.class.value == hard::CONSOLE
}

fn node_name(device: &Device) -> String {
    let kind = match device.at.value {
        virt::UART | SECOND_UART => "pl011",
        virt::RTC => "pl031",
        _ => "pl061",
    };
    format!("{kind}@{:x}", device.at.value)
}

fn chosen(fdt: &mut FdtWriter, cell: &Cell, guest: Option<&Chosen>) -> Result<(), Error> {
    let node = fdt.begin_node("chosen")?;
    if let Some(guest) = guest {
        fdt.property_string("bootargs", &guest.args)?;
        if let Some((start, end)) = guest.initrd {
            fdt.property_u64("linux,initrd-start", start)?;
            fdt.property_u64("linux,initrd-end", end)?;
        }
    }
    if let Some(uart) = cell.devices.iter().find(|d| is_uart(d)) {
        fdt.property_string("stdout-path", &format!("/{}", node_name(uart)))?;
    }
    fdt.end_node(node)
}

fn cpus(fdt: &mut FdtWriter, cell: &Cell) -> Result<(), Error> {
    let cpus = fdt.begin_node("cpus")?;
    fdt.property_u32("#address-cells", 1)?;
    fdt.property_u32("#size-cells", 0)?;
    for core in &cell.cores {
        let cpu = fdt.begin_node(&format!("cpu@{:x}", core.value))?;
        fdt.property_string("device_type", "cpu")?;
        fdt.property_string("compatible", "arm,armv8")?;
        fdt.property_u32("reg", core.value as u32)?;
        fdt.property_string("enable-method", "psci")?;
        fdt.end_node(cpu)?;
    }
    fdt.end_node(cpus)
}

fn psci(fdt: &mut FdtWriter) -> Result<(), Error> {
    let node = fdt.begin_node("psci")?;
    let versions = ["arm,psci-1.0", "arm,psci-0.2"].map(str::to_owned).to_vec();
    fdt.property_string_list("compatible", versions)?;
    fdt.property_string("method", "smc")?;
    fdt.end_node(node)
}

fn timer(fdt: &mut FdtWriter) -> Result<(), Error> {
    let node = fdt.begin_node("timer")?;
    fdt.property_string("compatible", "arm,armv8-timer")?;
    let cells: Vec<u32> =
        TIMER_PPIS.iter().flat_map(|id| [PPI, id - FIRST_PPI, LEVEL_HIGH]).collect();
    fdt.property_array_u32("interrupts", &cells)?;
    fdt.property_null("always-on")?;
    fdt.end_node(node)
}

/// A region for each redistributor: the cores of a cell need not stand beside each other.
fn interrupt_controller(fdt: &mut FdtWriter, cell: &Cell) -> Result<(), Error> {
    let node = fdt.begin_node(&format!("intc@{:x}", virt::GICD))?;
    fdt.property_string("compatible", "arm,gic-v3")?;
    fdt.property_u32("#interrupt-cells", 3)?;
    fdt.property_u32("#address-cells", 0)?;
    fdt.property_null("interrupt-controller")?;
    fdt.property_u32("#redistributor-regions", cell.cores.len() as u32)?;
    let mut frames = vec![virt::GICD, virt::GICD_LEN];
    for core in &cell.cores {
        frames.extend([virt::GICR + virt::GICR_STRIDE * core.value, virt::GICR_STRIDE]);
    }
    fdt.property_array_u64("reg", &frames)?;
    fdt.property_phandle(GIC)?;
    fdt.end_node(node)
}

fn window(fdt: &mut FdtWriter, device: &Device) -> Result<(), Error> {
    let node = fdt.begin_node(&node_name(device))?;
    let kind = match device.at.value {
        virt::UART | SECOND_UART => "arm,pl011",
        virt::RTC => "arm,pl031",
        _ => "arm,pl061",
    };
    let compatible = [kind, "arm,primecell"].map(str::to_owned).to_vec();
    fdt.property_string_list("compatible", compatible)?;
    fdt.property_array_u64("reg", &[device.at.value, device.len.value])?;
    if let Some(irq) = &device.irq {
        fdt.property_array_u32("interrupts", &[SPI, irq.value - FIRST_SPI, LEVEL_HIGH])?;
    }
    if is_uart(device) {
        fdt.property_array_u32("clocks", &[CLOCK, CLOCK])?;
        let names = ["uartclk", "apb_pclk"].map(str::to_owned).to_vec();
        fdt.property_string_list("clock-names", names)?;
    }
    fdt.end_node(node)
}

/// The 24 MHz reference of the board's primecells.
fn clock(fdt: &mut FdtWriter) -> Result<(), Error> {
    let node = fdt.begin_node("apb-pclk")?;
    fdt.property_string("compatible", "fixed-clock")?;
    fdt.property_u32("#clock-cells", 0)?;
    fdt.property_u32("clock-frequency", 24_000_000)?;
    fdt.property_phandle(CLOCK)?;
    fdt.end_node(node)
}
