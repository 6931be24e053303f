//! `--sabotage` as a user gives it: the attack that RumKV stops succeeds where the check is missing.
use system::command::{Ended, nexus, run};
use system::{folder, kernel_profile};

/// `./nexus COMMAND PROFILE ...` for the kernel that reads RumKV's memory.
fn attack(command: &str, rumkv: Option<&str>, more: &[&str]) -> Ended {
    let folder = folder();
    let profile = kernel_profile(folder.path(), "el1-read-rumkv", rumkv);
    let path = profile.to_string_lossy();
    run(nexus(&[&[command, &path][..], more].concat()), b"")
}

#[test]
fn the_post_mortem_names_cause_and_address() {
    let ended = attack("run", Some("rumkv"), &["--timeout", "60"]);
    assert_eq!(ended.code, Some(3), "{ended:?}");
    assert!(ended.err.contains("data access outside the map at 0x40200000"), "{ended:?}");
    assert!(!ended.err.contains("read succeeded"), "{ended:?}");
}

#[test]
fn without_the_check_there_is_no_post_mortem_and_the_read_succeeds() {
    let ended = attack("run", Some("rumkv"), &["--timeout", "60", "--sabotage", "stage2"]);
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert!(ended.err.contains("read succeeded"), "{ended:?}");
    assert!(ended.err.contains("sabotaged on purpose: stage2"), "{ended:?}");
    assert!(!ended.err.contains("RumKV ended"), "{ended:?}");
}

#[test]
fn what_cannot_be_sabotaged_is_an_error() {
    let unknown = attack("run", Some("rumkv"), &["--sabotage", "nosuch"]);
    assert_eq!(unknown.code, Some(1), "{unknown:?}");
    assert!(unknown.err.contains("`nosuch`; there is: sgi, stage2"), "{unknown:?}");
    let none = attack("build", None, &["--sabotage", "stage2"]);
    assert_eq!(none.code, Some(1), "{none:?}");
    assert!(none.err.contains("no RumKV"), "{none:?}");
}

#[test]
fn a_sabotaged_bundle_has_a_path_of_its_own() {
    let whole = attack("build", Some("rumkv"), &[]);
    let broken = attack("build", Some("rumkv"), &["--sabotage", "stage2"]);
    assert_eq!((whole.code, broken.code), (Some(0), Some(0)), "{whole:?} {broken:?}");
    assert_ne!(whole.out, broken.out);
}
