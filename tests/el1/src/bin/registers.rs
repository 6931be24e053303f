//! Every system register encoding: MRS and MSR with op0 2 and 3, SYS and SYSL with op0 1, generated
//! at run time. Each gives a value, is undefined or does nothing; afterwards RumKV answers,
//! interrupts arrive, and what a cell may not see reads zero. Stated end: OFF with code 0.
//!
//! A write stores back what a read gave, or zero where there is nothing to read; left out is what
//! would end this kernel by its own doing (see [`own_harm`]).
#![no_std]
#![no_main]

use core::sync::atomic::Ordering::Relaxed;

use abi::hypercall::{RUMKV_VERSION, VERSION};
use el1::hypercall::hvc;
use el1::{expect, gic, instruction, line, mrs, msr, report, trap};

el1::kernel!(run);

/// MRS and MSR: direction bit 21, op0 20:19, op1 18:16, CRn 15:12, CRm 11:8, op2 7:5, register 4:0.
const SYSTEM: u32 = 0xD500_0000;
const READ: u32 = 1 << 21;
const RETURN: u32 = 0xD65F_03C0;

const fn encoding(op0: u32, op1: u32, crn: u32, crm: u32, op2: u32) -> u32 {
    op0 << 19 | op1 << 16 | crn << 12 | crm << 8 | op2 << 5
}

/// Room for two instructions, and a page that maintenance by address may work on.
#[repr(C, align(4096))]
struct Page([u32; 1024]);
static mut CODE: Page = Page([0; 1024]);
static mut SCRATCH: Page = Page([0; 1024]);

fn run() -> ! {
    report::begin();
    gic::begin();
    // FP, SVE and SME are not EL1's to refuse: what refuses them is RumKV.
    msr!("cpacr_el1", 3 << 16 | 3 << 20 | 3 << 24);
    instruction!("isb");
    let mut values = 0;
    let mut undefined = [0_u64; 3];
    for op0 in 2..4 {
        for rest in 0..1 << 14 {
            let at = op0 << 19 | rest << 5;
            let (value, gone) = execute(SYSTEM | READ | at, 0);
            values += u64::from(!gone);
            undefined[0] += u64::from(gone);
            if !own_harm(at) {
                undefined[1] += u64::from(execute(SYSTEM | at, if gone { 0 } else { value }).1);
            }
        }
    }
    for rest in 0..1 << 14 {
        let at = 1 << 19 | rest << 5;
        let address = &raw const SCRATCH as u64;
        undefined[2] += u64::from(execute(SYSTEM | at, address).1);
        undefined[2] += u64::from(execute(SYSTEM | READ | at, address).1);
    }
    line!("32768 reads: {values} values, {} undefined", undefined[0]);
    line!("writes: {} undefined; SYS and SYSL: {} of 32768 undefined", undefined[1], undefined[2]);
    hidden();
    alive();
    report::pass()
}

/// Executes an instruction with x0 = `value`; what x0 is then, and whether it was undefined.
fn execute(instruction: u32, value: u64) -> (u64, bool) {
    let code = (&raw mut CODE).cast::<[u32; 2]>();
    let before = trap::UNDEFINED.load(Relaxed);
    // SAFETY: the page is this kernel's, and one core runs.
    unsafe { code.write_volatile([instruction, RETURN]) };
    let mut x0 = value;
    // SAFETY: an instruction that may change x0, the flags and system state that `own_harm` does
    // not list, then a return.
    unsafe {
        core::arch::asm!(
            "dc cvau, {code}", "dsb ish", "ic ivau, {code}", "dsb ish", "isb",
            "blr {code}", "msr daifset, #0xf", "isb",
            code = in(reg) code, inout("x0") x0, clobber_abi("C"), options(nostack)
        );
    }
    (x0, trap::UNDEFINED.load(Relaxed) != before)
}

/// Writes by which this kernel would only harm itself: MDSCR_EL1 and debug authentication aside,
/// the registers that decide where it runs.
fn own_harm(at: u32) -> bool {
    const SCTLR_EL1: u32 = encoding(3, 0, 1, 0, 0);
    const SPSEL: u32 = encoding(3, 0, 4, 2, 0);
    const SP_EL0: u32 = encoding(3, 0, 4, 1, 0);
    matches!(at, SCTLR_EL1 | SPSEL | SP_EL0)
}

