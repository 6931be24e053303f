//! RumKV with SGIs that go where the cell says, other cells included: the attack on a neighbour must
//! be seen to succeed here, or its silence elsewhere proves nothing.
#![no_std]
#![no_main]

rumkv::image!(count_tlb: false, expose: false, open_sgi: true);

// The linker script allows this image some bytes more.
core::arch::global_asm!(".global resident_of_test", ".set resident_of_test, 1");
