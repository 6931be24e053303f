//! Whole machines in QEMU. One program, so that it is linked once.
mod attack;
mod cells;
mod dma;
mod interrupt;
mod refusal;
mod reproducible;
mod shell;
mod terminal;
