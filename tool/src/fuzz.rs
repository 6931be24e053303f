//! The fuzz targets: each is a test beside the code that it is about, run by the crate `fuzz`.

/// A target.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Target {
    /// Its name, which is also that of its folder below `tests/fuzz/corpus`.
    pub name: &'static str,
    /// What it reads.
    pub about: &'static str,
    /// Package of the test.
    pub package: &'static str,
    /// Test program: `lib`, or a name under the package's `tests/`.
    pub program: &'static str,
    /// Whole name of the test.
    pub test: &'static str,
}

const fn target(
    name: &'static str,
    about: &'static str,
    package: &'static str,
    program: &'static str,
    test: &'static str,
) -> Target {
    Target { name, about, package, program, test }
}

/// All of them.
pub const TARGETS: [Target; 12] = [
    target(
        "calls",
        "syscalls of all fibers of a cell, time and faults",
        "rumpk",
        "lib",
        "fuzz_calls::any_program_of_calls_keeps_the_tables_whole",
    ),
    target("image", "the image loader", "rumpk", "lib", "fuzz_tests::image_loader"),
    target(
        "cell-manifest",
        "the compiled cell manifest",
        "rumpk",
        "lib",
        "fuzz_tests::cell_manifest_decoder",
    ),
    target("archive", "paths in the boot archive", "rumpk", "lib", "fuzz_tests::archive_and_path"),
    target("ring", "a ring with a hostile peer", "ring", "fuzz", "hostile_peer"),
    target("prov", "a saved ProvChain", "prov", "fuzz", "chain_reader"),
    target("tar", "an archive's members", "bundle", "fuzz", "archive_members"),
    target("bundle", "a bundle, its index signed anew", "bundle", "fuzz", "signed_bundles"),
    target("cell-table", "the cell table", "cells", "fuzz", "cell_table"),
    target("kdl", "the source of a profile", "nexus", "fuzz", "kdl_source"),
    target("nexfs", "a NexFS image, its nodes sealed anew", "nexfs", "lib", "proof::hostile::fuzz"),
    target("elf", "an ELF to pack", "nexus", "fuzz", "elf_packer"),
];

/// What makes the compiler count (LLVM's SanitizerCoverage; both options are stable).
pub const COUNTED: &str = "-Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=3 \
                           -Cllvm-args=-sanitizer-coverage-inline-8bit-counters \
                           -Cllvm-args=-sanitizer-coverage-pc-table -Ccodegen-units=1";
