//! Entry: a stack, zeros for .bss, the vectors of [`crate::trap`].
use core::arch::global_asm;

global_asm!(
    ".section .head, \"ax\"",
    ".global _start",
    "_start:",
    "adrp x1, __stack_top",
    "add x1, x1, :lo12:__stack_top",
    "mov sp, x1",
    "adrp x2, __bss_start",
    "add x2, x2, :lo12:__bss_start",
    "1: stp xzr, xzr, [x2], #16",
    "cmp x2, x1",
    "b.lo 1b",
    "adrp x1, el1_vectors",
    "add x1, x1, :lo12:el1_vectors",
    "msr vbar_el1, x1",
    "isb",
    "bl kernel",
);
