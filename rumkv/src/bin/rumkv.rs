//! RumKV.
#![no_std]
#![no_main]

rumkv::image!(count_tlb: false, expose: false, open_sgi: false);