/// What a cell may not see.
fn hidden() {
    let pfr0 = mrs!("id_aa64pfr0_el1");
    expect!(1, pfr0 & 0xFF0F == 1, "ID_AA64PFR0_EL1 {pfr0:#x}");
    let dfr0 = mrs!("id_aa64dfr0_el1");
    expect!(2, dfr0 & 0xF_0000_0FF0 == 0, "ID_AA64DFR0_EL1 {dfr0:#x}");
    for (at, name) in [
        (encoding(3, 3, 9, 12, 0), "PMCR_EL0"),
        (encoding(3, 0, 9, 9, 0), "PMSCR_EL1"),
        (encoding(3, 0, 9, 11, 0), "TRBLIMITR_EL1"),
        (encoding(3, 0, 1, 2, 1), "TRFCR_EL1"),
        (encoding(2, 1, 0, 1, 0), "TRCPRGCTLR"),
        (encoding(3, 3, 13, 2, 0), "AMCR_EL0"),
        (encoding(3, 0, 10, 5, 1), "MPAM0_EL1"),
        (encoding(3, 3, 4, 2, 2), "SVCR"),
        (encoding(3, 3, 13, 0, 5), "TPIDR2_EL0"),
        (encoding(3, 0, 1, 0, 5), "RGSR_EL1"),
        (encoding(3, 0, 5, 6, 0), "TFSR_EL1"),
        (encoding(3, 1, 0, 0, 4), "GMID_EL1"),
        (encoding(3, 0, 5, 3, 0), "ERRIDR_EL1"),
        (encoding(3, 0, 10, 4, 3), "LORC_EL1"),
        (encoding(3, 3, 14, 2, 1), "CNTP_CTL_EL0"),
        (encoding(3, 3, 13, 0, 7), "SCXTNUM_EL0"),
        (encoding(3, 4, 1, 1, 0), "HCR_EL2"),
        (encoding(3, 4, 12, 11, 0), "ICH_HCR_EL2"),
        (encoding(3, 5, 1, 0, 0), "SCTLR_EL12"),
        (encoding(3, 6, 1, 1, 0), "SCR_EL3"),
    ] {
        let (value, gone) = execute(SYSTEM | READ | at, 0);
        expect!(3, gone, "{name} reads {value:#x}");
    }
    for (at, name) in [
        (encoding(1, 0, 7, 6, 2), "DC ISW"),
        (encoding(1, 0, 7, 10, 2), "DC CSW"),
        (encoding(1, 0, 7, 14, 2), "DC CISW"),
        (encoding(1, 4, 8, 7, 0), "TLBI ALLE2"),
        (encoding(1, 4, 8, 7, 4), "TLBI ALLE1"),
    ] {
        expect!(4, execute(SYSTEM | at, 0).1, "{name} is not undefined");
    }
    // SGIs of the other groups go nowhere, and a foreign core gets none.
    msr!("icc_sgi0r_el1", 1);
    msr!("icc_asgi1r_el1", 1);
    msr!("icc_sgi1r_el1", 1 << 16 | 1);
    msr!("icc_sgi1r_el1", 2);
    msr!("icc_sgi1r_el1", 1 << 40);
}

/// RumKV answers, and an interrupt arrives.
fn alive() {
    expect!(5, hvc(VERSION, 0) == (0, RUMKV_VERSION), "RumKV does not answer");
    gic::begin();
    gic::enable(3, 0x80);
    trap::INTERRUPTS.store(0, Relaxed);
    gic::unmask();
    instruction!("isb");
    expect!(6, trap::INTERRUPTS.load(Relaxed) == 0, "an interrupt that nobody sent");
    gic::send_to_self(3);
    for _ in 0..100 {
        instruction!("nop");
    }
    gic::mask();
    let times = trap::INTERRUPTS.load(Relaxed);
    expect!(7, times == 1, "{times} interrupts instead of one");
}
