//! RumKV as a measuring instrument: it counts the TLB maintenance of its cell (COUNTERS, index
//! TLB).
#![no_std]
#![no_main]

rumkv::image!(count_tlb: true, expose: false, open_sgi: false);

// The linker script allows this image what counting takes.
core::arch::global_asm!(".global resident_of_test", ".set resident_of_test, 1");
