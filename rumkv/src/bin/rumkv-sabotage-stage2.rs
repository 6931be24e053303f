//! RumKV with its own memory mapped into the cell: the attack on it must be seen to succeed here,
//! or it proves nothing.
#![no_std]
#![no_main]

rumkv::image!(count_tlb: false, expose: true, open_sgi: false);
