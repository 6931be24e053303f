//! Ends at its first instruction, with the counter as its code.
#![no_std]
#![no_main]

core::arch::global_asm!(
    ".section .text._start, \"ax\"",
    ".global _start",
    "_start:",
    "mrs x0, CNTVCT_EL0",
    // The SysTable is the third argument; its second entry is `exit`.
    "ldr x9, [x2, #0x18]",
    "br x9",
);

const TEXT: &[u8] = b"name \"bench-first\"\nversion 1\nkind \"npk\"\nspectrum \"void\"\nenergy 0\npledge \"STDIO\"\npolicy \"never\"\nstack \"16K\"\nheap \"0\"\nfibers 1\ndevices 0\nchannels 1\n";

/// The manifest for the host tool; not loaded.
#[used]
#[unsafe(link_section = ".nexus.manifest")]
static NEXUS_MANIFEST: [u8; TEXT.len()] = {
    let mut to = [0; TEXT.len()];
    let mut i = 0;
    while i < to.len() {
        to[i] = TEXT[i];
        i += 1;
    }
    to
};

#[panic_handler]
fn panicked(_: &core::panic::PanicInfo) -> ! {
    loop {}
}
