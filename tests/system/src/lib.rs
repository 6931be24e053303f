//! Whole profiles booted in QEMU and judged from outside.
