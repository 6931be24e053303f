//! `instruction NAME`: executes one instruction. Whoever survives it says so.
#![no_std]
#![no_main]

use core::arch::asm;
use rt::println;

rt::entry!(main, kdl: r#"
name "instruction"
kind "npk"
energy 50
pledge "STDIO"
stack "16K"
"#);

/// A name, and a function that executes the instruction.
type Named = (&'static str, fn(usize));

/// A named instruction that may use x0 to x3; x0 is the address of 4 KB that it may write to.
macro_rules! named {
    ($($name:literal $text:literal),* $(,)?) => {
        [$(($name, (|scratch: usize| {
            // SAFETY: writes to nothing but x0 to x3 and the scratch page, or ends the domain.
            unsafe {
                asm!($text, inout("x0") scratch => _, inout("x1") 0 => _, inout("x2") 0 => _,
                    inout("x3") 0 => _)
            };
        }) as fn(usize))),*]
    };
}

static ALL: [Named; 64] = named![
    // Sleeping is the kernel's.
    "wfi" "wfi",
    // No instruction, and those for other levels.
    "udf" ".inst 0",
    "brk" "brk #1",
    "hvc" "hvc #0",
    "hvc-nexus" "hvc #0x4E58",
    "smc" "smc #0",
    "eret" "eret",
    // The kernel's registers.
    "mrs-ttbr0" "mrs x0, ttbr0_el1",
    "msr-ttbr0" "msr ttbr0_el1, x1",
    "mrs-ttbr1" "mrs x0, ttbr1_el1",
    "msr-vbar" "msr vbar_el1, x1",
    "mrs-sctlr" "mrs x0, sctlr_el1",
    "msr-sctlr" "msr sctlr_el1, x1",
    "mrs-tpidr-el1" "mrs x0, tpidr_el1",
    "mrs-elr" "mrs x0, elr_el1",
    "mrs-far" "mrs x0, far_el1",
    "mrs-currentel" "mrs x0, currentel",
    "mrs-mpidr" "mrs x0, mpidr_el1",
    "mrs-midr" "mrs x0, midr_el1",
    "mrs-pfr0" "mrs x0, id_aa64pfr0_el1",
    "mrs-mmfr0" "mrs x0, id_aa64mmfr0_el1",
    "mrs-hcr" "mrs x0, s3_4_c1_c1_0",
    "msr-daif" "msr daifset, #2",
    "msr-spsel" "msr spsel, #1",
    "msr-pan" "msr s3_0_c4_c2_3, x1",
    "msr-tpidrro" "msr tpidrro_el0, x1",
    // Interrupt controller, timers, counters of events.
    "mrs-iar" "mrs x0, s3_0_c12_c12_0",
    "msr-sgi" "msr s3_0_c12_c11_5, x1",
    "mrs-cntv-ctl" "mrs x0, cntv_ctl_el0",
    "msr-cntv-tval" "msr cntv_tval_el0, x1",
    "mrs-cntp-ctl" "mrs x0, cntp_ctl_el0",
    "mrs-cntpct" "mrs x0, cntpct_el0",
    "mrs-pmccntr" "mrs x0, pmccntr_el0",
    "mrs-pmuserenr" "mrs x0, pmuserenr_el0",
    "mrs-amcr" "mrs x0, s3_3_c13_c2_0",
    "mrs-mdccsr" "mrs x0, mdccsr_el0",
    "mrs-dbgdtr" "mrs x0, dbgdtrrx_el0",
    // Translation and caches.
    "tlbi" "tlbi vmalle1",
    "at" "at s1e1r, x0",
    "ic-ivau" "ic ivau, x0",
    "dc-civac" "dc civac, x0",
    "dc-ivac" "dc ivac, x0",
    "mrs-ctr" "mrs x0, ctr_el0",
    // Extensions whose state the kernel does not keep, or that RumKV hides.
    "sve" ".inst 0x2518E3E0",
    "sme" ".inst 0xD503477F",
    "pacga" ".inst 0x9AC23020",
    "pacia" ".inst 0xDAC10020",
    "mte-irg" ".inst 0x9AC21020",
    "mte-stg" ".inst 0xD9200800",
    "mops" ".inst 0x19010440",
    "ld64b" ".inst 0xF83FD000",
    "st64bv0" ".inst 0xF821A000",
    "wfet" ".inst 0xD5031001",
    "mrs-scxtnum" "mrs x0, s3_3_c13_c0_7",
    "mrs-tpidr2" "mrs x0, s3_3_c13_c0_5",
    "cfp-rctx" ".inst 0xD50B7381",
    // What a program may do.
    "nop" "nop",
    "mrs-dczid" "mrs x0, dczid_el0",
    "mrs-tpidr" "mrs x0, tpidr_el0",
    "mrs-tpidrro" "mrs x0, tpidrro_el0",
    "mrs-cntvct" "mrs x0, cntvct_el0",
    "mrs-cntfrq" "mrs x0, cntfrq_el0",
    "dc-zva" "dc zva, x0",
    "mrs-rndr" "mrs x0, s3_3_c2_c4_0",
];

fn main() -> usize {
    #[repr(align(4096))]
    struct Page([u8; 4096]);
    let mut scratch = Page([0; 4096]);
    let name = rt::args().next().unwrap_or_default();
    let Some((_, run)) = ALL.iter().find(|(known, _)| *known == name) else {
        println!("instruction: there is no {name}");
        return 2;
    };
    run(scratch.0.as_mut_ptr().expose_provenance());
    println!("instruction: {name} done");
    0
}
