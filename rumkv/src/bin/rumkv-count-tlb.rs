//! RumKV as a measuring instrument: it counts the TLB maintenance of its cell (COUNTERS, index
//! TLB).
#![no_std]
#![no_main]

rumkv::image!(count_tlb: true, expose: false);
