//! A hostile kernel at EL1.
use abi::boot::virt;
use abi::hypercall::cause;
use nexus::failure::code;
use system::{Boot, built, expect_exit, folder, kernel_profile};

#[test]
fn a_kernel_that_reads_rumkv_ends_its_cell() {
    let folder = folder();
    let profile = kernel_profile(folder.path(), "el1-read-rumkv", Some("rumkv"));
    let outcome = Boot::of(&built(&profile.to_string_lossy())).run();
    expect_exit(&outcome, code::DEAD_CELL);
    let post = outcome.post_mortem.expect("a post-mortem");
    assert_eq!((post.cell, post.cause, post.address), (0, cause::DATA, virt::RUMKV));
    assert!(outcome.exit.text.contains("data access outside the map"), "{:?}", outcome.exit);
    let pc = outcome.exit.pc.expect("a program counter");
    assert!((virt::KERNEL..virt::ARCHIVE).contains(&pc), "{pc:#x}");
}

#[test]
fn without_the_check_the_same_kernel_succeeds() {
    let folder = folder();
    let rumkv = Some("rumkv-sabotage-stage2");
    let profile = kernel_profile(folder.path(), "el1-read-rumkv", rumkv);
    let outcome = Boot::of(&built(&profile.to_string_lossy())).run();
    expect_exit(&outcome, code::OK);
    assert_eq!(outcome.post_mortem.map(|p| p.cause), Some(cause::OFF));
}
