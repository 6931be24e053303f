//! The kernel's capabilities, each with guests that use it and guests that attack it. One program, so that
//! it is linked once; one file per subject.

mod audit;
mod authors;
mod blink;
mod campaign;
mod capabilities;
mod energy;
mod gdb;
mod more_cores;
mod pledge;
mod promises;
mod shootdown;
mod smp;
mod unveil;
